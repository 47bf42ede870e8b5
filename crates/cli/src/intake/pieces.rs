//! Cuts what a file shares into pieces a hub takes in one request, and tells where in the file each object stood.
//!
//! STIX objects are cut out of whatever holds them, byte for byte: the hub alone judges them. Lists are read here, so
//! that a line can be named, and sent on in one plain form of CSV.

use std::fmt::Write as _;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use shieldwall_exchange::format::{Format, FormatError, format_of};
use shieldwall_exchange::list::{self, LineRefusal, ListError};
use shieldwall_exchange::misp::{MispError, read_events};
use shieldwall_model::limits::{BODY_BYTES_MAX, ENVELOPE_OBJECTS_MAX};

/// Most bytes in one request's body: below the hub's limit, so that what surrounds the objects fits too.
pub(crate) const PIECE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most objects in one request's body: below the hub's limit, so that a slow disk still answers in time.
pub(crate) const PIECE_OBJECTS_MAX: usize = 2_000;
/// How many bytes tell what a file is.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
const _: () = assert!(PIECE_OBJECTS_MAX <= ENVELOPE_OBJECTS_MAX && PIECE_BYTES_MAX < BODY_BYTES_MAX);

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PiecesError {
    /// It is nothing this version reads.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// It is no list after all.
    #[error(transparent)]
    List(#[from] ListError),
    /// It is no event of MISP's.
    #[error(transparent)]
    Misp(#[from] MispError),
    /// It is no JSON, or no STIX.
    #[error("it is not the JSON of STIX objects; correct it at that place")]
    Json(#[source] serde_json::Error),
}

impl PiecesError {
    /// The stable code of this error.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Format(error) => error.code(),
            Self::List(error) => error.code(),
            Self::Misp(error) => error.code(),
            Self::Json(_) => "cli.feed.json",
        }
    }
}

/// What a file shares, ready to be sent piece by piece.
pub(crate) struct Shared<'a> {
    items: Items<'a>,
    /// Lines that hold nothing to share.
    pub(crate) refused: Vec<LineRefusal>,
}

enum Items<'a> {
    /// The objects, and how a path to one of them begins.
    Stix {
        objects: Vec<&'a RawValue>,
        container: Container,
    },
    /// Events, each as it is sent.
    Misp(Vec<Vec<u8>>),
    List(Vec<list::Item>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Container {
    Objects,
    Array,
    Single,
}

/// One request's worth.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Which of the file's objects, from 0.
    pub(crate) objects: Range<usize>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Its media type.
    pub(crate) content_type: &'static str,
}

