//! A notice as a POST: JSON, signed so that its receiver knows whose it is and that it is fresh.
//!
//! `X-Shieldwall-Signature: t=<seconds since 1970>,v1=<hex>`, where the hex is HMAC-SHA-256 (RFC 2104) under the secret
//! shown when the search was kept, over the time as written, a full stop, and the body. A receiver computes it anew,
//! compares in constant time, and refuses times that lie more than a few minutes off.

use axum::http::{HeaderName, HeaderValue, header};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use shieldwall_fetch::{Fetcher, Request};

use super::Notice;
use crate::app::App;
use crate::searches::kept::{Kept, WEBHOOK};

/// Most bytes of a receiver's answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long a receiver may take, in seconds.
const ANSWER_SECONDS_MAX: u64 = 10;

/// The signature of a body sent at `seconds`.
pub fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// Posts a notice. The error is what the log of the search shows: never more than the host.
pub(super) async fn post(app: &App, kept: &Kept, notice: &Notice) -> Result<(), String> {
    let webhook = kept.webhook.as_ref().ok_or("there is no address any more")?;
    let secret = app.seal().reveal(WEBHOOK, &webhook.secret);
    let secret = secret.ok_or("its secret cannot be opened under this hub's key; keep the search anew")?;
    let body = serde_json::to_vec(notice).map_err(|error| error.to_string())?;
    let signature = signature(&secret, app.now().as_seconds(), &body);
    let url = Fetcher::read_url(&webhook.url).map_err(|error| error.to_string())?;
    let signature = HeaderValue::from_str(&signature).map_err(|error| error.to_string())?;
    let request = Request {
        headers: vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("x-shieldwall-signature"), signature),
        ],
        body: Some(body.into()),
        seconds_max: ANSWER_SECONDS_MAX,
        ..Request::get(url, ANSWER_BYTES_MAX)
    };
    let answer = app.fetcher().fetch(request).await.map_err(|error| error.to_string())?;
    if answer.status.is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status.as_u16())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_time_and_body() {
        // printf '1767225600.{}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            signature("secret", 1_767_225_600, b"{}"),
            "t=1767225600,v1=fa7eaa06bf97d7815f3f456e97cde70c9e50cb005f01660c8d10b10c21964887"
        );
        assert_ne!(signature("secret", 1, b"{}"), signature("other", 1, b"{}"));
    }
}
