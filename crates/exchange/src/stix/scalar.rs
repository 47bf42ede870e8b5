//! The single values of STIX: times, identifiers, hex, base64, hashes, language tags, names.

use shieldwall_model::time::Timestamp;

/// Reads a STIX timestamp (STIX 2.1 section 2.16): `YYYY-MM-DDTHH:MM:SS[.s+]Z`, upper-case, in UTC. Digits past the
/// microsecond are cut. Gives the time and how many fraction digits it was written with.
///
/// By hand because three of them stand in every object; a property test holds it against [`Timestamp::parse`].
pub(crate) fn time(text: &str) -> Option<(Timestamp, usize)> {
    let (head, tail) = text.as_bytes().split_first_chunk::<19>()?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1] = head else {
        return None;
    };
    let two = |a: &u8, b: &u8| Some(digit(*a)? * 10 + digit(*b)?);
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    let in_range = year >= 1
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let fraction = match tail {
        [b'Z'] => &[][..],
        [b'.', digits @ .., b'Z'] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => digits,
        _ => return None,
    };
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + fraction.get(place).copied().and_then(digit).unwrap_or(0);
    }
    // A leap second is the last moment of its minute, as the model's reader has it.
    let (second, micros) =
        if second == 60 { (59, if fraction.is_empty() { 0 } else { micros }) } else { (second, micros) };
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((Timestamp::from_micros(seconds * 1_000_000 + micros), fraction.len()))
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms",
/// `days_from_civil`), for years from 1.
const fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The type of a well-formed identifier, `type--uuid` (section 2.9).
pub(crate) fn id_type(text: &str) -> Option<&str> {
    let (object_type, uuid) = text.split_once("--")?;
    (is_type_name(object_type) && is_uuid(uuid)).then_some(object_type)
}

/// `8-4-4-4-12` hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Section 3.1: 3 to 250 of `a-z`, `0-9`, `-`, beginning with a letter, no two hyphens in a row.
pub(crate) fn is_type_name(text: &str) -> bool {
    (3..=250).contains(&text.len())
        && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.contains("--")
}

/// Section 11.1: 3 to 250 of `a-z`, `0-9`, `_`.
pub(crate) fn is_property_name(text: &str) -> bool {
    (3..=250).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Section 2.5: 1 to 250 of `a-z`, `A-Z`, `0-9`, `-`, `_`.
pub(crate) fn is_dictionary_key(text: &str) -> bool {
    (1..=250).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Section 5.1: ASCII `a-z`, `0-9`, `-`.
pub(crate) fn is_relationship_type(text: &str) -> bool {
    (1..=250).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// RFC 5646, its general form: a language of letters, then subtags.
pub(crate) fn is_language(text: &str) -> bool {
    text.len() <= 64
        && text.split('-').enumerate().all(|(at, subtag)| {
            (1..=8).contains(&subtag.len())
                && subtag.bytes().all(|b| b.is_ascii_alphabetic() || (at > 0 && b.is_ascii_digit()))
        })
}

/// Section 2.8: an even number of hexadecimal digits.
pub(crate) fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Section 2.1: base64 of RFC 4648 section 4 with padding.
pub(crate) fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// Section 6.8: six octets in lower case, colons between.
pub(crate) fn is_mac_address(text: &str) -> bool {
    text.len() == 17
        && text.bytes().enumerate().all(|(at, b)| {
            if at % 3 == 2 { b == b':' } else { b.is_ascii_digit() || (b'a'..=b'f').contains(&b) }
        })
}

/// An address, alone or with a prefix length (sections 6.9 and 6.10).
pub(crate) fn is_network<A: std::str::FromStr>(text: &str, prefix_max: u8) -> bool {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    address.parse::<A>().is_ok() && prefix.is_none_or(|p| p.parse::<u8>().is_ok_and(|p| p <= prefix_max))
}

/// The general form of RFC 3986: a scheme, a colon, and no blanks or controls.
pub(crate) fn is_url(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
            && !rest.is_empty()
            && !rest.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control())
    })
}

