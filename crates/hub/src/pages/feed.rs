//! What just happened, in words: the newest entries the reader may see, like ones told as one.

use shieldwall_assess::entries::{
    Reporter, SIGHTING_REPORTED, SightingReported, Taken, WARNING_ACKNOWLEDGED, WarningAcknowledged,
};
use shieldwall_assess::view::Warning;
use shieldwall_exchange::entries::{OBJECT_RECALLED, OBJECT_SHARED, Recalled};
use shieldwall_ledger::reading::EntryQuery;
use shieldwall_ledger::{Entry, ReadError, Reading};
use shieldwall_model::access::ReadScope;
use shieldwall_model::directory::{Directory, Member, SharingGroup};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::time::Timestamp;

use crate::ask::Ask;
use crate::fold::{GROUP_FORMED, MEMBER_JOINED, collection};
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// Entries looked at.
const ENTRIES_MAX: usize = 150;
/// Most lines told.
const ITEMS_MAX: usize = 12;
/// Like facts are told as one when no further apart than this, in seconds.
const TOGETHER_SECONDS: i64 = 120;
/// A line is fresh, and flashes once, for this long, in seconds.
const FRESH_SECONDS: i64 = 5;

/// One line of the feed.
pub(crate) struct Item {
    pub(crate) icon: &'static str,
    pub(crate) text: Html,
    pub(crate) at: Html,
    pub(crate) fresh: bool,
}

/// What happened, as far as the feed tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Joined { name: String },
    Formed { name: String },
    Shared { by: Option<MemberId>, group: GroupId, id: String, name: String },
    Recalled { by: Option<MemberId>, id: String, name: String },
    Saw { by: Reporter, group: GroupId, id: String, name: String, count: u64 },
    Warned { warning: String, name: String },
    Read { by: Option<MemberId>, warning: String, name: String },
}

/// Something that happened, once or several times.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    what: What,
    at: Timestamp,
    times: u64,
}

/// The feed for this reader.
///
/// # Errors
/// As `App::read`.
pub(crate) async fn items(ask: &Ask, t: Texts) -> Result<Vec<Item>, Problem> {
    let scope = ask.scope()?;
    let facts = ask.read(move |reading| read(reading, &scope)).await?;
    let (directory, now) = (ask.app.directory(), ask.app.now());
    let mine = ask.reader().member();
    let teller =
        Teller { t, directory: &directory, mine, pseudonym: &|group| ask.app.pseudonym(group, mine) };
    Ok(together(facts).iter().take(ITEMS_MAX).map(|fact| teller.tell(fact, now)).collect())
}

fn read(reading: &Reading<'_>, scope: &ReadScope) -> Result<Vec<Fact>, ReadError> {
    let query = EntryQuery { newest_first: true, limit: ENTRIES_MAX, ..EntryQuery::default() };
    let page = reading.entries(scope, &query)?;
    let mut facts = Vec::with_capacity(page.rows.len());
    for entry in &page.rows {
        if let Some(what) = what(reading, scope, entry)? {
            facts.push(Fact { what, at: entry.time, times: 1 });
        }
    }
    Ok(facts)
}

