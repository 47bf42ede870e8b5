//! What the hub answers when it cannot do what was asked: RFC 9457 `problem+json` with stable codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_model::access::Denied;

/// Why a request was not done, in words for the one who asked.
///
/// What went wrong inside is logged once, where it happened, and never told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code, such as `auth.token.unknown`.
    pub code: &'static str,
    /// What to do about it.
    pub detail: String,
    /// After how many seconds to try again, where that helps.
    pub retry_after_seconds: Option<u64>,
}

/// The body of a problem (RFC 9457 section 3).
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemBody {
    /// Always `about:blank`: the code says which problem it is.
    #[serde(rename = "type")]
    pub problem_type: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// What to do about it.
    pub detail: String,
}

impl Problem {
    /// A problem of this status, code and advice.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_seconds: None }
    }

    /// 400: the request cannot be read.
    pub fn unreadable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404: absent, or hidden from this reader.
    pub fn absent() -> Self {
        Denied::Hidden.into()
    }

    /// 422: read, and refused for what it says.
    pub fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 503: try again in a second.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "hub.busy", detail)
        }
    }

    /// 500: logs `error` with its sources, tells only that it happened.
    pub fn fault(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(error = %chain, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "hub.fault",
            "the hub could not do this; its log says why",
        )
    }

    /// The body as JSON.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            problem_type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail.clone(),
        }
    }

    /// Sets `Retry-After` where it helps, and `WWW-Authenticate` on 401.
    pub fn mark(&self, mut response: Response) -> Response {
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer, Basic realm=\"shieldwall\""),
            );
        }
        response
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let status = match denied {
            Denied::Hidden => StatusCode::NOT_FOUND,
            Denied::Role { .. } => StatusCode::FORBIDDEN,
        };
        Self::new(status, denied.code(), denied.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let response =
            (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        self.mark(response)
    }
}
