//! The ledger: the entries one may see, the signed checkpoint, and proof that both agree.

use askama::Template;
use axum::response::Response;
use shieldwall_ledger::reading::EntryQuery;
use shieldwall_model::id::{GroupId, MemberId};

use crate::api::ledger::{EntryBody, Verified, checkpoint_text, find, verified};
use crate::ask::Ask;
use crate::pages::forms::Choice;
use crate::pages::frame::{Frame, Place};
use crate::pages::html;
use crate::pages::indent::indented;
use crate::pages::markup::Html;
use crate::pages::members::group_name;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// Entries on a page.
const PAGE_ENTRIES: usize = 50;
/// Longest body shown, in bytes.
const BODY_SHOWN_BYTES_MAX: usize = 64 * 1024;
/// Kinds offered in the filter.
const KINDS: [&str; 11] = [
    "object.shared",
    "object.recalled",
    "object.revoked",
    "object.versions-recalled",
    "exchange.received",
    "sighting.reported",
    "sighting.kept",
    "telemetry.taken",
    "warning.acknowledged",
    "member.joined",
    "group.formed",
];

/// An entry as its row shows it.
struct Row {
    entry: EntryBody,
    kind: String,
    member: String,
    at: Html,
    sequence: String,
    size: String,
}

/// A checkpoint taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Checkpoint {
    text: String,
    size: Option<u64>,
}

#[derive(Template)]
#[template(path = "ledger/page.html")]
struct LedgerPage {
    t: Texts,
    frame: Frame,
    group: String,
    group_name: String,
    groups: Vec<Choice>,
    kinds: Vec<Choice>,
    rows: Vec<Row>,
    newer: Option<String>,
    older: Option<String>,
    checkpoint: Option<Checkpoint>,
    checkpoint_size: String,
}

#[derive(Template)]
#[template(path = "ledger/entry.html")]
struct EntryPage {
    t: Texts,
    frame: Frame,
    row: Row,
    group_name: String,
    body: Option<String>,
    checkpoint_size: String,
    covered: Option<bool>,
}

#[derive(Template)]
#[template(path = "ledger/verify.html")]
struct VerifyPage {
    t: Texts,
    frame: Frame,
    group_name: String,
    verified: Verified,
    entries: String,
    checkpoint_size: String,
    checkpoint: Option<Checkpoint>,
}

/// The size a checkpoint was signed for: its second line (C2SP tlog-checkpoint).
fn checkpoint(text: String) -> Checkpoint {
    let size = text.lines().nth(1).and_then(|line| line.parse().ok());
    Checkpoint { text, size }
}

/// A body that can be shown: JSON, and not too long.
fn shown(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= BODY_SHOWN_BYTES_MAX)?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok().map(|_| indented(text))
}

/// An entry kind as this language calls it, or as it is written.
fn kind_name(t: Texts, kind: &str) -> String {
    t.known(&format!("kind-{}", kind.replace('.', "-"))).unwrap_or_else(|| kind.to_owned())
}

fn row(ask: &Ask, t: Texts, entry: EntryBody) -> Row {
    let directory = ask.app.directory();
    let member = entry.member.as_deref().and_then(|id| id.parse::<MemberId>().ok());
    let member = member.and_then(|id| directory.member(id).map(|member| member.name.clone()));
    Row {
        kind: kind_name(t, &entry.kind),
        member: member.unwrap_or_else(|| t.text("author-hub")),
        at: t.instant(&entry.time),
        sequence: t.number(entry.sequence),
        size: entry.bytes.map_or_else(|| t.text("entry-redacted"), |bytes| t.count("bytes-count", bytes)),
        entry,
    }
}

fn page_before(group: GroupId, kind: Option<&str>, before: Option<u64>) -> String {
    let mut written = url::form_urlencoded::Serializer::new(String::new());
    written.append_pair("group", &group.to_string());
    if let Some(kind) = kind {
        written.append_pair("kind", kind);
    }
    if let Some(before) = before {
        written.append_pair("before", &before.to_string());
    }
    format!("/ledger?{}", written.finish())
}

