//! Telling people of new objects that fit the searches they keep: on the stream, by webhook, by mail.
//!
//! One worker a hub. Once a second it asks, for each kept search, what has come since its keeper was last told, with
//! the scope its keeper has at that moment; nothing is queued but the place reached, so nobody is told what they may no
//! longer read, and a receiver that is away costs nothing but a later look-up. What one round does is bounded by the
//! number of searches, and one look-up by what came since.

mod mail;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_exchange::search::Search;
use shieldwall_ledger::Positions;
use shieldwall_ledger::reading::SearchQuery;
use shieldwall_ledger::settings::Owner;
use shieldwall_model::access::{Action, Principal, ReadScope, Reader};
use shieldwall_model::marking::Tlp;
use tokio::sync::{Semaphore, broadcast, mpsc};

pub use self::webhook::signature;
use crate::api::objects::ObjectBody;
use crate::app::App;
use crate::problem::Problem;
use crate::searches::kept::{Channel, Delivery, Kept, Outcome, PROGRESS, Progress, SEARCH};
use crate::searches::{compile, problem};

/// How often is looked for what is new.
const ROUND: Duration = Duration::from_secs(1);
/// Most objects told at once; the rest is a number of "more".
const OBJECTS_MAX: usize = 100;
/// Most deliveries under way at once.
const DELIVERIES_AT_ONCE_MAX: usize = 8;
/// Events of kept searches a stream may lag behind.
const EVENTS_MAX: usize = 256;

/// What is told of a kept search.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Notice {
    /// The search.
    pub search: Told,
    /// When this was put together.
    pub time: String,
    /// New objects that fit, newest first.
    pub objects: Vec<ObjectBody>,
    /// Whether there are more than these.
    pub more: bool,
    /// How many are not told on this way, because their marking (TLP:RED) forbids it.
    pub withheld: usize,
}

/// The search a notice is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// What its keeper calls it.
    pub name: String,
    /// What it looks for.
    pub query: String,
}

/// Where streams hear of kept searches: each hears of its own reader's alone.
#[derive(Clone)]
pub struct Board(broadcast::Sender<(Principal, Arc<Notice>)>);

impl Default for Board {
    fn default() -> Self {
        Self(broadcast::channel(EVENTS_MAX).0)
    }
}

impl Board {
    /// Hears from now on.
    pub fn listen(&self) -> broadcast::Receiver<(Principal, Arc<Notice>)> {
        self.0.subscribe()
    }
}

/// What came of a delivery, back at the worker.
struct Done {
    key: (Owner, String),
    channel: Channel,
    until: Positions,
    objects: usize,
    error: Option<String>,
}

/// Works until the hub closes.
pub(crate) async fn run(app: App) {
    let mut closing = app.closing();
    let (sender, mut receiver) = mpsc::channel(DELIVERIES_AT_ONCE_MAX);
    let mut worker = Worker {
        app,
        progress: BTreeMap::new(),
        under_way: BTreeSet::new(),
        places: Arc::new(Semaphore::new(DELIVERIES_AT_ONCE_MAX)),
        sender,
    };
    let mut ticks = tokio::time::interval(ROUND);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = closing.changed() => return,
            Some(done) = receiver.recv() => worker.settle(done).await,
            _ = ticks.tick() => worker.round().await,
        }
    }
}

struct Worker {
    app: App,
    progress: BTreeMap<(Owner, String), Progress>,
    under_way: BTreeSet<(String, Channel)>,
    places: Arc<Semaphore>,
    sender: mpsc::Sender<Done>,
}

impl Worker {
    /// Looks at every kept search once.
    async fn round(&mut self) {
        let settings = match self.app.settings(|settings| settings.of_all(SEARCH)).await {
            Ok(settings) => settings,
            Err(problem) => return tracing::warn!(code = problem.code, "kept searches could not be read"),
        };
        let kept: Vec<(Owner, Kept)> = settings.iter().filter_map(Kept::from_setting).collect();
        let there: BTreeSet<(Owner, String)> =
            kept.iter().map(|(owner, kept)| (*owner, Kept::key(kept.user, &kept.id))).collect();
        self.progress.retain(|key, _| there.contains(key));
        for (owner, kept) in kept {
            let channels = kept.channels();
            if channels.is_empty() {
                continue;
            }
            let Some(reader) = self.reader(&kept).await else { continue };
            for channel in channels {
                if let Err(problem) = self.look(owner, &kept, &reader, channel).await {
                    tracing::warn!(code = problem.code, search = kept.id, "a kept search was not looked for");
                }
            }
        }
    }

    /// The keeper of a search as the access rule sees them now; `None` once they may not read.
    async fn reader(&self, kept: &Kept) -> Option<Reader> {
        let (user, now) = (kept.user, self.app.now());
        let (member, role) = self.app.accounts(move |accounts| accounts.acting(user, now)).await.ok()??;
        let directory = self.app.directory();
        directory.member(member)?;
        let reader = Reader::new(self.app.realm().clone(), Principal::User(user), member, role, &directory);
        (reader.may(Action::ReadIntelligence) && reader.may(Action::KeepSearches)).then_some(reader)
    }

