//! The warning people see, folded from sightings, acknowledgements and recalls.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shieldwall_model::id::{GroupId, MemberId, ObjectId, WarningId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Timestamp;

use crate::entries::{Reporter, SightingReported, Taken};

/// What an indicator is about, known where the warning is folded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The indicator.
    pub indicator: ObjectId,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: IndicatorRole,
    /// Its pattern or value as people would write it.
    pub value: String,
    /// Its marking's label, such as `AMBER`, if it carries one.
    pub marking: Option<String>,
}

/// A campaign, intrusion set or malware the indicator points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The campaign, intrusion set or malware.
    pub id: ObjectId,
    /// Its name.
    pub name: String,
    /// The relationship that says so.
    pub via: ObjectId,
}

/// What one reporter has seen so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Who.
    pub reporter: Reporter,
    /// Its sectors.
    pub sectors: Vec<String>,
    /// First seen by it.
    pub first_seen: Timestamp,
    /// Last seen by it.
    pub last_seen: Timestamp,
    /// Events seen by it.
    pub count: u64,
    /// Hours in which it passed there before the indicator was known, found by looking back.
    #[serde(default)]
    pub hours_back: u64,
}

/// That a member has taken note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// When its first machine took note, in ledger time.
    pub by_machine: Option<Timestamp>,
    /// When its first person took note, in ledger time.
    pub by_person: Option<Timestamp>,
    /// Its last note.
    pub note: Option<String>,
}

/// What the alliance tells the parties of a sharing group: this was seen, here is what it means, do this.
///
/// There is one per (indicator, campaign) in a group; further sightings update it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Its id, the same over every fold.
    pub id: WarningId,
    /// The sharing group it is for.
    pub group: GroupId,
    /// What was seen.
    pub subject: Subject,
    /// What it points to.
    pub contexts: Vec<Context>,
    /// Kind of value seen last, such as `domain-name`.
    pub kind: String,
    /// Telemetry fields it stood in.
    pub fields: BTreeSet<String>,
    /// First seen by anybody.
    pub first_seen: Timestamp,
    /// Last seen by anybody.
    pub last_seen: Timestamp,
    /// Events seen by all, those found by looking back apart.
    pub count: u64,
    /// What each reporter has seen, by [`Reporter::key`].
    pub reports: BTreeMap<String, Reported>,
    /// Ledger time of the first sighting: the moment the alliance knew.
    pub raised: Timestamp,
    /// Ledger time of the last change.
    pub updated: Timestamp,
    /// How often it has changed, from 1.
    pub revision: u64,
    /// Who has taken note.
    pub acknowledged: BTreeMap<MemberId, Acknowledgement>,
    /// The indicator was taken back, and when.
    pub withdrawn: Option<Timestamp>,
}

impl Warning {
    /// A warning raised by its first sighting, at ledger time `at`.
    pub fn raise(
        group: GroupId,
        subject: Subject,
        contexts: Vec<Context>,
        seen: &SightingReported,
        at: Timestamp,
    ) -> Self {
        let mut warning = Self {
            id: WarningId::about(group, &Self::key(&subject.indicator, &contexts)),
            group,
            subject,
            contexts,
            kind: seen.kind.clone(),
            fields: BTreeSet::new(),
            first_seen: seen.first_seen,
            last_seen: seen.last_seen,
            count: 0,
            reports: BTreeMap::new(),
            raised: at,
            updated: at,
            revision: 0,
            acknowledged: BTreeMap::new(),
            withdrawn: None,
        };
        warning.see(seen, at);
        warning
    }

    /// What a warning is about: the indicator, and the campaign it was known to belong to when first seen.
    fn key(indicator: &ObjectId, contexts: &[Context]) -> String {
        let campaign = contexts.iter().map(|context| context.id.as_str()).min().unwrap_or("");
        format!("{indicator}/{campaign}")
    }

