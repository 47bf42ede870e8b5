//! Tells what a file is by its content, never by its name.

use serde::Serialize;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A STIX bundle, a TAXII envelope, one STIX object or an array of them: [`crate::stix::read_bundle`].
    Stix,
    /// MISP events, wrapped or not: [`crate::misp::read_events`].
    Misp,
    /// Rows of fields: [`crate::list::read_csv`].
    Csv,
    /// One value a line: [`crate::list::read_plain`].
    Plain,
}

/// Why an input is nothing this version reads.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Nothing there.
    #[error("the input is empty: give it a STIX bundle, a MISP event, a list of values or CSV")]
    Empty,
    /// Compressed.
    #[error("the input is compressed with {0}: unpack it first")]
    Compressed(&'static str),
    /// A MISP feed's table of contents by itself.
    #[error(
        "this is the manifest of a MISP feed, which holds no events itself: name the feed's directory instead"
    )]
    Manifest,
    /// STIX 1 or other XML.
    #[error("this is XML; STIX 2.1 is JSON: convert it, or export it as STIX 2.1")]
    Xml,
    /// JSON, but not STIX.
    #[error(
        "this is JSON but neither STIX nor MISP: send a bundle, an envelope, an object, an array of objects or an event"
    )]
    OtherJson,
    /// Not text.
    #[error("the input is not text: give it a STIX bundle, a MISP event, a list of values or CSV")]
    Binary,
}

impl FormatError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "format.empty",
            Self::Compressed(_) => "format.compressed",
            Self::Manifest => "format.misp-manifest",
            Self::Xml => "format.xml",
            Self::OtherJson => "format.other-json",
            Self::Binary => "format.binary",
        }
    }
}

/// How many bytes are looked at.
const HEAD_BYTES: usize = 64 * 1024;

/// Tells what the input is from its first bytes.
///
/// # Errors
/// [`FormatError`] when it is nothing this version reads; the message says what to do.
pub fn format_of(input: &[u8]) -> Result<Format, FormatError> {
    match input {
        [0x1f, 0x8b, ..] => return Err(FormatError::Compressed("gzip")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(FormatError::Compressed("zstd")),
        [b'P', b'K', 3, 4, ..] => return Err(FormatError::Compressed("zip")),
        [b'B', b'Z', b'h', ..] => return Err(FormatError::Compressed("bzip2")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(FormatError::Compressed("xz")),
        _ => {}
    }
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let head = input.get(..input.len().min(HEAD_BYTES)).unwrap_or(input);
    let start = head.trim_ascii_start();
    if start.is_empty() {
        return Err(FormatError::Empty);
    }
    if head.contains(&0) {
        return Err(FormatError::Binary);
    }
    match start {
        [b'{', ..] => json(&keys(start)),
        [b'[', rest @ ..] => match rest.trim_ascii_start() {
            [b'{', ..] => json(&keys(rest.trim_ascii_start())),
            [b']', ..] => Ok(Format::Stix),
            // `[.]evil.example` or an IPv6 address in brackets: a list that begins strangely.
            _ => Ok(rows(head)),
        },
        [b'<', rest @ ..]
            if rest.first().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'?' | b'!')) =>
        {
            Err(FormatError::Xml)
        }
        _ => Ok(rows(head)),
    }
}

fn json(keys: &[String]) -> Result<Format, FormatError> {
    let has = |name: &str| keys.iter().any(|key| key == name);
    if has("Event") || has("response") {
        return Ok(Format::Misp);
    }
    if has("Attribute") || (has("Orgc") && has("info")) {
        return Ok(Format::Misp);
    }
    // A feed's manifest: event UUIDs as keys.
    if keys.first().is_some_and(|key| key.len() == 36 && key.bytes().filter(|b| *b == b'-').count() == 4) {
        return Err(FormatError::Manifest);
    }
    if has("objects") || has("type") || has("id") || has("more") || keys.is_empty() {
        return Ok(Format::Stix);
    }
    Err(FormatError::OtherJson)
}

/// The outermost keys of a JSON object, as far as they stand in the head.
fn keys(text: &[u8]) -> Vec<String> {
    const KEYS_MAX: usize = 64;
    let (mut keys, mut depth, mut at) = (Vec::new(), 0usize, 0usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b'"' => {
                let start = at + 1;
                at = start;
                while let Some(byte) = text.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                let after = text.get(at + 1..).unwrap_or_default().trim_ascii_start();
                if depth == 1 && after.first() == Some(&b':') && keys.len() < KEYS_MAX {
                    let key = text.get(start..at).unwrap_or_default();
                    keys.push(String::from_utf8_lossy(key).into_owned());
                }
            }
            _ => {}
        }
        at += 1;
    }
    keys
}

/// Rows whose lines mostly hold a separator between fields are CSV, others a plain list.
fn rows(head: &[u8]) -> Format {
    let separator = crate::list::separator(head);
    let lines = || {
        head.split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
            .take(100)
    };
    let separated = lines().filter(|line| {
        let line = line.strip_suffix(b",").or_else(|| line.strip_suffix(b";")).unwrap_or(line);
        // A `;` may begin a comment, a comma may stand in a URL: fields are more than that.
        line.contains(&separator) && !line.starts_with(b";") && !line.starts_with(b"//")
    });
    if separated.count() * 2 > lines().count() { Format::Csv } else { Format::Plain }
}
