//! One run of a source.

use super::SourceKey;
use crate::app::App;

/// Runs it.
pub async fn run(_app: &App, _key: &SourceKey) {}