fn what(reading: &Reading<'_>, scope: &ReadScope, entry: &Entry) -> Result<Option<What>, ReadError> {
    let Some(body) = entry.body.as_deref() else { return Ok(None) };
    let by = entry.author.member;
    let title = |id: &str| {
        let known = reading.latest_object(scope, entry.group, id)?;
        Ok::<_, ReadError>(known.and_then(|known| known.name.clone()).unwrap_or_else(|| id.to_owned()))
    };
    Ok(match entry.kind.as_str() {
        MEMBER_JOINED => {
            serde_json::from_slice::<Member>(body).ok().map(|member| What::Joined { name: member.name })
        }
        GROUP_FORMED => {
            serde_json::from_slice::<SharingGroup>(body).ok().map(|group| What::Formed { name: group.name })
        }
        OBJECT_SHARED => match id_of(body) {
            Some(id) => Some(What::Shared { by, group: entry.group, name: title(&id)?, id }),
            None => None,
        },
        OBJECT_RECALLED => match Recalled::from_body(body) {
            Ok(recalled) => {
                Some(What::Recalled { by, name: title(recalled.id.as_str())?, id: recalled.id.to_string() })
            }
            Err(_) => None,
        },
        SIGHTING_REPORTED => match serde_json::from_slice::<SightingReported>(body) {
            Ok(seen) => Some(What::Saw {
                name: title(seen.indicator.as_str())?,
                id: seen.indicator.to_string(),
                by: seen.reporter,
                group: entry.group,
                count: seen.count,
            }),
            Err(_) => None,
        },
        WARNING_ACKNOWLEDGED => match serde_json::from_slice::<WarningAcknowledged>(body) {
            Ok(said) => {
                let warning = said.warning.to_string();
                let document = reading.document(scope, collection::WARNING, entry.group, &warning)?;
                let name = document
                    .and_then(|document| serde_json::from_slice::<Warning>(&document.body).ok())
                    .map_or_else(|| warning.clone(), |warning| warning.subject.name);
                Some(match said.taken {
                    Taken::ByMachine => What::Warned { warning, name },
                    Taken::ByPerson => What::Read { by, warning, name },
                })
            }
            Err(_) => None,
        },
        // The rest is of no use to somebody who looks on; the ledger's page has it.
        _ => None,
    })
}

fn id_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Identified {
        id: String,
    }
    serde_json::from_slice::<Identified>(body).ok().map(|object| object.id)
}

/// Tells like facts as one: newest first in, newest first out.
fn together(facts: Vec<Fact>) -> Vec<Fact> {
    let mut told: Vec<Fact> = Vec::new();
    for fact in facts {
        let near = |known: &Fact| known.at.since_micros(fact.at) <= TOGETHER_SECONDS * 1_000_000;
        match told.iter_mut().find(|known| near(known) && alike(&known.what, &fact.what)) {
            Some(known) => {
                known.times += fact.times;
                if let (What::Saw { count, .. }, What::Saw { count: more, .. }) =
                    (&mut known.what, &fact.what)
                {
                    *count = count.saturating_add(*more);
                }
            }
            None => told.push(fact),
        }
    }
    told
}

fn alike(a: &What, b: &What) -> bool {
    match (a, b) {
        (What::Shared { by, group, .. }, What::Shared { by: other, group: elsewhere, .. }) => {
            by == other && group == elsewhere
        }
        (What::Saw { by, id, .. }, What::Saw { by: other, id: another, .. }) => by == other && id == another,
        (What::Warned { warning, .. }, What::Warned { warning: other, .. }) => warning == other,
        (What::Joined { .. }, What::Joined { .. }) => true,
        _ => false,
    }
}

struct Teller<'a> {
    t: Texts,
    directory: &'a Directory,
    mine: MemberId,
    pseudonym: &'a dyn Fn(GroupId) -> String,
}

