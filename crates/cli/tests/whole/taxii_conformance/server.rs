//! Sections 4 and 8: discovery, API root, status, TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Method;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use serde_json::json;
use shieldwall_exchange::taxii::{Status, StatusState};
use shieldwall_hub::{Config, Hub, Running, TlsFiles};
use shieldwall_model::access::Role;
use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::{ManualClock, SystemClock, Timestamp};

use super::Outcome;
use super::stage::{ADDRESS, STATED, STATEMENT, Stage, TAXII, ask, hold, listed, text, tool};
use crate::support::{Answer, World};

pub(super) async fn discovery_is_at_the_root(stage: &Stage) -> Outcome {
    let body = stage.json("/taxii2/").await;
    hold(body["title"].is_string() && body["api_roots"].is_array(), || body.to_string())
}

pub(super) async fn default_is_one_of_the_roots(stage: &Stage) -> Outcome {
    let body = stage.json("/taxii2/").await;
    hold(listed(&body, "api_roots").contains(&body["default"]), || body.to_string())?;
    let root = text(&body["default"]);
    let root = stage.json(root.strip_prefix(&stage.world.url()).unwrap_or(&root)).await;
    hold(root["title"].is_string(), || root.to_string())
}

pub(super) async fn roots_are_https_or_paths(stage: &Stage) -> Outcome {
    for root in listed(&stage.json("/taxii2/").await, "api_roots") {
        let root = text(&root);
        let path = root.starts_with('/') && !root.starts_with("//");
        hold((path || root.starts_with("https://")) && !root.contains('?'), || root)?;
    }
    Ok(())
}

pub(super) async fn roots_are_unique(stage: &Stage) -> Outcome {
    let roots = listed(&stage.json("/taxii2/").await, "api_roots");
    hold(roots.len() == 1, || format!("{roots:?}"))
}

pub(super) async fn versions_of_the_root(stage: &Stage) -> Outcome {
    let versions = stage.json("/taxii2/api/").await["versions"].clone();
    hold(versions == json!([TAXII]), || versions.to_string())
}

pub(super) async fn max_content_length(stage: &Stage) -> Outcome {
    let max = stage.json("/taxii2/api/").await["max_content_length"].as_u64().unwrap_or(0);
    let (_, object) = tool(1, "2026-01-01T00:00:00.000Z");
    let envelope = format!("{{\"objects\":[{object}]}}");
    let post = |length: u64| {
        let padded = format!("{envelope}{}", " ".repeat(usize::try_from(length).unwrap() - envelope.len()));
        let request = stage.analyst.change(Method::POST, &format!("{}objects/", stage.scratch));
        Answer::to(request.header("accept", TAXII).header("content-type", TAXII).body(padded))
    };
    for (length, wanted) in [(max - 1, 202), (max, 202), (max + 1, 413)] {
        let status = post(length).await.status;
        hold(status == wanted, || format!("{length} bytes: {status}, not {wanted}"))?;
    }
    Ok(())
}

pub(super) async fn status_counts(stage: &Stage) -> Outcome {
    let status: Status = serde_json::from_value(stage.status.clone()).map_err(|error| error.to_string())?;
    let counts = [status.total_count, status.success_count, status.failure_count, status.pending_count];
    hold(status.status == StatusState::Complete && counts == [14, 13, 1, 0], || stage.status.to_string())?;
    let again = stage.json(&format!("/taxii2/api/status/{}/", status.id)).await;
    hold(again == stage.status, || again.to_string())
}

pub(super) async fn status_details(stage: &Stage) -> Outcome {
    let told = |list: &str| -> Vec<(String, String)> {
        let details = listed(&stage.status, list);
        details.iter().map(|detail| (text(&detail["id"]), text(&detail["version"]))).collect()
    };
    let (successes, failures) = (told("successes"), told("failures"));
    for version in &stage.versions {
        hold(successes.contains(&(stage.tool.clone(), version.clone())), || format!("{successes:?}"))?;
    }
    hold(successes.contains(&(STATEMENT.into(), STATED.into())), || format!("{successes:?}"))?;
    hold(successes.iter().any(|(id, _)| id == ADDRESS), || format!("{successes:?}"))?;
    // What was refused is told with the version it came in all the same.
    let failed =
        ("tool--0f4c2a1e-5f20-4b7e-8a11-000000000021".to_owned(), "2026-01-01T05:00:00.000Z".to_owned());
    hold(failures == [failed], || format!("{failures:?}"))
}

