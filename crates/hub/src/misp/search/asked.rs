//! What a client asks of `restSearch` and of the index, and whether something fits it.

use serde_json::Value;
use shieldwall_exchange::misp::formats::Found as InEvent;
use shieldwall_exchange::misp::{Node, node};
use shieldwall_exchange::warninglist::Warninglists;
use shieldwall_model::directory::Directory;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use crate::ask::Ask;
use crate::misp::store::Found;
use crate::misp::tags::like;
use crate::misp::{body, unwrapped};
use crate::problem::Problem;

/// What a client asks: the fields of its body, and of the query string.
pub(crate) struct Asked(pub(super) Node);

/// What must be, of which one must be, and what must not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) any: Vec<String>,
    pub(super) all: Vec<String>,
    pub(super) none: Vec<String>,
}

impl Asked {
    /// Reads a request.
    pub(crate) async fn read(ask: &mut Ask) -> Result<Self, Problem> {
        let mut fields = unwrapped(body(ask).await?, "request")?;
        for (key, value) in &ask.query {
            fields.entry(key.clone()).or_insert_with(|| value.clone().into());
        }
        fields.retain(|_, value| !value.is_null());
        Ok(Self(fields))
    }

    pub(super) fn terms(&self, keys: &[&str]) -> Option<Terms> {
        let value = keys.iter().find_map(|key| self.0.get(*key))?;
        let mut terms = Terms::default();
        terms.gather(value, 'o');
        (terms != Terms::default()).then_some(terms)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key).map(|_| node::flag(&self.0, key))
    }

    /// The bounds of a page: how many, and how many before it.
    pub(crate) fn page(&self, most: usize) -> (usize, usize) {
        let number = |key: &str| node::number(&self.0, key).and_then(|n| usize::try_from(n).ok());
        let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(most).min(most);
        let page = number("page").unwrap_or(1).max(1);
        (limit, (page - 1).saturating_mul(limit))
    }

    /// Whether an event fits what is asked of events.
    pub(crate) fn event_fits(&self, found: &Found, directory: &Directory, now: Timestamp) -> bool {
        let node = &found.event.node;
        let uuid = found.event.uuid();
        let named = |term: &str| node::named(term) == Some(uuid);
        let owner = found.owner.and_then(|owner| directory.member(owner));
        let orgc = node.get("Orgc").and_then(Value::as_object);
        let of_org = |term: &str| {
            let name = orgc.map(|orgc| node::shown(orgc, "name")).unwrap_or_default();
            let own = orgc.and_then(|orgc| node::uuid(orgc, "uuid"));
            let asked = node::named(term);
            name.eq_ignore_ascii_case(term)
                || owner.is_some_and(|owner| owner.name.eq_ignore_ascii_case(term))
                || asked.is_some() && (asked == own || asked == owner.map(|owner| owner.id.uuid()))
        };
        let tagged = |term: &str| node::tags(node).any(|tag| like_whole(tag, term));
        let date = node::text(node, "date").unwrap_or_default().to_owned();
        let day = |key: &[&str]| key.iter().find_map(|key| self.moment(key, now)).map(day_of);
        let published = node::flag(node, "published");
        self.terms(&["eventid", "event_id"]).is_none_or(|terms| terms.fit(named))
            && self.terms(&["eventinfo"]).is_none_or(|terms| terms.fit(|term| like(found.event.info(), term)))
            && self.terms(&["org"]).is_none_or(|terms| terms.fit(of_org))
            && self.terms(&["event_tags"]).is_none_or(|terms| terms.fit(tagged))
            && self
                .terms(&["sharinggroup"])
                .is_none_or(|terms| terms.fit(|term| node::named(term) == Some(found.group.uuid())))
            && self.flag("published").is_none_or(|wanted| wanted == published)
            && day(&["from", "datefrom", "date_from"]).is_none_or(|from| date >= from)
            && day(&["to", "dateuntil", "date_to"]).is_none_or(|to| date <= to)
            && self.within("event_timestamp", node::seconds(node, "timestamp"), now)
            && self.within(
                "publish_timestamp",
                node::seconds(node, "publish_timestamp").or(Some(found.added)),
                now,
            )
            && self.within("last", node::seconds(node, "publish_timestamp").or(Some(found.added)), now)
    }

    /// Whether anything is asked of attributes.
    pub(super) fn asks_attributes(&self) -> bool {
        const KEYS: [&str; 9] = [
            "value",
            "type",
            "category",
            "to_ids",
            "quickFilter",
            "searchall",
            "object_name",
            "object_relation",
            "uuid",
        ];
        KEYS.iter().any(|key| self.0.contains_key(*key)) || self.flag("enforceWarninglist") == Some(true)
    }

    pub(super) fn attribute_fits(&self, found: &InEvent<'_>, of_attributes: bool, now: Timestamp) -> bool {
        let InEvent { event, object, attribute } = found;
        let value = node::shown(attribute, "value");
        let is = |key: &str, term: &str| like_whole(&node::shown(attribute, key), term);
        let words = |term: &str| {
            like(&value, term) || like(&node::shown(attribute, "comment"), term) || like(event.info(), term)
        };
        let tagged = |term: &str| {
            node::tags(attribute).chain(node::tags(&event.node)).any(|tag| like_whole(tag, term))
        };
        let uuids = |term: &str| {
            let asked = node::named(term);
            [
                Some(event.uuid()),
                node::uuid(attribute, "uuid"),
                object.and_then(|object| node::uuid(object, "uuid")),
            ]
            .into_iter()
            .flatten()
            .any(|uuid| asked == Some(uuid))
        };
        let valued = |term: &str| {
            like_whole(&value, term)
                || value.contains('|') && value.split('|').any(|half| like_whole(half, term))
        };
        !node::flag(attribute, "deleted")
            && self.terms(&["value"]).is_none_or(|terms| terms.fit(valued))
            && self.terms(&["type"]).is_none_or(|terms| terms.fit(|term| is("type", term)))
            && self.terms(&["category"]).is_none_or(|terms| terms.fit(|term| is("category", term)))
            && self
                .terms(&["object_relation"])
                .is_none_or(|terms| terms.fit(|term| is("object_relation", term)))
            && self.terms(&["object_name"]).is_none_or(|terms| {
                object.is_some_and(|object| terms.fit(|term| like_whole(&node::shown(object, "name"), term)))
            })
            && self.terms(&["tags", "tag"]).is_none_or(|terms| terms.fit(tagged))
            && self.terms(&["uuid"]).is_none_or(|terms| terms.fit(uuids))
            && self.terms(&["quickFilter", "searchall"]).is_none_or(|terms| terms.fit(words))
            && self.flag("to_ids").is_none_or(|wanted| wanted == node::flag(attribute, "to_ids"))
            && (!of_attributes || self.within("timestamp", node::seconds(attribute, "timestamp"), now))
            && (self.flag("enforceWarninglist") != Some(true)
                || Warninglists::built_in().check_text(&value).is_empty())
    }

    /// Whether a time lies where `key` asks: since one time, or between two.
    pub(super) fn within(&self, key: &str, at: Option<Timestamp>, now: Timestamp) -> bool {
        let bounds = match self.0.get(key) {
            None => return true,
            Some(Value::Array(two)) => two.iter().map(|one| moment(one, now)).collect::<Vec<_>>(),
            Some(one) => vec![moment(one, now)],
        };
        let Some(at) = at else { return false };
        let (from, to) = (bounds.first().copied().flatten(), bounds.get(1).copied().flatten());
        // The two may come in either order.
        let (from, to) =
            if to.is_some_and(|to| from.is_some_and(|from| from > to)) { (to, from) } else { (from, to) };
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
    }

    fn moment(&self, key: &str, now: Timestamp) -> Option<Timestamp> {
        moment(self.0.get(key)?, now)
    }

    /// The words that find candidates, if the request has any.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        let terms = self.terms(&["value"]).or_else(|| self.terms(&["quickFilter", "searchall"]))?;
        let words: Vec<String> = if terms.all.is_empty() { terms.any } else { terms.all };
        // A part of a word finds nothing in an index of words: then everything is looked through.
        let whole = |word: &String| !word.contains('%') && word.chars().any(char::is_alphanumeric);
        (!words.is_empty() && words.iter().all(whole) && self.0.contains_key("value")).then_some(words)
    }
}

