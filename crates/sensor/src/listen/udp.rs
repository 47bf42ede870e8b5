//! Datagrams (RFC 5426): one is one message.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use super::push_line;
use crate::feed::{Block, State};

/// How much the kernel is asked to hold, in bytes; the system's own limit may be lower.
const RECEIVE_BUFFER_BYTES: usize = 8 * 1024 * 1024;
/// Largest datagram in bytes.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// How many bytes of lines make a block, and how many may wait in all while matching is behind.
const BLOCK_BYTES: usize = 256 * 1024;
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often a quiet listener looks whether it is to stop, in milliseconds.
const LOOK_MILLISECONDS: u64 = 100;
/// How often the kernel is asked what it dropped, in seconds.
const KERNEL_SECONDS: u64 = 1;

pub(super) fn serve(socket: &UdpSocket, to: &SyncSender<Block>, state: &State) {
    // The system may say no: then it stays as it is.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER_BYTES);
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut waiting = Block::default();
    let mut kernel = Kernel::new(socket);
    let mut troubled = false;
    while !state.is_stopped() {
        if let Err(error) = receive(socket, &mut buffer, &mut waiting, state) {
            state.say(Some(error.to_string()));
            troubled = true;
            std::thread::sleep(Duration::from_millis(LOOK_MILLISECONDS));
        } else if std::mem::take(&mut troubled) {
            state.say(None);
        }
        kernel.look(state);
        if waiting.lines.is_empty() {
            continue;
        }
        match to.try_send(std::mem::take(&mut waiting)) {
            Ok(()) => {}
            // Matching is behind: go on gathering, up to the limit.
            Err(TrySendError::Full(block)) => waiting = block,
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

/// Waits a moment for a datagram, then takes all there are, up to a block.
fn receive(socket: &UdpSocket, buffer: &mut [u8], waiting: &mut Block, state: &State) -> std::io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(Duration::from_millis(LOOK_MILLISECONDS)))?;
    let from = waiting.lines.len();
    let mut first = true;
    while waiting.lines.len() - from < BLOCK_BYTES {
        match socket.recv(buffer) {
            Ok(length) => {
                let message = buffer.get(..length).unwrap_or_default();
                if waiting.lines.len() + length > WAITING_BYTES_MAX {
                    state.drop_messages(1);
                    if !first {
                        return Ok(());
                    }
                } else {
                    push_line(message, &mut waiting.lines);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            // An answer to something this port once sent.
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(error),
        }
        if std::mem::take(&mut first) {
            socket.set_nonblocking(true)?;
        }
    }
    Ok(())
}

/// What the kernel dropped before it was read, where it tells (Linux, `/proc/net/udp`).
struct Kernel {
    port: u16,
    dropped: u64,
    looked: Instant,
}

impl Kernel {
    fn new(socket: &UdpSocket) -> Self {
        let port = socket.local_addr().map_or(0, |address| address.port());
        Self { port, dropped: dropped_at(port).unwrap_or(0), looked: Instant::now() }
    }

    fn look(&mut self, state: &State) {
        if self.looked.elapsed() < Duration::from_secs(KERNEL_SECONDS) {
            return;
        }
        self.looked = Instant::now();
        let now = dropped_at(self.port).unwrap_or(self.dropped);
        state.drop_messages(now.saturating_sub(self.dropped));
        self.dropped = now;
    }
}

fn dropped_at(port: u16) -> Option<u64> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    let texts = tables.iter().filter_map(|table| std::fs::read_to_string(table).ok());
    let mut sum = None;
    for text in texts {
        for line in text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let local = words.nth(1).and_then(|address| address.rsplit_once(':'));
            let is_it = local.is_some_and(|(_, hex)| u16::from_str_radix(hex, 16) == Ok(port));
            if is_it && let Some(count) = words.next_back().and_then(|word| word.parse::<u64>().ok()) {
                sum = Some(sum.unwrap_or(0) + count);
            }
        }
    }
    sum
}
