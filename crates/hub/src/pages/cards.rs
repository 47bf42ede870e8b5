//! Warnings as cards, alone or standing together: what the warnings' page and the picture both show.

use fluent_bundle::FluentValue;
use shieldwall_assess::entries::Reporter;
use shieldwall_assess::rules::{Cluster, correlate};
use shieldwall_assess::view::{Reported, Warning};
use shieldwall_model::access::Action;
use shieldwall_model::id::{GroupId, MemberId, WarningId};

use crate::api::warnings::{WarningBody, body};
use crate::ask::Ask;
use crate::pages::markup::Html;
use crate::pages::members::group_name;
use crate::pages::texts::Texts;

/// Cards of a cluster shown whole; the rest of many is shown short.
const CARDS_WHOLE_MAX: usize = 4;
/// Most values a card lists; the page of the warning has them all.
const VALUES_SHOWN_MAX: usize = 3;

/// A warning as its card shows it.
pub(crate) struct Card {
    pub(crate) body: WarningBody,
    /// Whether it is shown short, as one of many.
    pub(crate) compact: bool,
    /// The level of its heading.
    pub(crate) level: u8,
    pub(crate) class: &'static str,
    pub(crate) badge: Html,
    pub(crate) role: Html,
    pub(crate) tlp: Html,
    pub(crate) group: Option<String>,
    pub(crate) title: String,
    pub(crate) seen: Html,
    pub(crate) by: String,
    pub(crate) mine: String,
    pub(crate) mine_seen: bool,
    pub(crate) values: Vec<String>,
    pub(crate) values_more: Option<String>,
    pub(crate) hold: Option<Hold>,
    pub(crate) blocks: bool,
    pub(crate) check: String,
    pub(crate) updated: Html,
    pub(crate) acknowledged: String,
    pub(crate) may_acknowledge: bool,
}

/// Why something must not be blocked.
pub(crate) struct Hold {
    pub(crate) title: String,
    pub(crate) why: String,
}

/// Warnings that stand together, and why.
pub(crate) struct Together {
    /// What ties them, where something does.
    pub(crate) tie: Option<Tie>,
    pub(crate) cards: Vec<Card>,
    /// Those the reader can take note of at once, where there are several.
    pub(crate) unread: Vec<String>,
}

impl Together {
    fn new(tie: Option<Tie>, cards: Vec<Card>) -> Self {
        let unread: Vec<String> =
            cards.iter().filter(|card| card.may_acknowledge).map(|card| card.body.id.clone()).collect();
        Self { tie, unread: if unread.len() > 1 { unread } else { Vec::new() }, cards }
    }
}

/// Why warnings fall together.
pub(crate) struct Tie {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) reason: Html,
    pub(crate) proofs: Vec<Html>,
}

/// What a card needs to know of its reader.
pub(crate) struct Viewer<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) t: Texts,
    watching: bool,
    may_acknowledge: bool,
}

impl<'a> Viewer<'a> {
    pub(crate) fn of(ask: &'a Ask) -> Self {
        let mine = ask.reader().member();
        let watching = ask.app.sensors().iter().any(|((member, _), _)| *member == mine);
        Self {
            ask,
            t: Texts::new(ask.language),
            watching,
            may_acknowledge: ask.reader().may(Action::AcknowledgeWarning),
        }
    }

    /// What the reader's own member reported, by name or not.
    fn own<'w>(&self, warning: &'w Warning) -> Option<&'w Reported> {
        let mine = self.ask.reader().member();
        let unnamed = self.ask.app.pseudonym(warning.group, mine);
        warning.reports.values().find(|reported| match &reported.reporter {
            Reporter::Member(member) => *member == mine,
            Reporter::Pseudonym(word) => *word == unnamed,
        })
    }

    pub(crate) fn card(&self, warning: &Warning, level: u8) -> Card {
        let (t, directory, mine) = (self.t, self.ask.app.directory(), self.ask.reader().member());
        let body = body(&self.ask.app, warning, mine);
        let new = is_new(warning, mine);
        let own = self.own(warning);
        let mine_seen = own.is_some();
        let mine_past = own.is_some_and(|reported| reported.count == 0);
        let hold = (body.advice.blocking == "do-not-block").then(|| Hold {
            title: t.text(&format!("hold-title-{}", body.role)),
            why: t.text(body.advice.why),
        });
        let class = match (body.withdrawn.is_some() || !new, hold.is_some()) {
            (true, _) => "is-acknowledged",
            (false, true) => "is-hold",
            // What passed once must not look like what happens now.
            (false, false) if body.retrospective => "",
            (false, false) => "is-new",
        };
        let badge = if body.withdrawn.is_some() {
            Html::badge("outline", &t.text("warning-withdrawn"))
        } else if new && body.retrospective {
            Html::badge("outline", &t.text("warning-past"))
        } else if new {
            Html::badge("new", &t.text("warning-new"))
        } else {
            Html::badge("good", &t.text("warning-acknowledged"))
        };
        let mine_text = match (mine_seen, self.watching) {
            (true, _) if mine_past => t.text("warning-mine-past"),
            (true, _) => t.text(&format!("warning-mine-seen-{}", body.role)),
            (false, true) => t.text("warning-mine-unseen"),
            (false, false) => t.text("warning-mine-blind"),
        };
        let all: Vec<String> =
            body.value.split(", ").filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let more = all.len().saturating_sub(VALUES_SHOWN_MAX);
        Card {
            compact: false,
            level,
            class,
            badge,
            role: t.role(&body.role),
            tlp: t.tlp(body.marking.as_deref()),
            group: (warning.group != GroupId::ALLIANCE)
                .then(|| group_name(t, &directory, warning.group, mine)),
            title: title(t, &body),
            seen: seen(t, &body),
            by: by(t, &body),
            mine: mine_text,
            mine_seen,
            values: all.into_iter().take(VALUES_SHOWN_MAX).collect(),
            values_more: (more > 0).then(|| t.count("values-more", more)),
            blocks: body.advice.blocking == "block",
            hold,
            check: t.text(body.advice.check),
            updated: t.moment(&body.updated),
            acknowledged: acknowledged(t, &body),
            may_acknowledge: self.may_acknowledge && new && body.withdrawn.is_none(),
            body,
        }
    }
}

