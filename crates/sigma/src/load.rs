//! Takes rules in, from files, folders and single texts; names what it cannot take, with the reason.

use std::fs;
use std::path::{Path, PathBuf};

use rsigma_eval::{Pipeline, apply_pipelines, parse_pipeline, resolve_builtin_pipeline};
use rsigma_parser::{CorrelationRule, FilterRule, SigmaCollection, SigmaRule, parse_sigma_yaml};
use serde::Serialize;
use shieldwall_model::limits::{SIGMA_FILE_BYTES_MAX, SIGMA_RULES_MAX};

use crate::rules::Rules;

/// Deepest folder below the one that is named.
const FOLDER_DEPTH_MAX: usize = 32;

/// Why no rules could be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder could not be read.
    #[error("cannot read {path}; is it there, and may this program read it?")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A field mapping could not be read.
    #[error("the pipeline {place} is none: {reason}; name a file, ecs_windows, sysmon or fibratus_windows")]
    Pipeline {
        /// Its name or file.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The rules cannot be compiled together.
    #[error("the correlation rules do not fit together: {reason}")]
    Correlations {
        /// What is wrong.
        reason: String,
    },
}

impl LoadError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "sigma.load.read",
            Self::Pipeline { .. } => "sigma.load.pipeline",
            Self::Correlations { .. } => "sigma.load.correlations",
        }
    }
}

/// Something that was not taken, or taken with a remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The file, or the id of the indicator.
    pub place: String,
    /// The title of the rule, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A stable code.
    pub code: &'static str,
    /// What is wrong.
    pub reason: String,
    /// Whether the rule was taken all the same.
    pub taken: bool,
}

/// A part of a rule set and where it is from.
#[derive(Clone, Debug)]
pub(crate) struct From<T> {
    pub(crate) place: String,
    pub(crate) what: T,
}

/// What has been taken in so far.
#[derive(Debug, Default)]
pub struct Loader {
    pub(crate) rules: Vec<From<SigmaRule>>,
    pub(crate) correlations: Vec<From<CorrelationRule>>,
    pub(crate) filters: Vec<From<FilterRule>>,
    pipelines: Vec<Pipeline>,
    refused: Vec<Refused>,
}

