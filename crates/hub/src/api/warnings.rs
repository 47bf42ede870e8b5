//! Warnings: what was seen, what it means for the reader's member, what to do; and saying that one has taken note.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_assess::entries::{Reporter, Taken, WARNING_ACKNOWLEDGED, WarningAcknowledged};
use shieldwall_assess::rules::{Cluster, Step, advice, correlate};
use shieldwall_assess::view::Warning;
use shieldwall_ledger::Draft;
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::{GroupId, MemberId, WarningId};
use shieldwall_model::limits;

use crate::app::App;
use crate::ask::{Ask, json};
use crate::fold::collection;
use crate::problem::Problem;

/// A warning in its reader's terms.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WarningBody {
    /// Its id.
    pub id: String,
    /// The sharing group it is for.
    pub group: String,
    /// The indicator seen.
    pub indicator: String,
    /// The indicator's name.
    pub name: String,
    /// Its role: `malicious`, `kill-switch`, `vaccine`, `victim-infrastructure` or `suspect`.
    pub role: String,
    /// The value or values it stands for.
    pub value: String,
    /// The kind of value seen.
    pub kind: String,
    /// Its marking's label.
    pub marking: Option<String>,
    /// Telemetry fields it was seen in.
    pub fields: Vec<String>,
    /// First seen by anybody.
    pub first_seen: String,
    /// Last seen by anybody.
    pub last_seen: String,
    /// Events seen by all, those found by looking back apart.
    pub count: u64,
    /// Nobody has seen it since it is known: it passed before, and was found by looking back. No live hit.
    pub retrospective: bool,
    /// By how many members.
    pub members: usize,
    /// In which sectors.
    pub sectors: Vec<String>,
    /// By whom, where the group names its reporters.
    pub named: Vec<Named>,
    /// What it points to, and the relationship that says so.
    pub contexts: Vec<ContextBody>,
    /// What to do.
    pub advice: AdviceBody,
    /// When the alliance knew, in ledger time.
    pub raised: String,
    /// When it last changed, in ledger time.
    pub updated: String,
    /// How often it has changed.
    pub revision: u64,
    /// When the indicator was taken back.
    pub withdrawn: Option<String>,
    /// What the reader's own member has to do with it.
    pub mine: Mine,
    /// How many members have taken note.
    pub acknowledged: usize,
    /// How many members it is for.
    pub parties: usize,
}

/// A member by name.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its country.
    pub country: Option<String>,
}

/// A campaign, intrusion set or malware.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ContextBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The relationship's id.
    pub via: String,
}

/// What to do, as keys of texts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AdviceBody {
    /// `block`, `do-not-block` or `nothing`.
    pub blocking: &'static str,
    /// What to check, such as `check-names`.
    pub check: &'static str,
    /// Why the role matters, such as `role-kill-switch`.
    pub why: &'static str,
}

/// What the reader's own member has to do with a warning.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Mine {
    /// Whether it has seen this itself.
    pub seen: bool,
    /// When its first machine took note.
    pub by_machine: Option<String>,
    /// When its first person took note.
    pub by_person: Option<String>,
    /// What it noted.
    pub note: Option<String>,
}

/// Warnings, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Warnings {
    /// The warnings.
    pub warnings: Vec<WarningBody>,
    /// Which of them fall together, and why.
    pub clusters: Vec<ClusterBody>,
}

/// Warnings that fall together.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClusterBody {
    /// Their ids.
    pub warnings: Vec<String>,
    /// What ties them: each thing at least one of them points to.
    pub ties: Vec<TieBody>,
}

/// What ties warnings together.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TieBody {
    /// The campaign, intrusion set or malware.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Each warning it ties, with the relationship that says so.
    pub by: Vec<(String, String)>,
}

impl From<Cluster> for ClusterBody {
    fn from(cluster: Cluster) -> Self {
        Self {
            warnings: cluster.warnings.iter().map(ToString::to_string).collect(),
            ties: cluster
                .ties
                .into_iter()
                .map(|tie| TieBody {
                    id: tie.id.to_string(),
                    name: tie.name,
                    by: tie
                        .by
                        .into_iter()
                        .map(|(warning, via)| (warning.to_string(), via.to_string()))
                        .collect(),
                })
                .collect(),
        }
    }
}

/// That a member takes note.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Acknowledge {
    /// `by-machine` or `by-person`.
    pub taken: TakenBody,
    /// What to note with it.
    #[serde(default)]
    pub note: Option<String>,
}

/// Who takes note.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TakenBody {
    /// A machine that acts on it.
    ByMachine,
    /// A person who read it.
    ByPerson,
}

impl From<TakenBody> for Taken {
    fn from(taken: TakenBody) -> Self {
        match taken {
            TakenBody::ByMachine => Self::ByMachine,
            TakenBody::ByPerson => Self::ByPerson,
        }
    }
}

/// That several warnings were taken note of.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AcknowledgeMany {
    /// 1 to 1000 warnings' ids.
    pub warnings: Vec<String>,
    /// By whom.
    pub taken: TakenBody,
}

