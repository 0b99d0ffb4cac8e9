//! Where the parts of a procedure page stand, and which pages of theirs a button may lead to.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::kernel::base::ids::{EngagementId, PersonId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::procedures::domain::Sides;

/// One value for log entries, attachments and assets: where they stand and what may be done there.
#[derive(Debug, Clone)]
pub struct Place {
    pub engagement: EngagementId,
    pub procedure: ProcedureId,
    pub zone: Tz,
    /// The time of the request.
    pub now: DateTime<Utc>,
    pub viewer: PersonId,
    /// What they may write; nothing where the work is closed.
    pub sides: Sides,
    /// Whether they may change what others wrote.
    pub lead: bool,
    /// The largest attachment, in bytes.
    pub attachment_bytes: i64,
}

impl Place {
    pub fn url(&self) -> String {
        format!("/engagements/{}/procedures/{}", self.engagement, self.procedure)
    }
    /// The teams whose side the person writes, red first.
    pub fn teams(&self) -> Vec<Team> {
        Team::ALL.iter().copied().filter(|team| self.sides.may_write_team(*team)).collect()
    }
    /// Whether the person may change or remove what `author` wrote for a team; what is no team's, whoever
    /// writes.
    pub fn owns(&self, author: PersonId, team: Option<Team>) -> bool {
        let is_theirs = self.lead || self.viewer == author;
        team.map_or(self.sides.any() && is_theirs, |team| self.sides.may_change(team, is_theirs))
    }
}

/// Where a button of the procedure's form leads after the save: a part's own page, relative to the
/// procedure's. None for whatever is no such page, so that a posted value never becomes a redirect to
/// elsewhere.
pub fn follow(then: &str) -> Option<String> {
    let (path, query) = then.split_once('?').unwrap_or((then, ""));
    let (part, own) = path.split_once('/')?;
    let known = match own {
        "new" => matches!(part, "logs" | "attachments" | "assets"),
        id => matches!(part, "logs" | "assets") && uuid::Uuid::try_parse(id).is_ok(),
    };
    (known && matches!(query, "" | "team=red" | "team=blue")).then(|| then.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_followed() {
        assert_eq!(follow("logs/new?team=red").as_deref(), Some("logs/new?team=red"));
        assert_eq!(follow("assets/new").as_deref(), Some("assets/new"));
        let id = format!("logs/{}", uuid::Uuid::nil());
        assert_eq!(follow(&id), Some(id));
        for foreign in [
            "",
            "next",
            "start",
            "tick/1",
            "/evil",
            "//evil.example",
            "logs/../../x",
            "logs/new?team=green",
            "logs/new#x",
            "x/new",
        ] {
            assert_eq!(follow(foreign), None, "{foreign}");
        }
    }
}