pub(super) async fn a_status_that_is_gone(stage: &Stage) -> Outcome {
    for id in ["2d086da7-4bdc-4f91-900e-d77486753710", "1"] {
        let answer = stage.get(&format!("/taxii2/api/status/{id}/")).await;
        hold(answer.status == 404, || format!("{id}: {}", answer.status))?;
    }
    let start = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let clock = Arc::new(ManualClock::new(start));
    let world = World::start_by(clock.clone()).await;
    let analyst = world.token("LU", Role::Analyst).await;
    let home = super::stage::path(shieldwall_model::id::GroupId::home_of(world.member("LU").id));
    let request = analyst.change(Method::POST, &format!("{home}objects/"));
    let body = format!("{{\"objects\":[{}]}}", tool(1, "2026-01-01T00:00:00.000Z").1);
    let request = request.header("accept", TAXII).header("content-type", TAXII).body(body);
    let status = Answer::to(request).await.expect(202).json();
    let path = format!("/taxii2/api/status/{}/", text(&status["id"]));
    let mut found = Vec::new();
    // The standard asks for 24 hours at least (SHOULD); the house keeps it for 48.
    for hours in [24, 47, 49] {
        clock.set(start.plus_seconds(hours * 3_600));
        found.push(ask(&analyst, Method::GET, &path).await.status);
    }
    world.end().await;
    hold(found == [200, 200, 404], || format!("{found:?}"))
}

/// A hub that speaks TLS, with the certificate of the tests.
async fn tls_hub(stage: &Stage) -> Running {
    let tls = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let mut config = Config::new(stage.world.beside(&format!("tls-{}", stage.world.number())));
    config.listen.set_port(0);
    config.tls = Some(TlsFiles { certificates: tls.join("localhost.pem"), key: tls.join("localhost.key") });
    Hub::start(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.expect("a hub with TLS")
}

/// The status of discovery without a token over TLS of this version.
async fn over_tls(stage: &Stage, version: reqwest::tls::Version) -> u16 {
    let hub = tls_hub(stage).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .tls_version_min(version)
        .tls_version_max(version)
        .build()
        .expect("a client");
    let answer =
        client.get(format!("https://{}/taxii2/", hub.address())).header("accept", TAXII).send().await;
    let status = answer.expect("an answer over TLS").status().as_u16();
    hub.stop().await.expect("the hub closes in order");
    status
}

pub(super) async fn https_is_spoken(stage: &Stage) -> Outcome {
    let status = over_tls(stage, reqwest::tls::Version::TLS_1_3).await;
    hold(status == 401, || status.to_string())
}

pub(super) async fn tls_12_is_accepted(stage: &Stage) -> Outcome {
    let status = over_tls(stage, reqwest::tls::Version::TLS_1_2).await;
    hold(status == 401, || status.to_string())
}

/// Two connections, the second resumed: the ticket of the first must not offer early data.
pub(super) async fn no_early_data(stage: &Stage) -> Outcome {
    let hub = tls_hub(stage).await;
    let address = hub.address();
    let found = tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        config.enable_early_data = true;
        let config = Arc::new(config);
        let mut found = Vec::new();
        for _ in 0..2 {
            let name = ServerName::try_from("localhost").expect("a name");
            let mut tls = ClientConnection::new(Arc::clone(&config), name).expect("a connection");
            let early = tls.early_data().is_some();
            let mut tcp = TcpStream::connect(address).expect("the hub listens");
            let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
            stream
                .write_all(b"GET /taxii2/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .expect("sent");
            let mut answer = Vec::new();
            // The end may come without TLS's own goodbye.
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
            found.push((early, tls.handshake_kind()));
        }
        found
    })
    .await
    .expect("two connections");
    hub.stop().await.expect("the hub closes in order");
    let wanted = [(false, Some(HandshakeKind::Full)), (false, Some(HandshakeKind::Resumed))];
    hold(found == wanted, || format!("{found:?}"))
}

/// Takes any certificate: what is tried here is not the client's trust.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
            SignatureScheme::RSA_PSS_SHA256,
        ]
    }
}
