//! What is asked of a feed: which values, as far as anybody may have them at all.

use std::collections::BTreeSet;

use shieldwall_exchange::feed::Format;
use shieldwall_model::access::ReadScope;
use shieldwall_model::directory::Directory;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::Kind;

use crate::ask::Ask;
use crate::fold::IndicatorState;
use crate::problem::Problem;

/// Which values a reader asks for. Nothing set asks for all there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these kinds alone.
    pub kinds: BTreeSet<Kind>,
    /// From this sharing group alone.
    pub group: Option<GroupId>,
    /// With at least this confidence; what says none counts as 0.
    pub confidence_min: u8,
    /// With at least this score.
    pub score_min: u8,
    /// Shared or sighted within so many days.
    pub days_max: Option<i64>,
    /// Marked at most so; what carries no marking counts as its group's strictest.
    pub marking_max: Option<Tlp>,
    /// The name of the response policy zone.
    pub zone: Option<String>,
}

impl Selection {
    /// What the query string of `ask` asks for.
    ///
    /// # Errors
    /// 400 for what cannot be read, 404 for a group the member is not party to, 422 for a role that is never blocked.
    pub fn of(ask: &Ask) -> Result<Self, Problem> {
        let mut kinds = BTreeSet::new();
        for (_, text) in ask.query.iter().filter(|(key, text)| key == "kind" && !text.is_empty()) {
            let kind: Kind = text.parse().map_err(|error: shieldwall_watch::value::ValueError| {
                Problem::unreadable("query.unreadable", error.to_string())
            })?;
            kinds.insert(kind);
            // `ip` and `cidr` are whichever family is meant.
            match (kind, text.contains(['4', '6'])) {
                (Kind::Ipv4, false) => drop(kinds.insert(Kind::Ipv6)),
                (Kind::Cidr4, false) => drop(kinds.insert(Kind::Cidr6)),
                _ => {}
            }
        }
        let group = ask.query_as::<GroupId>("group")?;
        if let Some(group) = group {
            ask.scope()?.only(group)?;
        }
        if ask.query_as::<IndicatorRole>("role")?.is_some_and(|role| !role.may_be_blocked()) {
            return Err(Problem::refused(
                "feed.role",
                "feeds are for blocking, and only malicious indicators are ever blocked; read others over TAXII or the API",
            ));
        }
        let percent = |name: &str| {
            let asked = ask.query_as::<u8>(name)?.unwrap_or(0);
            if asked > 100 {
                return Err(Problem::unreadable("query.unreadable", format!("`{name}` is 0 to 100")));
            }
            Ok(asked)
        };
        Ok(Self {
            kinds,
            group,
            confidence_min: percent("confidence")?,
            score_min: percent("score")?,
            days_max: ask.query_as::<u16>("days")?.map(i64::from),
            marking_max: ask.query_as::<Tlp>("marking")?,
            zone: ask.query("zone").map(str::to_owned),
        })
    }

    /// Whether the answer changes by the clock alone, other than when an indicator ends.
    pub fn follows_the_clock(&self) -> bool {
        self.days_max.is_some() || self.score_min > 0
    }

    /// Whether an indicator is asked for.
    pub fn takes(
        &self,
        group: GroupId,
        state: &IndicatorState,
        directory: &Directory,
        now: Timestamp,
    ) -> bool {
        let marking = state
            .marking
            .as_deref()
            .and_then(|label| label.parse::<Tlp>().ok())
            .or_else(|| directory.group(group).map(|group| group.ceiling));
        let since = state.course().since;
        self.group.is_none_or(|asked| asked == group)
            && state.confidence.unwrap_or(0) >= self.confidence_min
            && state.life(now).score >= f64::from(self.score_min)
            && self.days_max.is_none_or(|days| since >= now.plus_seconds(-days * 86_400))
            && self.marking_max.is_none_or(|most| marking.is_some_and(|marking| marking <= most))
    }

    /// Whether values of this kind are asked for.
    pub fn takes_kind(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// What tells this feed from every other of any reader.
    pub fn name(&self, scope: &ReadScope, format: Format) -> String {
        let groups: Vec<String> = scope.groups().map(|group| group.to_string()).collect();
        format!("{}\n{}\n{format}\n{self:?}", scope.binding(), groups.join(" "))
    }
}