/// `GET /ledger`.
///
/// # Errors
/// 404 for a log the reader may not see, 400 for a query that cannot be read.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let (group, kind) = (ask.group()?, ask.query("kind"));
    let before = ask.query_as::<u64>("before")?;
    let query = EntryQuery {
        group: Some(group),
        before: before.map(|before| (group, before)).into_iter().collect(),
        newest_first: true,
        kinds: kind.map(str::to_owned).into_iter().collect(),
        limit: PAGE_ENTRIES + 1,
        ..EntryQuery::default()
    };
    let mut entries = find(&ask, query).await?;
    let more = entries.len() > PAGE_ENTRIES;
    entries.truncate(PAGE_ENTRIES);
    let older = entries.last().filter(|_| more).map(|last| page_before(group, kind, Some(last.sequence)));
    let (directory, mine) = (ask.app.directory(), ask.reader().member());
    let mut groups: Vec<Choice> = directory
        .groups_of(mine)
        .map(|one| Choice {
            value: one.id.to_string(),
            label: group_name(t, &directory, one.id, mine),
            chosen: one.id == group,
        })
        .collect();
    groups.sort_by(|a, b| a.label.cmp(&b.label));
    let mut kinds =
        vec![Choice { value: String::new(), label: t.text("filter-kind-any"), chosen: kind.is_none() }];
    kinds.extend(KINDS.map(|one| Choice {
        value: one.into(),
        label: kind_name(t, one),
        chosen: kind == Some(one),
    }));
    let checkpoint = checkpoint_text(&ask, group).await?.map(checkpoint);
    html(&LedgerPage {
        t,
        frame: Frame::of(&ask, Place::Ledger, "ledger-title").await?,
        group_name: group_name(t, &directory, group, mine),
        group: group.to_string(),
        groups,
        kinds,
        newer: before.map(|_| page_before(group, kind, None)),
        older,
        checkpoint_size: checkpoint
            .as_ref()
            .and_then(|known| known.size)
            .map_or_else(String::new, |size| t.count("entries-count", size)),
        rows: entries.into_iter().map(|entry| row(&ask, t, entry)).collect(),
        checkpoint,
    })
}

fn group_in_path(ask: &Ask) -> Result<GroupId, Problem> {
    ask.path("group")?.parse().map_err(|_| Problem::absent())
}

/// `GET /ledger/{group}/{sequence}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn entry(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let group = group_in_path(&ask)?;
    let sequence: u64 = ask.path("sequence")?.parse().map_err(|_| Problem::absent())?;
    let query = EntryQuery {
        group: Some(group),
        after: [(group, sequence.saturating_sub(1))].into(),
        limit: 1,
        ..EntryQuery::default()
    };
    let scope = ask.scope()?.only(group)?;
    let page = ask.read(move |reading| reading.entries(&scope, &query)).await?;
    let found = page.rows.iter().find(|entry| entry.sequence == sequence).ok_or_else(Problem::absent)?;
    let body = found.body.as_deref().and_then(shown);
    let size = checkpoint_text(&ask, group).await?.map(checkpoint).and_then(|known| known.size);
    let row = row(&ask, t, EntryBody::from(found));
    let name = group_name(t, &ask.app.directory(), group, ask.reader().member());
    html(&EntryPage {
        t,
        frame: Frame::titled(&ask, Place::Ledger, t.with("entry-title", "sequence", &row.sequence)).await?,
        group_name: name,
        body,
        checkpoint_size: size.map_or_else(String::new, |size| t.number(size)),
        covered: size.map(|size| sequence <= size),
        row,
    })
}

/// `GET /ledger/{group}/verify`.
///
/// # Errors
/// 404 for a log the reader may not see, 422 for one too long to verify while a person waits.
pub async fn verify(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let group = group_in_path(&ask)?;
    let verified = verified(&ask, group).await?;
    html(&VerifyPage {
        t,
        frame: Frame::of(&ask, Place::Ledger, "verify-title").await?,
        group_name: group_name(t, &ask.app.directory(), group, ask.reader().member()),
        entries: t.number(verified.entries),
        checkpoint_size: verified
            .checkpoint_size
            .map_or_else(|| t.text("checkpoint-none"), |size| t.count("entries-count", size)),
        checkpoint: checkpoint_text(&ask, group).await?.map(checkpoint),
        verified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_tells_the_size_it_was_signed_for() {
        let text = "wall.example/real/x\n24771\n8Yq5x1p2mA3sV7mXK0s9wQ2wq1d8o3m5n6b7v8c9x0k=\n\n— wall.example Az3grl\n";
        assert_eq!(checkpoint(text.into()).size, Some(24_771));
        assert_eq!(checkpoint("nonsense".into()).size, None);
    }

    #[test]
    fn older_entries_keep_the_log_and_the_kind() {
        let address = page_before(GroupId::ALLIANCE, Some("object.shared"), Some(51));
        assert!(
            address.starts_with("/ledger?group=group--")
                && address.ends_with("&kind=object.shared&before=51"),
            "{address}"
        );
    }
}