/// Whether no person of `mine` has taken note of a warning.
pub(crate) fn is_new(warning: &Warning, mine: MemberId) -> bool {
    warning.acknowledged.get(&mine).is_none_or(|known| known.by_person.is_none())
}

fn title(t: Texts, body: &WarningBody) -> String {
    let [count, shown] = t.counted(body.members);
    let key = if body.retrospective { "warning-title-past" } else { "warning-title" };
    t.language().text_with(key, &[("name", body.name.clone().into()), count, shown])
}

/// When and how often it was seen, as short as the times allow.
fn seen(t: Texts, body: &WarningBody) -> Html {
    let (first, last) = (&body.first_seen, &body.last_seen);
    if body.retrospective {
        return t.rich("warning-seen-past", &[("first", t.moment(first)), ("last", t.moment(last))], &[]);
    }
    let same = |length: usize| first.get(..length) == last.get(..length);
    let (key, pieces) = if same("2017-05-12T07:24".len()) {
        ("warning-seen-at", vec![("first", t.moment(first))])
    } else if same("2017-05-12".len()) {
        ("warning-seen-day", vec![("day", t.day(first)), ("first", t.hour(first)), ("last", t.hour(last))])
    } else {
        ("warning-seen", vec![("first", t.moment(first)), ("last", t.moment(last))])
    };
    t.rich(key, &pieces, &t.counted(body.count))
}

fn by(t: Texts, body: &WarningBody) -> String {
    let names: Vec<String> = body.named.iter().map(|member| member.name.clone()).collect();
    let who = if names.is_empty() {
        t.count("warning-by-hidden", body.members)
    } else {
        t.with("warning-by-named", "names", t.list(&names))
    };
    if body.sectors.is_empty() {
        who
    } else {
        format!("{who} {}", t.with("warning-sectors", "sectors", t.sectors(&body.sectors)))
    }
}

fn acknowledged(t: Texts, body: &WarningBody) -> String {
    let [count, shown] = t.counted(body.acknowledged);
    t.language()
        .text_with("warning-acknowledged-by", &[count, shown, ("parties", t.number(body.parties).into())])
}

/// Puts cards in their clusters, in the order of the clusters.
pub(crate) fn arrange(viewer: &Viewer<'_>, shown: &[Warning]) -> Vec<Together> {
    correlate(shown)
        .iter()
        .map(|cluster| {
            let tie = tie(viewer.t, cluster, shown);
            let level = if tie.is_some() { 3 } else { 2 };
            let cards = cluster
                .warnings
                .iter()
                .filter_map(|id| shown.iter().find(|warning| warning.id == *id))
                .enumerate()
                .map(|(place, warning)| Card {
                    compact: place >= CARDS_WHOLE_MAX,
                    ..viewer.card(warning, level)
                })
                .collect();
            Together::new(tie, cards)
        })
        .collect()
}

/// Why the warnings of a cluster stand together; `None` for one that stands alone.
fn tie(t: Texts, cluster: &Cluster, warnings: &[Warning]) -> Option<Tie> {
    let first = cluster.warnings.first().filter(|_| cluster.warnings.len() > 1)?;
    let ties: Vec<_> = cluster.ties.iter().filter(|tie| tie.by.len() > 1).collect();
    let strongest = ties.iter().max_by_key(|tie| tie.by.len())?;
    let reasons: Vec<Html> = ties
        .iter()
        .map(|tie| {
            let object_type = t.object_type(tie.id.object_type());
            let what =
                Html::link(&format!("/intelligence/{}", tie.id), &format!("{object_type} {}", tie.name));
            let key = match (tie.by.len() == cluster.warnings.len(), tie.by.len()) {
                (true, 2) => "cluster-both",
                (true, _) => "cluster-all",
                (false, _) => "cluster-many",
            };
            t.rich(key, &[("what", what)], &t.counted(tie.by.len()))
        })
        .collect();
    let name = |id: &WarningId| {
        warnings
            .iter()
            .find(|warning| warning.id == *id)
            .map_or_else(String::new, |warning| warning.subject.name.clone())
    };
    let proofs = ties
        .iter()
        .flat_map(|tie| {
            tie.by.iter().map(|(warning, via)| {
                let pieces = [
                    ("warning", Html::link(&format!("/warnings/{warning}"), &name(warning))),
                    ("via", Html::link(&format!("/intelligence/{via}"), &t.text("cluster-relationship"))),
                ];
                let plain: [(&str, FluentValue<'_>); 1] = [("what", tie.name.clone().into())];
                t.rich("cluster-proof", &pieces, &plain)
            })
        })
        .collect();
    let [count, shown] = t.counted(cluster.warnings.len());
    Some(Tie {
        id: format!("cluster-{}", first.uuid()),
        title: t
            .language()
            .text_with("cluster-title", &[("name", strongest.name.clone().into()), count, shown]),
        reason: Html::trusted(reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        proofs,
    })
}