/// How many hexadecimal digits a hash of this name has, for the names whose length is fixed (section 10.8).
pub(crate) fn hash_digits(algorithm: &str) -> Option<usize> {
    Some(match algorithm {
        "MD5" => 32,
        "SHA-1" => 40,
        "SHA-256" | "SHA3-256" => 64,
        "SHA-512" | "SHA3-512" => 128,
        _ => return None,
    })
}

/// Whether this can be a hash of the algorithm (section 10.8); for names of no fixed length, anything can.
pub(crate) fn is_hash(algorithm: &str, hash: &str) -> bool {
    hash_digits(algorithm).is_none_or(|digits| hash.len() == digits && is_hex(hash))
}

/// The standard's spelling (section 10.8) of a hash algorithm's name that is spelled otherwise: `sha256`, `SHA_256`,
/// `md5`, `ssdeep`. `None` for the standard's own and for algorithms it does not know.
pub(crate) fn hash_spelling(name: &str) -> Option<&'static str> {
    let plain = |name: &str| {
        name.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_uppercase()).collect::<Vec<u8>>()
    };
    let wanted = plain(name);
    super::vocabulary::HASH_ALGORITHM.iter().copied().find(|known| *known != name && plain(known) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_follow_section_2_16() {
        assert_eq!(
            time("2016-01-20T12:31:12.123Z").map(|(t, n)| (t.to_string(), n)),
            Some(("2016-01-20T12:31:12.123000Z".into(), 3))
        );
        assert_eq!(time("2016-02-29T00:00:00Z").map(|(_, n)| n), Some(0));
        let nine = "2017-05-12T07:24:00.123456789Z";
        assert_eq!(time(nine).map(|(t, _)| t), Timestamp::parse(nine).ok());
        for bad in [
            "2016-01-20 12:31:12Z",
            "2016-01-20T12:31:12",
            "2016-01-20T12:31:12+00:00",
            "2016-01-20t12:31:12z",
            "2015-02-29T00:00:00Z",
            "2016-13-01T00:00:00Z",
            "2016-01-20T24:00:00Z",
            "2016-01-20T12:31:12.Z",
            "2016-01-20T12:31:12.1aZ",
            "0000-01-01T00:00:00Z",
            "",
            "2016-01-20T12:31:61Z",
            "2016-00-20T12:31:00Z",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn times_agree_with_the_models_reader(
            year in 1u32..10_000, month in 1u32..=12, day in 1u32..=31, hour in 0u32..24, minute in 0u32..60,
            second in 0u32..=60, fraction in "(\\.[0-9]{1,6})?",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z");
            let (own, model) = (time(&text).map(|(t, _)| t), Timestamp::parse(&text).ok());
            // jiff ends earlier than 9999-12-31T23:59:59 by its offset allowance.
            if year < 9999 { prop_assert_eq!(own, model, "{}", text); }
        }
    }

    #[test]
    fn single_values() {
        assert!(
            is_base64("QUJD")
                && is_base64("QUI=")
                && is_base64("")
                && !is_base64("QUI")
                && !is_base64("Q===")
        );
        assert!(
            is_language("en")
                && is_language("zh-Hant-TW")
                && is_language("x-klingon")
                && !is_language("en_GB")
                && !is_language("")
        );
        assert!(
            is_mac_address("00:11:22:aa:bb:cc")
                && !is_mac_address("00:11:22:AA:BB:CC")
                && !is_mac_address("00-11-22-aa-bb-cc")
        );
        assert!(
            is_type_name("x-mitre-tactic")
                && !is_type_name("x--y")
                && !is_type_name("Xab")
                && !is_type_name("ab")
                && !is_type_name("1ab")
        );
        assert!(is_hex("0aF1") && !is_hex("0aF") && !is_hex("xx"));
        assert_eq!(id_type("x-a--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"), Some("x-a"));
        assert_eq!(id_type("x-a--8e2e2d2b17d44cbf938f98ee46b3cd3f"), None);
    }
}
