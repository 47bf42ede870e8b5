//! What a sensor matches: the values and rules of active indicators, whole or as changes since a cursor.

use std::collections::BTreeMap;

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_ledger::reading::{DocumentPage, ObjectQuery};
use shieldwall_ledger::views::Document;
use shieldwall_ledger::{Positions, ReadError, Reading};
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::GroupId;
use shieldwall_model::limits;

use crate::ask::{Ask, json};
use crate::fold::{IndicatorState, WatchedValue, collection};
use crate::problem::Problem;

/// What cursors of the watchlist are sealed for. Those of versions that told values alone are no longer opened, so
/// that whoever holds one is told everything once, rules too.
const USE: &str = "watchlist/rules";
/// Most changes on one page.
const CHANGES_MAX: usize = 10_000;
/// Most rules whose objects are looked up by one statement.
const RULES_AT_ONCE: usize = 200;
/// Most bytes of rules on one page, beyond the one that exceeds it.
const RULE_BYTES_ON_PAGE_MAX: usize = 8 * 1024 * 1024;

/// Changes to a sensor's watchlist.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Watchlist {
    /// Whether this starts from nothing: the sensor drops what it had.
    pub reset: bool,
    /// The cursor to ask with next time.
    pub next: String,
    /// Whether there is more to get now.
    pub more: bool,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Change {
    /// Match this indicator, in place of what was known of it.
    Put {
        /// The sharing group it comes from.
        group: String,
        /// The indicator's id.
        indicator: String,
        /// Its name.
        name: String,
        /// Its role.
        role: String,
        /// The values to match.
        values: Vec<WatchedValue>,
        /// The rule to match by, when the indicator is more than values.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<Rule>,
        /// When to stop: as its owner says, or when its score is spent; the earlier.
        valid_until: Option<String>,
    },
    /// Stop matching this indicator.
    Remove {
        /// The sharing group it came from.
        group: String,
        /// The indicator's id.
        indicator: String,
        /// `recalled`, `revoked`, `expired` or `replaced`.
        reason: String,
    },
}

/// A rule, as its owner wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rule {
    /// Its language (STIX 2.1 section 10.17, `pattern-type-ov`): `stix`, `sigma`, `yara`, `snort` or `suricata`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of that language, if its owner says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its text.
    pub text: String,
}

/// What changed, as it is read.
struct Page {
    rows: Vec<Row>,
    reached: Positions,
    more: bool,
}

/// An indicator that changed.
struct Row {
    group: GroupId,
    id: String,
    state: IndicatorState,
    rule: Option<Rule>,
}

impl Row {
    fn wants_rule(&self) -> bool {
        self.rule.is_none() && self.state.ended.is_none() && self.state.rule().is_some()
    }
}

/// The changes after `after` with the rules among them; so many of them that their rules fit on a page.
fn page(
    reading: &Reading<'_>,
    scope: &ReadScope,
    after: &Positions,
    limit: usize,
) -> Result<Page, ReadError> {
    let mut page = states(reading, scope, after, limit)?;
    let (mut bytes, mut from) = (0, 0);
    while from < page.rows.len() {
        // A run of rows of one group that holds as many rules as one statement may look up.
        let group = page.rows.get(from).map(|row| row.group);
        let (mut to, mut wanted) = (from, Vec::new());
        for row in page.rows.iter().skip(from) {
            if Some(row.group) != group || wanted.len() == RULES_AT_ONCE {
                break;
            }
            wanted.extend(row.wants_rule().then(|| row.id.clone()));
            to += 1;
        }
        let mut rules = rules_of(reading, scope, group, wanted)?;
        for row in page.rows.iter_mut().take(to).skip(from) {
            row.rule = rules.remove(&row.id);
            bytes += row.rule.as_ref().map_or(0, |rule| rule.text.len());
        }
        from = to;
        if bytes > RULE_BYTES_ON_PAGE_MAX && from < page.rows.len() {
            // Where a shorter page ends is for the ledger to say, and what it adds there has its rules too.
            let shorter = states(reading, scope, after, from)?;
            page.rows.truncate(from);
            page.rows.extend(shorter.rows.into_iter().skip(from));
            (page.reached, page.more) = (shorter.reached, shorter.more);
            bytes = 0;
        }
    }
    Ok(page)
}

