//! What is found wrong, collected up to a limit.

use shieldwall_model::id::GroupId;

use super::{PROBLEMS_MAX, Problem, ProblemKind};

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Problems {
    pub(super) named: Vec<Problem>,
    pub(super) more: u64,
}

impl Problems {
    pub(super) fn add(&mut self, kind: ProblemKind, at: impl Into<Place>, what: impl Into<String>) {
        if self.named.len() >= PROBLEMS_MAX {
            self.more += 1;
            return;
        }
        let Place { group, sequence } = at.into();
        self.named.push(Problem { group, sequence, kind, what: what.into() });
    }

    pub(super) fn database(&mut self, error: &rusqlite::Error) {
        self.add(ProblemKind::Database, (), format!("the database cannot be read further: {error}"));
    }
}

/// Where: in a log, at an entry, or in neither.
pub(super) struct Place {
    group: Option<GroupId>,
    sequence: Option<u64>,
}

impl From<()> for Place {
    fn from((): ()) -> Self {
        Self { group: None, sequence: None }
    }
}

impl From<GroupId> for Place {
    fn from(group: GroupId) -> Self {
        Self { group: Some(group), sequence: None }
    }
}

impl From<(GroupId, u64)> for Place {
    fn from((group, sequence): (GroupId, u64)) -> Self {
        Self { group: Some(group), sequence: Some(sequence) }
    }
}
