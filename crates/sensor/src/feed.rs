//! Inputs that are read on threads of their own: standard input, packed files, syslog from the network.
//!
//! A thread hands over blocks of whole lines and reads ahead a few of them, no more: then it waits, and with it whoever
//! writes. Only a datagram cannot be made to wait: what finds no room is dropped and counted.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::follow::{FollowError, Position};
use crate::lines::{Filled, LineBuffer};
use crate::listen::{self, Listen, ListenError, Transport};
use crate::packed;

/// How many blocks are read ahead.
const BLOCKS_AHEAD: usize = 4;
/// How many blocks of syslog may wait: many senders hand over small ones.
const BLOCKS_WAITING: usize = 64;

/// Whole lines, and what reading them told.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) lines: Vec<u8>,
    /// Lines passed over because they were too long, since the last block.
    pub(crate) skipped: u64,
    /// How far the file was read with these lines.
    pub(crate) position: Option<Position>,
}

/// What the reading threads and the feed have in common.
#[derive(Debug, Default)]
pub(crate) struct State {
    stopped: AtomicBool,
    dropped: AtomicU64,
    problem: Mutex<Option<String>>,
}

impl State {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn drop_messages(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Says what is wrong, or that nothing is any more.
    pub(crate) fn say(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// An input read on a thread of its own. Dropping it stops the reading.
#[derive(Debug)]
pub(crate) struct Feed {
    blocks: Receiver<Block>,
    ended: bool,
    position: Option<Position>,
    state: Arc<State>,
    address: Option<SocketAddr>,
    /// Whether a connection lets the reading thread notice that it is to stop.
    wakes: bool,
}

impl Feed {
    fn new(blocks: Receiver<Block>, state: Arc<State>) -> Self {
        Self { blocks, ended: false, position: None, state, address: None, wakes: false }
    }

    /// Standard input. What was read and not reported is lost with a crash: a pipe cannot be read twice.
    pub(crate) fn stdin() -> Self {
        let ((to, blocks), state) = (sync_channel(BLOCKS_AHEAD), Arc::new(State::default()));
        std::thread::spawn(move || {
            if let Err(error) = pump(&mut std::io::stdin().lock(), &to, 0, |_, _| None) {
                tracing::error!(%error, "standard input cannot be read");
            }
        });
        Self::new(blocks, state)
    }

    /// A packed file, read once from where `positions` left off; `None` if it is not packed, or not there (yet).
    /// `decoder` is the program that takes event log files apart (see [`crate::evtx`]).
    pub(crate) fn packed(
        path: &Path,
        positions: &[Position],
        decoder: Option<&Path>,
    ) -> Result<Option<Self>, FollowError> {
        let wrong = |source| FollowError::Io { path: path.to_owned(), source };
        let mut reader = match packed::open(path, decoder) {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error)),
        };
        let start = Position::of_start(path).map_err(wrong)?;
        let known = positions.iter().find(|known| known.is_of(&start)).map_or(0, Position::offset);
        let ((to, blocks), state) = (sync_channel(BLOCKS_AHEAD), Arc::new(State::default()));
        let (shared, name) = (Arc::clone(&state), path.display().to_string());
        let from = start.at(known);
        std::thread::spawn(move || {
            let done = pump(&mut reader, &to, known, |offset, _| Some(start.at(offset)));
            if let Err(error) = done {
                tracing::error!(input = %name, %error, "a packed file cannot be read to its end");
                shared.say(Some(error.to_string()));
            }
        });
        let mut feed = Self::new(blocks, state);
        feed.position = Some(from);
        Ok(Some(feed))
    }

    /// Syslog from the network.
    pub(crate) fn listen(listen: &Listen) -> Result<Self, ListenError> {
        let ((to, blocks), state) = (sync_channel(BLOCKS_WAITING), Arc::new(State::default()));
        let address = listen::start(listen, to, Arc::clone(&state))?;
        tracing::info!(input = %listen, %address, "listening");
        let mut feed = Self::new(blocks, state);
        (feed.address, feed.wakes) = (Some(address), listen.transport != Transport::Udp);
        Ok(feed)
    }

    /// The next block, if there is one.
    pub(crate) fn next(&mut self) -> Option<Block> {
        match self.blocks.try_recv() {
            Ok(block) => {
                if block.position.is_some() {
                    self.position.clone_from(&block.position);
                }
                Some(block)
            }
            Err(TryRecvError::Disconnected) => {
                self.ended = true;
                None
            }
            Err(TryRecvError::Empty) => None,
        }
    }

    /// Whether nothing will follow. What listens has no end.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// How far a file was handed out.
    pub(crate) fn positions(&self) -> Vec<Position> {
        self.position.iter().cloned().collect()
    }

    /// Whether it is a file, whose place is worth keeping.
    pub(crate) fn has_place(&self) -> bool {
        self.position.is_some()
    }

    /// Messages that found no room, since the last call.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.state.dropped.swap(0, Ordering::Relaxed)
    }

    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        self.state.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        if let Some(address) = self.address.filter(|_| self.wakes) {
            listen::wake(address);
        }
    }
}

