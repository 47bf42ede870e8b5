//! The record: entries a reader may see, signed checkpoints, and the proof that both agree.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_ledger::Entry;
use shieldwall_ledger::reading::EntryQuery;
use shieldwall_model::id::GroupId;
use shieldwall_model::limits;

use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Ledger entries, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entries {
    /// The entries.
    pub entries: Vec<EntryBody>,
}

/// A ledger entry, without its body's bytes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EntryBody {
    /// The sharing group whose log it stands in.
    pub group: String,
    /// Its place in that log.
    pub sequence: u64,
    /// When it was accepted, in ledger time.
    pub time: String,
    /// The member that wrote it; none where the hub wrote it.
    pub member: Option<String>,
    /// Who wrote it.
    pub principal: String,
    /// Its kind, such as `sighting.reported`.
    pub kind: String,
    /// Size of its body in bytes; none once redacted.
    pub bytes: Option<usize>,
    /// The body, where it is JSON of at most 64 KiB.
    pub body: Option<serde_json::Value>,
}

/// What came of recomputing a log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verified {
    /// The log.
    pub group: String,
    /// Entries recomputed.
    pub entries: u64,
    /// The root of all of them, in base64.
    pub root: String,
    /// The size the last checkpoint was signed for.
    pub checkpoint_size: Option<u64>,
    /// Whether every leaf, the root at the checkpoint's size and its signature agree.
    pub agrees: bool,
    /// What does not.
    pub faults: Vec<String>,
}

/// Largest body shown inline, in bytes.
const BODY_SHOWN_BYTES_MAX: usize = 64 * 1024;
/// Most entries recomputed while a person waits; longer logs are verified with `shieldwall verify`.
const VERIFY_ENTRIES_MAX: u64 = 200_000;

impl From<&Entry> for EntryBody {
    fn from(entry: &Entry) -> Self {
        let body = entry.body.as_deref();
        Self {
            group: entry.group.to_string(),
            sequence: entry.sequence,
            time: entry.time.to_string(),
            member: entry.author.member.map(|member| member.to_string()),
            principal: entry.author.principal.to_string(),
            kind: entry.kind.clone(),
            bytes: body.map(<[u8]>::len),
            body: body
                .filter(|body| body.len() <= BODY_SHOWN_BYTES_MAX)
                .and_then(|body| serde_json::from_slice(body).ok()),
        }
    }
}

/// `GET /api/v1/ledger/entries`.
///
/// # Errors
/// 404 for a group the member is not party to, 400 for a query that cannot be read.
pub async fn entries(ask: Ask) -> Result<Response, Problem> {
    let group = ask.query_as::<GroupId>("group")?;
    let before = ask.query_as::<u64>("before")?;
    let query = EntryQuery {
        group,
        before: group.zip(before).into_iter().collect(),
        kinds: ask.query("kind").map(str::to_owned).into_iter().collect(),
        newest_first: true,
        limit: ask.limit(100, limits::PAGE_ITEMS_MAX)?,
        ..EntryQuery::default()
    };
    json(&Entries { entries: find(&ask, query).await? })
}

/// The entries a query asks for, newest first.
///
/// # Errors
/// As [`entries`].
pub async fn find(ask: &Ask, query: EntryQuery) -> Result<Vec<EntryBody>, Problem> {
    let mut scope = ask.reader().scope(shieldwall_model::access::Action::ReadLedger)?;
    if let Some(group) = query.group {
        scope = scope.only(group)?;
    }
    let entries = ask.read(move |reading| reading.entries(&scope, &query)).await?;
    Ok(entries.rows.iter().map(EntryBody::from).collect())
}

fn group_in_path(ask: &Ask) -> Result<GroupId, Problem> {
    ask.path("group")?.parse().map_err(|_| Problem::absent())
}

/// `GET /api/v1/ledger/{group}/checkpoint`.
///
/// # Errors
/// 404 for a log that is hidden, absent, or not yet signed.
pub async fn checkpoint(ask: Ask) -> Result<Response, Problem> {
    let group = group_in_path(&ask)?;
    let text = checkpoint_text(&ask, group).await?.ok_or_else(|| {
        Problem::new(
            axum::http::StatusCode::NOT_FOUND,
            "ledger.checkpoint.none",
            "this log has no checkpoint yet; one is signed within a minute of its first entry",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The last checkpoint of a log.
///
/// # Errors
/// 404 for a log the reader may not see.
pub async fn checkpoint_text(ask: &Ask, group: GroupId) -> Result<Option<String>, Problem> {
    let scope = ask.scope()?.only(group)?;
    Ok(ask
        .read(move |reading| reading.checkpoint(&scope, group))
        .await?
        .map(|checkpoint| checkpoint.note.clone()))
}

/// `GET /api/v1/ledger/{group}/verify`.
///
/// # Errors
/// 404 for a log the reader may not see, 422 for one too long to verify while a person waits.
pub async fn verify(ask: Ask) -> Result<Response, Problem> {
    let group = group_in_path(&ask)?;
    json(&verified(&ask, group).await?)
}

/// Recomputes a log.
///
/// # Errors
/// As [`verify`].
pub async fn verified(ask: &Ask, group: GroupId) -> Result<Verified, Problem> {
    let scope = ask.scope()?.only(group)?;
    let wanted = scope.clone();
    let size = ask
        .read(move |reading| Ok(reading.positions(&wanted).into_inner()))
        .await?
        .get(&group)
        .copied()
        .unwrap_or(0);
    if size > VERIFY_ENTRIES_MAX {
        return Err(Problem::refused(
            "ledger.verify.long",
            format!(
                "this log has {size} entries; `shieldwall verify --data DIR` recomputes a log of any length"
            ),
        ));
    }
    let checkpoint = ask.read(move |reading| reading.checkpoint(&scope, group)).await?;
    let found = ask.app.verify(group).await?;
    Ok(Verified {
        group: group.to_string(),
        entries: found.size,
        root: found.root,
        checkpoint_size: checkpoint.map(|checkpoint| checkpoint.size),
        agrees: found.problems.is_empty(),
        faults: found.problems,
    })
}
