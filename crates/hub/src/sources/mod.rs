//! Sources: what a member takes in on its own.

pub mod run;

use crate::app::App;
use crate::problem::Problem;
use crate::rota::Due;

/// Which source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceKey;

/// When which source is due.
///
/// # Errors
/// As `App::settings`.
pub async fn due(_app: &App) -> Result<Vec<Due>, Problem> {
    Ok(Vec::new())
}
