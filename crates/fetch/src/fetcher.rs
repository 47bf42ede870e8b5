//! Asking: each hop checked, pinned to the checked addresses, and capped.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, StatusCode};
use url::{Host, Url};

use crate::allow::Policy;
use crate::resolve::Resolve;

/// Most redirects followed.
const REDIRECTS_MAX: usize = 3;
/// Most clients kept for the next request to the same place.
const CLIENTS_MAX: usize = 8;
/// How long a connection may take, in seconds.
const CONNECT_SECONDS_MAX: u64 = 10;
/// Longest URL in bytes.
const URL_BYTES_MAX: usize = 4 * 1024;
/// Most addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 64;

/// Why something was not fetched. Says the host at most: a URL's path and query may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The text is no URL that is fetched.
    #[error("this is no address to fetch from: {0}")]
    Url(&'static str),
    /// Where it leads is not allowed.
    #[error(
        "{host} is not fetched from: it leads to {reason}; the hub's operator may allow it with --allow-fetch-from"
    )]
    Blocked {
        /// The host.
        host: String,
        /// To what it leads.
        reason: &'static str,
    },
    /// The name has no address.
    #[error("{host} has no address: {reason}")]
    Name {
        /// The host.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// More redirects than are followed.
    #[error("{host} redirects more than {REDIRECTS_MAX} times, or where nothing is sent twice")]
    Redirects {
        /// The host.
        host: String,
    },
    /// It did not come in time.
    #[error("{host} did not answer within {seconds} s")]
    Time {
        /// The host.
        host: String,
        /// The cap.
        seconds: u64,
    },
    /// More bytes than were asked for.
    #[error("{host} answers with more than {bytes} bytes, unpacked")]
    Size {
        /// The host.
        host: String,
        /// The cap.
        bytes: usize,
    },
    /// The connection could not be made or broke.
    #[error("{host} could not be reached, or broke off: {reason}")]
    Broken {
        /// The host.
        host: String,
        /// What went wrong, without the URL.
        reason: String,
    },
}

impl FetchError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "fetch.url",
            Self::Blocked { .. } => "fetch.blocked",
            Self::Name { .. } => "fetch.name",
            Self::Redirects { .. } => "fetch.redirects",
            Self::Time { .. } => "fetch.time",
            Self::Size { .. } => "fetch.size",
            Self::Broken { .. } => "fetch.broken",
        }
    }
}

/// What proves who asks. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// `Authorization: Bearer`.
    Bearer(String),
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::None { "no credentials" } else { "credentials" })
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where.
    pub url: Url,
    /// With which headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// By whom; sent to this URL's origin alone.
    pub credentials: Credentials,
    /// What is sent: POST with this body; GET without.
    pub body: Option<Bytes>,
    /// Most bytes taken, unpacked.
    pub bytes_max: usize,
    /// How long it may take in all, in seconds.
    pub seconds_max: u64,
}

impl Request {
    /// A GET of `url` of at most `bytes_max` bytes, 30 s long.
    pub fn get(url: Url, bytes_max: usize) -> Self {
        Self {
            url,
            headers: Vec::new(),
            credentials: Credentials::None,
            body: None,
            bytes_max,
            seconds_max: 30,
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Fetches.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    policy: Policy,
    resolver: Arc<dyn Resolve>,
    roots: Vec<reqwest::Certificate>,
    kept: Mutex<Vec<(Pin, Client)>>,
}

/// A host, and the checked addresses a client for it connects to.
#[derive(Clone, PartialEq, Eq)]
struct Pin {
    host: String,
    addresses: Vec<IpAddr>,
}

impl Fetcher {
    /// A fetcher under `policy`, that asks `resolver` for addresses.
    pub fn new(policy: Policy, resolver: Arc<dyn Resolve>) -> Self {
        Self(Arc::new(Inner { policy, resolver, roots: Vec::new(), kept: Mutex::default() }))
    }

    /// One that trusts the certificates in `pem` beside the system's.
    ///
    /// # Errors
    /// [`FetchError::Url`] when they cannot be read.
    pub fn trusting(policy: Policy, resolver: Arc<dyn Resolve>, pem: &[u8]) -> Result<Self, FetchError> {
        let roots = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|_| FetchError::Url("the file of certificates to trust holds none in PEM"))?;
        Ok(Self(Arc::new(Inner { policy, resolver, roots, kept: Mutex::default() })))
    }

    /// Asks, and reads the answer whole. An answer of any status is an answer.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(&self, request: Request) -> Result<Answer, FetchError> {
        let (host, seconds) = (host_of(&request.url), request.seconds_max);
        tokio::time::timeout(Duration::from_secs(seconds), self.follow(request))
            .await
            .unwrap_or(Err(FetchError::Time { host, seconds }))
    }

