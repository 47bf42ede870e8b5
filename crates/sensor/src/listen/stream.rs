//! Connections: plain or in TLS, each on a thread of its own, bounded in number and patience.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::frames::Frames;
use super::{CONNECTIONS_MAX, ListenError, TlsFiles, push_line};
use crate::feed::{Block, State};

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// How long a connection may be quiet between messages, in seconds. Senders keep one open for long.
const IDLE_SECONDS: u64 = 3_600;
/// How long a message, or the greeting of TLS, may take, in seconds.
const MESSAGE_SECONDS: u64 = 30;
/// How often a quiet connection looks whether it is to stop, in milliseconds.
const LOOK_MILLISECONDS: u64 = 250;
/// Stack of a connection's thread in bytes: the greeting of TLS is the deepest.
const STACK_BYTES: usize = 512 * 1024;

/// Reads the files of a TLS listener.
pub(super) fn tls(files: &TlsFiles) -> Result<Arc<ServerConfig>, ListenError> {
    let wrong = |path: &Path, reason: String| ListenError::Certificate { path: path.to_owned(), reason };
    let chain = certificates(&files.certificates)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, error.to_string()))?;
    let provider = Arc::new(default_provider());
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&files.certificates, error.to_string()))?;
    let authenticated = match &files.client_ca {
        None => versions.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| wrong(path, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| wrong(path, error.to_string()))?;
            versions.with_client_cert_verifier(verifier)
        }
    };
    let config = authenticated.with_single_cert(chain, key);
    config.map(Arc::new).map_err(|error| wrong(&files.certificates, error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ListenError> {
    let wrong = |reason: String| ListenError::Certificate { path: path.to_owned(), reason };
    let all = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if all.is_empty() { Err(wrong("there is no certificate in it".into())) } else { Ok(all) }
}

/// Takes connections until it is to stop.
pub(super) fn serve(
    listener: &TcpListener,
    tls: Option<&Arc<ServerConfig>>,
    to: &SyncSender<Block>,
    state: &Arc<State>,
) {
    let open = Arc::new(AtomicUsize::new(0));
    let mut troubled = false;
    while !state.is_stopped() {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: others will end.
                state.say(Some(error.to_string()));
                troubled = true;
                std::thread::sleep(Duration::from_millis(LOOK_MILLISECONDS));
                continue;
            }
        };
        if state.is_stopped() {
            return;
        }
        if open.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::AcqRel);
            state.say(Some(format!("more than {CONNECTIONS_MAX} connections: {peer} was turned away")));
            troubled = true;
            continue;
        }
        if std::mem::take(&mut troubled) {
            state.say(None);
        }
        let slot = Slot(Arc::clone(&open));
        let (tls, to, state) = (tls.cloned(), to.clone(), Arc::clone(state));
        let thread = std::thread::Builder::new().name("shieldwall-syslog".into()).stack_size(STACK_BYTES);
        let started = thread.spawn(move || {
            let _slot = slot;
            connection(stream, peer, tls, &to, &state);
        });
        if let Err(error) = started {
            tracing::warn!(%error, "a connection cannot be served");
        }
    }
}

/// One of the connections that may be open; gives itself back.
struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    to: &SyncSender<Block>,
    state: &State,
) {
    let look = Some(Duration::from_millis(LOOK_MILLISECONDS));
    if stream.set_read_timeout(look).is_err() || stream.set_write_timeout(look).is_err() {
        return;
    }
    let ended = match tls {
        None => read(stream, to, state, |_| false),
        Some(config) => match ServerConnection::new(config) {
            Ok(greeting) => {
                read(StreamOwned::new(greeting, stream), to, state, |tls| tls.conn.is_handshaking())
            }
            Err(error) => Err(std::io::Error::other(error)),
        },
    };
    if let Err(error) = ended {
        tracing::warn!(%peer, %error, "a syslog connection ended badly");
    }
}

/// Reads messages until the sender or the sensor stops, or patience ends.
fn read<S: Read>(
    mut stream: S,
    to: &SyncSender<Block>,
    state: &State,
    is_greeting: impl Fn(&S) -> bool,
) -> std::io::Result<()> {
    let (mut frames, mut buffer) = (Frames::default(), vec![0; READ_BYTES]);
    let mut since = Instant::now();
    loop {
        let mut block = Block::default();
        let over = match stream.read(&mut buffer) {
            Ok(0) => {
                frames.last(|message| _ = push_line(message, &mut block.lines));
                true
            }
            Ok(length) => {
                let (within, before) = (frames.is_within(), block.lines.len());
                frames.take(buffer.get(..length).unwrap_or_default(), |message| {
                    push_line(message, &mut block.lines);
                });
                // A message that goes on is as old as its first byte.
                if !within || block.lines.len() > before {
                    since = Instant::now();
                }
                false
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(error) if error.kind() == ErrorKind::Interrupted => false,
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                frames.last(|message| _ = push_line(message, &mut block.lines));
                true
            }
            Err(error) => return Err(error),
        };
        block.skipped = frames.take_skipped();
        if (!block.lines.is_empty() || block.skipped > 0) && to.send(block).is_err() {
            return Ok(());
        }
        if over || state.is_stopped() {
            return Ok(());
        }
        let patience =
            if frames.is_within() || is_greeting(&stream) { MESSAGE_SECONDS } else { IDLE_SECONDS };
        if since.elapsed() > Duration::from_secs(patience) {
            return Err(std::io::Error::new(ErrorKind::TimedOut, "it was quiet for too long"));
        }
    }
}
