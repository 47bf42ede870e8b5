//! The engine `shieldwall scan` starts: rules from the paths it is given, bytes on standard input, answers on standard
//! output. It opens no file but the rules, connects to nothing, and ends when its input does.

use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use shieldwall_yara::{Rules, frame};

/// How it is called.
const USAGE: &str =
    "usage: shieldwall-yara SECONDS-A-SCAN RULES… (shieldwall scan starts it; see shieldwall scan --help)";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let seconds = arguments.next().and_then(|text| text.to_str()?.parse().ok());
    let paths: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let Some(seconds) = seconds.filter(|_| !paths.is_empty()) else { return complain(USAGE, 2) };
    let rules = match Rules::load(&paths) {
        Ok(rules) => rules,
        Err(error) => return complain(&error.to_string(), 2),
    };
    let input = BufReader::with_capacity(1024 * 1024, io::stdin().lock());
    match frame::serve(&rules, Duration::from_secs(seconds), input, io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string(), 3),
    }
}

fn complain(words: &str, status: u8) -> ExitCode {
    // Nobody to tell is no reason for another error.
    let _ = writeln!(io::stderr().lock(), "{words}");
    ExitCode::from(status)
}