/// What became of them.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct AcknowledgedMany {
    /// Warnings now acknowledged, those that were before among them.
    pub acknowledged: usize,
    /// Warnings that are absent or hidden.
    pub refused: Vec<NotAcknowledged>,
}

/// A warning that could not be acknowledged.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NotAcknowledged {
    /// Its place in the request, from 0.
    pub index: usize,
    /// The stable code.
    pub code: &'static str,
}

/// `GET /api/v1/warnings`.
///
/// # Errors
/// 400 for a limit that is none.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    let limit = ask.limit(100, limits::PAGE_ITEMS_MAX)?;
    let warnings = newest(&ask.app, ask.scope()?, limit).await?;
    let mine = ask.reader().member();
    json(&Warnings {
        clusters: correlate(&warnings)
            .into_iter()
            .filter(|cluster| !cluster.ties.is_empty())
            .map(ClusterBody::from)
            .collect(),
        warnings: warnings.iter().map(|warning| body(&ask.app, warning, mine)).collect(),
    })
}

/// `GET /api/v1/warnings/{id}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    let warning = one(&ask).await?;
    json(&body(&ask.app, &warning, ask.reader().member()))
}

/// `POST /api/v1/warnings/{id}/acknowledge`.
///
/// # Errors
/// 404 when absent or hidden, else as `App::append`.
pub async fn acknowledge(mut ask: Ask) -> Result<Response, Problem> {
    let said: Acknowledge = ask.json().await?;
    let warning = take_note(&ask, said.taken.into(), said.note).await?;
    json(&body(&ask.app, &warning, ask.reader().member()))
}

/// Records that the reader's member takes note of the warning named in the path; again changes nothing.
///
/// # Errors
/// As [`acknowledge`].
pub async fn take_note(ask: &Ask, taken: Taken, note: Option<String>) -> Result<Visible<Warning>, Problem> {
    let note = note.filter(|note| !note.trim().is_empty());
    if note.as_ref().is_some_and(|note| note.len() > limits::STRING_BYTES_MAX) {
        return Err(Problem::refused(
            "warning.note.long",
            format!("a note holds at most {} bytes", limits::STRING_BYTES_MAX),
        ));
    }
    let warning = one(ask).await?;
    if note.is_none() && has_taken_note(ask, &warning, taken) {
        return Ok(warning);
    }
    ask.app.append(vec![acknowledgement(ask, &warning, taken, note)?]).await?;
    time_to_warn(ask, &warning, taken);
    one(ask).await
}

