//! Forms with files (RFC 7578), read whole out of a body that was bounded before.

/// Most parts of one form.
const PARTS_MAX: usize = 64;
/// Longest head of one part, in bytes.
const HEAD_BYTES_MAX: usize = 4 * 1024;
/// Longest boundary (RFC 2046 section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// A part of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'b> {
    /// Its name.
    pub name: &'b str,
    /// Whether it is a file.
    pub is_file: bool,
    /// What it holds.
    pub bytes: &'b [u8],
}

/// The boundary a `Content-Type` names, if it is that of a form with files.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = named.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty() && value.len() <= BOUNDARY_BYTES_MAX).then_some(value)
}

/// The parts between boundaries, in order. What is malformed ends the form: nothing after it is believed.
pub(crate) fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<Part<'b>> {
    let between = format!("\r\n--{boundary}");
    let opening = format!("--{boundary}");
    let mut found = Vec::new();
    let Some(mut rest) = body.strip_prefix(opening.as_bytes()) else { return found };
    while found.len() < PARTS_MAX {
        // `--` after a boundary ends the form, a line break opens a part.
        let Some(open) = rest.strip_prefix(b"\r\n") else { break };
        let Some(head_end) = find(open.get(..open.len().min(HEAD_BYTES_MAX)).unwrap_or(open), b"\r\n\r\n")
        else {
            break;
        };
        let (head, content) =
            (open.get(..head_end).unwrap_or_default(), open.get(head_end + 4..).unwrap_or_default());
        let Some(end) = find(content, between.as_bytes()) else { break };
        let Some((name, is_file)) = std::str::from_utf8(head).ok().and_then(disposition) else { break };
        found.push(Part { name, is_file, bytes: content.get(..end).unwrap_or_default() });
        rest = content.get(end + between.len()..).unwrap_or_default();
    }
    found
}

/// The name of a part and whether it is a file, from its `Content-Disposition`.
fn disposition(head: &str) -> Option<(&str, bool)> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value.trim())
    })?;
    let parameters = line.strip_prefix("form-data")?;
    let named = |wanted: &str| {
        parameters.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name.trim() == wanted).then(|| value.trim().trim_matches('"'))
        })
    };
    Some((named("name")?, named("filename").is_some()))
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = hay.get(from..)?.iter().position(|byte| *byte == first) {
        if hay.get(from + at..)?.starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: &str = "multipart/form-data; boundary=----x7";

    fn body(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, file, bytes) in parts {
            let file = file
                .map_or(String::new(), |file| format!("; filename=\"{file}\"\r\nContent-Type: text/plain"));
            body.extend(
                format!("------x7\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes(),
            );
            body.extend(*bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"------x7--\r\n");
        body
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        let sent = body(&[
            ("csrf", None, b"abc"),
            ("file", Some("a.csv"), b"x,y\r\n--z\r\n1,2"),
            ("empty", Some(""), b""),
        ]);
        let read = parts(&sent, boundary(KIND).unwrap());
        let told: Vec<(&str, bool, &[u8])> =
            read.iter().map(|part| (part.name, part.is_file, part.bytes)).collect();
        assert_eq!(
            told,
            [
                ("csrf", false, &b"abc"[..]),
                ("file", true, &b"x,y\r\n--z\r\n1,2"[..]),
                ("empty", true, &b""[..])
            ]
        );
    }

    #[test]
    fn only_a_form_with_files_has_a_boundary() {
        assert_eq!(boundary("multipart/form-data; charset=utf-8; boundary=\"a b\""), Some("a b"));
        for other in
            ["application/x-www-form-urlencoded", "multipart/form-data", "multipart/mixed; boundary=a", ""]
        {
            assert_eq!(boundary(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..5)) {
            let named: Vec<(&str, Option<&str>, &[u8])> = values.iter().map(|value| ("v", Some("f"), value.as_slice())).collect();
            prop_assume!(values.iter().all(|value| find(value, b"\r\n------x7").is_none()));
            let sent = body(&named);
            let read: Vec<&[u8]> = parts(&sent, "----x7").iter().map(|part| part.bytes).collect();
            prop_assert_eq!(read, values.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn no_body_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parts(&bytes, "----x7");
            let _ = parts(&[b"------x7\r\n", bytes.as_slice()].concat(), "----x7");
        }
    }
}
