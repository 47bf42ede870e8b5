//! Windows event log files, read by a child process that can be killed.
//!
//! The format is complex, written by whoever had the machine, and readers of it have hung and asked for gigabytes
//! (omerbenamram/evtx issues 290 to 292). So the program runs itself with the hidden command [`COMMAND`]: the child
//! limits its own memory and processor time before it looks at the file, writes each event as a line of JSON, and is
//! killed when it is silent for too long or writes too much.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use evtx::{EvtxParser, ParserSettings};
use rustix::process::{Resource, Rlimit, setrlimit};

/// The hidden command that [`decode`] is run by.
pub const COMMAND: &str = "decode-evtx";
/// Largest event log file in bytes.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Address space of the child in bytes.
const MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Processor time of the child, in seconds, whatever the file's size; and for each MiB of it on top.
const CPU_SECONDS_MIN: u64 = 30;
/// See [`CPU_SECONDS_MIN`].
const MIB_PER_CPU_SECOND: u64 = 1;
/// How long the child may write nothing, in seconds.
const SILENCE_SECONDS: u64 = 20;
/// How long a child may take for a whole file, in seconds.
const WHOLE_SECONDS: u64 = 6 * 3_600;
/// How many times the file's size the child may write, and what it may always write. A record of BinXML names its
/// template once for a chunk; as JSON each event spells it out.
const RATIO_MAX: u64 = 64;
/// See [`RATIO_MAX`].
const OUTPUT_BYTES_FREE: u64 = 16 * 1024 * 1024;
/// How much is read of the child at a time, in bytes, and how many of those wait.
const READ_BYTES: usize = 64 * 1024;
const READS_AHEAD: usize = 4;
/// How much of what the child complains of is told on, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 2_000;

/// What a child did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Events written.
    pub events: u64,
    /// Records that could not be read.
    pub broken: u64,
}

/// The child's side: limits this process, then writes every event of the file as one line of JSON.
///
/// # Errors
/// What the file, the limits or `out` say.
pub fn decode(path: &Path, out: &mut impl Write) -> io::Result<Decoded> {
    let length = std::fs::metadata(path)?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::Error::other("the event log is larger than any that is read"));
    }
    limit(length)?;
    let settings = ParserSettings::new().indent(false);
    let mut parser = EvtxParser::from_path(path).map_err(io::Error::other)?.with_configuration(settings);
    let mut done = Decoded::default();
    for record in parser.records_json() {
        match record {
            Ok(record) => {
                // JSON has no line feeds within texts, and none is asked for between them.
                out.write_all(record.data.as_bytes())?;
                out.write_all(b"\n")?;
                done.events += 1;
            }
            Err(error) => {
                tracing::debug!(%error, "a record cannot be read");
                done.broken += 1;
            }
        }
    }
    out.flush()?;
    Ok(done)
}

