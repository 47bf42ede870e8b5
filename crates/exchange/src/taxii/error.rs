//! What goes wrong with a TAXII request before anything is looked up, and the error resource that says so.

use super::media::MEDIA_TYPE;
use super::resource::ErrorResource;

/// A request that the standard says to refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaxiiError {
    /// The client takes nothing we can send (section 1.6.8.2): 406.
    #[error("nothing in Accept can be sent: ask for {MEDIA_TYPE}")]
    NotAcceptable,
    /// The body is of a type we do not read: 415.
    #[error("this Content-Type is not read here: send {MEDIA_TYPE}")]
    UnsupportedMediaType,
    /// A query parameter is not understood: 400.
    #[error("the parameter {name}: {why}")]
    Parameter {
        /// Its name, such as `limit` or `match[version]`.
        name: String,
        /// What is wrong and what to do.
        why: &'static str,
    },
}

impl TaxiiError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAcceptable => "taxii.not-acceptable",
            Self::UnsupportedMediaType => "taxii.media-type",
            Self::Parameter { .. } => "taxii.parameter",
        }
    }

    /// The HTTP status.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::NotAcceptable => 406,
            Self::UnsupportedMediaType => 415,
            Self::Parameter { .. } => 400,
        }
    }

    /// The error resource to answer with (section 3.6.1).
    pub fn resource(&self) -> ErrorResource {
        let title = match self {
            Self::NotAcceptable => "Not acceptable",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::Parameter { .. } => "Parameter not understood",
        };
        ErrorResource::new(title, self.http_status(), self.code(), self.to_string())
    }
}
