//! What passes: out of a group's log for a peer, and from a peer in by the one door.

use serde_json::value::RawValue;
use shieldwall_exchange::entries::{
    OBJECT_RECALLED, OBJECT_RELEASED, OBJECT_REVOKED, OBJECT_SHARED, Recalled,
};
use shieldwall_exchange::peer::{
    self, EXCHANGE_RECEIVED, HubId, Item, Passage, Passing, Recall, Received, ReceivedItem, Taken, Terms,
    passage_key,
};
use shieldwall_exchange::stix;
use shieldwall_exchange::taxii::EnvelopeWriter;
use shieldwall_ledger::reading::{EntryQuery, ObjectQuery, ReadError, Reading, VersionFilter};
use shieldwall_ledger::{Draft, Entry};
use shieldwall_model::access::{Action, ReadScope, Reader};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use crate::app::App;
use crate::fold::collection;
use crate::intake::{Desk, Known};
use crate::problem::Problem;

/// Most entries looked at for one page.
pub const PAGE_ENTRIES_MAX: usize = 250;
/// No more objects go on a page beyond this many bytes.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is asked of a group's log for a peer.
pub struct Outward {
    /// The group.
    pub group: GroupId,
    /// What it may carry.
    pub ceiling: Tlp,
    /// The member the peer acts for: what is its own does not go back to it.
    pub member: MemberId,
    /// What is agreed.
    pub terms: Terms,
    /// This hub.
    pub here: HubId,
    /// The peer, if it is a hub.
    pub to: Option<HubId>,
    /// Whether a recall is told as a recall, or by a revoked version.
    pub recalls: bool,
    /// The time.
    pub now: Timestamp,
}

/// Something that leaves.
pub struct Leaving {
    /// With which passage.
    pub passage: Passage,
    /// What.
    pub what: What,
}

/// An object, or that it was taken back.
pub enum What {
    /// The object's bytes.
    Object(Vec<u8>),
    /// The recall.
    Recall(Recall),
}

impl Leaving {
    /// As it is written on a page; `None` for bytes that are no JSON, which the log does not hold.
    pub fn item(&self) -> Option<Item<'_>> {
        let passage = self.passage.clone();
        Some(match &self.what {
            What::Object(bytes) => {
                let object: &RawValue = serde_json::from_slice(bytes).ok()?;
                Item { passage, object: Some(object), recalled: None }
            }
            What::Recall(recall) => Item { passage, object: None, recalled: Some(recall.clone()) },
        })
    }
}

/// Part of a group's log on its way out.
#[derive(Default)]
pub struct OutwardPage {
    /// What leaves.
    pub items: Vec<Leaving>,
    /// The last entry looked at.
    pub reached: u64,
    /// Whether there are more.
    pub more: bool,
    /// How many the terms kept here.
    pub kept_back: u64,
    /// Of these, because of the way they had come.
    pub looped: u64,
}

/// The next page of what leaves after the entry `after`.
///
/// # Errors
/// [`ReadError`].
pub fn outward(
    reading: &Reading<'_>,
    scope: &ReadScope,
    asked: &Outward,
    after: u64,
) -> Result<OutwardPage, ReadError> {
    let back = if asked.recalls { OBJECT_RECALLED } else { OBJECT_REVOKED };
    let query = EntryQuery {
        group: Some(asked.group),
        kinds: vec![OBJECT_SHARED.into(), OBJECT_RELEASED.into(), back.into()],
        after: [(asked.group, after)].into(),
        limit: PAGE_ENTRIES_MAX,
        ..EntryQuery::default()
    };
    let entries = reading.entries(scope, &query)?.into_inner();
    let mut page = OutwardPage { reached: after, more: entries.more, ..OutwardPage::default() };
    let mut bytes = 0;
    for entry in entries.rows {
        if bytes > PAGE_BYTES_MAX {
            page.more = true;
            break;
        }
        page.reached = entry.sequence;
        match leaving(reading, scope, asked, &entry)? {
            Some(Ok(leaving)) => {
                bytes += entry.body.as_ref().map_or(0, Vec::len);
                page.items.push(leaving);
            }
            Some(Err(stopped)) => {
                page.kept_back += 1;
                page.looped += u64::from(stopped.is_of_the_way());
            }
            None => {}
        }
    }
    Ok(page)
}

