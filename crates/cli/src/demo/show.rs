//! What people see of the demo: where to look, what happens as it happens, and the figures.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shieldwall_model::time::Timestamp;

use super::cast::Cast;
use super::figures::{EventReport, Report};
use super::house::Door;
use super::scenario::{Event, Scenario};
use super::script::{Fate, Telling};

/// Where people are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// On standard output.
    Out,
    /// On standard error, because standard output is for machines.
    Err,
}

/// See the module.
pub(crate) struct Show {
    voice: Option<Voice>,
    bar: ProgressBar,
    start: Timestamp,
}

/// A contact, as it went.
pub(crate) struct Contact<'a> {
    /// In whose network.
    pub(crate) who: &'a str,
    /// Values that showed.
    pub(crate) planted: usize,
    /// Values of these the alliance knew.
    pub(crate) known: usize,
    /// Values of these this member had not seen before.
    pub(crate) news: usize,
    /// Whether it is this member's first.
    pub(crate) first: bool,
    /// Whether no event of the scenario tells of it.
    pub(crate) assumed: bool,
    /// Whether it is a network hit before.
    pub(crate) again: bool,
    /// Whether all that may be blocked was on the block list.
    pub(crate) guarded: Option<bool>,
    /// Whether everything known was matched and everybody warned.
    pub(crate) complete: bool,
    /// How long that took.
    pub(crate) took: Duration,
}

