//! Taking the exact values out of a pattern's tree.

use super::tree::{Comparison, Literal, ObjectPath, Observation, Operator, Pattern, Qualifier, Step, Test};
use super::{PatternError, Value};
use crate::value::Kind;

/// What the exact tier can match of a pattern.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exact {
    /// Values any one of which makes the pattern match; each once.
    pub values: Vec<Value>,
    /// Alternatives of the pattern that are left out. Empty: the values are the whole pattern.
    pub unsupported: Vec<Unsupported>,
}

/// A part of a pattern that cannot be matched by values alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// Offset in bytes.
    pub at: usize,
    /// The operator, qualifier or object path in question.
    pub operator: String,
}

impl Pattern {
    /// The values any one of which makes this pattern match, and the alternatives that are beyond them.
    ///
    /// # Errors
    /// [`PatternError::Value`] if a literal is no value of the kind its path asks for.
    pub fn exact(&self) -> Result<Exact, PatternError> {
        let mut exact = Exact::default();
        observation(&self.root, &mut exact)?;
        let mut seen = hashbrown::HashSet::new();
        exact.values.retain(|value| seen.insert(value.clone()));
        Ok(exact)
    }
}

impl Exact {
    /// Notes what cannot be matched; reading goes on.
    fn leave(&mut self, at: usize, operator: impl Into<String>) -> Result<(), PatternError> {
        self.unsupported.push(Unsupported { at, operator: operator.into() });
        Ok(())
    }
}

fn first_at(observation: &Observation) -> usize {
    match observation {
        Observation::Test(comparison) => comparison.at(),
        Observation::And(all) | Observation::Or(all) | Observation::FollowedBy(all) => {
            all.first().map_or(0, first_at)
        }
        Observation::Qualified { of, .. } => first_at(of),
    }
}

fn observation(from: &Observation, exact: &mut Exact) -> Result<(), PatternError> {
    match from {
        Observation::Test(comparison) => any(comparison, exact),
        Observation::Or(all) => all.iter().try_for_each(|one| observation(one, exact)),
        Observation::And(_) => exact.leave(first_at(from), "AND between observations"),
        Observation::FollowedBy(_) => exact.leave(first_at(from), "FOLLOWEDBY"),
        Observation::Qualified { by, at, .. } => exact.leave(
            *at,
            match by {
                Qualifier::Within(_) => "WITHIN",
                Qualifier::Repeats(_) => "REPEATS",
                Qualifier::StartStop(..) => "START … STOP",
            },
        ),
    }
}

fn any(from: &Comparison, exact: &mut Exact) -> Result<(), PatternError> {
    match from {
        Comparison::Or(all) => all.iter().try_for_each(|one| any(one, exact)),
        Comparison::Test(test) => alone(test, exact),
        Comparison::And(all) => match endpoint(all)? {
            Some(value) => {
                exact.values.push(value);
                Ok(())
            }
            None => exact.leave(from.at(), "AND"),
        },
    }
}

fn alone(test: &Test, exact: &mut Exact) -> Result<(), PatternError> {
    if test.negated {
        return exact.leave(test.at, format!("NOT {}", test.operator.as_str()));
    }
    let Some(kind) = kind_of(&test.path) else {
        return exact.leave(test.at, format!("the object path {}", test.path));
    };
    let network = kind == Kind::Ipv4;
    match test.operator {
        Operator::Equal | Operator::In => {}
        // An address is a subset of a network exactly if the network's prefix matches it.
        Operator::IsSubset if network => {}
        other => return exact.leave(test.at, other.as_str()),
    }
    if test.literals.is_empty() {
        return exact.leave(test.at, "IN with an empty set");
    }
    for (at, literal) in &test.literals {
        match literal {
            Literal::Text(text) => {
                exact.values.push(value(kind, text, *at)?);
            }
            // `h'…'` names the bytes of the string: of a digest that is the digest's text in hex.
            _ => exact.leave(*at, "a literal that is not a string")?,
        }
    }
    Ok(())
}

fn value(kind: Kind, text: &str, at: usize) -> Result<Value, PatternError> {
    Value::new(kind, text).map_err(|source| PatternError::Value { at, source })
}

