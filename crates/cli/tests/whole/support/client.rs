//! Somebody who speaks HTTP to the hub: by token, by session or without either; and the live stream they read.
//!
//! Every answer that passes here is checked for the headers every answer must carry.

use std::path::Path;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use shieldwall_hub::Running;
use shieldwall_hub::api::tokens::mint;
use shieldwall_ledger::accounts::{Accounts, Offline};
use shieldwall_model::access::Role;
use shieldwall_model::directory::Member;
use shieldwall_model::id::SystemEntropy;

use super::within;

/// Header and how it begins, on every answer whatever it is.
const EVERY_ANSWER: [(&str, &str); 8] = [
    ("cache-control", ""),
    ("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self';"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=()"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// A client that follows no redirect, takes no proxy, and unpacks what comes packed.
pub(crate) fn plain_http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("an HTTP client")
}

/// The first token of a hub, made beside its data as `shieldwall token create` makes it.
pub(crate) fn first_token(hub: &Running, data: &Path, member: &Member, role: Role) -> String {
    let app = hub.app();
    let minted =
        mint(member, &app.directory(), role, "first", 1, app.now(), &SystemEntropy).expect("randomness");
    let accounts = Accounts::open(data).expect("the accounts");
    accounts.add_token(&Offline, &minted.record).expect("the token is kept");
    minted.text
}

/// How a client proves who it is.
#[derive(Clone)]
enum Proof {
    Nothing,
    Token(String),
    Session { cookie: String, csrf: String },
}

/// Somebody who speaks to the hub.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    proof: Proof,
}

impl Client {
    /// Without credentials.
    pub(crate) fn nobody(http: reqwest::Client, base: String) -> Self {
        Self { http, base, proof: Proof::Nothing }
    }

    /// By an API token.
    pub(crate) fn token(http: reqwest::Client, base: String, token: String) -> Self {
        Self { http, base, proof: Proof::Token(token) }
    }

    /// By a session, opened with a one-time link.
    pub(crate) async fn session(http: reqwest::Client, base: String, link: &str) -> Self {
        let path = link.strip_prefix(&base).expect("a link of this hub").to_owned();
        let mut client = Self::nobody(http, base);
        let opened = client.get(&path).await.expect(303);
        let cookie = opened
            .header("set-cookie")
            .and_then(|cookie| cookie.split(';').next())
            .expect("a session cookie");
        client.proof = Proof::Session { cookie: cookie.to_owned(), csrf: String::new() };
        let page = client.get("/members").await.expect(200).text();
        let csrf =
            after(&page, "name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form token in {page}"));
        client.proof = Proof::Session { cookie: cookie.to_owned(), csrf: csrf.to_owned() };
        client
    }

    /// The token's text.
    pub(crate) fn secret(&self) -> &str {
        match &self.proof {
            Proof::Token(token) => token,
            _ => panic!("this client has no token"),
        }
    }

    /// The same session without what proves that a form is the hub's own.
    pub(crate) fn without_csrf(&self) -> Self {
        let Proof::Session { cookie, .. } = &self.proof else { panic!("this client has no session") };
        Self { proof: Proof::Session { cookie: cookie.clone(), csrf: String::new() }, ..self.clone() }
    }

    /// What proves that a form is the hub's own.
    pub(crate) fn csrf(&self) -> &str {
        match &self.proof {
            Proof::Session { csrf, .. } => csrf,
            _ => "",
        }
    }

    /// A request with this client's credentials and nothing else.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.proof {
            Proof::Nothing => request,
            Proof::Token(token) => request.bearer_auth(token),
            Proof::Session { cookie, .. } => request.header("cookie", cookie),
        }
    }

    /// As [`Client::request`], and allowed to change something when it comes by a session.
    pub(crate) fn change(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.request(method, path);
        if self.csrf().is_empty() { request } else { request.header("x-csrf-token", self.csrf()) }
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// GET of JSON that must be there.
    pub(crate) async fn get_json(&self, path: &str) -> Value {
        self.get(path).await.expect(200).json()
    }

    /// POST of JSON.
    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.change(Method::POST, path).json(body)).await
    }

    /// POST of bytes.
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        Answer::to(self.change(Method::POST, path).header("content-type", content_type).body(body)).await
    }

    /// POST of a form, as a page sends it: the form token is one of the fields.
    pub(crate) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = String::new();
        for (name, value) in fields.iter().chain(&[("csrf", self.csrf())]) {
            if !body.is_empty() {
                body.push('&');
            }
            body.push_str(&format!("{name}={}", percent(value)));
        }
        let request =
            self.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        Answer::to(request.body(body)).await
    }

    /// The live stream from now on, or from after an event.
    pub(crate) async fn events(&self, after: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, "/api/v1/stream");
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        let response = within("the stream to open", request.send()).await.expect("the hub answers");
        assert_eq!(response.status(), 200, "the stream opens");
        check_headers(&response);
        let pieces = response
            .bytes_stream()
            .map(|piece| piece.map(|bytes| bytes.to_vec()).unwrap_or_default())
            .boxed();
        Events { pieces, text: String::new(), last_id: after.map(str::to_owned) }
    }
}

