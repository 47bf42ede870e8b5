//! Values found in prose: a report, a mail, a web page. De-fanged spellings are read; what only looks like a value, such
//! as the name of a file or a version number, is passed over.

use std::collections::BTreeSet;

use shieldwall_model::limits::BUNDLE_FILE_BYTES_MAX;
use shieldwall_watch::value::{Kind, Value, detect, refang};

use crate::list::{Item, List, ListError};

/// Longest word that is looked at, in bytes.
const WORD_BYTES_MAX: usize = 4 * 1024;
/// Last labels that in prose are rather files of source code and documents than names of hosts.
const RATHER_FILES: [&str; 14] =
    ["py", "sh", "rs", "md", "pl", "js", "ts", "php", "html", "htm", "json", "xml", "zip", "so"];

/// Finds URLs, domains, addresses, networks and hashes in a text, each once, with the line it stands in first.
///
/// A name without a sign of de-fanging counts as a domain only where it can hardly be anything else.
///
/// # Errors
/// [`ListError::TooLarge`].
pub fn read_prose(input: &[u8]) -> Result<List, ListError> {
    if u64::try_from(input.len()).unwrap_or(u64::MAX) > BUNDLE_FILE_BYTES_MAX {
        return Err(ListError::TooLarge(input.len()));
    }
    let text = String::from_utf8_lossy(input);
    let mut list = List { items: Vec::new(), refused: Vec::new() };
    let mut seen = BTreeSet::new();
    for (line, text) in (1..).zip(text.lines()) {
        for word in words(text) {
            let Some(value) = value_of(word) else { continue };
            if seen.insert((value.kind(), value.to_string())) {
                list.items.push(Item { line, value, label: None });
            }
        }
    }
    Ok(list)
}

/// The words of a line, cut where no value goes on; commas, quotes and angle brackets end one.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| {
        c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|' | ',' | ';' | '\u{201c}' | '\u{201d}')
    })
    .map(|word| word.trim_matches(|c: char| matches!(c, '\'' | '*' | '!' | '?' | '\u{2018}' | '\u{2019}')))
    .filter(|word| (4..=WORD_BYTES_MAX).contains(&word.len()))
}

fn value_of(word: &str) -> Option<Value> {
    let mut word = word;
    loop {
        if let Some(value) = detect(word).filter(|value| is_meant(word, value)) {
            return Some(value);
        }
        // `(see evil.example).`, `evil.example:` — what closes a sentence or a bracket is no part of the value.
        let shorter = word
            .strip_suffix(['.', ':', ')', ']', '}'])
            .or_else(|| word.strip_prefix(['(', '[', '{']))
            // `hash=…`, `C2:evil.example`
            .or_else(|| word.split_once('=').map(|(_, rest)| rest))?;
        word = shorter;
    }
}

fn is_meant(word: &str, value: &Value) -> bool {
    match value.kind() {
        Kind::Domain => {
            let name = value.to_string();
            let defanged = *refang(word) != *word;
            let last = name.rsplit('.').next().unwrap_or_default();
            let plausible = last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_alphabetic());
            let word_like = word.contains('.') && !word.ends_with('.') && !word.starts_with('.');
            // `e.g`, `i.e`: a label of one letter before a short last one is an abbreviation.
            let labels = name.split('.').map(str::len).max().unwrap_or(0);
            defanged || (plausible && word_like && labels >= 3 && !RATHER_FILES.contains(&last))
        }
        Kind::Url
        | Kind::Ipv4
        | Kind::Ipv6
        | Kind::IpPort
        | Kind::Cidr4
        | Kind::Cidr6
        | Kind::Email
        | Kind::Md5
        | Kind::Sha1
        | Kind::Sha256
        | Kind::Sha512 => true,
        Kind::Ja3 | Kind::Ja4 | Kind::FileName | Kind::CryptoAddress => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        read_prose(text.as_bytes()).unwrap().items.iter().map(|item| item.value.to_string()).collect()
    }

    #[test]
    fn a_report_gives_up_its_values() {
        let text = "The dropper (MD5: 84c82835a5d21bbcf75a61706d8ab549) fetches hxxps://evil[.]example/a.exe, then\n\
                    beacons to 198.51.100.7:443 and update[.]bad-cdn[.]example. It also resolves c2.evil.example,\n\
                    \"mail.evil.example\" and 2001:db8::7; see [203.0.113.0/24].\n\
                    sha256=ed01ebfbc9eb5bbea545af4d01bf5f1071661840480439c6e5babe8e080e41aa wrote tasksche.exe!";
        assert_eq!(
            found(text),
            [
                "84c82835a5d21bbcf75a61706d8ab549",
                "https://evil.example/a.exe",
                "198.51.100.7:443",
                "update.bad-cdn.example",
                "c2.evil.example",
                "mail.evil.example",
                "2001:db8::7",
                "203.0.113.0/24",
                "ed01ebfbc9eb5bbea545af4d01bf5f1071661840480439c6e5babe8e080e41aa",
            ]
        );
    }

    #[test]
    fn prose_is_not_taken_for_values() {
        for text in [
            "We ran main.py and README.md, e.g. version 2.4.1 of libfoo.so.",
            "At 10:30 (i.e. half past ten) nothing happened. None whatsoever...",
            "See section 3.4.1 and config.json; cafe babe dead beef.",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn each_value_is_told_once_with_its_line() {
        let list = read_prose(b"x\nevil[.]example\nevil.example and evil[.]example").unwrap();
        assert_eq!((list.items.len(), list.items[0].line), (1, 2));
    }
}
