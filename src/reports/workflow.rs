//! The report's way from Draft to Published: what each step is called, which right it takes, who may not take
//! it. Pure. Whether a step fits the engagement is the lifecycle's affair (`schedule::domain`).

use crate::kernel::authz::Permission as P;
use crate::lifecycle::domain::{Refusal, ReportStatus as R};
use crate::settings::domain::ApprovalRule;

/// A step of the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub from: R,
    pub to: R,
    /// What the button says.
    pub label: &'static str,
    /// What it does, for the page that asks.
    pub about: &'static str,
    /// The right it takes, at the report's client.
    pub needs: P,
    /// Whether it wants a comment: whoever has to mend the report must know why.
    pub wants_comment: bool,
}

const fn step(from: R, to: R, label: &'static str, needs: P, about: &'static str) -> Step {
    Step { from, to, label, about, needs, wants_comment: matches!(to, R::Draft) }
}

const BACK: &str = "The report can be edited again, and the engagement is In Progress, or Scheduled if its \
    start lies ahead. Your comment tells what to mend.";

/// Every step there is.
pub const STEPS: &[Step] = &[
    step(
        R::Draft,
        R::ReadyForReview,
        "Send for review",
        P::ReportEdit,
        "The text is closed, the reviewers are told, and the engagement is In Review.",
    ),
    step(
        R::ReadyForReview,
        R::InReview,
        "Start review",
        P::ReportReview,
        "Everybody sees that somebody is reading it.",
    ),
    step(R::InReview, R::Approved, "Approve", P::ReportReview, "The report waits to be published."),
    step(
        R::Approved,
        R::Published,
        "Publish",
        P::ReportPublish,
        "The client’s people can read it, the text is frozen, and the engagement is Complete.",
    ),
    step(R::ReadyForReview, R::Draft, "Back to Draft", P::ReportReview, BACK),
    step(R::InReview, R::Draft, "Back to Draft", P::ReportReview, BACK),
    step(R::Approved, R::Draft, "Back to Draft", P::ReportReview, BACK),
    step(
        R::Published,
        R::Draft,
        "Take back",
        P::ReportPublish,
        "The client’s people no longer see it. What was published is kept as it is; the report goes on as a \
            new revision in Draft, and the engagement is no longer Complete.",
    ),
];

/// The steps from a status, forward first.
pub fn steps(from: R) -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(move |step| step.from == from)
}

/// The step between two statuses.
///
/// # Errors
/// The lifecycle's sentence where there is none.
pub fn find_step(from: R, to: R) -> Result<&'static Step, Refusal> {
    match steps(from).find(|step| step.to == to) {
        Some(step) => Ok(step),
        None => Err(from
            .check_move(to, true, true)
            .err()
            .unwrap_or_else(|| Refusal::new(format!("The report is {from} already.")))),
    }
}

/// Whether somebody may approve, by the organisation's rule.
///
/// # Errors
/// A sentence for an author, where the rule wants other eyes.
pub fn check_author(rule: ApprovalRule, step: &Step, is_author: bool) -> Result<(), Refusal> {
    if rule == ApprovalRule::NotAuthor && step.to == R::Approved && is_author {
        return Err(Refusal::new(
            "You wrote in this report, so somebody else approves it. Ask another reviewer.",
        ));
    }
    Ok(())
}

/// Whether the text of a report may be changed: in Draft, once its runbook is submitted or when there is none
/// to submit.
///
/// # Errors
/// A sentence that says why not.
pub fn check_editing(status: R, submitted: bool, has_procedures: bool) -> Result<(), Refusal> {
    match status {
        R::Draft if submitted || !has_procedures => Ok(()),
        R::Draft => Err(Refusal::new(
            "The report can be written once its runbook is submitted. Submit the engagement first.",
        )),
        R::Published => Err(Refusal::new("A published report is frozen. Take it back to change it.")),
        status => Err(Refusal(format!(
            "Report: {status}. Its text is closed while it is reviewed. Move it back to Draft to change it."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_those_of_the_lifecycle() {
        for from in R::ALL {
            for to in R::ALL {
                let known = steps(*from).any(|step| step.to == *to);
                let allowed = from != to
                    && (from.check_move(*to, true, true).is_ok()
                        || (*from == R::Published && *to == R::Draft));
                assert_eq!(known, allowed, "{from} → {to}");
            }
        }
        assert!(find_step(R::Draft, R::Published).unwrap_err().0.contains("next step is Ready for Review"));
    }

    #[test]
    fn going_back_wants_a_comment_and_going_on_does_not() {
        assert!(STEPS.iter().all(|step| step.wants_comment == (step.to == R::Draft)));
    }

    #[test]
    fn an_author_approves_only_where_the_rule_lets_them() {
        let approve = find_step(R::InReview, R::Approved).unwrap();
        assert!(check_author(ApprovalRule::NotAuthor, approve, true).is_err());
        assert!(check_author(ApprovalRule::NotAuthor, approve, false).is_ok());
        assert!(check_author(ApprovalRule::Anyone, approve, true).is_ok());
        assert!(
            check_author(ApprovalRule::NotAuthor, find_step(R::Approved, R::Published).unwrap(), true)
                .is_ok()
        );
    }

    #[test]
    fn only_a_draft_with_its_runbook_can_be_written() {
        assert!(check_editing(R::Draft, true, true).is_ok());
        assert!(check_editing(R::Draft, false, false).is_ok());
        assert!(check_editing(R::Draft, false, true).is_err());
        for status in &R::ALL[1..] {
            assert!(check_editing(*status, true, true).is_err());
        }
    }
}