impl Terms {
    fn gather(&mut self, value: &Value, place: char) {
        let mut put = |text: String| {
            let (place, text) = match text.strip_prefix('!') {
                Some(rest) => ('n', rest.to_owned()),
                None => (place, text),
            };
            if text.trim().is_empty() {
                return;
            }
            match place {
                'n' => self.none.push(text),
                'a' => self.all.push(text),
                _ => self.any.push(text),
            }
        };
        match value {
            Value::String(text) => text.split("||").for_each(|part| put(part.trim().to_owned())),
            Value::Number(number) => put(number.to_string()),
            Value::Bool(flag) => put(u8::from(*flag).to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, place)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    let place = match key.as_str() {
                        "NOT" => 'n',
                        "AND" => 'a',
                        _ => 'o',
                    };
                    self.gather_as(value, place);
                }
            }
            Value::Null => {}
        }
    }

    fn gather_as(&mut self, value: &Value, place: char) {
        // One level of OR, AND and NOT is all there is.
        if !value.is_object() {
            self.gather(value, place);
        }
    }

    pub(super) fn fit(&self, is: impl Fn(&str) -> bool) -> bool {
        (self.any.is_empty() || self.any.iter().any(|term| is(term)))
            && self.all.iter().all(|term| is(term))
            && !self.none.iter().any(|term| is(term))
    }
}

