//! Where a command speaks: answers on standard output, progress and remarks on standard error, for people or machines.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use shieldwall_model::id::{Entropy, SystemEntropy};
use shieldwall_model::time::{Clock, SystemClock};

use crate::fault::Fault;

/// How often a progress bar is drawn at most, a second.
const DRAWS_PER_SECOND_MAX: u8 = 8;

/// What every command is given: how to speak, the time and randomness.
pub(crate) struct Console {
    json: bool,
    progress: bool,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Console {
    /// A console for people, or (`json`) for machines; with progress bars if wanted and standard error is a terminal.
    pub(crate) fn new(json: bool, progress: bool) -> Self {
        let progress = progress && io::stderr().is_terminal();
        Self { json, progress, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }

    /// A random number.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn random(&self) -> Result<u64, Fault> {
        let mut bytes = [0u8; 8];
        self.entropy.fill(&mut bytes).map_err(|error| Fault::failed(error.code(), &error))?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Whether answers are JSON.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Whether progress bars are drawn.
    pub(crate) const fn progress(&self) -> bool {
        self.progress
    }

    /// Writes one line to standard output.
    pub(crate) fn say(&self, line: &str) -> Result<(), Fault> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Fault::output)
    }

    /// Writes an answer: as one line of JSON, or as `text` makes it for people.
    pub(crate) fn answer<T: Serialize>(
        &self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Fault> {
        if !self.json {
            return self.say(&text(answer));
        }
        let line = serde_json::to_string(answer).map_err(|error| {
            Fault::environment("cli.answer", "the answer cannot be written as JSON").because(error)
        })?;
        self.say(&line)
    }

    /// Writes a remark for people to standard error; machines are not bothered.
    pub(crate) fn remark(&self, text: &str) {
        if !self.json {
            // Nobody to tell is no reason to stop.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// A progress bar over bytes; without a total it shows what was done.
    pub(crate) fn bytes(&self, what: impl Into<Cow<'static, str>>, total: Option<u64>) -> Gauge {
        let style = match total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        self.gauge(what.into(), total, style)
    }

    /// A progress bar over things that are counted.
    pub(crate) fn count(&self, what: impl Into<Cow<'static, str>>, total: Option<u64>) -> Gauge {
        let style = match total {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
            None => "{msg} {spinner} {human_pos} {per_sec}",
        };
        self.gauge(what.into(), total, style)
    }

    fn gauge(&self, what: Cow<'static, str>, total: Option<u64>, style: &str) -> Gauge {
        let target = if self.progress {
            ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND_MAX)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target).with_message(what);
        // The templates above are constants; a wrong one would show the default bar.
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Gauge(bar)
    }

    /// Runs what has to wait for the network.
    pub(crate) fn wait_for<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Fault::environment("cli.runtime", "no threads could be started").because(error)
        })?;
        let answer = runtime.block_on(work);
        // A read of standard input cannot be called off; the program does not wait for it.
        runtime.shutdown_timeout(Duration::from_millis(200));
        answer
    }
}

/// A progress bar, taken away when dropped.
pub(crate) struct Gauge(ProgressBar);

impl Gauge {
    /// One that is never drawn.
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// So much is done.
    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// So much is done of so much.
    pub(crate) fn set_of(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// So much more is done.
    pub(crate) fn add(&self, more: u64) {
        self.0.inc(more);
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
