//! Assets of a procedure: the card beside it, the picker, the form of an asset's own outcomes.

use askama::Template;

use super::place::Place;
use crate::clients::domain::TypedAsset;
use crate::kernel::base::error::FieldErrors;
use crate::kernel::base::ids::AssetId;
use crate::kernel::base::team::Team;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;
use crate::procedures::store::assets::{Candidate, Own, PICKED_FROM, ProcedureAsset};
use crate::settings::domain::Outcome;

/// The card of the procedure page.
#[derive(Template)]
#[template(path = "procedures/_assets.html")]
pub struct Assets {
    url: String,
    assets: Vec<ProcedureAsset>,
    /// Whether outcomes can be written on them.
    writes: bool,
    /// Whether assets can be added.
    adds: bool,
    saved: Option<&'static str>,
    /// Tells one flash from the one before, so that it shows again; what others change leaves it standing.
    moment: i64,
}

impl Assets {
    pub fn new(place: &Place, assets: Vec<ProcedureAsset>) -> Self {
        Self {
            url: place.url(),
            assets,
            writes: place.sides.any(),
            adds: place.sides.shared,
            saved: None,
            moment: place.now.timestamp_millis(),
        }
    }

    /// Says what has just happened.
    #[must_use]
    pub fn saved(self, word: &'static str) -> Self {
        Self { saved: Some(word), ..self }
    }

    /// With two or more assets each may have its own outcomes; an answer given before stays in sight.
    fn own(&self, asset: &ProcedureAsset) -> bool {
        self.assets.len() > 1 || asset.red.is_some() || asset.blue.is_some()
    }
}

/// The picker: the client's assets, and the form that creates one.
#[derive(Template)]
#[template(path = "procedures/asset_new.html", blocks = ["form", "candidates"])]
pub struct AddAssets {
    pub frame: Frame,
    pub url: String,
    /// The procedure, as "4 Read LSASS memory".
    pub procedure: String,
    /// What can be added.
    pub candidates: Vec<Candidate>,
    /// The words searched for.
    pub q: String,
    /// Those ticked so far.
    pub ticked: Vec<AssetId>,
    /// Whether the person may create assets of the client.
    pub creates: bool,
    /// A new asset as typed.
    pub typed: TypedAsset,
    /// What is wrong with it, or with the choice.
    pub errors: FieldErrors,
    /// Whether it stands in the procedure's page.
    pub inline: bool,
}

impl AddAssets {
    fn more(&self) -> bool {
        self.candidates.len() as i64 >= PICKED_FROM
    }
}

/// One team's outcome of an asset.
pub struct Side {
    pub name: &'static str,
    /// Form field that says what was shown.
    pub was: &'static str,
    pub team: Team,
    /// What may be chosen; none to show it only.
    pub choices: Vec<Outcome>,
    /// The key that is chosen.
    pub chosen: String,
    /// The key that was shown.
    pub shown: String,
}

/// The form of an asset's own outcomes.
#[derive(Template)]
#[template(path = "procedures/asset.html", blocks = ["form"])]
pub struct EditAsset {
    pub frame: Frame,
    pub url: String,
    /// The procedure, as "4 Read LSASS memory".
    pub procedure: String,
    pub asset: ProcedureAsset,
    /// The sides that the person writes, where the asset may have outcomes of its own.
    pub sides: Vec<Side>,
    /// What was typed, or what is stored.
    pub typed: Own,
    /// What was shown when the form was made.
    pub shown: Own,
    /// What is wrong with it.
    pub errors: FieldErrors,
    /// Why it was not saved.
    pub problem: Option<String>,
    /// Whether the person chooses the assets, and which of them the finding names.
    pub chooses: bool,
    /// Whether it stands in the procedure's page.
    pub inline: bool,
}