    async fn progress(&mut self, key: &(Owner, String)) -> Result<&mut Progress, Problem> {
        if !self.progress.contains_key(key) {
            let (owner, name) = key.clone();
            let known = self.app.settings(move |settings| settings.get(PROGRESS, owner, &name)).await?;
            let known = known.and_then(|known| serde_json::from_slice(&known.body).ok()).unwrap_or_default();
            self.progress.insert(key.clone(), known);
        }
        Ok(self.progress.entry(key.clone()).or_default())
    }

    /// Looks for what is new on one channel of one search, and tells it.
    async fn look(
        &mut self,
        owner: Owner,
        kept: &Kept,
        reader: &Reader,
        channel: Channel,
    ) -> Result<(), Problem> {
        let key = (owner, Kept::key(kept.user, &kept.id));
        let way = (kept.id.clone(), channel);
        let now = self.app.now();
        if self.under_way.contains(&way) {
            return Ok(());
        }
        let reached = self.progress(&key).await?.reached(kept, channel).clone();
        if !reached.is_due(now) {
            return Ok(());
        }
        let scope = reader.scope(Action::ReadIntelligence)?;
        let search = Search::read(&kept.query).map_err(|error| problem(&error))?;
        let query = compile(&search, reader, &self.app.directory(), now)?;
        let since = reached.positions();
        let Some((until, notice)) = self.found(kept, &scope, query, since, channel).await? else {
            return Ok(());
        };
        if notice.objects.is_empty() && notice.withheld == 0 {
            // Nothing to tell: where this search stands is written down with the next thing it tells.
            self.progress(&key).await?.reached(kept, channel).told(&until);
            return Ok(());
        }
        let objects = notice.objects.len() + notice.withheld;
        let done = |error| Done { key: key.clone(), channel, until: until.clone(), objects, error };
        if channel == Channel::Stream {
            // Nobody may be listening: the page shows what was found all the same.
            let _ = self.app.board().0.send((reader.principal(), Arc::new(notice)));
            self.settle(done(None)).await;
            return Ok(());
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(()) };
        self.under_way.insert(way);
        let (app, kept, sender, mut done) = (self.app.clone(), kept.clone(), self.sender.clone(), done(None));
        tokio::spawn(async move {
            let told = match channel {
                Channel::Email => mail::send(&app, &kept, &notice).await,
                _ => webhook::post(&app, &kept, &notice).await,
            };
            done.error = told.err();
            drop(place);
            // The worker is gone when the hub closes; then the delivery is made again after the next start.
            let _ = sender.send(done).await;
        });
        Ok(())
    }

    /// What has come since, and up to where was looked; `None` when nothing has.
    async fn found(
        &self,
        kept: &Kept,
        scope: &ReadScope,
        query: SearchQuery,
        since: Positions,
        channel: Channel,
    ) -> Result<Option<(Positions, Notice)>, Problem> {
        let (scope, asked) = (scope.clone(), since.clone());
        let found = self.app.read(move |reading| {
            let until = reading.positions(&scope).into_inner();
            if until == asked {
                return Ok(None);
            }
            let query = SearchQuery { since: Some(asked), limit: OBJECTS_MAX, ..query };
            Ok(Some((until, reading.search(&scope, &query)?.into_inner())))
        });
        let Some((until, page)) = found.await? else { return Ok(None) };
        let more = page.next.is_some();
        // What came while this was looked for is told the next time.
        let rows = page.rows.iter().filter(|row| until.get(&row.group).is_some_and(|at| row.sequence <= *at));
        // TLP:RED is for the eyes of those present: it is shown on the hub and sent nowhere (TLP 2.0, FIRST).
        let (told, withheld): (Vec<_>, Vec<_>) =
            rows.partition(|row| channel == Channel::Stream || row.marking != Some(Tlp::Red));
        let notice = Notice {
            search: Told { id: kept.id.clone(), name: kept.name.clone(), query: kept.query.clone() },
            time: self.app.now().to_string(),
            objects: told.into_iter().map(ObjectBody::from).collect(),
            more,
            withheld: withheld.len(),
        };
        Ok(Some((until, notice)))
    }

    /// Writes down what came of a delivery.
    async fn settle(&mut self, done: Done) {
        let Done { key, channel, until, objects, error } = done;
        let id = key.1.rsplit('/').next().unwrap_or_default().to_owned();
        self.under_way.remove(&(id, channel));
        let now = self.app.now();
        // A search that was let go of meanwhile has no progress any more.
        let Some(progress) = self.progress.get_mut(&key) else { return };
        let Some((_, reached)) = progress.channels.iter_mut().find(|(known, _)| *known == channel) else {
            return;
        };
        let attempt = reached.attempts + 1;
        let outcome = if error.is_some() {
            reached.failed(&until, now)
        } else {
            reached.told(&until);
            Outcome::Delivered
        };
        progress.note(Delivery {
            time: now.to_string(),
            channel: channel.as_str().into(),
            objects,
            attempt,
            outcome: outcome.as_str().into(),
            error,
        });
        metrics::counter!("shieldwall_notices_total", "channel" => channel.as_str(), "outcome" => outcome.as_str())
            .increment(1);
        let body = serde_json::to_vec(progress).unwrap_or_default();
        let (owner, name) = key;
        let kept = self.app.settings(move |settings| settings.put(PROGRESS, owner, &name, &body, now)).await;
        if let Err(problem) = kept {
            tracing::warn!(code = problem.code, "how far a kept search was told could not be written down");
        }
    }
}