fn states(
    reading: &Reading<'_>,
    scope: &ReadScope,
    after: &Positions,
    limit: usize,
) -> Result<Page, ReadError> {
    let DocumentPage { rows, reached, more } =
        reading.documents(scope, collection::INDICATOR, after, limit)?.into_inner();
    let read = |document: Document| {
        let state = serde_json::from_slice(&document.body).ok()?;
        Some(Row { group: document.group, id: document.key, state, rule: None })
    };
    Ok(Page { rows: rows.into_iter().filter_map(read).collect(), reached, more })
}

/// The rules of indicators of one group, by id, out of the objects as they were shared.
fn rules_of(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: Option<GroupId>,
    ids: Vec<String>,
) -> Result<BTreeMap<String, Rule>, ReadError> {
    #[derive(Deserialize)]
    struct Written {
        id: String,
        pattern: String,
        #[serde(default)]
        pattern_type: Option<String>,
        #[serde(default)]
        pattern_version: Option<String>,
    }
    let mut rules = BTreeMap::new();
    let Some(group) = group.filter(|_| !ids.is_empty()) else { return Ok(rules) };
    let query = ObjectQuery { ids, ..ObjectQuery::new(group, RULES_AT_ONCE) };
    let _: Visible<_> = reading.object_bytes(scope, &query, |bytes| {
        let Ok(written) = serde_json::from_slice::<Written>(bytes) else { return };
        let short = |text: &String| text.len() <= limits::NAME_BYTES_MAX;
        if written.pattern.len() <= limits::RULE_BYTES_MAX {
            // STIX 2.0 had one language and did not name it.
            let kind = written.pattern_type.unwrap_or_else(|| "stix".into());
            let version = written.pattern_version.filter(short);
            rules.insert(written.id, Rule { kind, version, text: written.pattern });
        }
    })?;
    Ok(rules)
}

/// `GET /api/v1/watchlist`.
///
/// # Errors
/// 410 for a cursor that is not this reader's, or from before rules were told: ask without one.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    let scope = ask.scope()?;
    let limit = ask.limit(CHANGES_MAX, CHANGES_MAX)?;
    let cursor = ask.query("after");
    let reset = cursor.is_none();
    let after = cursor.map(|text| ask.app.seal().open(&scope, USE, text)).transpose()?.unwrap_or_default();
    let wanted = scope.clone();
    let page = ask.read(move |reading| page(reading, &wanted, &after, limit)).await?;
    let now = ask.app.now();
    let mut changes = Vec::with_capacity(page.rows.len());
    for Row { group, id: indicator, state, rule } in page.rows {
        let group = group.to_string();
        // Where its score is spent is an end like the one its owner set: sensors hold to it with the hub away.
        let ends = state.ends();
        let ended = match state.ended {
            Some(reason) => Some(reason),
            None if ends.is_some_and(|ends| ends <= now) => Some("expired".to_owned()),
            None if state.values.is_empty() && rule.is_none() => Some("replaced".to_owned()),
            None => None,
        };
        match ended {
            // Who starts from nothing need not be told what is gone.
            Some(_) if reset => {}
            Some(reason) => changes.push(Change::Remove { group, indicator, reason }),
            None => changes.push(Change::Put {
                group,
                indicator,
                name: state.name,
                role: state.role.to_string(),
                values: state.values,
                rule,
                valid_until: ends.map(|ends| ends.to_string()),
            }),
        }
    }
    let next = ask.app.seal().seal(&scope, USE, &page.reached);
    json(&Watchlist { reset, next, more: page.more, changes })
}
