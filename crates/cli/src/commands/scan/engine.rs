//! The YARA engine, in a process of its own: fed bytes, asked for answers, ended when it takes too long.
//!
//! How it is spoken to is defined in `yara/src/frame.rs`.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The engine's name.
const NAME: &str = "shieldwall-yara";
/// How long rules may take to compile.
const START: Duration = Duration::from_secs(120);
/// How much longer than a scan may take an answer is waited for: the engine ends most scans itself.
const GRACE: Duration = Duration::from_secs(5);
/// Answers that wait to be read; one scan is under way at a time.
const ANSWERS_WAITING_MAX: usize = 2;

/// What became of the rules.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) rules: u64,
    pub(super) refused: Vec<Refused>,
}

/// A file of rules that was not taken.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) place: String,
    pub(super) reason: String,
}

/// A rule that matched.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) rule: String,
    pub(super) place: String,
    pub(super) tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) strings: Vec<(String, u64)>,
}

/// What became of one scan.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Scanned {
    pub(super) found: Vec<Found>,
    #[serde(default)]
    pub(super) failed: Option<String>,
}

/// The engine with its rules.
#[derive(Debug)]
pub(super) struct Engine {
    program: OsString,
    rules: Vec<PathBuf>,
    time: Duration,
    running: Running,
    ready: Ready,
}

/// The process.
#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Engine {
    /// Starts the engine and lets it compile the rules.
    ///
    /// # Errors
    /// When there is no engine, or it takes no rules.
    pub(super) fn start(named: Option<&Path>, rules: &[PathBuf], time: Duration) -> Result<Self, Fault> {
        let program = named.map_or_else(beside, |path| path.as_os_str().to_owned());
        let (running, ready) = run(&program, rules, time)?;
        Ok(Self { program, rules: rules.to_vec(), time, running, ready })
    }

    /// What became of the rules.
    pub(super) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Holds bytes against the rules. An engine that breaks or takes too long over them is started anew.
    ///
    /// # Errors
    /// When it cannot be started anew.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<Scanned, Fault> {
        let reason = match self.running.ask(bytes, self.time + GRACE) {
            Ok(answer) => match serde_json::from_str(&answer) {
                Ok(scanned) => return Ok(scanned),
                Err(error) => format!("the engine answered something else: {error}"),
            },
            Err(reason) => reason,
        };
        (self.running, self.ready) = run(&self.program, &self.rules, self.time)?;
        Ok(Scanned { failed: Some(reason), ..Scanned::default() })
    }
}

impl Running {
    fn ask(&mut self, bytes: &[u8], time: Duration) -> Result<String, String> {
        let mut send = || {
            self.input.write_all(&(bytes.len() as u64).to_le_bytes())?;
            self.input.write_all(bytes)?;
            self.input.flush()
        };
        send().map_err(|error: io::Error| format!("the engine broke: {error}"))?;
        self.answers.recv_timeout(time).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("not done after {} seconds", time.as_secs()),
            RecvTimeoutError::Disconnected => "the engine broke over it".into(),
        })
    }
}

/// The engine beside this program if there is one, else by its name, which the system looks for on the PATH.
fn beside() -> OsString {
    let here = std::env::current_exe().ok().map(|program| program.with_file_name(NAME));
    here.filter(|path| path.is_file()).map_or_else(|| NAME.into(), PathBuf::into_os_string)
}

fn run(program: &OsString, rules: &[PathBuf], time: Duration) -> Result<(Running, Ready), Fault> {
    let missing = |error: io::Error| {
        let message = format!(
            "the YARA engine {} does not start; build it with `make yara`, or name it with --engine",
            program.display()
        );
        Fault::environment("cli.scan.engine", message).because(error)
    };
    let mut child = Command::new(program)
        .arg(time.as_secs().to_string())
        .args(rules)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(input), Some(output), Some(complaints)) = pipes else {
        return Err(missing(io::Error::other("it has no input or output")));
    };
    let (sender, answers) = sync_channel(ANSWERS_WAITING_MAX);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let running = Running { child, input, answers };
    match running.answers.recv_timeout(START) {
        Ok(line) => {
            let ready = serde_json::from_str(&line).map_err(|error| missing(error.into()))?;
            Ok((running, ready))
        }
        Err(RecvTimeoutError::Timeout) => {
            let message = format!("the rules are not compiled after {} seconds: give fewer", START.as_secs());
            Err(Fault::usage("cli.scan.rules", message))
        }
        Err(RecvTimeoutError::Disconnected) => {
            let said = BufReader::new(complaints).lines().map_while(Result::ok).next();
            let message = said.unwrap_or_else(|| "the YARA engine ended at once".into());
            Err(Fault::usage("cli.scan.rules", message))
        }
    }
}
