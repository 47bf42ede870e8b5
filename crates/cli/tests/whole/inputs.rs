//! What a sensor reads beside files: syslog over UDP, TCP and TLS, and packed files.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use shieldwall_model::access::Role;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_sensor::agent::SensorEvent;
use shieldwall_sensor::config::InputDraft;

use crate::support::World;
use crate::support::sensor::{Post, Sensor};
use crate::support::stix::{domain, story};

fn tls(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn input(path: &str) -> InputDraft {
    InputDraft { path: path.into(), ..InputDraft::default() }
}

/// The address of the input that begins with `scheme`.
async fn address(sensor: &mut Sensor, scheme: &str) -> SocketAddr {
    let fits = |event: &SensorEvent| matches!(event, SensorEvent::Listening { input, .. } if input.starts_with(scheme));
    match sensor.until(scheme, fits).await {
        SensorEvent::Listening { address, .. } => address,
        other => panic!("{other:?}"),
    }
}

/// The field and value of the next match.
async fn matched(sensor: &mut Sensor) -> (String, String) {
    let event = sensor.until("a match", |event| matches!(event, SensorEvent::Matched { .. })).await;
    match event {
        SensorEvent::Matched { field, value, .. } => (field, value),
        other => panic!("{other:?}"),
    }
}

/// Trusts the certificate of the tests, which signed itself, and no other.
#[derive(Debug)]
struct Known(CertificateDer<'static>);

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *shown == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("another certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn over_tls(address: SocketAddr, messages: &[u8]) {
    let known = Known(CertificateDer::from_pem_file(tls("localhost.pem")).unwrap());
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(known))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    stream.write_all(messages).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syslog_over_udp_tcp_and_tls_is_matched() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let bad = domain("evil-syslog.example");
    let told = story(world.member("LU").id, &bad, IndicatorRole::Malicious, "Grey Heron", world.now());
    analyst.post("/api/v1/objects", "application/json", told.bundle).await.expect(200);
    let token = world.token("EE", Role::Sensor).await;
    let post = Post::new(&world, "estonia", &token);
    let secured = InputDraft {
        certificates: Some(tls("localhost.pem")),
        key: Some(tls("localhost.key")),
        ..input("syslog+tls://127.0.0.1:0")
    };
    let inputs = vec![input("syslog+udp://127.0.0.1:0"), input("syslog+tcp://127.0.0.1:0"), secured];
    let mut sensor = post.start_on(inputs);
    // Nothing is listened for before the watchlist is there.
    let udp = address(&mut sensor, "syslog+udp").await;
    let tcp = address(&mut sensor, "syslog+tcp").await;
    let secure = address(&mut sensor, "syslog+tls").await;

    let query = "<30>Nov 25 08:29:25 ns named[8]: client @0x7f 192.0.2.1#53 (www.evil-syslog.example): query: www.evil-syslog.example IN A +";
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(query.as_bytes(), udp).unwrap();
    assert_eq!(matched(&mut sensor).await, ("query".into(), "www.evil-syslog.example".into()));

    let eve = r#"<13>1 2026-11-25T08:29:25Z ids suricata - - - {"timestamp":"2026-11-25T08:29:25Z","event_type":"dns","src_ip":"192.0.2.1","dns":{"rrname":"tcp.evil-syslog.example"}}"#;
    TcpStream::connect(tcp).unwrap().write_all(format!("{} {eve}", eve.len()).as_bytes()).unwrap();
    assert_eq!(matched(&mut sensor).await, ("dns.rrname".into(), "tcp.evil-syslog.example".into()));

    let said = "<13>1 2026-11-25T08:29:25Z host app - - - asked tls.evil-syslog.example for more";
    let framed = format!("{} {said}", said.len());
    tokio::task::spawn_blocking(move || over_tls(secure, framed.as_bytes())).await.unwrap();
    assert_eq!(matched(&mut sensor).await, ("message".into(), "tls.evil-syslog.example".into()));
    let summary = sensor.stop().await;
    assert_eq!((summary.events, summary.matches, summary.dropped_messages), (3, 3, 0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packed_files_are_read_and_not_read_again() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let bad = domain("evil-packed.example");
    let told = story(world.member("LU").id, &bad, IndicatorRole::Malicious, "Grey Heron", world.now());
    analyst.post("/api/v1/objects", "application/json", told.bundle).await.expect(200);
    let token = world.token("EE", Role::Sensor).await;
    let post = Post::new(&world, "estonia", &token);
    let folder = tempfile::tempdir().unwrap();
    let line = "1764059365.123 200 192.0.2.10 TCP_MISS/200 5 GET http://evil-packed.example/a - HIER_DIRECT/192.0.2.7 -\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(line.as_bytes()).unwrap();
    let (first, second) = (folder.path().join("access.log.1.gz"), folder.path().join("access.log.2.zst"));
    std::fs::write(&first, packed.finish().unwrap()).unwrap();
    std::fs::write(&second, zstd::encode_all(line.as_bytes(), 1).unwrap()).unwrap();
    let inputs = || vec![input(first.to_str().unwrap()), input(second.to_str().unwrap())];

    let mut sensor = post.start_on(inputs());
    assert_eq!(matched(&mut sensor).await, ("url".into(), "evil-packed.example".into()));
    assert_eq!(matched(&mut sensor).await, ("url".into(), "evil-packed.example".into()));
    let summary = sensor.ended().await;
    assert_eq!((summary.events, summary.matches), (2, 2));

    let sensor = post.start_on(inputs());
    assert_eq!(sensor.ended().await.events, 0, "what was read is not read again");
    world.end().await;
}