/// `POST /api/v1/warnings/acknowledge`: a whole burst at once, in one commit.
///
/// # Errors
/// 422 for none or too many, else as `App::append`; a warning that is absent or hidden is told and costs no other.
pub async fn acknowledge_many(mut ask: Ask) -> Result<Response, Problem> {
    let said: AcknowledgeMany = ask.json().await?;
    if said.warnings.is_empty() || said.warnings.len() > limits::PAGE_ITEMS_MAX {
        return Err(Problem::refused(
            "warning.acknowledge.count",
            format!("name 1 to {} warnings at once", limits::PAGE_ITEMS_MAX),
        ));
    }
    let taken = Taken::from(said.taken);
    let (scope, ids) = (ask.scope()?, said.warnings);
    let found = ask
        .read(move |reading| {
            let read = |id: &String| reading.documents_by_key(&scope, collection::WARNING, id);
            ids.iter().map(read).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let mut told = AcknowledgedMany::default();
    let (mut drafts, mut news): (Vec<Draft>, Vec<Warning>) = Default::default();
    for (index, documents) in found.into_iter().enumerate() {
        let warning =
            documents.first().and_then(|document| serde_json::from_slice::<Warning>(&document.body).ok());
        let Some(warning) = warning else {
            told.refused.push(NotAcknowledged { index, code: Problem::absent().code });
            continue;
        };
        told.acknowledged += 1;
        if !has_taken_note(&ask, &warning, taken) && !news.iter().any(|known| known.id == warning.id) {
            drafts.push(acknowledgement(&ask, &warning, taken, None)?);
            news.push(warning);
        }
    }
    ask.app.append(drafts).await?;
    for warning in &news {
        time_to_warn(&ask, warning, taken);
    }
    json(&told)
}

fn has_taken_note(ask: &Ask, warning: &Warning, taken: Taken) -> bool {
    warning.acknowledged.get(&ask.reader().member()).is_some_and(|known| match taken {
        Taken::ByMachine => known.by_machine.is_some(),
        Taken::ByPerson => known.by_person.is_some(),
    })
}

fn acknowledgement(
    ask: &Ask,
    warning: &Warning,
    taken: Taken,
    note: Option<String>,
) -> Result<Draft, Problem> {
    let permit = ask.permit_in(warning.group)?;
    let said = WarningAcknowledged { warning: warning.id, taken, note };
    let bytes = serde_json::to_vec(&said).map_err(|error| Problem::fault(&error))?;
    Ok(Draft::new(&permit, warning.group, WARNING_ACKNOWLEDGED, bytes))
}

fn time_to_warn(ask: &Ask, warning: &Warning, taken: Taken) {
    let waited = ask.app.now().since_micros(warning.raised);
    #[allow(clippy::cast_precision_loss, reason = "seconds for a histogram")]
    metrics::histogram!("shieldwall_time_to_warn_seconds", "taken" => match taken { Taken::ByMachine => "by-machine", Taken::ByPerson => "by-person" })
        .record(waited as f64 / 1e6);
}

/// The warning named in the path.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn one(ask: &Ask) -> Result<Visible<Warning>, Problem> {
    let scope = ask.scope()?;
    let id: WarningId = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    let wanted = scope.clone();
    let found = ask
        .read(move |reading| reading.documents_by_key(&wanted, collection::WARNING, &id.to_string()))
        .await?;
    let warning = found
        .first()
        .and_then(|document| serde_json::from_slice::<Warning>(&document.body).ok())
        .ok_or_else(Problem::absent)?;
    Ok(Visible::under(&scope, warning))
}

/// The newest warnings in `scope`, at most `limit`.
///
/// # Errors
/// As `App::read`.
pub async fn newest(app: &App, scope: ReadScope, limit: usize) -> Result<Visible<Vec<Warning>>, Problem> {
    let documents =
        app.read(move |reading| reading.documents_newest(&scope, collection::WARNING, None, limit)).await?;
    Ok(documents.map(|documents| {
        let mut warnings: Vec<Warning> =
            documents.iter().filter_map(|document| serde_json::from_slice(&document.body).ok()).collect();
        warnings.sort_by_key(|warning| std::cmp::Reverse((warning.updated, warning.id)));
        warnings
    }))
}

/// The warnings about one indicator in one group, for the stream.
///
/// # Errors
/// As `App::read`.
pub async fn of_indicator(
    app: &App,
    scope: &ReadScope,
    group: GroupId,
    indicator: String,
) -> Result<Vec<Warning>, Problem> {
    let scope = scope.only(group)?;
    let documents = app
        .read(move |reading| {
            let ids = reading.document(&scope, collection::WARNINGS_OF, group, &indicator)?;
            let ids: Vec<WarningId> =
                ids.and_then(|document| serde_json::from_slice(&document.body).ok()).unwrap_or_default();
            let mut documents = Vec::with_capacity(ids.len());
            for id in ids {
                documents.extend(reading.document(&scope, collection::WARNING, group, &id.to_string())?);
            }
            Ok(documents)
        })
        .await?;
    Ok(documents.iter().filter_map(|document| serde_json::from_slice(&document.body).ok()).collect())
}

/// Whether `member` is among those who reported it. Only the hub can tell where reporters are not named, and it tells a
/// member about itself alone.
pub fn reported_by(app: &App, warning: &Warning, member: MemberId) -> bool {
    let named = Reporter::Member(member).key();
    warning.reports.contains_key(&named)
        || warning.reports.contains_key(&app.pseudonym(warning.group, member))
}

/// A warning in the terms of `mine`.
pub fn body(app: &App, warning: &Warning, mine: MemberId) -> WarningBody {
    let directory = app.directory();
    let advice = advice(warning.subject.role, &warning.kind);
    let own = warning.acknowledged.get(&mine);
    let group = directory.group(warning.group);
    WarningBody {
        id: warning.id.to_string(),
        group: warning.group.to_string(),
        indicator: warning.subject.indicator.to_string(),
        name: warning.subject.name.clone(),
        role: warning.subject.role.to_string(),
        value: warning.subject.value.clone(),
        kind: warning.kind.clone(),
        marking: warning.subject.marking.clone(),
        fields: warning.fields.iter().cloned().collect(),
        first_seen: warning.first_seen.to_string(),
        last_seen: warning.last_seen.to_string(),
        count: warning.count,
        retrospective: warning.is_retrospective(),
        members: warning.reporters(),
        sectors: warning.sectors().into_iter().map(str::to_owned).collect(),
        named: warning
            .named()
            .filter_map(|id| directory.member(id))
            .map(|member| Named {
                id: member.id.to_string(),
                name: member.name.clone(),
                country: member.country.clone(),
            })
            .collect(),
        contexts: warning
            .contexts
            .iter()
            .map(|context| ContextBody {
                id: context.id.to_string(),
                name: context.name.clone(),
                via: context.via.to_string(),
            })
            .collect(),
        advice: AdviceBody {
            blocking: match advice.blocking {
                Step::Block => "block",
                Step::DoNotBlock => "do-not-block",
                Step::Nothing => "nothing",
            },
            check: advice.check,
            why: advice.why,
        },
        raised: warning.raised.to_string(),
        updated: warning.updated.to_string(),
        revision: warning.revision,
        withdrawn: warning.withdrawn.map(|at| at.to_string()),
        mine: Mine {
            seen: reported_by(app, warning, mine),
            by_machine: own.and_then(|own| own.by_machine).map(|at| at.to_string()),
            by_person: own.and_then(|own| own.by_person).map(|at| at.to_string()),
            note: own.and_then(|own| own.note.clone()),
        },
        acknowledged: warning.acknowledged.len(),
        parties: group.map_or(0, |group| group.members.len()),
    }
}