/// What of an entry leaves; `None` where there is nothing (any more) to speak of.
fn leaving(
    reading: &Reading<'_>,
    scope: &ReadScope,
    asked: &Outward,
    entry: &Entry,
) -> Result<Option<Result<Leaving, peer::Stopped>>, ReadError> {
    let Some(body) = entry.body.as_deref().filter(|_| entry.author.member != Some(asked.member)) else {
        return Ok(None);
    };
    let (id, recall) = if entry.kind == OBJECT_RECALLED {
        let Ok(recalled) = Recalled::from_body(body) else { return Ok(None) };
        (recalled.id.to_string(), Some(recalled.reason))
    } else {
        let object = stix::read_bundle(body).ok().and_then(|checked| checked.accepted.into_iter().next());
        let Some(object) = object else { return Ok(None) };
        // Judged by what was read here, since a version need not be the last one.
        let version = object.version;
        let Some(latest) = reading.latest_object(scope, asked.group, object.id.as_str())? else {
            return Ok(None);
        };
        let gone = latest.withdrawn && entry.kind != OBJECT_REVOKED;
        // What was held back is released by a curator, and stays its sender's.
        let settled = latest.owner != entry.author.member && entry.kind != OBJECT_RELEASED;
        if gone || settled || latest.owner == Some(asked.member) {
            return Ok(None);
        }
        let passing = (object.object_type().to_owned(), version, object.tlp);
        let by = if entry.kind == OBJECT_REVOKED { By::TakingBack } else { By::Sharing };
        return judged(reading, scope, asked, object.id.as_str(), passing, by).map(|judged| {
            Some(judged.map(|passage| Leaving { passage, what: What::Object(body.to_vec()) }))
        });
    };
    let Some(latest) = reading.latest_object(scope, asked.group, &id)? else { return Ok(None) };
    if !latest.withdrawn || latest.owner != entry.author.member {
        return Ok(None);
    }
    let passing = (latest.object_type.clone(), latest.version, latest.marking);
    let what = What::Recall(Recall { id: id.clone(), reason: recall.unwrap_or_default() });
    Ok(Some(
        judged(reading, scope, asked, &id, passing, By::TakingBack)?.map(|passage| Leaving { passage, what }),
    ))
}

/// What an entry did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Sharing,
    TakingBack,
}

fn judged(
    reading: &Reading<'_>,
    scope: &ReadScope,
    asked: &Outward,
    id: &str,
    (object_type, version, marking): (String, Timestamp, Option<Tlp>),
    by: By,
) -> Result<Result<Passage, peer::Stopped>, ReadError> {
    let passage = passage_of(reading, scope, asked.group, id, version, by == By::TakingBack)?;
    let passing = Passing { object_type: &object_type, version, marking, passage: passage.as_ref() };
    Ok(peer::leaves(&passing, asked.ceiling, &asked.terms, asked.here, asked.to, asked.now))
}

/// How a version of an object came here; of one made here when it was taken back, how the versions before it did.
fn passage_of(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: GroupId,
    id: &str,
    version: Timestamp,
    taken_back: bool,
) -> Result<Option<Passage>, ReadError> {
    let of = |version| {
        let found = reading.document(scope, collection::PASSAGE, group, &passage_key(id, version))?;
        Ok::<_, ReadError>(found.and_then(|found| serde_json::from_slice::<Passage>(&found.body).ok()))
    };
    let here = of(version)?;
    if here.is_some() || !taken_back {
        return Ok(here);
    }
    let query = ObjectQuery {
        ids: vec![id.to_owned()],
        versions: VersionFilter::every(),
        include_withdrawn: true,
        ..ObjectQuery::new(group, limits::PAGE_ITEMS_MAX)
    };
    for row in reading.manifest(scope, &query)?.rows.iter().rev() {
        if let Some(passage) = of(row.version)? {
            return Ok(Some(passage));
        }
    }
    Ok(None)
}

/// Takes what a peer sent into a group, for the peer's member. Objects held already and recalls of what is not there
/// change nothing, so that a page may come twice.
///
/// # Errors
/// As [`Desk::take`]; 404 when the peer's member is not party to the group.
pub async fn inward(
    app: &App,
    reader: &Reader,
    group: GroupId,
    terms: &Terms,
    items: &[Item<'_>],
) -> Result<Taken, Problem> {
    let ceiling = app.directory().group(group).map(|group| group.ceiling).ok_or_else(Problem::absent)?;
    let scope = reader.scope(Action::ReadIntelligence)?.only(group)?;
    let entering = Entering { app, reader, group, terms, ceiling, scope };
    let mut taken = Taken::default();
    let mut open: Vec<&Item<'_>> = Vec::new();
    for item in items {
        match &item.recalled {
            None => open.push(item),
            Some(recall) => {
                taken += entering.objects(&std::mem::take(&mut open)).await?;
                taken.recalled += u64::from(entering.recall(recall).await?);
            }
        }
    }
    taken += entering.objects(&open).await?;
    Ok(taken)
}

struct Entering<'a> {
    app: &'a App,
    reader: &'a Reader,
    group: GroupId,
    terms: &'a Terms,
    ceiling: Tlp,
    scope: ReadScope,
}

