//! Asks a hub over HTTP, as feed and benchmarks need it: one token, bounded answers, and coming back when asked to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client as Http, Method, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shieldwall_model::limits;

use crate::fault::Fault;

/// How often something is tried before it counts as failed.
const TRIES_MAX: u32 = 8;
/// Longest wait between two tries, in seconds.
const WAIT_SECONDS_MAX: u64 = 60;
/// How long a connection may take, in seconds.
const CONNECT_SECONDS_MAX: u64 = 10;
/// Largest answer taken from the hub, in bytes: a page of a thousand of the largest objects would be larger, and is
/// cut by the hub.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Largest file of a token or of certificates, in bytes.
const SMALL_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The environment variable a token is taken from when none is given.
pub(crate) const TOKEN_VARIABLE: &str = "SHIELDWALL_TOKEN";

/// Which hub, and who asks.
#[derive(Clone, Debug, Args)]
pub(crate) struct HubOptions {
    /// The hub's address, such as https://hub.example:8787; plain http only to this machine
    #[arg(long, value_name = "URL")]
    pub(crate) hub: String,
    /// The API token, as `shieldwall token create` prints it; others on this machine can see it: prefer --token-file
    /// or the environment variable
    #[arg(long, value_name = "TOKEN", env = TOKEN_VARIABLE, hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A file that holds the token and nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// A PEM file of certificates to trust beside the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// A hub, as one token sees it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: Url,
    http: Http,
}

/// An error answer (RFC 9457), or a TAXII error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    code: String,
    #[serde(alias = "description")]
    detail: String,
}

/// What came of one try.
enum Try {
    Answer(Response),
    Later(Duration, Fault),
    Never(Fault),
}

impl Client {
    /// Makes the client; asks nothing yet.
    ///
    /// # Errors
    /// `cli.hub.*` for an address, token or certificate that cannot be used.
    pub(crate) fn new(options: &HubOptions) -> Result<Self, Fault> {
        let base = address(&options.hub)?;
        let token = match (&options.token, &options.token_file) {
            (_, Some(path)) => small_file(path)?,
            (Some(token), None) => token.clone(),
            (None, None) => {
                let message = format!("no token: give --token-file, --token or {TOKEN_VARIABLE}");
                return Err(Fault::usage("cli.hub.token", message));
            }
        };
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| {
            Fault::usage("cli.hub.token", "the token holds what no token holds: copy it again")
        })?;
        bearer.set_sensitive(true);
        let mut builder = Http::builder()
            .user_agent(concat!("shieldwall/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            // A redirect could carry the token elsewhere.
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .timeout(Duration::from_secs(limits::REQUEST_TIMEOUT_SECONDS * 2));
        if is_this_machine(&base) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &options.ca_file {
            let wrong =
                || Fault::usage("cli.hub.ca", format!("{} holds no PEM certificates", path.display()));
            let certificates = Certificate::from_pem_bundle(small_file(path)?.as_bytes())
                .map_err(|error| wrong().because(error))?;
            if certificates.is_empty() {
                return Err(wrong());
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| {
            Fault::environment("cli.hub.client", "no HTTP client could be made").because(error)
        })?;
        Ok(Self { base, http })
    }

    /// Gets `path` with these query parameters: the answer's bytes.
    ///
    /// # Errors
    /// `cli.hub.*` when the hub cannot be reached or refuses.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        accept: &str,
    ) -> Result<Vec<u8>, Fault> {
        let url = self.url(path)?;
        self.ask(|| self.http.request(Method::GET, url.clone()).query(query).header(ACCEPT, accept)).await
    }

    /// Posts `body`, and reads the answer. Repeating it must do no harm: it is sent again when the hub is busy.
    ///
    /// # Errors
    /// `cli.hub.*` when the hub cannot be reached, refuses, or answers something else.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        content_type: &str,
        body: bytes::Bytes,
    ) -> Result<T, Fault> {
        let url = self.url(path)?;
        let request = || {
            let request = self.http.request(Method::POST, url.clone()).query(query);
            request.header(CONTENT_TYPE, content_type).body(body.clone())
        };
        read(&self.ask(request).await?)
    }

    /// Gets `path` as JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        read(&self.get(path, &[], "application/json").await?)
    }

    /// Changes something that is not answered with a body. Repeating it must do no harm.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<(), Fault> {
        let url = self.url(path)?;
        let request = || {
            let request = self.http.request(method.clone(), url.clone());
            body.map_or_else(|| self.http.request(method.clone(), url.clone()), |body| request.json(body))
        };
        self.ask(request).await.map(|_| ())
    }

    fn url(&self, path: &str) -> Result<Url, Fault> {
        let wrong =
            |error| Fault::usage("cli.hub.address", format!("{path:?} is no path on a hub")).because(error);
        self.base.join(path).map_err(wrong)
    }

    async fn ask(&self, request: impl Fn() -> reqwest::RequestBuilder) -> Result<Vec<u8>, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (wait, fault) = match outcome(request().send().await).await {
                Try::Answer(answer) => return body(answer).await,
                Try::Never(fault) => return Err(fault),
                Try::Later(wait, fault) => (wait, fault),
            };
            if tries >= TRIES_MAX {
                return Err(fault);
            }
            tracing::info!(code = fault.code(), seconds = wait.as_secs_f64(), "asking again: {fault}");
            tokio::time::sleep(wait).await;
        }
    }
}