/// Everything but letters and digits, percent-encoded.
pub(crate) fn percent(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

/// What stands in `text` between `mark` and the next quote.
pub(crate) fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.1.split_once('"').map(|(value, _)| value)
}

fn check_headers(response: &Response) {
    for (name, begins) in EVERY_ANSWER {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        let good = value.is_some_and(|value| value.starts_with(begins));
        assert!(
            good,
            "{} answers {} without `{name}: {begins}…`: {value:?}",
            response.url(),
            response.status()
        );
    }
}

/// An answer, read whole.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
    asked: String,
}

impl Answer {
    /// The answer to `request`.
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = within("an answer", request.send()).await.expect("the hub answers");
        Self::read(response).await
    }

    /// The head of the answer to `request`; a body that never ends is not waited for.
    pub(crate) async fn head_of(request: RequestBuilder) -> Self {
        let response = within("an answer", request.send()).await.expect("the hub answers");
        if response.status() != 200 {
            return Self::read(response).await;
        }
        check_headers(&response);
        let (status, headers, asked) =
            (response.status().as_u16(), response.headers().clone(), response.url().to_string());
        Self { status, headers, body: Vec::new(), asked }
    }

    async fn read(response: Response) -> Self {
        check_headers(&response);
        let (status, headers, asked) =
            (response.status().as_u16(), response.headers().clone(), response.url().to_string());
        let body = within("the body", response.bytes()).await.expect("a whole body").to_vec();
        Self { status, headers, body, asked }
    }

    /// This answer, which must have `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.asked, self.text()))
    }

    /// The stable code of a problem.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let code = body["code"].as_str().or(body["error_code"].as_str());
        code.unwrap_or_else(|| panic!("{}: no code in {body}", self.asked)).to_owned()
    }
}

/// A live stream being read.
pub(crate) struct Events {
    pieces: BoxStream<'static, Vec<u8>>,
    text: String,
    /// The id of the last event that had one.
    pub(crate) last_id: Option<String>,
}

/// One event of the stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Its id, if it carries one.
    pub(crate) id: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// Its data.
    pub(crate) data: Value,
}

impl Events {
    /// The next event; `None` when the hub has ended the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        within("an event on the stream", async {
            loop {
                while let Some((block, rest)) =
                    self.text.split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned()))
                {
                    self.text = rest;
                    if let Some(event) = read_event(&block) {
                        if event.id.is_some() {
                            self.last_id.clone_from(&event.id);
                        }
                        return Some(event);
                    }
                }
                self.text.push_str(&String::from_utf8_lossy(&self.pieces.next().await?));
            }
        })
        .await
    }

    /// The next event of that name.
    pub(crate) async fn named(&mut self, name: &str) -> Event {
        self.until(name, |event| event.name == name).await
    }

    /// The next event that `fits`; those before it are passed over.
    pub(crate) async fn until(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before `{what}`"));
            if fits(&event) {
                return event;
            }
        }
    }
}

/// An event out of its lines; `None` for a comment.
fn read_event(block: &str) -> Option<Event> {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim_start().to_owned())
    };
    let name = field("event")?;
    let data =
        field("data").map_or(Value::Null, |data| serde_json::from_str(&data).unwrap_or(Value::String(data)));
    Some(Event { id: field("id"), name, data })
}