/// Reads to the end and hands over what comes after the first `known` bytes of lines.
fn pump(
    reader: &mut impl std::io::Read,
    to: &SyncSender<Block>,
    known: u64,
    position: impl Fn(u64, &LineBuffer) -> Option<Position>,
) -> std::io::Result<()> {
    let (mut lines, mut offset, mut skipped_before) = (LineBuffer::default(), 0u64, 0);
    loop {
        let (bytes, last) = match lines.fill(reader)? {
            Filled::Lines(bytes) => (bytes, false),
            Filled::Skipped(bytes) => {
                offset += bytes as u64;
                continue;
            }
            Filled::Partial => continue,
            Filled::End => (lines.last_line().unwrap_or(0), true),
        };
        let before = offset;
        offset += bytes as u64;
        let fresh = usize::try_from(known.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes);
        let text = lines.first(bytes).get(fresh..).unwrap_or_default();
        let skipped = lines.skipped_lines() - std::mem::replace(&mut skipped_before, lines.skipped_lines());
        if !text.is_empty() || skipped > 0 {
            let block = Block { lines: text.to_vec(), skipped, position: position(offset, &lines) };
            // Nobody reads any more.
            if to.send(block).is_err() {
                return Ok(());
            }
        }
        if last {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn all(feed: &mut Feed) -> Vec<u8> {
        let mut text = Vec::new();
        while !feed.ended() {
            match feed.next() {
                Some(block) => text.extend(block.lines),
                None => std::thread::yield_now(),
            }
        }
        text
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_packed_file_is_read_once_and_from_where_it_was_left() {
        let directory = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..200_000).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
        for (name, packed) in
            [("a.gz", gzip(&text)), ("a.zst", zstd::encode_all(text.as_slice(), 1).unwrap())]
        {
            let path = directory.path().join(name);
            std::fs::write(&path, packed).unwrap();
            let mut feed = Feed::packed(&path, &[], None).unwrap().unwrap();
            let mut first = Vec::new();
            while first.is_empty() {
                first = feed.next().map(|block| block.lines).unwrap_or_default();
            }
            let left = feed.positions();
            drop(feed);
            let mut feed = Feed::packed(&path, &left, None).unwrap().unwrap();
            first.extend(all(&mut feed));
            assert!(first == text, "{name}");
            let mut again = Feed::packed(&path, &feed.positions(), None).unwrap().unwrap();
            assert!(all(&mut again).is_empty(), "{name}");
        }
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "text\n").unwrap();
        assert!(Feed::packed(&plain, &[], None).unwrap().is_none());
        assert!(Feed::packed(&directory.path().join("none.gz"), &[], None).unwrap().is_none());
    }

    #[test]
    fn a_file_that_unpacks_to_too_much_is_given_up_and_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bomb.zst");
        let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
        let line = [&[b' '; 1_000_000][..], b"\n"].concat();
        (0..400).for_each(|_| bomb.write_all(&line).unwrap());
        std::fs::write(&path, bomb.finish().unwrap()).unwrap();
        let mut feed = Feed::packed(&path, &[], None).unwrap().unwrap();
        let read = all(&mut feed);
        assert!(read.len() < 400_000_000, "{}", read.len());
        assert!(feed.problem().unwrap().contains("times its size"), "{:?}", feed.problem());
    }
}
