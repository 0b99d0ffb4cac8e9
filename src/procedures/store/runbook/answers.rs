//! Both teams' own answers on the assets of a procedure, as the rule of contradictions wants them.

use crate::procedures::domain::Answers;
use crate::settings::domain::Outcome;

/// A procedure's pairs of keys, one for each asset, to select beside its row.
pub const ASSET_ANSWERS: &str = "(SELECT \
    coalesce(jsonb_agg(jsonb_build_array(pa.red_outcome, pa.blue_outcome)), '[]') \
    FROM procedure_assets pa WHERE pa.procedure_id = procedures.id)";

/// The keys of both teams' own outcomes on each asset.
pub type AssetAnswers = Vec<(Option<String>, Option<String>)>;

/// What these keys mean.
pub fn meanings(keys: &AssetAnswers, outcomes: &[Outcome]) -> Vec<Answers> {
    let meaning = |key: &Option<String>| {
        let found = key.as_ref().and_then(|key| outcomes.iter().find(|outcome| &outcome.key == key));
        found.map(|outcome| outcome.meaning)
    };
    keys.iter().map(|(red, blue)| (meaning(red), meaning(blue))).collect()
}