    /// Takes in a further sighting.
    pub fn see(&mut self, seen: &SightingReported, at: Timestamp) {
        self.first_seen = self.first_seen.min(seen.first_seen);
        self.last_seen = self.last_seen.max(seen.last_seen);
        let (events, hours) = if seen.retrospective { (0, seen.count) } else { (seen.count, 0) };
        self.count = self.count.saturating_add(events);
        self.kind.clone_from(&seen.kind);
        self.fields.insert(seen.field.clone());
        let reported = self.reports.entry(seen.reporter.key()).or_insert_with(|| Reported {
            reporter: seen.reporter.clone(),
            sectors: seen.sectors.clone(),
            first_seen: seen.first_seen,
            last_seen: seen.last_seen,
            count: 0,
            hours_back: 0,
        });
        reported.first_seen = reported.first_seen.min(seen.first_seen);
        reported.last_seen = reported.last_seen.max(seen.last_seen);
        reported.count = reported.count.saturating_add(events);
        reported.hours_back = reported.hours_back.saturating_add(hours);
        self.touch(at);
    }

    /// Whether nobody has seen it since it is known: it passed before, and was found by looking back.
    pub fn is_retrospective(&self) -> bool {
        self.count == 0
    }

    /// Takes in what the indicator is now known to point to. Says whether that was news.
    pub fn learn(&mut self, context: Context, at: Timestamp) -> bool {
        let news = !self.contexts.iter().any(|known| known.id == context.id);
        if news {
            self.contexts.push(context);
            self.touch(at);
        }
        news
    }

    /// Takes in that a member has taken note. Says whether that was news.
    pub fn acknowledge(
        &mut self,
        member: MemberId,
        taken: Taken,
        note: Option<String>,
        at: Timestamp,
    ) -> bool {
        let entry = self.acknowledged.entry(member).or_insert(Acknowledgement {
            by_machine: None,
            by_person: None,
            note: None,
        });
        let slot = match taken {
            Taken::ByMachine => &mut entry.by_machine,
            Taken::ByPerson => &mut entry.by_person,
        };
        let news = slot.is_none() || note.is_some();
        slot.get_or_insert(at);
        if note.is_some() {
            entry.note = note;
        }
        news
    }

    /// Takes in that the indicator was taken back.
    pub fn withdraw(&mut self, at: Timestamp) {
        if self.withdrawn.is_none() {
            self.withdrawn = Some(at);
            self.touch(at);
        }
    }

    fn touch(&mut self, at: Timestamp) {
        self.updated = self.updated.max(at);
        self.revision += 1;
    }

    /// How many members have seen it.
    pub fn reporters(&self) -> usize {
        self.reports.len()
    }

    /// The sectors in which it was seen.
    pub fn sectors(&self) -> BTreeSet<&str> {
        self.reports.values().flat_map(|reported| reported.sectors.iter().map(String::as_str)).collect()
    }

    /// The members that reported it, where the group lets them be named.
    pub fn named(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.reports.values().filter_map(|reported| match reported.reporter {
            Reporter::Member(member) => Some(member),
            Reporter::Pseudonym(_) => None,
        })
    }