impl<'a> Shared<'a> {
    /// Reads a file; what it is, its content tells.
    ///
    /// # Errors
    /// [`PiecesError`] when it is nothing that can be shared.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, PiecesError> {
        let list = match format_of(bytes)? {
            Format::Stix => {
                let (objects, container) = objects(bytes).map_err(PiecesError::Json)?;
                return Ok(Self { items: Items::Stix { objects, container }, refused: Vec::new() });
            }
            Format::Misp => {
                let events = read_events(bytes)?;
                let texts = events.iter().map(|event| event.wrapped().to_string().into_bytes()).collect();
                return Ok(Self { items: Items::Misp(texts), refused: Vec::new() });
            }
            Format::Csv => list::read_csv(bytes)?,
            Format::Plain => list::read_plain(bytes)?,
        };
        Ok(Self { items: Items::List(list.items), refused: list.refused })
    }

    /// How many objects there are to send.
    pub(crate) fn len(&self) -> usize {
        match &self.items {
            Items::Stix { objects, .. } => objects.len(),
            Items::Misp(events) => events.len(),
            Items::List(items) => items.len(),
        }
    }

    /// Whether it holds MISP events, each of which is many objects.
    pub(crate) const fn is_misp(&self) -> bool {
        matches!(self.items, Items::Misp(_))
    }

    /// Whether it is a list, for which role, marking and name may be told.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.items, Items::List(_))
    }

    /// Where the object stands in the file, given the hub's path to it inside a piece.
    pub(crate) fn place(&self, object: usize, path: &str) -> String {
        match &self.items {
            Items::List(items) => {
                items.get(object).map_or_else(String::new, |item| format!("line {}", item.line))
            }
            Items::Misp(events) if events.len() == 1 => format!("Event {path}"),
            // A refusal of an event is one of a piece, and a piece is one event: which, the piece's start says.
            Items::Misp(_) => format!("events {path}"),
            Items::Stix { container, .. } => {
                let inner = path.strip_prefix("objects").unwrap_or(path);
                let inner = match inner.split_once(']') {
                    Some((index, rest)) if index.starts_with('[') => rest,
                    _ => inner,
                };
                let inner = inner.trim_start_matches('.');
                let place = match container {
                    Container::Objects => format!("objects[{object}]"),
                    Container::Array => format!("[{object}]"),
                    Container::Single => String::new(),
                };
                match (place.is_empty(), inner.is_empty()) {
                    (true, _) => inner.to_owned(),
                    (false, true) => place,
                    (false, false) => format!("{place}.{inner}"),
                }
            }
        }
    }

    /// The piece that begins with object `from`; none behind the last.
    pub(crate) fn piece(&self, from: usize) -> Option<Piece> {
        self.piece_of(from, PIECE_OBJECTS_MAX, PIECE_BYTES_MAX)
    }

    fn piece_of(&self, from: usize, objects_max: usize, bytes_max: usize) -> Option<Piece> {
        match &self.items {
            Items::Stix { objects, .. } => {
                let mut body = br#"{"objects":["#.to_vec();
                let mut to = from;
                for object in objects.get(from..)?.iter().take(objects_max) {
                    let text = object.get();
                    // One object larger than a piece goes alone: whether it is too large, the hub says.
                    if to > from && body.len() + text.len() + 3 > bytes_max {
                        break;
                    }
                    if to > from {
                        body.push(b',');
                    }
                    body.extend_from_slice(text.as_bytes());
                    to += 1;
                }
                body.extend_from_slice(b"]}");
                (to > from).then_some(Piece {
                    objects: from..to,
                    body,
                    content_type: "application/stix+json;version=2.1",
                })
            }
            Items::Misp(events) => {
                let body = events.get(from)?.clone();
                Some(Piece { objects: from..from + 1, body, content_type: "application/json" })
            }
            Items::List(items) => {
                let mut body = String::from("type,value,label\n");
                let mut to = from;
                for item in items.get(from..)?.iter().take(objects_max) {
                    let before = body.len();
                    let (kind, value, label) =
                        (item.value.kind(), item.value.to_string(), item.label.as_deref());
                    // Writing to a string does not fail.
                    let _ = writeln!(body, "{kind},{},{}", quoted(&value), quoted(label.unwrap_or_default()));
                    if to > from && body.len() > bytes_max {
                        body.truncate(before);
                        break;
                    }
                    to += 1;
                }
                (to > from).then_some(Piece {
                    objects: from..to,
                    body: body.into(),
                    content_type: "text/csv; charset=utf-8",
                })
            }
        }
    }
}

