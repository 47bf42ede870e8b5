//! From the wire to a handler and back: authentication, the access rule, limits, and the headers on every answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use shieldwall_model::access::{Role, extent};
use shieldwall_model::limits;
use subtle::ConstantTimeEq;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::{CompressionLayer, Predicate, predicate};
use tower_http::decompression::RequestDecompressionLayer;

use crate::app::App;
use crate::ask::{Ask, Form, Front, read_pairs, see_other};
use crate::auth;
use crate::i18n::Language;
use crate::problem::Problem;
use crate::routes::{Face, Route, Run, table};
use crate::{misp, multipart, pages, taxii};

/// Answers of fewer bytes are sent as they are.
const PACKED_BYTES_MIN: u16 = 2 * 1024;

/// The cookie that keeps a reader's language.
pub const LANGUAGE_COOKIE: &str = "language";

/// What pages may load: this hub's own files, nothing inline (CSP Level 3).
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The router, built from the route table and from nothing else.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for route in table() {
        let handler = move |State(app): State<App>, request: Request| dispatch(route, app, request);
        router = router.route(route.path, on(filter(&route.method), handler));
    }
    // Streams must not be held back to be packed; what fits a packet or two gains nothing.
    let packed = predicate::DefaultPredicate::new()
        .and(predicate::SizeAbove::new(PACKED_BYTES_MIN))
        .and(predicate::NotForContentType::const_new("text/event-stream"));
    let packing = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(packed);
    router
        .fallback(|State(app): State<App>, request: Request| unrouted(app, request, Problem::absent()))
        .method_not_allowed_fallback(|State(app): State<App>, request: Request| {
            let problem = Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "route.method",
                "this address does not take that method",
            );
            unrouted(app, request, problem)
        })
        .layer(RequestDecompressionLayer::new())
        .layer(packing)
        .layer(axum::middleware::map_response_with_state(app.clone(), finish))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
}

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

/// What is known of a request before it reaches its route.
struct Head {
    language: Language,
    headers: HeaderMap,
    uri: String,
    peer: IpAddr,
}

fn head(request: &Request) -> Head {
    let headers = request.headers().clone();
    let language = Language::choose(
        crate::ask::cookie(&headers, LANGUAGE_COOKIE),
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()),
    );
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
    let uri = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    Head { language, headers, uri, peer }
}

async fn unrouted(app: App, request: Request, problem: Problem) -> Response {
    let head = head(&request);
    let face = if request.uri().path().starts_with("/taxii2") {
        // TAXII paths end in `/`; not every client's do. Whether anything is there is not told: all are sent on alike.
        if problem.status == StatusCode::NOT_FOUND && !request.uri().path().ends_with('/') {
            let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
            let location = format!("{}/{query}", request.uri().path());
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response();
        }
        Face::Taxii
    } else if request.uri().path().starts_with("/misp/") {
        Face::Misp
    } else if request.uri().path().starts_with("/api/") || !wants_html(&head.headers) {
        Face::Api
    } else {
        Face::Page
    };
    render(&app, face, &head, &problem)
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"))
}

async fn dispatch(route: &'static Route, app: App, request: Request) -> Response {
    let head = head(&request);
    let started = app.started();
    let kept = HeadCopy {
        language: head.language,
        headers: head.headers.clone(),
        uri: head.uri.clone(),
        peer: head.peer,
    };
    let work = answer(route, app.clone(), head, request);
    let result = if matches!(route.face, Face::Stream) {
        work.await
    } else {
        match tokio::time::timeout(Duration::from_secs(limits::REQUEST_TIMEOUT_SECONDS), work).await {
            Ok(result) => result,
            Err(_) => Err(Problem::busy("this took too long and was given up; try again")),
        }
    };
    let response = result.unwrap_or_else(|problem| {
        render(
            &app,
            route.face,
            &Head { language: kept.language, headers: kept.headers, uri: kept.uri, peer: kept.peer },
            &problem,
        )
    });
    metrics::histogram!("shieldwall_request_seconds", "route" => route.path, "method" => route.method.as_str())
        .record(started.elapsed().as_secs_f64());
    metrics::counter!("shieldwall_requests_total", "route" => route.path, "status" => response.status().as_u16().to_string())
        .increment(1);
    response
}

type HeadCopy = Head;