/// A text that is the pattern, `%` standing for anything, in any case.
pub(super) fn like_whole(text: &str, pattern: &str) -> bool {
    if !pattern.contains('%') {
        return text.eq_ignore_ascii_case(pattern) || text.to_lowercase() == pattern.to_lowercase();
    }
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let first = pattern.split('%').next().unwrap_or_default();
    let last = pattern.rsplit('%').next().unwrap_or_default();
    text.len() >= first.len() + last.len()
        && text.starts_with(first)
        && text.ends_with(last)
        && like(&text, &pattern)
}

/// A time as MISP's clients write it: seconds since the epoch, `7d`, `12h`, `30m`, a date, or RFC 3339.
fn moment(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let text = match value {
        Value::Number(number) => number.as_f64().map(|seconds| format!("{seconds:.0}"))?,
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(Timestamp::from_micros(0).plus_seconds(seconds.clamp(0, 253_402_300_799)));
    }
    let unit = match text.chars().last()? {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => 0,
    };
    if unit > 0
        && let Some(count) = text.get(..text.len() - 1).and_then(|count| count.parse::<i64>().ok())
    {
        return Some(now.plus_seconds(-count.clamp(0, 1_000_000).saturating_mul(unit)));
    }
    Timestamp::parse(&text).or_else(|_| Timestamp::parse(&format!("{text}T00:00:00Z"))).ok()
}

fn day_of(at: Timestamp) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

impl Asked {
    /// The events or attributes a request names outright.
    pub(super) fn named(&self) -> Option<Vec<Uuid>> {
        let terms = self.terms(&["eventid", "event_id"]).or_else(|| self.terms(&["uuid"]))?;
        let named: Vec<Uuid> = terms.any.iter().filter_map(|term| node::named(term)).collect();
        (terms.none.is_empty() && terms.all.is_empty()).then_some(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(value: Value) -> Asked {
        Asked(value.as_object().unwrap().clone())
    }

    #[test]
    fn terms_come_in_every_spelling() {
        let of = |value: Value| asked(json!({"value": value})).terms(&["value"]);
        let any = |words: &[&str]| {
            Some(Terms { any: words.iter().map(|word| (*word).to_owned()).collect(), ..Terms::default() })
        };
        assert_eq!(of(json!("a")), any(&["a"]));
        assert_eq!(of(json!(["a", "b"])), any(&["a", "b"]));
        assert_eq!(of(json!("a||b")), any(&["a", "b"]));
        assert_eq!(of(json!(12)), any(&["12"]));
        assert_eq!(of(json!("")), None);
        let mixed = of(json!({"OR": ["a"], "AND": ["b"], "NOT": ["c"], "x": {"OR": "deep"}})).unwrap();
        assert_eq!(
            (mixed.any, mixed.all, mixed.none),
            (vec!["a".into()], vec!["b".into()], vec!["c".into()])
        );
        let not = of(json!(["a", "!b"])).unwrap();
        assert!(not.fit(|term| term == "a") && !not.fit(|term| term == "a" || term == "b"));
    }

    #[test]
    fn a_percent_sign_stands_for_anything() {
        for (text, pattern, fits) in [
            ("evil.example", "EVIL.example", true),
            ("evil.example", "evil", false),
            ("evil.example", "%example", true),
            ("evil.example", "evil%", true),
            ("evil.example", "%il.ex%", true),
            ("evil.example", "e%l%e", true),
            ("evil.example", "evil.example%evil.example", false),
            ("aba", "ab%ba", false),
        ] {
            assert_eq!(like_whole(text, pattern), fits, "{text} {pattern}");
        }
    }

    #[test]
    fn times_come_in_every_spelling() {
        let now = Timestamp::parse("2026-02-10T12:00:00Z").unwrap();
        let at = |value: Value| moment(&value, now).map(|at| at.to_string().get(..19).unwrap().to_owned());
        for (value, time) in [
            (json!("1d"), "2026-02-09T12:00:00"),
            (json!("2h"), "2026-02-10T10:00:00"),
            (json!("30m"), "2026-02-10T11:30:00"),
            (json!(1_767_225_600), "2026-01-01T00:00:00"),
            (json!("1767225600"), "2026-01-01T00:00:00"),
            (json!("2026-01-02"), "2026-01-02T00:00:00"),
            (json!("2026-01-02T03:04:05+01:00"), "2026-01-02T02:04:05"),
        ] {
            assert_eq!(at(value.clone()).as_deref(), Some(time), "{value}");
        }
        assert_eq!(at(json!("soon")), None);
        let between = asked(json!({"timestamp": ["1d", "2d"]}));
        assert!(between.within("timestamp", Some(now.plus_seconds(-130_000)), now), "in either order");
        assert!(!between.within("timestamp", Some(now), now));
        assert!(between.within("event_timestamp", None, now), "nothing asked, nothing refused");
    }
}
