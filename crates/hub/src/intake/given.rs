//! Whatever is handed in, in whichever form: told from its content, or as its sender says.

use std::str::FromStr;

use shieldwall_exchange::format::{Format, format_of};
use shieldwall_exchange::list::{self, ListError, Mapping};
use shieldwall_exchange::prose;

use super::{Desk, Judged, Known, ListOptions};
use crate::problem::Problem;

/// A form intelligence comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// STIX objects.
    Stix,
    /// Rows of fields.
    Csv,
    /// One value a line.
    Plain,
    /// Free text with values in it; never told from content.
    Prose,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Stix, Self::Csv, Self::Plain, Self::Prose];

    /// Its name in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stix => "stix",
            Self::Csv => "csv",
            Self::Plain => "plain",
            Self::Prose => "prose",
        }
    }
}

/// Why a text names no form.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no form of intelligence: write stix, csv, plain or prose, or nothing")]
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

impl Desk {
    /// Says what would become of whatever is handed in, and in which form it came; records nothing.
    ///
    /// # Errors
    /// 400 for what cannot be read at all, else as [`Desk::judge`].
    pub async fn judge_any(&self, bytes: &[u8], given: &Given) -> Result<(Form, Judged), Problem> {
        let form = match given.form {
            Some(form) => form,
            None => match format_of(bytes)
                .map_err(|error| Problem::unreadable(error.code(), error.to_string()))?
            {
                Format::Stix => Form::Stix,
                Format::Csv => Form::Csv,
                Format::Plain => Form::Plain,
            },
        };
        let list = match (form, &given.columns) {
            (Form::Stix, _) => return Ok((form, self.judge(bytes, Known::ByVersion).await?)),
            (Form::Csv, Some(columns)) => list::read_csv_by(bytes, columns),
            (Form::Csv, None) => list::read_csv(bytes),
            (Form::Plain, _) => list::read_plain(bytes),
            (Form::Prose, _) => prose::read_prose(bytes),
        };
        let list = list.map_err(|error: ListError| Problem::unreadable(error.code(), error.to_string()))?;
        Ok((form, self.judge_list(list, &given.list).await?))
    }
}
