//! Syslog from the network: over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).
//!
//! Each message becomes one line, as the `syslog` mapping and those of BIND, Postfix and the like read it; a message
//! that is a JSON object is passed on without its header, so that Suricata's EVE by way of syslog is EVE.
//!
//! Everything is bounded: the length of a message, how many connections there are, how long one may be idle or stay in
//! the middle of a message. A sender over TCP or TLS is made to wait when matching is behind; a datagram that finds no
//! room is dropped and counted, as is what the kernel drops before it is read, where the system tells.

mod frames;
mod stream;
mod udp;

use std::fmt;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use shieldwall_watch::decode::syslog;

use crate::feed::{Block, State};

/// Longest message in bytes. RFC 5425 asks for 2,048 at least; a datagram holds at most 65,507.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Most connections at a time.
pub const CONNECTIONS_MAX: usize = 256;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram, one message.
    Udp,
    /// A stream, messages counted or ended by a line feed.
    Tcp,
    /// The same in TLS.
    Tls,
}

/// The files of a TLS listener, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those that lead to one that senders trust.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who signs senders' certificates; without it any sender is listened to.
    pub client_ca: Option<PathBuf>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// How.
    pub transport: Transport,
    /// Address and port; port 0 is any that is free.
    pub address: SocketAddr,
    /// For TLS.
    pub tls: Option<TlsFiles>,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        };
        write!(f, "syslog+{scheme}://{}", self.address)
    }
}

/// Whether an input's path is an address to listen on.
pub fn is_listen(path: &str) -> bool {
    path.starts_with("syslog+")
}

/// Reads `syslog+udp://127.0.0.1:5514`; what is wrong with it otherwise.
pub(crate) fn parse(path: &str) -> Result<(Transport, SocketAddr), String> {
    let hint = "write syslog+udp://, syslog+tcp:// or syslog+tls:// and an address with its port, such as syslog+udp://127.0.0.1:5514";
    let (scheme, rest) = path.split_once("://").ok_or_else(|| format!("has no address: {hint}"))?;
    let transport = match scheme {
        "syslog+udp" => Transport::Udp,
        "syslog+tcp" => Transport::Tcp,
        "syslog+tls" => Transport::Tls,
        _ => return Err(format!("is of a kind that is not known: {hint}")),
    };
    let address = rest.strip_suffix('/').unwrap_or(rest);
    let address = address.parse().map_err(|_| format!("names no address to listen on: {hint}"))?;
    Ok((transport, address))
}

/// Why an input cannot be listened for.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {listen}: {source}; choose an address of this machine and a free port")]
    Bind {
        /// Where.
        listen: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("cannot use {path} for TLS: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl ListenError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "sensor.listen.bind",
            Self::Certificate { .. } => "sensor.listen.certificate",
        }
    }
}

/// Starts listening; blocks go to `to` until it is closed or the state says stop. Returns the address in use.
pub(crate) fn start(
    listen: &Listen,
    to: SyncSender<Block>,
    state: Arc<State>,
) -> Result<SocketAddr, ListenError> {
    let bind = |source| ListenError::Bind { listen: listen.to_string(), source };
    if listen.transport == Transport::Udp {
        let socket = UdpSocket::bind(listen.address).map_err(bind)?;
        let address = socket.local_addr().map_err(bind)?;
        std::thread::spawn(move || udp::serve(&socket, &to, &state));
        return Ok(address);
    }
    let tls = listen.tls.as_ref().map(stream::tls).transpose()?;
    let listener = TcpListener::bind(listen.address).map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    std::thread::spawn(move || stream::serve(&listener, tls.as_ref(), &to, &state));
    Ok(address)
}

/// Lets a listener for connections notice that it is to stop. Over UDP it looks by itself.
pub(crate) fn wake(address: SocketAddr) {
    let mut to = address;
    if to.ip().is_unspecified() {
        to.set_ip(if to.is_ipv6() {
            std::net::Ipv6Addr::LOCALHOST.into()
        } else {
            std::net::Ipv4Addr::LOCALHOST.into()
        });
    }
    let _ = TcpStream::connect_timeout(&to, Duration::from_millis(200));
}

/// Appends a message to `lines` as one line; false if there is nothing in it.
fn push_line(message: &[u8], lines: &mut Vec<u8>) -> bool {
    let message = message.trim_ascii_end();
    let message = message.strip_suffix(b"\0").unwrap_or(message).trim_ascii_end();
    let text = match syslog::parse(message) {
        Some(parsed) => {
            let said = parsed.text.trim_ascii_start();
            let said = said.strip_prefix(b"@cee:").unwrap_or(said).trim_ascii_start();
            if said.starts_with(b"{") && said.ends_with(b"}") { said } else { message }
        }
        None => message,
    };
    if text.is_empty() {
        return false;
    }
    lines.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r' | b'\0') { b' ' } else { *byte }));
    lines.push(b'\n');
    true
}

#[cfg(test)]
mod tests;
