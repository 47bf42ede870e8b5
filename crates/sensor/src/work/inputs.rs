//! What is read: files, standard input and streams, each as blocks of whole lines.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_nats::Subject;
use shieldwall_watch::mapping::Mappings;
use tokio::runtime::Handle;

use super::WorkError;
use super::gathered::Gathered;
use crate::config::{Config, Input, InputSource};
use crate::feed::Feed;
use crate::follow::{FollowError, Follower, Position, Progress};
use crate::matching::Matching;
use crate::memory::Remembering;
use crate::nats::{Block, Tap};
use crate::rules::Armed;

/// How much of a file's start is looked at for a header, when it is read on from later, in bytes.
const HEAD_BYTES: u64 = 64 * 1024;

/// One input with what is known of it.
pub(super) struct InputAtWork {
    pub(super) name: String,
    source: Source,
    pub(super) matching: Matching,
    remembering: Remembering,
    /// What was seen and is told for whole messages, for a stream.
    pub(super) gathered: Option<Gathered>,
    /// Lines passed over because they were too long, so far.
    pub(super) skipped_lines: u64,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

enum Source {
    File(Box<Follower>),
    Fed(Feed),
    Stream { tap: Tap, held: Option<Block> },
}

/// Each message's end in the lines, its number, and whether it is new.
pub(super) type Messages = Vec<(usize, u64, bool)>;

/// What was read, and the parts of the input that go on from there.
pub(super) type Parts<'a> =
    (Option<Read<'a>>, &'a mut Matching, Option<&'a mut Gathered>, &'a mut Remembering);

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
        let mut matching = Matching::new(&input.format, mappings, Arc::clone(&armed.list))
            .map_err(|source| WorkError::Mapping { input: name.clone(), source: Box::new(source) })?;
        let mut gathered = None;
        let source = match &input.source {
            InputSource::File(path) => match Feed::packed(path, positions, config.decoder.as_deref())? {
                Some(feed) => Source::Fed(feed),
                None => {
                    if !positions.is_empty() {
                        matching.begin_with(&head(path));
                    }
                    Source::File(Box::new(Follower::new(path, positions, config.once)?))
                }
            },
            InputSource::Stdin => Source::Fed(Feed::stdin()),
            InputSource::Syslog(listen) => Source::Fed(Feed::listen(listen)?),
            InputSource::Nats(stream) => {
                let runtime = runtime.ok_or_else(|| WorkError::Unread { input: name.clone() })?;
                gathered = Some(Gathered::new(config));
                Source::Stream { tap: Tap::open(stream.clone(), runtime), held: None }
            }
        };
        let remembering = Remembering::of(&name);
        Ok(Self { name, source, matching, remembering, gathered, skipped_lines: 0, problem: None })
    }

    /// How far its files were read; for files alone.
    pub(super) fn positions(&self) -> Option<Vec<Position>> {
        match &self.source {
            Source::File(follower) => Some(follower.positions()),
            Source::Fed(feed) => feed.has_place().then(|| feed.positions()),
            Source::Stream { .. } => None,
        }
    }

    /// Reads on, and hands out the parts that go on from there. `None` for what is read when the input cannot be read
    /// at the moment.
    pub(super) fn read(&mut self, now: Instant, once: bool) -> Result<Parts<'_>, FollowError> {
        let Self { name, source, matching, remembering, gathered, skipped_lines, problem } = self;
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
            Source::Fed(feed) => {
                let block = feed.next().unwrap_or_default();
                let over = feed.ended();
                *problem = feed.problem();
                if let (true, true, Some(problem)) = (once, over, &problem) {
                    let source = std::io::Error::other(problem.clone());
                    return Err(FollowError::Io { path: name.as_str().into(), source });
                }
                let skipped_lines = *skipped_lines + block.skipped;
                Some(Read { lines: block.lines.into(), messages: None, skipped_lines, over })
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
        Ok((read, matching, gathered.as_mut(), remembering))
    }

    /// Messages that found no room, since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        match &self.source {
            Source::Fed(feed) => feed.take_dropped(),
            Source::File(_) | Source::Stream { .. } => 0,
        }
    }

    /// Where it listens, if it does.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.source {
            Source::Fed(feed) => feed.address(),
            Source::File(_) | Source::Stream { .. } => None,
        }
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

/// The start of a file, as far as there is one.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(HEAD_BYTES).read_to_end(&mut head);
    }
    head
}