/// `address AND port` of one endpoint is one value.
fn endpoint(all: &[Comparison]) -> Result<Option<Value>, PatternError> {
    let [Comparison::Test(one), Comparison::Test(other)] = all else { return Ok(None) };
    let (address, port) = if port_of(one).is_some() { (other, one) } else { (one, other) };
    let Some((port, port_side)) = port_of(port) else { return Ok(None) };
    let plain = address.operator == Operator::Equal && !address.negated;
    let (true, [(at, Literal::Text(text))]) = (plain, address.literals.as_slice()) else { return Ok(None) };
    let side = match (address.path.object.as_str(), address.path.steps.first()) {
        ("ipv4-addr" | "ipv6-addr", _) => None,
        ("network-traffic", Some(Step::Key(key))) => Some(key.as_str()),
        _ => return Ok(None),
    };
    if kind_of(&address.path) != Some(Kind::Ipv4) || side.is_some_and(|side| !side.starts_with(port_side)) {
        return Ok(None);
    }
    let ip = value(Kind::Ipv4, text, *at)?;
    let shown = match ip.kind() {
        Kind::Ipv4 => format!("{ip}:{port}"),
        Kind::Ipv6 => format!("[{ip}]:{port}"),
        _ => return Ok(None),
    };
    value(Kind::IpPort, &shown, *at).map(Some)
}

/// `network-traffic:dst_port = N`: the port and which side it is of.
fn port_of(test: &Test) -> Option<(u16, &'static str)> {
    let [Step::Key(key)] = test.path.steps.as_slice() else { return None };
    let side = match key.as_str() {
        "dst_port" => "dst_ref",
        "src_port" => "src_ref",
        _ => return None,
    };
    let equal = test.operator == Operator::Equal && !test.negated && test.path.object == "network-traffic";
    match test.literals.as_slice() {
        [(_, Literal::Int(port))] if equal => u16::try_from(*port).ok().map(|port| (port, side)),
        _ => None,
    }
}

/// The kind of value an object path names; the address kinds are all [`Kind::Ipv4`], which reads any address.
pub(crate) fn kind_of(path: &ObjectPath) -> Option<Kind> {
    let keys: Vec<&str> = path
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) | Step::Any => None,
        })
        .collect();
    // JA3 and JA4 are no core STIX properties: whatever extension carries them, the last step names them.
    if let Some(last) = keys.last() {
        match last.to_ascii_lowercase().as_str() {
            "ja3" | "x_ja3" | "ja3_hash" => return Some(Kind::Ja3),
            "ja4" | "x_ja4" => return Some(Kind::Ja4),
            _ => {}
        }
    }
    match (path.object.as_str(), keys.as_slice()) {
        ("ipv4-addr" | "ipv6-addr", ["value"])
        | ("network-traffic", ["src_ref" | "dst_ref", "value"])
        | ("domain-name", ["resolves_to_refs", "value"]) => Some(Kind::Ipv4),
        ("domain-name", ["value"]) => Some(Kind::Domain),
        ("url", ["value"]) => Some(Kind::Url),
        ("email-addr", ["value"])
        | ("email-message", ["from_ref" | "sender_ref" | "to_refs" | "cc_refs" | "bcc_refs", "value"]) => {
            Some(Kind::Email)
        }
        ("file" | "artifact", ["hashes", algorithm]) => digest(algorithm),
        ("file", ["name"]) => Some(Kind::FileName),
        ("cryptocurrency-wallet" | "x-cryptocurrency-wallet", ["address" | "value"])
        | ("x-cryptocurrency-address" | "cryptocurrency-address", ["value" | "address"]) => {
            Some(Kind::CryptoAddress)
        }
        _ => None,
    }
}

/// The kind of a hash by its name in the hash-algorithm vocabulary (STIX 2.1 section 10.8), loosely spelled.
fn digest(algorithm: &str) -> Option<Kind> {
    match algorithm.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "md5" => Some(Kind::Md5),
        "sha1" => Some(Kind::Sha1),
        "sha256" => Some(Kind::Sha256),
        "sha512" => Some(Kind::Sha512),
        _ => None,
    }
}
