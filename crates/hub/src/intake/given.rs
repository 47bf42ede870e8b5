//! Whatever is handed in, in whichever form: told from its content, or as its sender says.

use std::str::FromStr;

use shieldwall_exchange::format::{Format, format_of};
use shieldwall_exchange::list::{self, ListError, Mapping};
use shieldwall_exchange::prose;
use shieldwall_model::id::GroupId;

use super::{Desk, Good, Judged, Known, ListOptions};
use crate::api::Report;
use crate::ask::Ask;
use crate::misp::take::{Purpose, take_file};
use crate::problem::Problem;

/// A form intelligence comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// STIX objects.
    Stix,
    /// MISP events.
    Misp,
    /// Rows of fields.
    Csv,
    /// One value a line.
    Plain,
    /// Free text with values in it; never told from content.
    Prose,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 5] = [Self::Stix, Self::Misp, Self::Csv, Self::Plain, Self::Prose];

    /// Its name in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stix => "stix",
            Self::Misp => "misp",
            Self::Csv => "csv",
            Self::Plain => "plain",
            Self::Prose => "prose",
        }
    }
}

/// Why a text names no form.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no form of intelligence: write stix, misp, csv, plain or prose, or nothing")]
pub struct FormError(String);

impl FromStr for Form {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let known = Self::ALL.into_iter().find(|form| form.as_str() == text);
        known.ok_or_else(|| FormError(text.chars().take(40).collect()))
    }
}

/// How what is handed in is to be read, and what it does not say of itself.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// As this; told from its content without it.
    pub form: Option<Form>,
    /// Which columns of CSV hold what; found from what stands in them without it.
    pub columns: Option<Mapping>,
    /// What a list does not say of itself.
    pub list: ListOptions,
}

/// What would become of whatever is handed in.
pub struct Look {
    /// In which form it came.
    pub form: Form,
    /// What its sender would be told.
    pub report: Report,
    /// The objects that would be recorded, and in which group: an event says itself who may see what.
    pub good: Vec<(GroupId, Good)>,
}

/// Read, and how it goes on.
enum Read {
    Judged(Judged),
    /// Events, which have their own way in.
    Events,
}

impl Desk {
    /// Says what would become of whatever is handed in; records nothing.
    ///
    /// # Errors
    /// 400 for what cannot be read at all, else as [`Desk::judge`].
    pub async fn look(&self, ask: &Ask, bytes: &[u8], given: &Given) -> Result<Look, Problem> {
        let (form, read) = self.read_any(bytes, given).await?;
        Ok(match read {
            Read::Judged(Judged { report, good, .. }) => {
                Look { form, report, good: good.into_iter().map(|good| (self.group, good)).collect() }
            }
            Read::Events => {
                let mut purpose = Purpose::Look(Vec::new());
                let report = take_file(ask, bytes, self.group, &mut purpose).await?;
                let good = match purpose {
                    Purpose::Look(good) => good,
                    Purpose::Record => Vec::new(),
                };
                Look { form, report, good }
            }
        })
    }

    /// Takes whatever is handed in.
    ///
    /// # Errors
    /// As [`Desk::look`] and [`Desk::record`].
    pub async fn take_any(&self, ask: &Ask, bytes: &[u8], given: &Given) -> Result<Report, Problem> {
        match self.read_any(bytes, given).await?.1 {
            Read::Judged(judged) => self.record(judged).await,
            Read::Events => take_file(ask, bytes, self.group, &mut Purpose::Record).await,
        }
    }

    async fn read_any(&self, bytes: &[u8], given: &Given) -> Result<(Form, Read), Problem> {
        let form = match given.form {
            Some(form) => form,
            None => match format_of(bytes)
                .map_err(|error| Problem::unreadable(error.code(), error.to_string()))?
            {
                Format::Stix => Form::Stix,
                Format::Misp => Form::Misp,
                Format::Csv => Form::Csv,
                Format::Plain => Form::Plain,
            },
        };
        let list = match (form, &given.columns) {
            (Form::Stix, _) => return Ok((form, Read::Judged(self.judge(bytes, Known::ByVersion).await?))),
            (Form::Misp, _) => return Ok((form, Read::Events)),
            (Form::Csv, Some(columns)) => list::read_csv_by(bytes, columns),
            (Form::Csv, None) => list::read_csv(bytes),
            (Form::Plain, _) => list::read_plain(bytes),
            (Form::Prose, _) => prose::read_prose(bytes),
        };
        let list = list.map_err(|error: ListError| Problem::unreadable(error.code(), error.to_string()))?;
        Ok((form, Read::Judged(self.judge_list(list, &given.list).await?)))
    }
}