/// A field of CSV (RFC 4180 section 2).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The objects in a bundle, an envelope, an array, or the one object there is.
fn objects(bytes: &[u8]) -> Result<(Vec<&RawValue>, Container), serde_json::Error> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        objects: Option<Vec<&'a RawValue>>,
        #[serde(rename = "type")]
        object_type: Option<String>,
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Ok((serde_json::from_slice(bytes)?, Container::Array));
    }
    let outer: Outer<'_> = serde_json::from_slice(bytes)?;
    match (outer.objects, outer.object_type.as_deref()) {
        (objects, None | Some("bundle")) => Ok((objects.unwrap_or_default(), Container::Objects)),
        (_, Some(_)) => Ok((vec![serde_json::from_slice(bytes)?], Container::Single)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(shared: &Shared<'_>, objects_max: usize, bytes_max: usize) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        while let Some(piece) =
            shared.piece_of(pieces.last().map_or(0, |piece| piece.objects.end), objects_max, bytes_max)
        {
            pieces.push(piece);
        }
        pieces
    }

    proptest! {
        #[test]
        fn every_object_is_in_exactly_one_piece_byte_for_byte(
            sizes in prop::collection::vec(0usize..200, 0..60), objects_max in 1usize..9, bytes_max in 30usize..500,
        ) {
            let objects: Vec<String> = sizes.iter().map(|size| format!("{{ \"x\": \"{}\"}}", "é".repeat(*size))).collect();
            let bundle = format!("{{\"type\":\"bundle\",\"objects\": [{}]}}", objects.join(" ,\n"));
            let shared = Shared::read(bundle.as_bytes()).unwrap();
            prop_assert_eq!(shared.len(), objects.len());
            let mut seen = Vec::new();
            for piece in pieces(&shared, objects_max, bytes_max) {
                prop_assert_eq!(piece.objects.start, seen.len());
                prop_assert!(piece.objects.len() <= objects_max);
                prop_assert!(piece.body.len() <= bytes_max || piece.objects.len() == 1);
                let (inside, container) = super::objects(&piece.body).unwrap();
                prop_assert_eq!(container, Container::Objects);
                seen.extend(inside.into_iter().map(|object| object.get().to_owned()));
            }
            prop_assert_eq!(seen, objects);
        }
    }

    #[test]
    fn a_refusal_is_named_by_its_place_in_the_file() {
        let bundle = Shared::read(br#"{"type":"bundle","objects":[{"a":1},{"b":2}]}"#).unwrap();
        assert_eq!(bundle.place(10_003, "objects[3].pattern"), "objects[10003].pattern");
        assert_eq!(bundle.place(4, "objects[4]"), "objects[4]");
        assert_eq!(bundle.place(4, "object_marking_refs"), "objects[4].object_marking_refs");
        let array = Shared::read(br#"[{"type":"malware"},{"id":"x"}]"#).unwrap();
        assert_eq!(array.place(1, "objects[1].x_y[3].z"), "[1].x_y[3].z");
        let single = Shared::read(br#"{"type":"malware","id":"x"}"#).unwrap();
        assert_eq!((single.len(), single.place(0, "objects[0].name")), (1, "name".into()));
        let list = Shared::read(b"# first\nevil.example\n\n192.0.2.1\n").unwrap();
        assert_eq!(list.place(1, "objects[1].pattern"), "line 4");
    }

    #[test]
    fn a_list_goes_on_as_csv_that_reads_back_the_same() {
        let text =
            "url,family\n\"hxxp://evil[.]example/a,b\",\"the \"\"wall\"\"\"\nsome words,\n1.2.3.4:80,x\n";
        let shared = Shared::read(text.as_bytes()).unwrap();
        assert!(shared.is_list());
        assert_eq!(shared.refused.iter().map(|refusal| refusal.line).collect::<Vec<_>>(), [3]);
        let sent = pieces(&shared, 1, 1);
        assert_eq!(sent.len(), 2);
        let again: Vec<_> =
            sent.iter().flat_map(|piece| list::read_csv(&piece.body).unwrap().items).collect();
        let Items::List(items) = &shared.items else { panic!("a list") };
        let told = |items: &[list::Item]| -> Vec<_> {
            items.iter().map(|item| (item.value.clone(), item.label.clone())).collect()
        };
        assert_eq!(told(&again), told(items));
    }

    #[test]
    fn what_cannot_be_shared_says_so() {
        assert_eq!(Shared::read(b"").err().unwrap().code(), "format.empty");
        assert_eq!(
            Shared::read(br#"{"type":"bundle","objects":[{]}"#).err().unwrap().code(),
            "cli.feed.json"
        );
        assert_eq!(Shared::read(br#"{"type":"bundle"}"#).unwrap().len(), 0);
    }
}
