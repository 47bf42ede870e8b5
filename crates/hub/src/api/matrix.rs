//! The ATT&CK matrix coloured by what the alliance has seen, as far as the reader may see it.
//!
//! Worked out when asked, from the reader's scope alone: which shared malware, tools and actors use a technique, which
//! indicators indicate it or them, and which of those indicators raised warnings. Each step is bounded; when a bound is
//! met the numbers are said to be at least so large.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_assess::view::Warning;
use shieldwall_exchange::attack::{self, Matrix, Technique};
use shieldwall_ledger::reading::{ObjectQuery, ReadError, Reading, StoredObject};
use shieldwall_model::access::{Action, ReadScope};
use shieldwall_model::limits;

use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Most objects of one group a matrix is made from.
const OBJECTS_MAX: usize = limits::ENVELOPE_OBJECTS_MAX;
/// Most that is counted as using one technique.
const USERS_MAX: usize = 2_000;
/// Most indicators counted of one technique, malware or actor.
const INDICATORS_MAX: usize = 1_000;
/// Most indicators looked at for a whole matrix.
const INDICATORS_ALL_MAX: usize = 100_000;
/// Warnings looked at.
const WARNINGS_MAX: usize = 1_000;
/// Most connections of one indicator looked at.
const EDGES_MAX: usize = 100;

/// The matrices there are, and one of them with what was seen.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct MatrixRead {
    /// The matrices to choose from.
    pub domains: Vec<Domain>,
    /// Which one this is; `None` where there is none.
    pub domain: Option<String>,
    /// Its columns.
    pub tactics: Vec<TacticRead>,
    /// Whether some numbers are "at least": more is shared than is counted.
    pub at_least: bool,
}

/// A matrix to choose.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Domain {
    /// What to ask for.
    pub domain: String,
    /// Its name.
    pub name: String,
}

/// A column.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TacticRead {
    /// The tactic's object, if it is here.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its techniques, by name.
    pub techniques: Vec<TechniqueRead>,
}

/// A technique with what was seen of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TechniqueRead {
    /// The attack pattern.
    pub id: String,
    /// Its number, such as `T1059`.
    pub number: String,
    /// Its name.
    pub name: String,
    /// What was seen of the technique itself.
    pub seen: Seen,
    /// Its sub-techniques.
    pub parts: Vec<TechniqueRead>,
}

/// What was seen of a technique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Seen {
    /// Malware, tools, campaigns and actors said to use it.
    pub users: usize,
    /// Indicators of it or of what uses it.
    pub indicators: usize,
    /// Warnings those raised that were not taken back.
    pub warnings: usize,
    /// Events in those warnings.
    pub sightings: u64,
}

impl Seen {
    /// 0: nothing shared; 1: something shared uses it; 2: indicators are shared; 3: members have seen it.
    pub const fn band(&self) -> u8 {
        match (self.warnings, self.indicators, self.users) {
            (0, 0, 0) => 0,
            (0, 0, _) => 1,
            (0, _, _) => 2,
            _ => 3,
        }
    }
}

/// `GET /api/v1/matrix`.
///
/// # Errors
/// 404 for a matrix that is not here.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    json(&of(&ask).await?)
}

/// The matrix the query string of `ask` asks for, else the first there is.
///
/// # Errors
/// As [`read`].
pub async fn of(ask: &Ask) -> Result<MatrixRead, Problem> {
    let scope = ask.scope()?;
    let wanted = ask.query("domain").map(str::to_owned);
    let warnings = match ask.reader().scope(Action::ReadWarnings) {
        Ok(scope) => crate::api::warnings::newest(&ask.app, scope, WARNINGS_MAX).await?.into_inner(),
        Err(_) => Vec::new(),
    };
    let read = ask.read(move |reading| {
        let matrices = laid(reading, &scope)?;
        let domains = matrices
            .iter()
            .map(|matrix| Domain { domain: matrix.domain.clone(), name: matrix.name.clone() })
            .collect();
        let chosen = match &wanted {
            Some(domain) => matrices.into_iter().find(|matrix| matrix.domain == *domain),
            None => matrices.into_iter().next(),
        };
        let Some(matrix) = chosen else {
            return Ok((MatrixRead { domains, ..MatrixRead::default() }, wanted.is_some()));
        };
        let mut tally = Tally::new(reading, &scope);
        tally.warned(&warnings)?;
        let mut tactics = Vec::with_capacity(matrix.tactics.len());
        for tactic in matrix.tactics {
            let techniques =
                tactic.techniques.into_iter().map(|one| tally.technique(one)).collect::<Result<_, _>>()?;
            tactics.push(TacticRead { id: tactic.id, name: tactic.name, techniques });
        }
        let at_least = tally.at_least || warnings.len() >= WARNINGS_MAX;
        Ok((MatrixRead { domains, domain: Some(matrix.domain), tactics, at_least }, false))
    });
    match read.await? {
        (_, true) => Err(Problem::absent()),
        (read, false) => Ok(read),
    }
}

