//! Sigma rules over events: loaded whole or refused by name, and evaluated only where what they require was met.
//!
//! [`load::Loader`] takes rule files, folders and single texts (the pattern of an indicator of type `sigma`) and names
//! whatever it cannot take, with the reason. [`rules::Rules`] are what was taken, compiled; threads share them. A
//! [`reader::Reader`] holds one thread's scratch space and counters: it reads the fields of an event once for all rules,
//! tells by [`source`] which rules are meant for it, scans each field once for the literals of all of them, and evaluates
//! the few rules that can still match. What several rules ask of an event is answered once. [`correlate`] counts matches
//! over time. What rules mean is `rsigma-eval`'s word: every matcher that is more than literals is its own code, and a
//! property test holds the reader to its evaluator.
//!
//! Time comes in with the events; nothing here asks a clock, opens a socket or writes a file.
//!
//! ```
//! use shieldwall_sigma::load::Loader;
//! use shieldwall_sigma::reader::Reader;
//!
//! let mut loader = Loader::default();
//! loader.text("indicator--1", "
//! title: Shadow copies deleted
//! logsource: { product: windows, category: process_creation }
//! detection:
//!     selection:
//!         Image|endswith: '\\vssadmin.exe'
//!         CommandLine|contains|all: [delete, shadows]
//!     condition: selection
//! level: high
//! ");
//! let (rules, refused) = loader.finish()?;
//! assert!(refused.is_empty());
//!
//! let event = br#"{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,
//!     "Image":"C:\\Windows\\System32\\VSSADMIN.EXE","CommandLine":"vssadmin Delete Shadows /all"}"#;
//! let mut titles = Vec::new();
//! Reader::new(rules).line(event, &mut |hit| titles.push(hit.rule.title.clone()))?;
//! assert_eq!(titles, ["Shadow copies deleted"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod agreement_tests;
pub mod correlate;
mod extract;
mod fields;
pub mod generate;
mod literal;
pub mod load;
mod program;
pub mod reader;
pub mod rules;
mod scan;
pub mod source;
