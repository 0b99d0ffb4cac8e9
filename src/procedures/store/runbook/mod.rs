//! What a runbook's rows mean, read in one place for every page, list, report and export: its procedures, who
//! applies as operator, how much is done, whose turn it is. Each question takes the clients that the reader
//! sees and finds nothing of others.

mod answers;
mod corrections;
mod latest;
mod operators;
mod progress;
mod rows;
mod turns;
mod uses;

pub use answers::{ASSET_ANSWERS, AssetAnswers, meanings};
pub use corrections::{Corrections, list_corrections};
pub use latest::{LatestAnswers, list_latest};
pub use operators::{Assignments, Operator, list_operators};
pub use progress::{ProgressColumns, get_progress, list_progress, progress_sql};
pub use rows::{
    ProcedureRow, get_procedure, get_procedure_by_key, list_procedures, pause_turns, procedures_of,
};
pub use turns::{Me, Waiting, list_waiting};
pub use uses::{Use, list_uses};