impl Entering<'_> {
    fn desk(&self, action: Action) -> Result<Desk, Problem> {
        Desk::new(self.app, &self.scope, self.reader.permit_in(action, self.group)?)
    }

    async fn objects(&self, items: &[&Item<'_>]) -> Result<Taken, Problem> {
        let mut taken = Taken::default();
        for piece in items.chunks(limits::COMMIT_ENTRIES_MAX) {
            taken += self.piece(piece).await?;
        }
        Ok(taken)
    }

    /// The ways first, then the objects: an object is never here without its way.
    async fn piece(&self, items: &[&Item<'_>]) -> Result<Taken, Problem> {
        let (here, now) = (self.app.hub_id(), self.app.now());
        let mut taken = Taken::default();
        let mut envelope = EnvelopeWriter::new(Vec::new());
        let mut ways = Vec::new();
        for item in items {
            let Some(bytes) = item.object.map(|object| object.get().as_bytes()) else { continue };
            let read = stix::read_bundle(bytes).ok().and_then(|checked| checked.accepted.into_iter().next());
            if let Some(object) = read {
                let passing = Passing {
                    object_type: object.object_type(),
                    version: object.version,
                    marking: object.tlp,
                    passage: Some(&item.passage),
                };
                if let Err(stopped) = peer::enters(&passing, self.ceiling, self.terms, here, now) {
                    taken.stopped += 1;
                    taken.looped += u64::from(stopped.is_of_the_way());
                    continue;
                }
                ways.push(ReceivedItem {
                    id: object.id.clone(),
                    version: object.version,
                    passage: item.passage.clone(),
                });
            }
            // What cannot be read goes to the desk all the same, to be refused and counted there.
            envelope.push(bytes).map_err(|error| Problem::fault(&error))?;
        }
        let envelope = envelope.finish(None).map_err(|error| Problem::fault(&error))?;
        let _alone = self.app.rota().door().await;
        self.record(ways).await?;
        let report = self.desk(Action::ShareIntelligence)?.take(&envelope, Known::ByVersion).await?;
        taken.received += report.accepted as u64;
        taken.repeated += report.repeated as u64;
        taken.refused += report.refused.len() as u64;
        taken.held += report.held.len() as u64;
        Ok(taken)
    }

    /// Records by which ways objects come that the group does not hold yet.
    async fn record(&self, ways: Vec<ReceivedItem>) -> Result<(), Problem> {
        let (scope, group) = (self.scope.clone(), self.group);
        let new = self
            .app
            .read(move |reading| {
                let mut new = Vec::new();
                for way in ways {
                    if !held(reading, &scope, group, &way)? {
                        new.push(way);
                    }
                }
                Ok(new)
            })
            .await?;
        if new.is_empty() {
            return Ok(());
        }
        let permit = self.reader.permit_in(Action::ShareIntelligence, self.group)?;
        let body = Received { items: new }.to_body();
        self.app.append(vec![Draft::new(&permit, self.group, EXCHANGE_RECEIVED, body)]).await?;
        Ok(())
    }

    /// Takes back what the peer's member shared here. False when there is nothing (any more) to take back.
    async fn recall(&self, recall: &Recall) -> Result<bool, Problem> {
        let (scope, group, id) = (self.scope.clone(), self.group, recall.id.clone());
        let latest = self.app.read(move |reading| reading.latest_object(&scope, group, &id)).await?;
        let mine =
            latest.is_some_and(|latest| !latest.withdrawn && latest.owner == Some(self.reader.member()));
        if mine {
            self.desk(Action::RecallIntelligence)?.recall(&recall.id, &recall.reason).await?;
        }
        Ok(mine)
    }
}

/// Whether the group holds this version, or knows already how it comes.
fn held(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: GroupId,
    way: &ReceivedItem,
) -> Result<bool, ReadError> {
    let key = passage_key(way.id.as_str(), way.version);
    if reading.document(scope, collection::PASSAGE, group, &key)?.is_some() {
        return Ok(true);
    }
    let query = ObjectQuery {
        ids: vec![way.id.to_string()],
        versions: VersionFilter { at: vec![way.version], last: false, ..VersionFilter::default() },
        include_withdrawn: true,
        ..ObjectQuery::new(group, 1)
    };
    Ok(!reading.manifest(scope, &query)?.rows.is_empty())
}