/// Limits this process for good.
fn limit(length: u64) -> io::Result<()> {
    let seconds = CPU_SECONDS_MIN + length / (1024 * 1024) / MIB_PER_CPU_SECOND;
    for (resource, most) in [
        (Resource::As, MEMORY_BYTES_MAX),
        (Resource::Cpu, seconds),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// The parent's side: what the child writes, as long as it keeps within bounds.
pub struct Events {
    child: Child,
    reads: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
    /// What it may still write, in bytes.
    left: u64,
    /// How long it may be silent.
    patience: Duration,
    started: Instant,
    ended: bool,
}

/// Reads the events of a file by way of `decoder`, which is this program.
///
/// # Errors
/// Without a program, or when it cannot be started.
pub fn open(path: &Path, decoder: Option<&Path>) -> io::Result<Events> {
    let decoder = decoder.ok_or_else(|| {
        io::Error::other("an event log file is read by the program `shieldwall` alone: `shieldwall sensor`, `shieldwall match`")
    })?;
    let left = std::fs::metadata(path)?.len().saturating_mul(RATIO_MAX).max(OUTPUT_BYTES_FREE);
    let mut child = Command::new(decoder)
        .arg(COMMAND)
        .arg("--")
        .arg(path)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut output = child.stdout.take().ok_or_else(|| io::Error::other("the child has no output"))?;
    let (to, reads) = sync_channel(READS_AHEAD);
    std::thread::spawn(move || {
        loop {
            let mut block = vec![0; READ_BYTES];
            let read = output.read(&mut block).map(|length| {
                block.truncate(length);
                block
            });
            let last = !matches!(&read, Ok(block) if !block.is_empty());
            if to.send(read).is_err() || last {
                return;
            }
        }
    });
    let (patience, started) = (Duration::from_secs(SILENCE_SECONDS), Instant::now());
    Ok(Events { child, reads, block: Vec::new(), at: 0, left, patience, started, ended: false })
}

impl Events {
    /// Waits for the next piece; an empty one is the end.
    fn advance(&mut self) -> io::Result<()> {
        let whole = Duration::from_secs(WHOLE_SECONDS).saturating_sub(self.started.elapsed());
        let wait = whole.min(self.patience);
        self.block = match self.reads.recv_timeout(wait) {
            Ok(read) => read?,
            Err(RecvTimeoutError::Disconnected) => Vec::new(),
            Err(RecvTimeoutError::Timeout) => {
                self.stop();
                return Err(io::Error::other("reading the event log took too long and was given up"));
            }
        };
        self.at = 0;
        match self.left.checked_sub(self.block.len() as u64) {
            Some(left) => self.left = left,
            None => {
                self.stop();
                return Err(io::Error::other("the event log becomes far too large and was given up"));
            }
        }
        Ok(())
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.ended = true;
    }

    /// How the child ended; a bad end is an error, after all it wrote was read.
    fn end(&mut self) -> io::Result<()> {
        self.ended = true;
        let mut complaint = String::new();
        if let Some(errors) = self.child.stderr.take() {
            let mut bytes = Vec::new();
            errors.take(COMPLAINT_BYTES_MAX).read_to_end(&mut bytes)?;
            complaint = String::from_utf8_lossy(&bytes).trim().to_owned();
        }
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("the event log cannot be read to its end ({status}) {complaint}")))
    }
}

impl Read for Events {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.at >= self.block.len() {
            self.advance()?;
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            self.end()?;
            return Ok(0);
        }
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        self.at += length;
        Ok(length)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.ended {
            self.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// A program that does what `text` says, whatever it is asked.
    fn program(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn read(text: &str, patience: Duration) -> (usize, String) {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("a.evtx");
        std::fs::write(&log, b"ElfFile\0").unwrap();
        let mut events = open(&log, Some(&program(directory.path(), text))).unwrap();
        events.patience = patience;
        let mut all = Vec::new();
        let error = events.read_to_end(&mut all).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(events.ended && events.child.try_wait().unwrap().is_some(), "the child is gone");
        (all.len(), error)
    }

    #[test]
    fn a_child_that_hangs_writes_too_much_or_fails_is_killed_and_named() {
        let long = Duration::from_secs(60);
        assert_eq!(read("echo '{}'", long), (3, String::new()));
        let (_, error) = read("exec sleep 1000", Duration::from_millis(100));
        assert!(error.contains("too long"), "{error}");
        let (length, error) = read("exec yes '{\"a\":1}'", long);
        assert!(error.contains("far too large") && length as u64 <= OUTPUT_BYTES_FREE, "{length} {error}");
        let (length, error) = read("echo '{}'; echo broken >&2; exit 2", long);
        assert!(length == 3 && error.contains("broken"), "{error}");
    }

    #[test]
    fn without_the_program_an_event_log_is_refused() {
        assert!(open(Path::new("a.evtx"), None).err().unwrap().to_string().contains("shieldwall"));
    }
}
