//! What is read: files, standard input and streams, each as blocks of whole lines.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Instant;

use async_nats::Subject;
use shieldwall_watch::mapping::Mappings;
use tokio::runtime::Handle;

use super::WorkError;
use super::gathered::Gathered;
use crate::config::{Config, Input, InputSource};
use crate::follow::{FollowError, Follower, Position, Progress};
use crate::lines::{Filled, LineBuffer};
use crate::matching::Matching;
use crate::nats::{Block, Tap};
use crate::rules::Armed;

/// How many blocks of standard input are read ahead.
const STDIN_BLOCKS: usize = 4;

/// One input with what is known of it.
pub(super) struct InputAtWork {
    pub(super) name: String,
    source: Source,
    pub(super) matching: Matching,
    /// What was seen and is told for whole messages, for a stream.
    pub(super) gathered: Option<Gathered>,
    /// Lines passed over because they were too long, so far.
    pub(super) skipped_lines: u64,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

enum Source {
    File(Box<Follower>),
    Stdin { blocks: Receiver<(Vec<u8>, u64)>, ended: bool },
    Stream { tap: Tap, held: Option<Block> },
}

/// Each message's end in the lines, its number, and whether it is new.
pub(super) type Messages = Vec<(usize, u64, bool)>;

/// What was read.
pub(super) struct Read<'a> {
    pub(super) lines: Cow<'a, [u8]>,
    pub(super) messages: Option<Messages>,
    pub(super) skipped_lines: u64,
    /// Whether nothing will follow.
    pub(super) over: bool,
}

impl InputAtWork {
    pub(super) fn open(
        input: &Input,
        positions: &[Position],
        config: &Config,
        mappings: &Arc<Mappings>,
        armed: &Armed,
        runtime: Option<&Handle>,
    ) -> Result<Self, WorkError> {
        let name = input.source.to_string();
        let matching = Matching::new(&input.format, mappings, Arc::clone(&armed.list))
            .map_err(|source| WorkError::Mapping { input: name.clone(), source: Box::new(source) })?;
        let mut gathered = None;
        let source = match &input.source {
            InputSource::File(path) => Source::File(Box::new(Follower::new(path, positions, config.once)?)),
            InputSource::Stdin => Source::Stdin { blocks: read_stdin(), ended: false },
            InputSource::Nats(stream) => {
                let runtime = runtime.ok_or_else(|| WorkError::Unread { input: name.clone() })?;
                gathered = Some(Gathered::new(config));
                Source::Stream { tap: Tap::open(stream.clone(), runtime), held: None }
            }
        };
        Ok(Self { name, source, matching, gathered, skipped_lines: 0, problem: None })
    }

    /// How far its files were read; for files alone.
    pub(super) fn positions(&self) -> Option<Vec<Position>> {
        match &self.source {
            Source::File(follower) => Some(follower.positions()),
            Source::Stdin { .. } | Source::Stream { .. } => None,
        }
    }

    /// Reads on, and hands out the parts that go on from there. `None` for what is read when the input cannot be read
    /// at the moment.
    pub(super) fn read(
        &mut self,
        now: Instant,
        once: bool,
    ) -> Result<(Option<Read<'_>>, &mut Matching, Option<&mut Gathered>), FollowError> {
        let Self { name, source, matching, gathered, skipped_lines, problem } = self;
        let read = match source {
            Source::File(follower) => match follower.step(now) {
                Ok(Progress::Lines) => Some(lines(follower, false)),
                Ok(Progress::Idle) => {
                    *problem = None;
                    Some(Read { lines: Cow::Borrowed(&[]), ..lines(follower, once) })
                }
                Err(error) if once => return Err(error),
                Err(error) => {
                    let text = error.to_string();
                    if problem.replace(text.clone()).as_ref() != Some(&text) {
                        tracing::warn!(input = %name, %error, code = error.code(), "an input cannot be read; trying again");
                    }
                    None
                }
            },
            Source::Stdin { blocks, ended } => {
                let (mut block, mut skipped) = (Vec::new(), *skipped_lines);
                match blocks.try_recv() {
                    Ok(found) => (block, skipped) = found,
                    Err(TryRecvError::Disconnected) => *ended = true,
                    Err(TryRecvError::Empty) => {}
                }
                Some(Read { lines: block.into(), messages: None, skipped_lines: skipped, over: *ended })
            }
            Source::Stream { tap, held } => {
                *problem = tap.problem();
                if held.is_none() {
                    *held = tap.next();
                }
                let over = once && held.is_none() && tap.is_at_end();
                let mut read =
                    Read { lines: Cow::Borrowed(&[]), messages: None, skipped_lines: *skipped_lines, over };
                if let Some(gathered) = gathered.as_mut()
                    && let Some(mut block) = held.take_if(|block| gathered.fits(block))
                {
                    read.messages = Some(gathered.begin(&mut block));
                    read.skipped_lines += block.skipped;
                    read.lines = block.lines.into();
                }
                Some(read)
            }
        };
        Ok((read, matching, gathered.as_mut()))
    }

    /// Whether messages wait for a report to go out first.
    pub(super) fn is_held_up(&self) -> bool {
        matches!(&self.source, Source::Stream { held: Some(_), .. })
    }

    /// Acknowledges messages, if it is a stream.
    pub(super) fn acknowledge(&self, replies: Vec<Subject>) {
        if let Source::Stream { tap, .. } = &self.source {
            tap.acknowledge(replies);
        }
    }
}

fn lines(follower: &Follower, over: bool) -> Read<'_> {
    let skipped_lines = follower.skipped_lines();
    Read { lines: Cow::Borrowed(follower.lines()), messages: None, skipped_lines, over }
}

/// Reads standard input on a thread of its own, because reading it cannot be interrupted. What was read and not
/// reported is lost with a crash: a pipe cannot be read twice.
fn read_stdin() -> Receiver<(Vec<u8>, u64)> {
    let (to, blocks) = sync_channel(STDIN_BLOCKS);
    std::thread::spawn(move || {
        let (mut input, mut lines) = (std::io::stdin().lock(), LineBuffer::default());
        loop {
            let found = match lines.fill(&mut input) {
                Ok(Filled::Lines(bytes)) => Some(bytes),
                Ok(Filled::Skipped(_) | Filled::Partial) => continue,
                Ok(Filled::End) => None,
                Err(error) => {
                    tracing::error!(%error, "standard input cannot be read");
                    None
                }
            };
            let last = found.is_none();
            let bytes = found.or_else(|| lines.last_line()).unwrap_or(0);
            if to.send((lines.first(bytes).to_vec(), lines.skipped_lines())).is_err() || last {
                return;
            }
        }
    });
    blocks
}
