//! Feeds out as a page: which there are, how each device takes them, what they hold for this reader and what not.

use askama::Template;
use axum::response::Response;
use shieldwall_exchange::feed::{Format, LeftOut};

use crate::ask::Ask;
use crate::feeds::overview;
use crate::pages::frame::{Frame, Place};
use crate::pages::html;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// A feed as its row shows it.
struct Row {
    format: &'static str,
    file: &'static str,
    how: String,
}

/// A reason why something is in no feed.
struct ReasonRow {
    why: String,
    count: String,
}

#[derive(Template)]
#[template(path = "intelligence/feeds.html")]
struct FeedsPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    listed: u64,
    rows: Vec<Row>,
    reasons: Vec<ReasonRow>,
}

/// `GET /intelligence/feeds`.
///
/// # Errors
/// As `App::read`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let summary = overview(&ask).await?;
    let row = |format: Format| Row {
        format: format.as_str(),
        file: format.file_name(),
        how: t.text(&format!("feed-how-{format}")),
    };
    let reason = |why: LeftOut| {
        let count = summary.left_out.get(&why)?;
        Some(ReasonRow { why: t.text(&format!("left-out-{}", why.as_str())), count: t.number(count) })
    };
    html(&FeedsPage {
        t,
        frame: Frame::of(&ask, Place::Intelligence, "feeds-title").await?,
        tabs: tabs::intelligence(t, ask.reader(), "/intelligence/feeds"),
        listed: summary.listed,
        rows: Format::ALL.into_iter().map(row).collect(),
        reasons: LeftOut::ALL.into_iter().filter_map(reason).collect(),
    })
}