async fn answer(route: &'static Route, app: App, head: Head, request: Request) -> Result<Response, Problem> {
    // Health must answer while everything else is shed.
    let _place = if route.path == "/api/v1/health" { None } else { Some(app.place()?) };
    if head.uri.len() > limits::QUERY_BYTES_MAX * 2
        || request.uri().query().is_some_and(|query| query.len() > limits::QUERY_BYTES_MAX)
    {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "query.too_long",
            format!("a query string holds at most {} bytes", limits::QUERY_BYTES_MAX),
        ));
    }
    let unsafe_method = !matches!(*request.method(), Method::GET | Method::HEAD);
    if unsafe_method {
        same_site(&head.headers)?;
    }
    let query = read_pairs(request.uri().query().unwrap_or("").as_bytes());
    let (mut parts, body) = request.into_parts();
    let path = path_parameters(&mut parts).await;
    match &route.run {
        Run::Open(handler) => {
            debug_assert!(extent(Role::Public, route.action) != shieldwall_model::access::Extent::Never);
            let front = Front::new(app, path, query, head.headers, head.uri, head.peer, head.language, body);
            handler(front).await
        }
        Run::Guarded(handler) => {
            let known = match route.face {
                Face::Misp => auth::known_bare(&app, &head.headers).await,
                _ => auth::known(&app, &head.headers).await,
            };
            let known = known?.ok_or_else(|| {
                Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "auth.needed",
                    "sign in, or send an API token as `Authorization: Bearer swt_…`",
                )
            })?;
            if !known.reader.may(route.action) {
                if route.face == Face::Taxii {
                    taxii::hide(&app, &known.reader, path.get("collection"))?;
                }
                known.reader.permit(route.action)?;
            }
            let body = match &known.session {
                Some(session) if unsafe_method => csrf(&session.csrf, &head.headers, body).await?,
                _ => body,
            };
            let front = Front::new(app, path, query, head.headers, head.uri, head.peer, head.language, body);
            handler(Ask::new(front, known.reader, route.action, known.session)).await
        }
    }
}

async fn path_parameters(parts: &mut axum::http::request::Parts) -> BTreeMap<String, String> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(parameters) => {
            parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }
        Err(_) => BTreeMap::new(),
    }
}

/// Refuses a change that another site's page asks for (Fetch Metadata, `Sec-Fetch-Site`).
fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    match site {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "auth.csrf",
            "this change was asked for by another site's page",
        )),
    }
}

/// Looks for the session's token in the `X-CSRF-Token` header, else in the form field `csrf`; gives the body back.
async fn csrf(wanted: &str, headers: &HeaderMap, body: Body) -> Result<Body, Problem> {
    let equal = |given: &str| bool::from(given.as_bytes().ct_eq(wanted.as_bytes()));
    if headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).is_some_and(equal) {
        return Ok(body);
    }
    let wrong = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "auth.csrf",
            "this form has grown old; load the page again and send it once more",
        )
    };
    let is_form =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.starts_with("application/x-www-form-urlencoded") || multipart::boundary(value).is_some()
        });
    if !is_form {
        return Err(wrong());
    }
    let bytes = axum::body::to_bytes(body, limits::BODY_BYTES_MAX).await.map_err(|_| wrong())?;
    if Form::read(headers, &bytes).all("csrf").any(equal) { Ok(Body::from(bytes)) } else { Err(wrong()) }
}

/// A problem in the manner of the route's face.
fn render(app: &App, face: Face, head: &Head, problem: &Problem) -> Response {
    match face {
        Face::Api | Face::Asset | Face::Stream => problem.clone().into_response(),
        Face::Misp => problem.mark(misp::problem(problem, &head.uri)),
        Face::Taxii => problem.mark(taxii::problem(problem)),
        Face::Page if problem.status == StatusCode::UNAUTHORIZED => {
            let next: String = url::form_urlencoded::byte_serialize(head.uri.as_bytes()).collect();
            if head.headers.contains_key("hx-request") {
                // A fragment cannot be a redirect: htmx is told to move the whole page.
                return (StatusCode::NO_CONTENT, [("hx-redirect", "/sign-in")]).into_response();
            }
            see_other(&format!("/sign-in?next={next}"))
        }
        Face::Page => problem.mark(pages::problem(app, head.language, problem)),
    }
}

/// The headers on every answer, errors too.
async fn finish(State(app): State<App>, mut response: Response) -> Response {
    const FIXED: [(HeaderName, &str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if app.speaks_tls() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "hub.fault",
        "the hub could not do this; its log says why",
    )
    .into_response()
}
