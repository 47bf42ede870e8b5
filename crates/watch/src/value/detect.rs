//! Reading values people wrote: undoing de-fanging and telling the kind of a bare value.

use std::borrow::Cow;

use super::{Kind, Value, normal};

/// De-fanged spellings and what they stand for; compared without regard to case.
const FANGS: [(&str, &str); 14] = [
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    ("[:]", ":"),
    ("[://]", "://"),
    ("[/]", "/"),
    ("[@]", "@"),
    ("(@)", "@"),
    ("[at]", "@"),
    ("(at)", "@"),
    ("\\.", "."),
];

/// Last labels that are file types and no top-level domains: `tasksche.exe` is a file name.
const FILE_TYPES: [&str; 34] = [
    "exe", "dll", "sys", "bat", "cmd", "ps1", "psm1", "vbs", "vbe", "jse", "wsf", "hta", "msi", "lnk", "scr",
    "jar", "apk", "dex", "elf", "bin", "dat", "tmp", "txt", "rtf", "doc", "docx", "docm", "xls", "xlsx",
    "xlsm", "pdf", "iso", "rar", "plist",
];

/// Undoes de-fanging (`hxxp`, `[.]`, `[at]`…) and takes off blanks, quotes and brackets around the value.
/// Text that was not de-fanged comes back as it is.
pub fn refang(text: &str) -> Cow<'_, str> {
    let text = strip(text);
    let marked = text.bytes().any(|byte| matches!(byte, b'[' | b'(' | b'{' | b'\\'));
    let scheme = ["hxxp", "fxp"].iter().any(|head| starts_with(text, head)) || starts_with(text, "h**p");
    if !marked && !scheme {
        return Cow::Borrowed(text);
    }
    // A bracketed IPv6 address is not de-fanging, and a path of Windows keeps its backslashes.
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    if starts_with(rest, "hxxp") || starts_with(rest, "h**p") {
        out.push_str("http");
        rest = rest.get(4..).unwrap_or_default();
    } else if starts_with(rest, "fxp") {
        out.push_str("ftp");
        rest = rest.get(3..).unwrap_or_default();
    }
    while let Some(next) = rest.chars().next() {
        match FANGS.iter().find(|(fang, _)| starts_with(rest, fang)) {
            Some((fang, plain)) => {
                out.push_str(plain);
                rest = rest.get(fang.len()..).unwrap_or_default();
            }
            None => {
                out.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
    }
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

fn starts_with(text: &str, head: &str) -> bool {
    text.as_bytes().get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head.as_bytes()))
}

/// Takes off what stands around a value in lists and reports, and nothing that belongs to it.
fn strip(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        text = text.trim_end_matches([',', ';']).trim_end();
        let bytes = text.as_bytes();
        let paired = match (bytes.first(), bytes.last()) {
            (Some(open @ (b'"' | b'\'' | b'`')), Some(close)) => open == close,
            (Some(b'<'), Some(b'>')) => true,
            // Brackets around everything, but not `[.]` at both ends nor an IPv6 address in brackets.
            (Some(b'['), Some(b']')) => !inner(text).contains(['[', ']']) && !inner(text).contains("::"),
            (Some(b'('), Some(b')')) => !inner(text).contains(['(', ')']),
            (Some(b'{'), Some(b'}')) => !inner(text).contains(['{', '}']),
            _ => false,
        };
        if !paired || bytes.len() < 2 {
            return text;
        }
        text = inner(text).trim();
    }
}

fn inner(text: &str) -> &str {
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default()
}

/// Tells the kind of a bare value out of a plain list and brings it into normal form. De-fanged spellings are
/// read; `None` if the text is no value this crate knows (a comment, a heading, a word).
///
/// An MD5 and a JA3 look alike: 32 hex digits are read as MD5. A name is read as a domain unless its last label is
/// a well-known file type.
pub fn detect(text: &str) -> Option<Value> {
    let text = refang(text);
    let text = text.as_ref();
    if text.is_empty() || text.len() > super::VALUE_BYTES_MAX || text.contains(char::is_control) {
        return None;
    }
    let of = |kind| Value::new(kind, text).ok();
    if let Some(value) = of(Kind::Ipv4).or_else(|| of(Kind::IpPort)) {
        return Some(value);
    }
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let kind = match text.len() {
            32 => Some(Kind::Md5),
            40 => Some(Kind::Sha1),
            64 => Some(Kind::Sha256),
            128 => Some(Kind::Sha512),
            _ => None,
        };
        if let Some(kind) = kind {
            return of(kind);
        }
    }
    if normal::is_ja4(text.as_bytes()) {
        return of(Kind::Ja4);
    }
    if text.contains("://") || text.starts_with("//") {
        return of(Kind::Url);
    }
    let file_type = text.rsplit('.').next().filter(|last| last.len() < text.len());
    let is_file =
        file_type.is_some_and(|last| FILE_TYPES.iter().any(|known| last.eq_ignore_ascii_case(known)));
    if is_file && !text.contains('/') {
        return of(Kind::FileName);
    }
    if text.contains('\\') {
        return of(Kind::FileName);
    }
    if let Some((host, _)) = text.split_once(['/', '?']) {
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        return if named(host) || normal::ipv4(host.as_bytes()).is_some() { of(Kind::Url) } else { None };
    }
    if text.contains('@') {
        return of(Kind::Email).filter(|_| text.rsplit('@').next().is_some_and(named));
    }
    if named(text) {
        return of(Kind::Domain);
    }
    if let Some((host, port)) = text.rsplit_once(':') {
        // `evil.example:8443` names a service; what telemetry shows of it is the name.
        return (named(host) && port.bytes().all(|b| b.is_ascii_digit()))
            .then(|| Value::new(Kind::Domain, host).ok())
            .flatten();
    }
    is_wallet(text).then(|| of(Kind::CryptoAddress)).flatten()
}

/// Whether this reads as a domain name with at least two labels and a last label no number starts.
fn named(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let Some(last) = text.rsplit('.').next() else { return false };
    let letters = last.starts_with("xn--") || last.chars().all(char::is_alphabetic);
    last.len() < text.len() && last.len() >= 2 && letters && Value::new(Kind::Domain, text).is_ok()
}

/// Bitcoin (Base58Check `1…`, `3…`, Bech32 `bc1…`), Ethereum (`0x` and 40 hex digits) and Monero (`4…`, `8…`) by shape.
fn is_wallet(text: &str) -> bool {
    let base58 = |b: u8| b.is_ascii_alphanumeric() && !matches!(b, b'0' | b'O' | b'I' | b'l');
    let body = text.as_bytes();
    match body {
        [b'1' | b'3', ..] if (26..=35).contains(&body.len()) => body.iter().all(|b| base58(*b)),
        [b'4' | b'8', ..] if matches!(body.len(), 95 | 106) => body.iter().all(|b| base58(*b)),
        [b'0', b'x', hex @ ..] => hex.len() == 40 && hex.iter().all(u8::is_ascii_hexdigit),
        _ => {
            starts_with(text, "bc1")
                && (42..=62).contains(&body.len())
                && body.iter().all(u8::is_ascii_alphanumeric)
        }
    }
}
