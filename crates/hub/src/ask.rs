//! A request as a handler gets it: already authenticated, allowed by the access rule, and bounded.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shieldwall_ledger::{ReadError, Reading};
use shieldwall_model::access::{Action, Permit, ReadScope, Reader};
use shieldwall_model::id::GroupId;
use shieldwall_model::limits;

use crate::app::App;
use crate::auth::Session;
use crate::i18n::Language;
use crate::multipart;
use crate::problem::Problem;

/// What comes with every request, whoever sends it.
pub struct Front {
    /// The hub.
    pub app: App,
    /// Parameters in the path, percent-decoded, by name.
    pub path: BTreeMap<String, String>,
    /// Parameters of the query string, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The path and query as sent.
    pub uri: String,
    /// The peer's address, for throttling.
    pub peer: std::net::IpAddr,
    /// The language to answer in.
    pub language: Language,
    // A body may be read by one task alone; behind a lock it may at least be held by any.
    body: Mutex<Body>,
}

/// A request by a known reader whose role may do what the route is for.
///
/// The reader's scope and permits are those of the route's action and no other, so a handler cannot reach further
/// than its line in the route table says.
pub struct Ask {
    front: Front,
    reader: Reader,
    action: Action,
    session: Option<Session>,
}

impl Front {
    /// Puts a request together.
    #[allow(clippy::too_many_arguments, reason = "one constructor, called in one place")]
    pub(crate) fn new(
        app: App,
        path: BTreeMap<String, String>,
        query: Vec<(String, String)>,
        headers: HeaderMap,
        uri: String,
        peer: std::net::IpAddr,
        language: Language,
        body: Body,
    ) -> Self {
        Self { app, path, query, headers, uri, peer, language, body: Mutex::new(body) }
    }

    /// A parameter of the path.
    ///
    /// # Errors
    /// 404: a route without that parameter has nothing there.
    pub fn path(&self, name: &str) -> Result<&str, Problem> {
        self.path.get(name).map(String::as_str).ok_or_else(Problem::absent)
    }

    /// The first parameter of that name in the query string, unless empty.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A parameter of the query string, read as `T`.
    ///
    /// # Errors
    /// 400 `query.unreadable` naming the parameter.
    pub fn query_as<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.query(name)
            .map(|text| {
                text.parse().map_err(|error: T::Err| {
                    Problem::unreadable("query.unreadable", format!("`{name}` cannot be read: {error}"))
                })
            })
            .transpose()
    }

    /// `limit` of the query string, held to 1..=`most`.
    ///
    /// # Errors
    /// 400 `query.unreadable` for anything but a whole number from 1.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Problem> {
        match self.query_as::<usize>("limit")? {
            Some(0) => Err(Problem::unreadable("query.unreadable", "`limit` is a whole number from 1")),
            Some(limit) => Ok(limit.min(most)),
            None => Ok(default),
        }
    }

    /// The body, whole.
    ///
    /// # Errors
    /// 413 `body.too_large` past [`limits::BODY_BYTES_MAX`], 400 when it breaks off.
    pub async fn bytes(&mut self) -> Result<Bytes, Problem> {
        let body = std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner));
        axum::body::to_bytes(body, limits::BODY_BYTES_MAX).await.map_err(|error| {
            let too_large = std::error::Error::source(&error)
                .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
            if too_large {
                Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body.too_large",
                    format!(
                        "a body holds at most {} bytes, unpacked; send it in pieces",
                        limits::BODY_BYTES_MAX
                    ),
                )
            } else {
                Problem::unreadable(
                    "body.broken",
                    "the body broke off or could not be unpacked; send it again",
                )
            }
        })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// As [`Front::bytes`]; 400 `body.json` with the place.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| Problem::unreadable("body.json", error.to_string()))
    }

    /// The body as a submitted form.
    ///
    /// # Errors
    /// As [`Front::bytes`].
    pub async fn form(&mut self) -> Result<Form, Problem> {
        let bytes = self.bytes().await?;
        Ok(Form::read(&self.headers, &bytes))
    }

    /// A cookie by its name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        cookie(&self.headers, name)
    }
}

/// A submitted form.
#[derive(Default)]
pub struct Form {
    pairs: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
}

impl Form {
    /// Reads a form as its `Content-Type` says: with files, or plain.
    pub(crate) fn read(headers: &HeaderMap, bytes: &[u8]) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Some(boundary) = kind.and_then(multipart::boundary) else {
            return Self { pairs: read_pairs(bytes), files: Vec::new() };
        };
        let mut form = Self::default();
        for part in multipart::parts(bytes, boundary) {
            if part.is_file {
                form.files.push((part.name.to_owned(), part.bytes.to_vec()));
            } else {
                form.pairs.push((part.name.to_owned(), String::from_utf8_lossy(part.bytes).into_owned()));
            }
        }
        form
    }

    /// A field, trimmed; empty when absent.
    pub fn get(&self, name: &str) -> &str {
        self.verbatim(name).trim()
    }

    /// A field as typed, for passwords; empty when absent.
    pub fn verbatim(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A file's bytes; a form may send an empty one for a field left alone.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find(|(key, _)| key == name).map(|(_, bytes)| bytes.as_slice())
    }
}

impl Ask {
    /// A request by `reader`, allowed by its route.
    pub(crate) fn new(front: Front, reader: Reader, action: Action, session: Option<Session>) -> Self {
        Self { front, reader, action, session }
    }

    /// Who asks.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The session, when a page asks.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What may be read on this route.
    ///
    /// # Errors
    /// Never past the router, which has asked before; the rule is asked again all the same.
    pub fn scope(&self) -> Result<ReadScope, Problem> {
        Ok(self.reader.scope(self.action)?)
    }

    /// Leave to do what this route is for, where no group is concerned.
    ///
    /// # Errors
    /// As [`Ask::scope`].
    pub fn permit(&self) -> Result<Permit, Problem> {
        Ok(self.reader.permit(self.action)?)
    }

    /// Leave to do what this route is for in `group`.
    ///
    /// # Errors
    /// 404 when the reader's member is not party to the group.
    pub fn permit_in(&self, group: GroupId) -> Result<Permit, Problem> {
        Ok(self.reader.permit_in(self.action, group)?)
    }

    /// The group named in the query string or a text, or the alliance's.
    ///
    /// # Errors
    /// 400 for a text that is no group id.
    pub fn group(&self) -> Result<GroupId, Problem> {
        Ok(self.front.query_as::<GroupId>("group")?.unwrap_or(GroupId::ALLIANCE))
    }

    /// Reads the store, off the threads that serve requests.
    ///
    /// # Errors
    /// 503 when every read connection is taken, 500 when the store fails.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reading<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.front.app.read(read).await
    }
}

impl std::ops::Deref for Ask {
    type Target = Front;

    fn deref(&self) -> &Front {
        &self.front
    }
}

impl std::ops::DerefMut for Ask {
    fn deref_mut(&mut self) -> &mut Front {
        &mut self.front
    }
}

/// A cookie by its name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

/// Reads `application/x-www-form-urlencoded` pairs, in order.
pub(crate) fn read_pairs(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// An answer in JSON.
///
/// # Errors
/// 500 should the value not be writable as JSON.
pub fn json<T: Serialize>(value: &T) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::fault(&error))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// An answer without a body: 204.
pub fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Sends the reader on to `path` with GET.
pub fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}