    /// Reads a URL as people write it, and refuses what is never fetched: for checking a setting before it is kept.
    ///
    /// # Errors
    /// [`FetchError::Url`].
    pub fn read_url(text: &str) -> Result<Url, FetchError> {
        let wrong = FetchError::Url;
        if text.len() > URL_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let url = Url::parse(text.trim()).map_err(|_| wrong("it is no URL"))?;
        fit(&url)?;
        // A number that reads as an address is meant to deceive somebody.
        if let Some(Host::Ipv4(address)) = url.host()
            && !text.contains(&format!("//{address}"))
        {
            return Err(wrong("write an IPv4 address as four decimal numbers"));
        }
        Ok(url)
    }

    async fn follow(&self, request: Request) -> Result<Answer, FetchError> {
        let mut url = request.url.clone();
        let origin = url.origin();
        for _ in 0..=REDIRECTS_MAX {
            let client = self.client(&url).await?;
            let answer = self.ask(&client, &url, &request, url.origin() == origin).await?;
            if !answer.status.is_redirection() || answer.status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            let Some(location) = answer.header(LOCATION.as_str()) else { return Ok(answer) };
            if request.body.is_some() {
                break;
            }
            url = redirected(&url, location)?;
        }
        Err(FetchError::Redirects { host: host_of(&request.url) })
    }

    /// A client that can connect to the checked addresses of `url` and to nothing else.
    async fn client(&self, url: &Url) -> Result<Client, FetchError> {
        fit(url)?;
        let host = host_of(url);
        let mut addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) => self
                .0
                .resolver
                .resolve(name)
                .await
                .map_err(|error| FetchError::Name { host: host.clone(), reason: error.to_string() })?,
            None => return Err(FetchError::Url("it has no host")),
        };
        addresses.truncate(ADDRESSES_MAX);
        if addresses.is_empty() {
            return Err(FetchError::Name { host, reason: "none was found".into() });
        }
        // One bad address among good ones is refused too: which one would be taken is not ours to say.
        for address in &addresses {
            if let Some(reason) = self.0.policy.refuses(url, *address) {
                return Err(FetchError::Blocked { host, reason });
            }
        }
        addresses.sort_unstable();
        self.pinned(Pin { host, addresses })
    }

    fn pinned(&self, pin: Pin) -> Result<Client, FetchError> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = kept.iter().find(|(known, _)| *known == pin) {
            return Ok(client.clone());
        }
        let sockets = pin.addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
        let client = Client::builder()
            .user_agent(concat!("shieldwall/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .dns_resolver(Arc::new(Pinned(sockets)))
            .tls_certs_merge(self.0.roots.iter().cloned())
            .build()
            .map_err(|error| FetchError::Broken { host: pin.host.clone(), reason: told(error) })?;
        if kept.len() >= CLIENTS_MAX {
            kept.remove(0);
        }
        kept.push((pin, client.clone()));
        Ok(client)
    }

    async fn ask(
        &self,
        client: &Client,
        url: &Url,
        request: &Request,
        own: bool,
    ) -> Result<Answer, FetchError> {
        let host = host_of(url);
        let broken = |error| FetchError::Broken { host: host.clone(), reason: told(error) };
        let method = if request.body.is_some() { Method::POST } else { Method::GET };
        let mut asked = client.request(method, url.clone());
        for (name, value) in &request.headers {
            // Whatever else a caller puts there, proof of who asks is for the origin it was given for.
            if own || *name != AUTHORIZATION {
                asked = asked.header(name, value);
            }
        }
        asked = match &request.credentials {
            Credentials::Bearer(token) if own => asked.bearer_auth(token),
            Credentials::Basic { user, password } if own => asked.basic_auth(user, Some(password)),
            _ => asked,
        };
        if let Some(body) = &request.body {
            asked = asked.body(body.clone());
        }
        let mut response = asked.send().await.map_err(broken)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > request.bytes_max {
                return Err(FetchError::Size { host, bytes: request.bytes_max });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.into() })
    }
}

/// What a URL must be, whoever allows what.
fn fit(url: &Url) -> Result<(), FetchError> {
    let wrong = |reason| Err(FetchError::Url(reason));
    if !matches!(url.scheme(), "https" | "http") {
        return wrong("it must begin with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("a name or password has no place in it: give them as credentials");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return wrong("it has no host");
    }
    Ok(())
}

fn redirected(from: &Url, location: &str) -> Result<Url, FetchError> {
    let wrong = FetchError::Url("it redirects to what is no URL");
    if location.len() > URL_BYTES_MAX {
        return Err(wrong);
    }
    match Url::parse(location) {
        Ok(_) => Fetcher::read_url(location),
        Err(url::ParseError::RelativeUrlWithoutBase) => from.join(location).map_err(|_| wrong),
        Err(_) => Err(wrong),
    }
}

/// Host and port, for messages.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What an error says without the URL, with its innermost cause.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Answers every name with the addresses that were checked.
struct Pinned(Vec<SocketAddr>);

impl reqwest::dns::Resolve for Pinned {
    fn resolve(&self, _name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let addresses: reqwest::dns::Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