impl Loader {
    /// Rewrites all rules by a field mapping of Sigma's pipeline format: a file, or the name of one that is built in. Call
    /// it before [`Loader::finish`]; pipelines apply in the order of their priority.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn pipeline(&mut self, name: &str) -> Result<(), LoadError> {
        let wrong = |reason: String| LoadError::Pipeline { place: name.into(), reason };
        let pipeline = match resolve_builtin_pipeline(name) {
            Some(pipeline) => pipeline,
            None => {
                let path = Path::new(name);
                let text = read_text(path).map_err(|source| LoadError::Read { path: path.into(), source })?;
                parse_pipeline(&text.map_err(&wrong)?)
            }
        };
        self.pipelines.push(pipeline.map_err(|error| wrong(error.to_string()))?);
        self.pipelines.sort_by_key(|pipeline| pipeline.priority);
        Ok(())
    }

    /// Takes a file of rules, or all `.yml` and `.yaml` below a folder. Links to folders are not followed.
    ///
    /// # Errors
    /// When the file or folder itself cannot be read; what lies below it is refused by name.
    pub fn path(&mut self, path: &Path) -> Result<(), LoadError> {
        let failed = |source| LoadError::Read { path: path.into(), source };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            let names = fs::read_dir(path).map_err(failed)?;
            self.folder(names, 0);
            return Ok(());
        }
        match read_text(path).map_err(failed)? {
            Ok(text) => self.text(&path.display().to_string(), &text),
            Err(reason) => self.refuse(path.display().to_string(), None, "sigma.rule.size", reason),
        }
        Ok(())
    }

    fn folder(&mut self, names: fs::ReadDir, depth: usize) {
        let mut paths: Vec<_> = names.flatten().map(|name| (name.path(), name.file_type().ok())).collect();
        paths.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (path, kind) in paths {
            let place = path.display().to_string();
            if kind.is_some_and(|kind| kind.is_dir()) {
                match fs::read_dir(&path) {
                    Ok(names) if depth < FOLDER_DEPTH_MAX => self.folder(names, depth + 1),
                    Ok(_) => {
                        let reason = format!("more than {FOLDER_DEPTH_MAX} folders deep");
                        self.refuse(place, None, "sigma.rule.depth", reason);
                    }
                    Err(error) => self.refuse(place, None, "sigma.rule.read", error.to_string()),
                }
            } else if is_rule(&path) && fs::metadata(&path).is_ok_and(|data| data.is_file()) {
                match read_text(&path) {
                    Ok(Ok(text)) => self.text(&place, &text),
                    Ok(Err(reason)) => self.refuse(place, None, "sigma.rule.size", reason),
                    Err(error) => self.refuse(place, None, "sigma.rule.read", error.to_string()),
                }
            }
        }
    }

    /// Takes rules from a text; `place` names it in what is refused and in matches.
    pub fn text(&mut self, place: &str, text: &str) {
        if text.len() > SIGMA_FILE_BYTES_MAX {
            let reason = format!("{} bytes, at most {SIGMA_FILE_BYTES_MAX} are taken", text.len());
            return self.refuse(place.into(), None, "sigma.rule.size", reason);
        }
        let collection = match parse_sigma_yaml(text) {
            Ok(collection) => collection,
            Err(error) => return self.refuse(place.into(), None, "sigma.rule.syntax", error.to_string()),
        };
        let SigmaCollection { rules, correlations, filters, errors } = collection;
        let title = rules.first().map(|rule| rule.title.clone());
        if rules.is_empty() && correlations.is_empty() && filters.is_empty() && errors.is_empty() {
            self.refuse(place.into(), None, "sigma.rule.empty", "it holds no rule".into());
        }
        for reason in errors {
            let taken = is_remark(&reason);
            let code = if taken { "sigma.rule.remark" } else { "sigma.rule.syntax" };
            let title = title.clone().filter(|_| taken);
            self.refused.push(Refused { place: place.into(), title, code, reason, taken });
        }
        for what in rules {
            if self.has_room(place, &what.title) {
                self.rules.push(From { place: place.into(), what });
            }
        }
        for what in correlations {
            if self.has_room(place, &what.title) {
                self.correlations.push(From { place: place.into(), what });
            }
        }
        self.filters.extend(filters.into_iter().map(|what| From { place: place.into(), what }));
    }

    fn has_room(&mut self, place: &str, title: &str) -> bool {
        let room = self.rules.len() + self.correlations.len() < SIGMA_RULES_MAX;
        if !room {
            let reason = format!("more than {SIGMA_RULES_MAX} rules");
            self.refuse(place.into(), Some(title.into()), "sigma.rule.count", reason);
        }
        room
    }

    fn refuse(&mut self, place: String, title: Option<String>, code: &'static str, reason: String) {
        self.refused.push(Refused { place, title, code, reason, taken: false });
    }

    /// Compiles what was taken. What cannot be compiled is among the refused.
    ///
    /// # Errors
    /// When the correlation rules contradict each other, such as in a circle.
    pub fn finish(mut self) -> Result<(Rules, Vec<Refused>), LoadError> {
        let mut kept = Vec::with_capacity(self.rules.len());
        for mut rule in std::mem::take(&mut self.rules) {
            match apply_pipelines(&self.pipelines, &mut rule.what) {
                Ok(_) => kept.push(rule),
                Err(error) => {
                    let title = Some(rule.what.title);
                    self.refuse(rule.place, title, "sigma.rule.pipeline", error.to_string());
                }
            }
        }
        self.rules = kept;
        let mut refused = std::mem::take(&mut self.refused);
        let rules = Rules::new(self, &mut refused)?;
        Ok((rules, refused))
    }
}

/// Whether what the parser says about a document is no reason not to take it. Its warnings start in lower case or with
/// the attribute they are about, its errors do not.
fn is_remark(reason: &str) -> bool {
    ["related[", "'related'", "invalid "].iter().any(|start| reason.starts_with(start))
}

fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml")
}

/// The text of a file; `Ok(Err)` where it is too large or no text.
fn read_text(path: &Path) -> Result<Result<String, String>, std::io::Error> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(SIGMA_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > SIGMA_FILE_BYTES_MAX {
        return Ok(Err(format!("more than {SIGMA_FILE_BYTES_MAX} bytes")));
    }
    Ok(String::from_utf8(bytes).map_err(|_| "not a text in UTF-8".into()))
}