impl Teller<'_> {
    fn member(&self, id: Option<MemberId>) -> Html {
        let name = id.and_then(|id| self.directory.member(id)).map(|member| member.name.as_str());
        name.map_or_else(|| Html::strong(&self.t.text("feed-hub")), Html::strong)
    }

    fn reporter(&self, by: &Reporter, group: GroupId) -> Html {
        match by {
            Reporter::Member(member) => self.member(Some(*member)),
            Reporter::Pseudonym(word) if *word == (self.pseudonym)(group) => self.member(Some(self.mine)),
            Reporter::Pseudonym(_) => Html::strong(&self.t.text("feed-somebody")),
        }
    }

    fn tell(&self, fact: &Fact, now: Timestamp) -> Item {
        let t = self.t;
        let many = t.counted(fact.times);
        let object = |id: &str, name: &str| Html::link(&format!("/intelligence/{id}"), name);
        let warning = |id: &str, name: &str| Html::link(&format!("/warnings/{id}"), name);
        let (icon, text) = match &fact.what {
            What::Joined { .. } if fact.times > 1 => (
                "people",
                t.rich(
                    "feed-joined-many",
                    &[("members", Html::link("/members", &t.count("members-count", fact.times)))],
                    &[],
                ),
            ),
            What::Joined { name } => {
                ("people", t.rich("feed-joined", &[("who", Html::link("/members", name))], &[]))
            }
            What::Formed { name } => {
                ("people", t.rich("feed-formed", &[("what", Html::link("/members", name))], &[]))
            }
            What::Shared { by, .. } if fact.times > 1 => {
                ("ledger", t.rich("feed-shared-many", &[("who", self.member(*by))], &many))
            }
            What::Shared { by, id, name, .. } => (
                "ledger",
                t.rich("feed-shared", &[("who", self.member(*by)), ("what", object(id, name))], &[]),
            ),
            What::Recalled { by, id, name } => (
                "close",
                t.rich("feed-recalled", &[("who", self.member(*by)), ("what", object(id, name))], &[]),
            ),
            What::Saw { by, group, id, name, count } => (
                "eye",
                t.rich(
                    "feed-saw",
                    &[("who", self.reporter(by, *group)), ("what", object(id, name))],
                    &t.counted(count),
                ),
            ),
            What::Warned { warning: id, name } => {
                ("alert", t.rich("feed-warned", &[("what", warning(id, name))], &many))
            }
            What::Read { by, warning: id, name } => {
                ("check", t.rich("feed-read", &[("who", self.member(*by)), ("what", warning(id, name))], &[]))
            }
        };
        let fresh = now.since_micros(fact.at) < FRESH_SECONDS * 1_000_000;
        Item { icon, text, at: t.clock(fact.at), fresh }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;
    use shieldwall_model::id::RepeatableEntropy;

    fn at(seconds: i64, what: What) -> Fact {
        Fact { what, at: Timestamp::from_micros(seconds * 1_000_000), times: 1 }
    }

    fn warned(warning: &str) -> What {
        What::Warned { warning: warning.into(), name: "W".into() }
    }

    #[test]
    fn like_facts_close_in_time_are_told_as_one() {
        let shared =
            |id: &str| What::Shared { by: None, group: GroupId::ALLIANCE, id: id.into(), name: id.into() };
        let told = together(vec![
            at(1000, warned("a")),
            at(999, warned("b")),
            at(998, warned("a")),
            at(997, shared("x")),
            at(996, shared("y")),
            at(100, warned("a")),
        ]);
        let shown: Vec<(i64, u64)> = told.iter().map(|fact| (fact.at.as_seconds(), fact.times)).collect();
        assert_eq!(shown, [(1000, 2), (999, 1), (997, 2), (100, 1)]);
    }

    #[test]
    fn sightings_of_one_reporter_add_up_and_others_stay_apart() {
        let saw = |word: &str, count| What::Saw {
            by: Reporter::Pseudonym(word.into()),
            group: GroupId::ALLIANCE,
            id: "indicator--1".into(),
            name: "I".into(),
            count,
        };
        let told = together(vec![at(10, saw("r-1", 3)), at(9, saw("r-2", 1)), at(8, saw("r-1", 4))]);
        assert_eq!(told.len(), 2);
        assert!(matches!(told[0].what, What::Saw { count: 7, .. }));
    }

    #[test]
    fn a_reporter_without_a_name_gets_none_and_the_reader_knows_its_own() {
        let mut directory = Directory::default();
        let mine = MemberId::new(Timestamp::default(), &RepeatableEntropy::new(1));
        directory.join(Member {
            id: mine,
            name: "Estonia".into(),
            kind: shieldwall_model::directory::MemberKind::Nation,
            country: None,
            sectors: vec![],
        });
        let t = Texts::new(Language::English);
        let teller = Teller { t, directory: &directory, mine, pseudonym: &|_| "r-mine".into() };
        let own = teller.reporter(&Reporter::Pseudonym("r-mine".into()), GroupId::ALLIANCE).to_string();
        let other = teller.reporter(&Reporter::Pseudonym("r-other".into()), GroupId::ALLIANCE).to_string();
        assert!(
            own.contains("Estonia") && !other.contains("Estonia") && !other.contains("r-other"),
            "{own} {other}"
        );
    }
}