    /// Microseconds from the first sighting's entry to the moment each member's first machine or person took note.
    pub fn times_to_warn_micros(&self) -> impl Iterator<Item = (MemberId, i64)> + '_ {
        self.acknowledged.iter().filter_map(|(member, taken)| {
            let first = [taken.by_machine, taken.by_person].into_iter().flatten().min()?;
            Some((*member, first.since_micros(self.raised)))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::entries::SeenValue;
    use proptest::prelude::*;
    use shieldwall_model::id::RepeatableEntropy;

    pub(crate) fn seen(reporter: &str, at_seconds: i64, count: u64) -> SightingReported {
        let at = Timestamp::from_micros(at_seconds * 1_000_000);
        SightingReported {
            indicator: "indicator--00000000-0000-4000-8000-000000000001".parse().unwrap(),
            first_seen: at,
            last_seen: at,
            count,
            kind: "domain-name".into(),
            field: "dns.rrname".into(),
            value: SeenValue::Withheld,
            reporter: Reporter::Pseudonym(reporter.into()),
            sectors: vec!["health".into()],
            detected: at,
            retrospective: false,
        }
    }

    pub(crate) fn warning(number: u8) -> Warning {
        let subject = Subject {
            indicator: format!("indicator--00000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap(),
            name: "A name".into(),
            role: IndicatorRole::Malicious,
            value: "evil.example".into(),
            marking: None,
        };
        let at = Timestamp::from_micros(i64::from(number) * 1_000_000);
        Warning::raise(GroupId::ALLIANCE, subject, vec![], &seen("r-1", 5, 1), at)
    }

    #[test]
    fn further_sightings_update_the_one_warning() {
        let mut warning = warning(1);
        warning.see(&seen("r-2", 2, 10), Timestamp::from_micros(9_000_000));
        warning.see(&seen("r-1", 8, 100), Timestamp::from_micros(9_500_000));
        assert_eq!((warning.count, warning.reporters(), warning.revision), (111, 2, 3));
        assert_eq!(warning.first_seen, Timestamp::from_micros(2_000_000));
        assert_eq!(warning.last_seen, Timestamp::from_micros(8_000_000));
        assert_eq!(warning.named().count(), 0, "a pseudonym names nobody");
        assert_eq!(warning.raised, Timestamp::from_micros(1_000_000), "the moment the alliance knew stays");
    }

    #[test]
    fn what_was_found_by_looking_back_is_told_apart_from_a_live_hit() {
        let back = SightingReported { retrospective: true, ..seen("r-1", 2, 7) };
        let subject = warning(1).subject;
        let at = Timestamp::from_micros(9_000_000);
        let mut warning = Warning::raise(GroupId::ALLIANCE, subject, vec![], &back, at);
        assert!(warning.is_retrospective());
        assert_eq!((warning.count, warning.reporters()), (0, 1));
        assert_eq!((warning.reports["r-1"].count, warning.reports["r-1"].hours_back), (0, 7));
        warning.see(&seen("r-2", 8, 3), at);
        assert!(!warning.is_retrospective(), "now somebody sees it live");
        assert_eq!((warning.count, warning.first_seen), (3, Timestamp::from_micros(2_000_000)));
        let before = serde_json::to_value(&back).unwrap();
        assert_eq!(before["retrospective"], true);
        assert_eq!(serde_json::to_value(seen("r-1", 2, 7)).unwrap().get("retrospective"), None);
    }

    #[test]
    fn the_first_to_take_note_counts_and_a_person_does_not_overwrite_a_machine() {
        let mut warning = warning(1);
        let member = MemberId::new(Timestamp::default(), &RepeatableEntropy::new(1));
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert!(warning.acknowledge(member, Taken::ByMachine, None, at(2)));
        assert!(!warning.acknowledge(member, Taken::ByMachine, None, at(3)));
        assert!(warning.acknowledge(member, Taken::ByPerson, None, at(60)));
        assert_eq!(warning.times_to_warn_micros().collect::<Vec<_>>(), [(member, 1_000_000)]);
    }

    proptest! {
        #[test]
        fn the_order_of_reports_does_not_change_what_was_seen(mut reports in proptest::collection::vec((0u8..4, 0i64..100, 1u64..50), 1..20)) {
            let fold = |reports: &[(u8, i64, u64)]| {
                let mut warning = warning(1);
                for (reporter, at, count) in reports {
                    warning.see(&seen(&format!("r-{reporter}"), *at, *count), Timestamp::from_micros(7_000_000));
                }
                (warning.count, warning.first_seen, warning.last_seen, warning.reports)
            };
            let forward = fold(&reports);
            reports.reverse();
            prop_assert_eq!(forward, fold(&reports));
        }
    }
}
