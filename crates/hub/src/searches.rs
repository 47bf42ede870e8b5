//! The search language put to the store: names become ids, values become keys, states become what the index holds.

use std::collections::BTreeMap;

use shieldwall_assess::correlation::traits::{Class, Trait, of_text};
use shieldwall_exchange::search::{Ask as Asked, Search, SearchError, Span, State, Term};
use shieldwall_ledger::reading::{Condition, SearchQuery, Test};
use shieldwall_model::access::{Action, Reader};
use shieldwall_model::directory::Directory;
use shieldwall_model::id::GroupId;
use shieldwall_model::time::Timestamp;

use crate::correlation::key_of;
use crate::fold::collection;
use crate::problem::Problem;

/// A problem with a search as its reader is told.
pub fn problem(error: &SearchError) -> Problem {
    Problem::unreadable(error.code(), error.to_string())
}

/// What a search asks of the store, for this reader now.
///
/// # Errors
/// 400 `search.owner`, `search.group` for a name that names nobody the reader knows of, `search.state` for states that
/// cannot be asked for together, `search.under` for what is no name or network.
pub fn compile(
    search: &Search,
    reader: &Reader,
    directory: &Directory,
    now: Timestamp,
) -> Result<SearchQuery, Problem> {
    let mut query = SearchQuery::default();
    let recalled = |term: &&Term| !term.not && term.ask == Asked::State(State::Recalled);
    query.withdrawn = search.terms.iter().any(|term| recalled(&term));
    let (mut words, mut any): (Vec<&str>, BTreeMap<&'static str, Vec<Condition>>) = Default::default();
    for term in &search.terms {
        if let (false, Asked::Words(text)) = (term.not, &term.ask)
            && !text.contains(char::is_whitespace)
        {
            words.push(text);
            continue;
        }
        let Some((field, test)) = test(&term.ask, reader, directory, now)? else { continue };
        let condition = Condition { not: term.not, test };
        if term.not || field.is_empty() {
            query.conditions.push(condition);
        } else {
            any.entry(field).or_default().push(condition);
        }
    }
    if query.withdrawn && any.contains_key("state") {
        let detail = "what was recalled is looked for by itself: leave out the other `state:`";
        return Err(Problem::unreadable("search.state", detail));
    }
    for (_, mut conditions) in any {
        // The same field more than once: any of its values.
        match (conditions.len(), conditions.pop()) {
            (1, Some(condition)) => query.conditions.push(condition),
            (_, Some(last)) => {
                conditions.push(last);
                query.conditions.push(Condition { not: false, test: Test::Any(conditions) });
            }
            (_, None) => {}
        }
    }
    query.text = words.join(" ");
    Ok(query)
}

/// The field of a term and what it asks; nothing where everything fits.
fn test(
    ask: &Asked,
    reader: &Reader,
    directory: &Directory,
    now: Timestamp,
) -> Result<Option<(&'static str, Test)>, Problem> {
    let holds = |traits: Vec<Trait>| Test::Holds(traits.iter().map(key_of).collect());
    Ok(Some(match ask {
        // Each phrase has to be there.
        Asked::Words(text) => ("", Test::Words(text.clone())),
        Asked::Type(text) => ("type", Test::Type(vec![text.clone()])),
        Asked::Tlp(tlp) => ("tlp", Test::Marking(vec![*tlp])),
        Asked::Value(text) => ("value", holds(of_text(text))),
        Asked::Under(text) => ("under", under(text)?),
        Asked::Owner(text) => ("owner", owner(text, reader, directory)?),
        Asked::Group(text) => ("group", group(text, reader, directory)?),
        Asked::Role(role) => ("role", holds(vec![Trait::role(role.as_str())])),
        Asked::Label(text) => ("label", holds(vec![Trait::label(text)])),
        Asked::CreatedBy(text) => ("created_by", Test::CreatedBy(vec![text.clone()])),
        Asked::State(State::Recalled) => return Ok(None),
        Asked::State(State::Revoked) => ("state", Test::Revoked),
        Asked::State(State::Expired) => ("state", ended(now)),
        Asked::State(State::Active) => {
            // Neither revoked nor past its end: not (either).
            let either = vec![
                Condition { not: false, test: Test::Revoked },
                Condition { not: false, test: ended(now) },
            ];
            ("state", Test::Any(vec![Condition { not: true, test: Test::Any(either) }]))
        }
        Asked::Added(span) => ("added", Test::Added(span.from, span.until)),
        Asked::Seen(span) => ("seen", seen(span)),
    }))
}

/// Objects whose validity is over.
fn ended(now: Timestamp) -> Test {
    Test::Document {
        collection: collection::INDICATOR,
        property: "valid_until",
        from: None,
        until: Some(now.to_string()),
    }
}

fn seen(span: &Span) -> Test {
    let text = |time: &Option<Timestamp>| time.map(|time| time.to_string());
    Test::Document {
        collection: collection::SIGHTED,
        property: "last",
        from: text(&span.from),
        until: text(&span.until),
    }
}

/// Hosts under a name, or addresses and networks inside a network.
fn under(text: &str) -> Result<Test, Problem> {
    let asked = of_text(text);
    if let Some((net, length)) = asked.iter().find_map(Trait::network) {
        return Ok(Test::Inside(net, length));
    }
    let host = asked.into_iter().find(|one| one.class == Class::Host);
    let host = host.ok_or_else(|| {
        let detail = "`under:` takes a domain name such as evil.example or a network such as 192.0.2.0/24";
        Problem::unreadable("search.under", detail)
    })?;
    Ok(Test::Holds(Trait::names_above(&host).iter().map(key_of).collect()))
}

fn owner(text: &str, reader: &Reader, directory: &Directory) -> Result<Test, Problem> {
    // Whoever may not read the list of members learns nothing about it here either.
    let found = directory.find_member(text).map(|member| member.id);
    if found.is_none() && reader.may(Action::ReadMembers) {
        let detail = format!("{text:?} names no single member; write a name, a country code or an id");
        return Err(Problem::unreadable("search.owner", detail));
    }
    Ok(Test::Owner(found.into_iter().collect()))
}

fn group(text: &str, reader: &Reader, directory: &Directory) -> Result<Test, Problem> {
    let mine = reader.member();
    let id: Option<GroupId> = text.parse().ok();
    let named = |name: &str| name.to_lowercase() == text.to_lowercase();
    let found: Vec<GroupId> = directory
        .groups_of(mine)
        .filter(|group| Some(group.id) == id || named(&group.name))
        .map(|group| group.id)
        .collect();
    if found.is_empty() {
        let detail = format!("{text:?} names no sharing group you are party to");
        return Err(Problem::unreadable("search.group", detail));
    }
    Ok(Test::Group(found))
}