async fn outcome(sent: Result<Response, reqwest::Error>) -> Try {
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => {
            let message = "the hub cannot be reached; check --hub, and that it runs";
            return Try::Never(Fault::environment("cli.hub.unreachable", message).because(error));
        }
    };
    let status = answer.status();
    if status.is_success() {
        return Try::Answer(answer);
    }
    let wait = retry_after(answer.headers());
    let problem = match body(answer).await {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(_) => Problem::default(),
    };
    let fault = refusal(status, &problem);
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return Try::Later(wait, fault);
    }
    Try::Never(fault)
}

/// What a hub's no means.
fn refusal(status: StatusCode, problem: &Problem) -> Fault {
    let Problem { title, code, detail } = problem;
    let said = if detail.is_empty() { title } else { detail };
    let code = if code.is_empty() { String::new() } else { format!(" [{code}]") };
    let said = format!("{said}{code}");
    match status {
        StatusCode::UNAUTHORIZED => {
            let message = "the hub does not accept this token: it is unknown, expired or revoked; \
                           `shieldwall token create` makes one";
            Fault::usage("cli.hub.token", message)
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Fault::environment("cli.hub.busy", format!("the hub is busy ({}): {said}", status.as_u16()))
        }
        status if status.is_server_error() => Fault::environment(
            "cli.hub.failed",
            format!("the hub failed ({}): {said}; see its log", status.as_u16()),
        ),
        status => Fault::usage("cli.hub.refused", format!("the hub refuses ({}): {said}", status.as_u16())),
    }
}

/// How long the hub asks to wait: a second if it does not say.
fn retry_after(headers: &HeaderMap) -> Duration {
    let told = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok());
    Duration::from_secs(told.unwrap_or(1).clamp(1, WAIT_SECONDS_MAX))
}

async fn body(mut answer: Response) -> Result<Vec<u8>, Fault> {
    let broken =
        |error| Fault::environment("cli.hub.broken", "the hub's answer broke off; try again").because(error);
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Fault::environment(
                "cli.hub.large",
                format!("the answer is larger than {ANSWER_BYTES_MAX} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let wrong = |error| {
        let message = "the answer is not what a hub of this version gives; is --hub the address of one?";
        Fault::environment("cli.hub.answer", message).because(error)
    };
    serde_json::from_slice(bytes).map_err(wrong)
}

/// The hub's address: https, or http to this machine alone, because the token goes over the wire.
fn address(text: &str) -> Result<Url, Fault> {
    let wrong = |why: &str| {
        Fault::usage(
            "cli.hub.address",
            format!("--hub {text:?} {why}; write such as https://hub.example:8787"),
        )
    };
    let mut url = Url::parse(text).map_err(|error| wrong("is no address").because(error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("is no http address"));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong("must be scheme, host and port alone"));
    }
    if url.scheme() == "http" && !is_this_machine(&url) {
        return Err(wrong("must be https: over plain http everyone on the way reads the token"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// A small file as text, for tokens and certificates.
///
/// # Errors
/// `cli.hub.file` when it cannot be read or is too large for that.
pub(crate) fn small_file(path: &Path) -> Result<String, Fault> {
    let unreadable =
        |error| Fault::usage("cli.hub.file", format!("{} cannot be read", path.display())).because(error);
    if std::fs::metadata(path).map_err(unreadable)?.len() > SMALL_FILE_BYTES_MAX {
        return Err(Fault::usage(
            "cli.hub.file",
            format!("{} is too large for what it should hold", path.display()),
        ));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_stays_on_this_machine() {
        for good in
            ["https://hub.example:8787", "http://127.0.0.1:8787/", "http://[::1]:1", "http://localhost"]
        {
            assert!(address(good).unwrap().path().ends_with('/'), "{good}");
        }
        for bad in [
            "hub.example",
            "http://hub.example",
            "ftp://127.0.0.1",
            "https://a:b@hub.example",
            "https://h/?x=1",
        ] {
            assert_eq!(address(bad).unwrap_err().code(), "cli.hub.address", "{bad}");
        }
        assert_eq!(
            address("https://proxy.example/wall").unwrap().join("api/v1/me").unwrap().path(),
            "/wall/api/v1/me"
        );
    }

    #[test]
    fn a_no_says_who_must_act() {
        let problem: Problem = serde_json::from_str(
            r#"{"title":"Forbidden","status":403,"code":"access.role","detail":"ask for a token"}"#,
        )
        .unwrap();
        let fault = refusal(StatusCode::FORBIDDEN, &problem);
        assert_eq!((fault.code(), fault.status()), ("cli.hub.refused", 2));
        assert_eq!(fault.to_string(), "the hub refuses (403): ask for a token [access.role]");
        assert_eq!(refusal(StatusCode::UNAUTHORIZED, &problem).code(), "cli.hub.token");
        assert_eq!(refusal(StatusCode::SERVICE_UNAVAILABLE, &problem).status(), 3);
    }

    #[test]
    fn waiting_is_bounded() {
        let wait = |text: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))])).as_secs()
        };
        assert_eq!([wait("7"), wait("0"), wait("86400"), wait("soon")], [7, 1, 60, 1]);
        assert_eq!(retry_after(&HeaderMap::new()).as_secs(), 1);
    }
}
