//! What waits: which procedures of an engagement fit a filter of its table, and the way through them. A page
//! that was opened from a filter stays inside it.

use crate::kernel::base::ids::{PersonId, ProcedureId};
use crate::kernel::base::team::Team;
use crate::procedures::domain::{ProcedureStatus, Sides};
use crate::procedures::store::runbook::{Assignments, ProcedureRow};

crate::text_enum! {
    /// A filter of the procedures table, as addresses name it.
    pub enum Queue {
        Mine => "mine", "waiting on you";
        Red => "red", "waiting on red";
        Blue => "blue", "waiting on blue";
        Unanswered => "unanswered", "unanswered";
    }
}

/// What a person may edit on an engagement's procedures, and who they are.
#[derive(Debug, Clone, Copy)]
pub struct Writer<F> {
    /// Sides on a procedure, given whether the person is assigned to red and to blue; none when it is closed.
    pub sides: F,
    pub person: PersonId,
}

impl<F: Fn(bool, bool) -> Sides> Writer<F> {
    /// The person's sides on a procedure.
    pub fn sides_of(&self, row: &ProcedureRow, operators: &Assignments) -> Sides {
        let on = |team| operators.is_assigned(row.id, team, self.person);
        (self.sides)(on(Team::Red), on(Team::Blue))
    }

    /// Whether the procedure waits on this person: an operator of a side whose turn it is, or with nobody
    /// assigned whoever may write that side.
    pub fn is_turn_of(&self, row: &ProcedureRow, operators: &Assignments) -> bool {
        Team::ALL.iter().filter(|team| row.turn.is_of(**team)).any(|team| {
            let mut assigned = operators.of(row.id, *team).peekable();
            match assigned.peek() {
                None => self.sides_of(row, operators).may_write_team(*team),
                Some(_) => assigned.any(|operator| operator.person_id == self.person),
            }
        })
    }

    /// Whether a procedure belongs to a queue of this person.
    pub fn fits(&self, queue: Queue, row: &ProcedureRow, operators: &Assignments) -> bool {
        match queue {
            Queue::Mine => self.is_turn_of(row, operators),
            Queue::Red => row.turn.is_of(Team::Red),
            Queue::Blue => row.turn.is_of(Team::Blue),
            Queue::Unanswered => {
                row.status != ProcedureStatus::NotApplicable
                    && (row.red_outcome.is_none() || row.blue_outcome.is_none())
            }
        }
    }
}

/// Where a procedure stands in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InQueue {
    pub queue: Queue,
    pub previous: Option<ProcedureId>,
    pub next: Option<ProcedureId>,
    /// Counted from one; none where the procedure itself is not in the queue, or not any more.
    pub nth: Option<usize>,
    pub of: usize,
}

impl InQueue {
    /// The place of a procedure (its id and position) among those of the queue, by id and position in order.
    /// Previous and next lead round the ends, and never to the procedure itself.
    pub fn of(queue: Queue, all: &[(ProcedureId, i32)], (id, position): (ProcedureId, i32)) -> Self {
        let before = all.iter().rev().filter(|(_, at)| *at < position);
        let after = all.iter().filter(|(_, at)| *at > position);
        let first = |one: Option<&(ProcedureId, i32)>| one.map(|(id, _)| *id).filter(|other| *other != id);
        Self {
            queue,
            previous: first(before.chain(all.last()).next()),
            next: first(after.chain(all.first()).next()),
            nth: all.iter().position(|(other, _)| *other == id).map(|at| at + 1),
            of: all.len(),
        }
    }

    /// "2 of 5 waiting on you", or "5 waiting on you" from outside.
    pub fn words(&self) -> String {
        match self.nth {
            Some(nth) => format!("{nth} of {} {}", self.of, self.queue),
            None => format!("{} {}", self.of, self.queue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_leads_round_its_ends() {
        let ids: Vec<ProcedureId> = (0..4).map(|_| ProcedureId::new()).collect();
        let all = [(ids[0], 4), (ids[1], 5), (ids[2], 8)];
        let at = |id, position| InQueue::of(Queue::Mine, &all, (id, position));
        let last = at(ids[2], 8);
        assert_eq!((last.previous, last.next, last.nth), (Some(ids[1]), Some(ids[0]), Some(3)));
        let outside = at(ids[3], 6);
        assert_eq!((outside.previous, outside.next, outside.nth), (Some(ids[1]), Some(ids[2]), None));
        assert_eq!(outside.words(), "3 waiting on you");
        assert_eq!(at(ids[0], 4).words(), "1 of 3 waiting on you");
        let alone = InQueue::of(Queue::Blue, &all[..1], (ids[0], 4));
        assert_eq!((alone.previous, alone.next), (None, None), "it never leads to itself");
        let none = InQueue::of(Queue::Blue, &[], (ids[0], 4));
        assert_eq!((none.next, none.of), (None, 0));
    }
}