/// The matrices the visible groups' objects make; of an object in several groups the newest version counts.
fn laid(reading: &Reading<'_>, scope: &ReadScope) -> Result<Vec<Matrix>, ReadError> {
    let mut objects: BTreeMap<String, StoredObject> = BTreeMap::new();
    for group in scope.groups() {
        let query = ObjectQuery {
            types: attack::TYPES.iter().map(|one| (*one).to_owned()).collect(),
            ..ObjectQuery::new(group, OBJECTS_MAX)
        };
        for stored in reading.objects(scope, &query)?.into_inner().rows {
            let newer = objects
                .get(&stored.record.id)
                .is_none_or(|known| known.record.version < stored.record.version);
            if newer {
                objects.insert(stored.record.id.clone(), stored);
            }
        }
    }
    Ok(attack::matrices(objects.values().filter_map(|stored| stored.bytes.as_deref())))
}

/// Counts, remembering what was counted already.
struct Tally<'r, 'l> {
    reading: &'r Reading<'l>,
    scope: &'r ReadScope,
    /// Indicators by what they indicate, as numbers.
    indicators: BTreeMap<String, Vec<u32>>,
    numbers: BTreeMap<String, u32>,
    /// Warnings by what their indicator indicates: which ones, and how many events each tells of.
    warnings: BTreeMap<String, Vec<(usize, u64)>>,
    looked_at: usize,
    at_least: bool,
}

impl<'r, 'l> Tally<'r, 'l> {
    const fn new(reading: &'r Reading<'l>, scope: &'r ReadScope) -> Self {
        Self {
            reading,
            scope,
            indicators: BTreeMap::new(),
            numbers: BTreeMap::new(),
            warnings: BTreeMap::new(),
            looked_at: 0,
            at_least: false,
        }
    }

    fn warned(&mut self, warnings: &[Warning]) -> Result<(), ReadError> {
        for (index, warning) in warnings.iter().enumerate().filter(|(_, warning)| warning.withdrawn.is_none())
        {
            let id = warning.subject.indicator.as_str();
            let edges = self.reading.edges(self.scope, id, EDGES_MAX)?;
            let targets: BTreeSet<&str> = edges
                .iter()
                .filter(|edge| edge.source == id && edge.label == "indicates")
                .map(|edge| edge.target.as_str())
                .collect();
            for target in targets {
                self.warnings.entry(target.to_owned()).or_default().push((index, warning.count));
            }
        }
        Ok(())
    }

    fn technique(&mut self, technique: Technique) -> Result<TechniqueRead, ReadError> {
        let users = self.reading.sources(self.scope, &technique.id, "uses", USERS_MAX)?.into_inner();
        self.at_least |= users.len() >= USERS_MAX;
        let (mut indicators, mut warnings) = (BTreeSet::new(), BTreeMap::new());
        for id in std::iter::once(&technique.id).chain(&users) {
            indicators.extend(self.indicators_of(id)?.iter().copied());
            warnings.extend(self.warnings.get(id).into_iter().flatten().copied());
        }
        let seen = Seen {
            users: users.len(),
            indicators: indicators.len(),
            warnings: warnings.len(),
            sightings: warnings.values().fold(0, |sum, count| sum.saturating_add(*count)),
        };
        let parts = technique.parts.into_iter().map(|part| self.technique(part)).collect::<Result<_, _>>()?;
        Ok(TechniqueRead { id: technique.id, number: technique.number, name: technique.name, seen, parts })
    }

    fn indicators_of(&mut self, id: &str) -> Result<&[u32], ReadError> {
        if !self.indicators.contains_key(id) {
            let left = INDICATORS_ALL_MAX.saturating_sub(self.looked_at).min(INDICATORS_MAX);
            let found = if left == 0 {
                Vec::new()
            } else {
                self.reading.sources(self.scope, id, "indicates", left)?.into_inner()
            };
            self.at_least |= found.len() >= left;
            self.looked_at += found.len();
            let mut numbers = Vec::with_capacity(found.len());
            for indicator in found {
                let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
                numbers.push(*self.numbers.entry(indicator).or_insert(next));
            }
            self.indicators.insert(id.to_owned(), numbers);
        }
        Ok(self.indicators.get(id).map_or(&[], Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_thing_known_colours_a_cell() {
        let seen = |users, indicators, warnings| Seen { users, indicators, warnings, sightings: 0 };
        for (seen, band) in [(seen(0, 0, 0), 0), (seen(3, 0, 0), 1), (seen(3, 1, 0), 2), (seen(0, 1, 1), 3)] {
            assert_eq!(seen.band(), band, "{seen:?}");
        }
    }
}
