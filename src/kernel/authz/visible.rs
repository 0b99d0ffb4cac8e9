//! Where somebody may do something, as a value.

use std::ops::Deref;

use crate::kernel::base::ids::ClientId;

/// The clients at which somebody holds a right, or any. [`super::Rights`] make it, so that rows are never
/// filtered by ids that came with a request: a foreign id is simply not found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visible(Vec<ClientId>);

impl Visible {
    pub(super) fn new(mut clients: Vec<ClientId>) -> Self {
        clients.sort_unstable();
        clients.dedup();
        Self(clients)
    }

    /// The client of a row that was found among somebody's, and judged, before; or of what the product itself
    /// does.
    pub fn found(client: ClientId) -> Self {
        Self(vec![client])
    }

    /// Of these the one that was chosen.
    pub fn only(&self, chosen: Option<ClientId>) -> Self {
        Self(chosen.filter(|client| self.0.contains(client)).into_iter().collect())
    }

    pub fn ids(&self) -> &[ClientId] {
        &self.0
    }
}

impl Deref for Visible {
    type Target = [ClientId];

    fn deref(&self) -> &[ClientId] {
        &self.0
    }
}
