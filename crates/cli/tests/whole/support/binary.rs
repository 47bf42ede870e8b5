//! The binary as people and scripts run it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

/// What the binary said and how it ended.
pub(crate) struct Said {
    /// The exit status.
    pub(crate) status: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shieldwall"));
    command.args(arguments).env_remove("SHIELDWALL_TOKEN").env_remove("SHIELDWALL_LOG").env("NO_PROXY", "*");
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    let output = command(arguments).output().expect("the binary runs");
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// [`run`] for tests that serve something meanwhile.
pub(crate) async fn run_beside<S: AsRef<OsStr> + Send + 'static>(arguments: Vec<S>) -> Said {
    tokio::task::spawn_blocking(move || run(arguments)).await.expect("the binary ends")
}

impl Said {
    /// This, which must have ended with `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.out, self.err);
        self
    }

    /// The last line of standard output, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        let line = self.out.trim_end().lines().last().unwrap_or_default();
        // One document over many lines, or one a line.
        serde_json::from_str(line)
            .or_else(|_| serde_json::from_str(&self.out))
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// A hub that runs as a process of its own, and dies with the test.
pub(crate) struct HubProcess {
    child: Child,
    /// Its URL.
    pub(crate) url: String,
}

impl HubProcess {
    /// Starts a hub on `data`, at `listen`, and waits until it says that it listens.
    pub(crate) fn start(data: &Path, listen: &str) -> Self {
        Self::start_with(data, listen, &[])
    }

    /// The same, set up further by `more` arguments.
    pub(crate) fn start_with(data: &Path, listen: &str, more: &[&str]) -> Self {
        let more: Vec<&str> = ["--log", "error"].iter().chain(more).copied().collect();
        Self::start_logging(data, listen, &more, Stdio::inherit())
    }

    /// The same, with its log written to `log`; how much it logs is for `more` to say.
    pub(crate) fn start_logging(data: &Path, listen: &str, more: &[&str], log: impl Into<Stdio>) -> Self {
        let data = data.to_str().expect("a path of text");
        let arguments = ["hub", "--data", data, "--listen", listen, "--json"];
        let mut command = command(arguments.iter().chain(more));
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the hub starts");
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line);
        let told: Json = read
            .ok()
            .and_then(|_| serde_json::from_str(&line).ok())
            .unwrap_or_else(|| panic!("the hub says {line:?}"));
        Self { child, url: told["url"].as_str().expect("a URL").to_owned() }
    }

    /// Its address, to start another one there.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// SIGKILL: it has no moment to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it is gone");
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
