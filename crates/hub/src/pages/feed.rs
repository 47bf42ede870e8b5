//! What just happened, in words: the newest entries the reader may see, like ones told as one.

use std::collections::{BTreeMap, BTreeSet};

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
const ENTRIES_MAX: usize = 400;
/// Most lines told.
const ITEMS_MAX: usize = 12;
/// Like facts are told as one when no further apart than this, in seconds.
const TOGETHER_SECONDS: i64 = 15;
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
    Shared { by: Option<MemberId>, group: GroupId },
    Recalled { by: Option<MemberId> },
    Saw { by: Reporter, group: GroupId },
    Warned,
    Read { by: Option<MemberId> },
}

/// Something that happened, once or several times.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    what: What,
    at: Timestamp,
    /// What it is about, with names: objects, or warnings.
    about: BTreeMap<String, String>,
    /// How many entries, or, of a sighting, events.
    times: u64,
    /// The members it happened to.
    members: BTreeSet<MemberId>,
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
        facts.extend(fact(reading, scope, entry)?);
    }
    Ok(facts)
}

fn fact(reading: &Reading<'_>, scope: &ReadScope, entry: &Entry) -> Result<Option<Fact>, ReadError> {
    let Some(body) = entry.body.as_deref() else { return Ok(None) };
    let (by, group) = (entry.author.member, entry.group);
    let told = |what, about: Option<(String, String)>, times| {
        Some(Fact {
            what,
            at: entry.time,
            about: about.into_iter().collect(),
            times,
            members: by.into_iter().collect(),
        })
    };
    let titled = |id: &str| {
        let known = reading.latest_object(scope, group, id)?;
        let name = known.and_then(|known| known.name.clone()).unwrap_or_else(|| id.to_owned());
        Ok::<_, ReadError>(Some((id.to_owned(), name)))
    };
    Ok(match entry.kind.as_str() {
        MEMBER_JOINED => match serde_json::from_slice::<Member>(body) {
            Ok(member) => told(What::Joined { name: member.name }, None, 1),
            Err(_) => None,
        },
        GROUP_FORMED => match serde_json::from_slice::<SharingGroup>(body) {
            Ok(formed) => told(What::Formed { name: formed.name }, None, 1),
            Err(_) => None,
        },
        OBJECT_SHARED => match id_of(body) {
            Some(id) => told(What::Shared { by, group }, titled(&id)?, 1),
            None => None,
        },
        OBJECT_RECALLED => match Recalled::from_body(body) {
            Ok(recalled) => told(What::Recalled { by }, titled(recalled.id.as_str())?, 1),
            Err(_) => None,
        },
        SIGHTING_REPORTED => match serde_json::from_slice::<SightingReported>(body) {
            // What passed once is no news of now; its warning says it.
            Ok(seen) if seen.retrospective => None,
            Ok(seen) => {
                let about = titled(seen.indicator.as_str())?;
                told(What::Saw { by: seen.reporter, group }, about, seen.count)
            }
            Err(_) => None,
        },
        WARNING_ACKNOWLEDGED => match serde_json::from_slice::<WarningAcknowledged>(body) {
            Ok(said) => {
                let id = said.warning.to_string();
                let document = reading.document(scope, collection::WARNING, group, &id)?;
                let warning =
                    document.and_then(|document| serde_json::from_slice::<Warning>(&document.body).ok());
                let name = warning.map_or_else(|| id.clone(), |warning| warning.subject.name);
                let what = match said.taken {
                    Taken::ByMachine => What::Warned,
                    Taken::ByPerson => What::Read { by },
                };
                told(what, Some((id, name)), 1)
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
                known.times = known.times.saturating_add(fact.times);
                known.about.extend(fact.about);
                known.members.extend(fact.members);
            }
            None => told.push(fact),
        }
    }
    told
}

fn alike(a: &What, b: &What) -> bool {
    match (a, b) {
        (What::Joined { .. }, What::Joined { .. }) => true,
        (What::Formed { .. }, What::Formed { .. }) => false,
        (a, b) => a == b,
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
        // One thing by its name, several by their number.
        let about = |kind: &str, all: &str, many: &str| match (fact.about.len(), fact.about.first_key_value())
        {
            (1, Some((id, name))) => Html::link(&format!("/{kind}/{id}"), name),
            (number, _) => Html::link(all, &t.count(many, number)),
        };
        let objects = || about("intelligence", "/intelligence", "feed-objects");
        let indicators = || about("intelligence", "/warnings", "feed-indicators");
        let warnings = || about("warnings", "/warnings", "feed-indicators");
        let (icon, text) = match &fact.what {
            What::Joined { .. } if fact.times > 1 => {
                let members = Html::link("/members", &t.count("members-count", fact.times));
                ("people", t.rich("feed-joined-many", &[("members", members)], &[]))
            }
            What::Joined { name } => {
                ("people", t.rich("feed-joined", &[("who", Html::link("/members", name))], &[]))
            }
            What::Formed { name } => {
                ("people", t.rich("feed-formed", &[("what", Html::link("/members", name))], &[]))
            }
            What::Shared { by, .. } => {
                ("ledger", t.rich("feed-shared", &[("who", self.member(*by)), ("what", objects())], &[]))
            }
            What::Recalled { by } => {
                ("close", t.rich("feed-recalled", &[("who", self.member(*by)), ("what", objects())], &[]))
            }
            What::Saw { by, group } => {
                let pieces = [("who", self.reporter(by, *group)), ("what", indicators())];
                ("eye", t.rich("feed-saw", &pieces, &t.counted(fact.times)))
            }
            What::Warned => {
                ("alert", t.rich("feed-warned", &[("what", warnings())], &t.counted(fact.members.len())))
            }
            What::Read { by } => {
                ("check", t.rich("feed-read", &[("who", self.member(*by)), ("what", warnings())], &[]))
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

    const T: Texts = Texts::new(Language::English);

    fn at(seconds: i64, what: What, about: &str, member: u64, times: u64) -> Fact {
        let at = Timestamp::from_micros(seconds * 1_000_000);
        let member = MemberId::new(Timestamp::default(), &RepeatableEntropy::new(member));
        Fact {
            what,
            at,
            about: [(about.to_owned(), about.to_uppercase())].into(),
            times,
            members: [member].into(),
        }
    }

    fn told(facts: Vec<Fact>) -> Vec<String> {
        let mine = MemberId::new(Timestamp::default(), &RepeatableEntropy::new(99));
        let directory = Directory::default();
        let teller = Teller { t: T, directory: &directory, mine, pseudonym: &|_| "r-mine".into() };
        together(facts).iter().map(|fact| teller.tell(fact, fact.at).text.to_string()).collect()
    }

    #[test]
    fn like_facts_close_in_time_are_told_as_one() {
        let shared = || What::Shared { by: None, group: GroupId::ALLIANCE };
        let shown = told(vec![
            at(1000, What::Warned, "a", 1, 1),
            at(999, What::Warned, "a", 2, 1),
            at(998, What::Warned, "a", 2, 1),
            at(997, shared(), "x", 1, 1),
            at(996, shared(), "y", 1, 1),
            at(100, What::Warned, "a", 1, 1),
        ]);
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert!(shown[0].starts_with("2 members were warned of <a href=\"/warnings/a\">A<"), "{}", shown[0]);
        assert!(shown[1].ends_with("shared <a href=\"/intelligence\">2 objects</a>"), "{}", shown[1]);
        assert!(shown[2].starts_with("1 member was warned"), "{}", shown[2]);
    }

    #[test]
    fn sightings_of_one_reporter_add_up_and_others_stay_apart() {
        let saw = |word: &str| What::Saw { by: Reporter::Pseudonym(word.into()), group: GroupId::ALLIANCE };
        let shown = told(vec![
            at(10, saw("r-1"), "i", 1, 3),
            at(9, saw("r-2"), "i", 2, 1),
            at(8, saw("r-1"), "j", 1, 4),
        ]);
        assert_eq!(shown.len(), 2);
        assert!(shown[0].contains(">2 indicators</a>") && shown[0].ends_with("7 times"), "{}", shown[0]);
        assert!(shown[1].contains(">I</a>") && shown[1].ends_with("once"), "{}", shown[1]);
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
        let teller = Teller { t: T, directory: &directory, mine, pseudonym: &|_| "r-mine".into() };
        let own = teller.reporter(&Reporter::Pseudonym("r-mine".into()), GroupId::ALLIANCE).to_string();
        let other = teller.reporter(&Reporter::Pseudonym("r-other".into()), GroupId::ALLIANCE).to_string();
        assert!(
            own.contains("Estonia") && !other.contains("Estonia") && !other.contains("r-other"),
            "{own} {other}"
        );
    }
}
