//! The look around after the play: what stands in the ledger, and what anybody would have blocked.

use std::collections::{BTreeMap, BTreeSet};

use shieldwall_exchange::entries::OBJECT_SHARED;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_watch::value::Kind;

use super::super::answers::{Warnings, Watched, Watchlist};
use super::super::house::HouseError;
use super::super::intel::Item;
use super::Stage;

impl Stage<'_> {
    /// Looks through the ledger, the warnings, the watchlist and every block list.
    pub(super) async fn survey(&mut self) -> Result<(), HouseError> {
        {
            let heard = self.set.house.ears.heard();
            self.observed.matches.clone_from(&heard.matches);
            self.observed.warnings.clone_from(&heard.warnings);
        }
        let fallen = self.set.house.fallen().await;
        self.observed.troubles.extend(fallen);
        self.recorded().await?;
        let taken = self.set.house.entries("warning.acknowledged").await?;
        let by_person = taken.iter().filter_map(|entry| entry.body.as_ref());
        let by_person = by_person.filter(|body| body.taken.as_deref() == Some("by-person"));
        let by_person: BTreeSet<&str> = by_person.filter_map(|body| body.warning.as_deref()).collect();
        self.observed.by_person = by_person.len();
        let careful: Vec<(usize, &Item)> = self
            .set
            .play
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| !item.role.may_be_blocked() && item.value.is_some())
            .collect();
        for player in 0..self.set.play.cast.players.len() {
            for line in self.set.house.block_list(player) {
                for (index, _) in careful.iter().filter(|(_, item)| touches(&line, item)) {
                    self.observed.blocked.push((*index, self.name(player).to_owned()));
                }
            }
        }
        self.hub_blocks(&careful).await
    }

    /// Finds which sightings stand in the ledger.
    async fn recorded(&mut self) -> Result<(), HouseError> {
        let indicators = self.set.house.entries(OBJECT_SHARED).await?;
        let mut items: BTreeMap<String, usize> = BTreeMap::new();
        for id in indicators.into_iter().filter_map(|entry| entry.body?.id) {
            if let Some(item) = self.item_called(&id) {
                items.insert(id, item);
            }
        }
        let players: Vec<Option<String>> = (0..self.set.play.cast.players.len())
            .map(|player| self.set.house.member(player).map(|member| member.to_string()))
            .collect();
        for entry in self.set.house.entries("sighting.reported").await? {
            let reporter = entry.member.as_deref();
            let player = players.iter().position(|member| member.is_some() && member.as_deref() == reporter);
            let item = entry.body.and_then(|body| items.get(&body.indicator?));
            if let (Some(player), Some(item)) = (player, item) {
                self.observed.recorded.insert((player, *item));
            }
        }
        Ok(())
    }

    /// The item an indicator is, by its id as text.
    fn item_called(&self, id: &str) -> Option<usize> {
        self.set.house.ears.item_of(&id.parse().ok()?)
    }

    /// Finds what the hub itself would have blocked against its role: in its advice and in what it tells sensors.
    async fn hub_blocks(&mut self, careful: &[(usize, &Item)]) -> Result<(), HouseError> {
        let Warnings { warnings } = self.set.house.ask("warnings", &[("limit", "1000")]).await?;
        for warning in warnings {
            let Some(item) = self.item_called(&warning.indicator) else { continue };
            self.observed.raised += 1;
            if warning.advice.blocking == "block" && careful.iter().any(|(index, _)| *index == item) {
                self.observed.blocked.push((item, "the hub's advice".into()));
            }
        }
        let mut after: Option<String> = None;
        loop {
            let query: Vec<(&str, &str)> =
                after.as_deref().map(|after| ("after", after)).into_iter().collect();
            let page: Watchlist = self.set.house.ask("watchlist", &query).await?;
            let blockable =
                page.changes.iter().filter(|change| change.role == IndicatorRole::Malicious.as_str());
            for Watched { value } in blockable.flat_map(|change| &change.values) {
                // A malicious parent may be watched for; it is the sensors that must not offer it for blocking.
                let same = |(_, item): &&(usize, &Item)| {
                    item.value.as_ref().is_some_and(|careful| careful.to_string() == *value)
                };
                for (index, _) in careful.iter().filter(same) {
                    self.observed.blocked.push((*index, "the hub's watchlist".into()));
                }
            }
            if !page.more {
                return Ok(());
            }
            after = Some(page.next);
        }
    }
}

/// Whether blocking what `line` says blocks the item's value: the value itself, or a name or address it stands under.
fn touches(line: &str, item: &Item) -> bool {
    let Some(value) = &item.value else { return false };
    let shown = value.to_string();
    if shown == line {
        return true;
    }
    match value.kind() {
        Kind::Domain => shown.strip_suffix(line).is_some_and(|front| front.ends_with('.')),
        Kind::IpPort => {
            shown.rsplit_once(':').is_some_and(|(address, _)| address.trim_matches(['[', ']']) == line)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::intel;
    use super::super::super::scenario::tests::of;
    use super::*;

    #[test]
    fn a_parent_or_an_address_touches_what_stands_under_it() {
        let scenario = of(
            r#"{"indicators":[{"type":"domain","value":"stop.evil.example","role":"killswitch_do_not_block"},
            {"type":"ip-port","value":"[2001:db8::1]:443","role":"suspect"}]}"#,
        );
        let items = intel::items(&scenario, &mut Vec::new());
        for (line, touched) in [
            ("stop.evil.example", true),
            ("evil.example", true),
            ("example", true),
            ("vil.example", false),
            ("other.stop.evil.example", false),
        ] {
            assert_eq!(touches(line, &items[0]), touched, "{line}");
        }
        assert!(touches("2001:db8::1", &items[1]) && !touches("2001:db8::2", &items[1]));
    }
}