impl Show {
    /// A show of `scenario`, silent without a voice; with a progress bar if wanted.
    pub(crate) fn new(voice: Option<Voice>, progress: bool, scenario: &Scenario, end: Timestamp) -> Self {
        let seconds = u64::try_from(end.since_micros(scenario.start) / 1_000_000).unwrap_or(0);
        let target =
            if progress { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(seconds.max(1)), target);
        // The template is a constant; a wrong one would show the default bar.
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {wide_msg}") {
            bar.set_style(style);
        }
        Self { voice, bar, start: scenario.start }
    }

    /// Says a line.
    pub(crate) fn say(&self, line: &str) {
        // Nobody to tell is no reason to stop.
        self.bar.suspend(|| match self.voice {
            Some(Voice::Out) => _ = writeln!(io::stdout().lock(), "{line}"),
            Some(Voice::Err) => _ = writeln!(io::stderr().lock(), "{line}"),
            None => {}
        });
    }

    /// Says where to look and who takes part.
    pub(crate) fn welcome(&self, scenario: &Scenario, cast: &Cast, url: &str, doors: &[Door], seconds: f64) {
        self.say(&format!("{}, replayed in about {seconds:.0} s", scenario.name));
        self.say(&format!("The hub listens on {url}"));
        self.say("Sign in with one click (each link works once):");
        for door in doors {
            self.say(&format!("  {:<32} {}", door.who, door.link));
        }
        let members: Vec<&str> = cast.players.iter().map(|player| player.name.as_str()).collect();
        self.say(&format!("{} members, each with a sensor: {}", members.len(), members.join(", ")));
        if !cast.outside.is_empty() {
            self.say(&format!(
                "Outside the alliance: {}",
                cast.outside.iter().cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        self.say("");
    }

    /// Scenario time moves on.
    pub(crate) fn clock(&self, at: Timestamp) {
        self.bar.set_position(u64::try_from(at.since_micros(self.start) / 1_000_000).unwrap_or(0));
        self.bar.set_prefix(minute(at));
    }

    /// An event is told.
    pub(crate) fn event(&self, event: &Event, fate: &Fate) {
        let when = match fate.telling {
            Telling::History => "before",
            Telling::InTime => "",
            Telling::Aftermath => "after",
        };
        let place = if event.place.is_empty() { String::new() } else { format!("{}: ", event.place) };
        self.bar.set_message(event.text.clone());
        self.say(&format!("{} {when:<6} {place}{}", minute(event.at), event.text));
        if !fate.outside.is_empty() {
            self.say(&format!(
                "                 {} is not in the alliance: no sensor there, nobody to warn",
                fate.outside.join(", ")
            ));
        }
    }

    /// A member shared values.
    pub(crate) fn shared(&self, who: &str, values: usize, took: Duration) {
        self.say(&format!(
            "                 {who} shares {values} value{}; every sensor has them after {} ms",
            if values == 1 { "" } else { "s" },
            took.as_millis()
        ));
    }

    /// The attack showed somewhere.
    pub(crate) fn contact(&self, contact: &Contact<'_>) {
        let Contact { who, planted, known, news, first, assumed, again, guarded, complete, took } = contact;
        let hit = match (again, assumed, first) {
            (true, _, _) => "still shows it",
            (_, true, _) => "is hit (assumed)",
            (_, _, true) => "is hit",
            (_, _, false) => "is hit again",
        };
        let seen = match (known, complete) {
            (0, _) if *planted == 0 => "nothing of it can be seen in telemetry".to_owned(),
            (0, _) => format!("{planted} values in its telemetry, and nobody knows them yet"),
            (_, false) => format!(
                "{known} known values in its telemetry, and not every one was matched and told in time"
            ),
            (_, true) if *news == 0 => format!("{known} known values seen again"),
            (_, true) => format!(
                "{known} of {planted} values known, seen and told to all others within {} ms",
                took.as_millis()
            ),
        };
        let ready = if *first && *guarded == Some(true) { "; it was on its block list" } else { "" };
        self.say(&format!("                 {who} {hit}: {seen}{ready}"));
    }

    /// The replay is over.
    pub(crate) fn over(&self) {
        self.bar.finish_and_clear();
    }

    /// Says the figures.
    pub(crate) fn figures(&self, report: &Report) {
        for line in figures(report) {
            self.say(&line);
        }
    }
}

/// A time to the minute.
fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// A span of scenario time as people say it.
fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as i64;
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{seconds:.0} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes:02} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn figures(report: &Report) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!("The loop {}", if report.loop_closed { "closed." } else { "did not close:" }),
    ];
    lines.extend(report.reasons.iter().map(|reason| format!("  - {reason}")));
    let mut row = |what: &str, figure: String| lines.push(format!("  {what:<28} {figure}"));
    let detect = report.time_to_detect_seconds.map_or_else(
        || "never".into(),
        |seconds| format!("{} after the first malicious activity (scenario time)", span(seconds)),
    );
    row("time to detect", detect);
    let warn = report.time_to_warn_ms.map_or_else(
        || "nobody was warned".into(),
        |spread| {
            format!(
                "p50 {:.0} ms, p95 {:.0} ms, slowest {:.0} ms, of {} warnings",
                spread.p50, spread.p95, spread.max, spread.count
            )
        },
    );
    row("time to warn all", warn);
    row("warned", format!("{} of {} other members", report.warned, report.members.saturating_sub(1)));
    row(
        "warned before they were hit",
        format!("{} of {} members hit", report.members_warned_before_hit, report.members_hit),
    );
    row(
        "protected before hit",
        format!("{} of {} members hit", report.protected_before_hit, report.members_hit),
    );
    row(
        "values",
        format!(
            "{} shared, {} seen in telemetry, {} matched",
            report.indicators.shared, report.indicators.planted, report.indicators.matched
        ),
    );
    let blocked = match (report.kill_switch_blocked, report.do_not_block_blocked) {
        (true, _) => "A KILL SWITCH IS ON A BLOCK LIST".to_owned(),
        (false, 0) => "no kill switch and nothing else that must not be blocked is on any".to_owned(),
        (false, some) => format!("{some} VALUES THAT MUST NOT BE BLOCKED ARE ON ONE"),
    };
    row("block lists", blocked);
    if !report.open.is_empty() {
        lines.push("What stayed open:".into());
        lines.extend(report.open.iter().map(|open| format!("  - {}", open.text)));
    }
    if !report.notes.is_empty() {
        lines.push("Where the scenario is silent or unclear:".into());
        lines.extend(report.notes.iter().map(|note| format!("  - {note}")));
    }
    let missed = |event: &&EventReport| matches!(event.status, "missed" | "detected-not-all-warned");
    lines.extend(
        report
            .events
            .iter()
            .chain(&report.assumed)
            .filter(missed)
            .map(|event| format!("  ! {} {}: {}", minute(event.t), event.status, event.text)),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        assert_eq!(span(12.0), "12 s");
        assert_eq!(span(2_100.0), "35 min");
        assert_eq!(span(7_500.0), "2 h 05 min");
        assert_eq!(span(200_000.0), "2 d 7 h");
    }
}
