//! Feeds out: what a member's own devices may block, as each of them reads it, made for the reader who asks.
//!
//! A feed is made page by page into a file and sent from there, so its `ETag` is the hash of just the bytes this
//! reader gets. The last few of each reader's feeds are kept beside the logs (they can go at any time): who comes with
//! the ETag it has gets 304 without anything being made anew when nothing has changed, and who comes with the cursor
//! of an earlier one gets the lines that became different. Everything here comes from logs the reader is party to.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use shieldwall_exchange::feed::{Format, Summary};
use shieldwall_ledger::ReadError;
use shieldwall_ledger::files::Files;
use shieldwall_model::access::ReadScope;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;

use self::make::{Explained, Finished, Making, difference};
use self::query::Selection;
use crate::ask::{Ask, json};
use crate::fold::collection;
use crate::problem::Problem;
use crate::taxii::header_text;

mod make;
pub mod query;

/// What cursors of feeds are sealed for.
const USE: &str = "feed";
/// Most feeds made at once: each reads everything its reader may see.
const AT_ONCE_MAX: usize = 2;
/// Most feeds that are remembered.
const REMEMBERED_MAX: usize = 4_096;
/// Most files kept for one principal: a few feeds, with what they were before.
const FILES_PER_PRINCIPAL_MAX: usize = 24;
/// How much of a file is sent at once.
const PIECE_BYTES: usize = 64 * 1024;

const LISTED: HeaderName = HeaderName::from_static("x-feed-listed");
const LEFT_OUT: HeaderName = HeaderName::from_static("x-feed-left-out");
const CURSOR: HeaderName = HeaderName::from_static("x-feed-cursor");

/// The feeds made last.
pub struct Feeds {
    made: Mutex<HashMap<String, Made>>,
    places: Semaphore,
}

impl Default for Feeds {
    fn default() -> Self {
        Self { made: Mutex::default(), places: Semaphore::new(AT_ONCE_MAX) }
    }
}

/// A feed that was made.
#[derive(Clone, Debug)]
struct Made {
    finished: Finished,
    tag: String,
}

/// Why a feed holds what it holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FeedExplained {
    /// The format.
    pub format: String,
    /// How many values (in a bundle: objects) it lists.
    pub listed: u64,
    /// How many were left out, by reason.
    pub left_out: std::collections::BTreeMap<String, u64>,
    /// The first thousand of them.
    pub examples: Vec<Explained>,
    /// The feed's ETag.
    pub etag: String,
}

/// A feed as asked for.
struct Wanted {
    scope: ReadScope,
    format: Format,
    selection: Selection,
    /// The name of its files, but for what they hold.
    place: String,
    dir: PathBuf,
}

impl Wanted {
    fn of(ask: &Ask, format: Format) -> Result<Self, Problem> {
        let (scope, selection) = (ask.scope()?, Selection::of(ask)?);
        let short = |text: &str| -> String {
            Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        };
        let place = format!("{}.{}", short(&scope.binding()), short(&selection.name(&scope, format)));
        let files = Files::new(&ask.app.config().data, ask.app.realm().clone());
        let dir = files.views().with_file_name("feeds");
        Ok(Self { scope, format, selection, place, dir })
    }

    fn file(&self, tag: &str) -> PathBuf {
        self.dir.join(format!("{}.{tag}", self.place))
    }
}

/// `GET /feeds/{format}`.
///
/// # Errors
/// 404 for a format there is not, or a group the member is not party to; 400 and 422 for a query that cannot be; 410
/// for a cursor of a feed that is no longer kept.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    let format: Format = ask.path("format")?.parse().map_err(|_| Problem::absent())?;
    let wanted = Wanted::of(&ask, format)?;
    if ask.query("explain").is_some_and(|asked| asked != "0") {
        let (made, _) = make(&ask, &wanted).await?;
        return json(&explained(&wanted, made));
    }
    let since = match ask.query("since") {
        Some(text) => Some(old(&ask, &wanted, text)?),
        None => None,
    };
    let made = match current(&ask, &wanted).await? {
        Some(made) => made,
        None => make(&ask, &wanted).await?.0,
    };
    let etag = format!("\"{}\"", made.tag);
    if since.is_none()
        && header_text(&ask.headers, &header::IF_NONE_MATCH).is_some_and(|known| knows(known, &etag))
    {
        return told(&ask, &wanted, &made, &etag, StatusCode::NOT_MODIFIED.into_response());
    }
    let path = wanted.file(&made.tag);
    let file = match File::open(&path) {
        Ok(file) => file,
        // It was cleared away in between: made anew, and held open.
        Err(_) => make(&ask, &wanted).await?.1,
    };
    let Some(mut before) = since else {
        return told(&ask, &wanted, &made, &etag, sent(file).await?);
    };
    let dir = wanted.dir.clone();
    let changes = blocking(move || {
        let (mut new, mut out) = (file, tempfile::tempfile_in(dir)?);
        difference(&mut before, &mut new, format, &mut out)?;
        out.rewind()?;
        Ok(out)
    })
    .await?;
    let mut response = told(&ask, &wanted, &made, &etag, sent(changes).await?)?;
    // The tag is the whole feed's, and a list of changes is none.
    response.headers_mut().remove(header::ETAG);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// What the feed of all values holds for this reader and what it leaves out, for the page about feeds.
///
/// # Errors
/// As [`read`].
pub async fn overview(ask: &Ask) -> Result<Summary, Problem> {
    let wanted = Wanted::of(ask, Format::Plain)?;
    let made = match current(ask, &wanted).await? {
        Some(made) => made,
        None => make(ask, &wanted).await?.0,
    };
    Ok(made.finished.summary)
}

fn explained(wanted: &Wanted, made: Made) -> FeedExplained {
    let Finished { summary, explained, .. } = made.finished;
    FeedExplained {
        format: wanted.format.to_string(),
        listed: summary.listed,
        left_out: summary.left_out.iter().map(|(why, count)| (why.as_str().to_owned(), *count)).collect(),
        examples: explained,
        etag: format!("\"{}\"", made.tag),
    }
}

/// Whether one of the tags in `If-None-Match` is this one (RFC 9110 section 13.1.2: compared weakly).
fn knows(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The feed a cursor stands for, if it is still kept.
fn old(ask: &Ask, wanted: &Wanted, cursor: &str) -> Result<File, Problem> {
    if !wanted.format.has_lines() {
        return Err(Problem::refused(
            "feed.since.format",
            "this format has no lines that stand for themselves; fetch it whole, with If-None-Match",
        ));
    }
    let gone = || {
        Problem::new(
            StatusCode::GONE,
            "feed.since.gone",
            "the feed of this cursor is no longer kept, or it was another feed; fetch it whole",
        )
    };
    let plain = ask.app.seal().open_bytes(&wanted.scope, USE, cursor)?;
    let text = String::from_utf8(plain).map_err(|_| gone())?;
    let tag = text.strip_prefix(&wanted.place).and_then(|rest| rest.strip_prefix('.')).ok_or_else(gone)?;
    if tag.len() != 32 || !tag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(gone());
    }
    File::open(wanted.file(tag)).map_err(|_| gone())
}

/// The last one made, if nothing has changed since.
async fn current(ask: &Ask, wanted: &Wanted) -> Result<Option<Made>, Problem> {
    let made = {
        let known = ask.app.feeds().made.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&wanted.place).cloned()
    };
    let Some(made) = made else { return Ok(None) };
    let ended = made.finished.soonest.is_some_and(|ends| ends <= ask.app.now());
    if ended || wanted.selection.follows_the_clock() {
        return Ok(None);
    }
    let (scope, reached) = (wanted.scope.clone(), made.finished.reached.clone());
    let changed = ask
        .read(move |reading| {
            for (of, after) in &reached {
                if !reading.documents(&scope, of, after, 1)?.rows.is_empty() {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await?;
    Ok((!changed).then_some(made))
}

/// Makes the feed and keeps it.
async fn make(ask: &Ask, wanted: &Wanted) -> Result<(Made, File), Problem> {
    let feeds = ask.app.feeds();
    let _place = feeds.places.acquire().await.map_err(|error| Problem::fault(&error))?;
    let (dir, scope, selection) = (wanted.dir.clone(), wanted.scope.clone(), wanted.selection.clone());
    let (format, directory, now) = (wanted.format, ask.app.directory(), ask.app.now());
    let mut making = blocking(move || {
        std::fs::create_dir_all(&dir)?;
        Making::new(scope, format, selection, directory, now, &dir)
    })
    .await?;
    type Step = fn(&mut Making, &shieldwall_ledger::Reading<'_>) -> Result<bool, ReadError>;
    let steps: [Step; 4] = [
        |making, reading| making.guards(reading),
        |making, reading| making.held(reading, collection::HELD),
        |making, reading| making.held(reading, collection::DECIDED),
        |making, reading| making.indicators(reading),
    ];
    for step in steps {
        loop {
            let (back, more) = ask
                .read(move |reading| {
                    let more = step(&mut making, reading)?;
                    Ok((making, more))
                })
                .await?;
            making = back;
            if !more {
                break;
            }
        }
    }
    let (dir, place) = (wanted.dir.clone(), wanted.place.clone());
    let (made, file) = blocking(move || {
        let mut out = tempfile::NamedTempFile::new_in(&dir)?;
        let (finished, tag) = making.finish(out.as_file_mut())?;
        let path = dir.join(format!("{place}.{tag}"));
        let mut file = out.persist(&path)?;
        file.rewind()?;
        clear(&dir, place.split('.').next().unwrap_or_default())?;
        Ok((Made { finished, tag }, file))
    })
    .await?;
    let mut known = feeds.made.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= REMEMBERED_MAX {
        known.clear();
    }
    known.insert(wanted.place.clone(), made.clone());
    drop(known);
    Ok((made, file))
}

/// Clears away the oldest files of a principal. Nobody else's count, so nobody's cursor ends because of another.
fn clear(dir: &std::path::Path, principal: &str) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(principal) {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort();
    let spare = files.len().saturating_sub(FILES_PER_PRINCIPAL_MAX);
    for (_, path) in files.into_iter().take(spare) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// The headers of a feed.
fn told(
    ask: &Ask,
    wanted: &Wanted,
    made: &Made,
    etag: &str,
    mut response: Response,
) -> Result<Response, Problem> {
    let Summary { listed, .. } = made.finished.summary;
    let mut set = |name: HeaderName, text: String| {
        let value = HeaderValue::try_from(text).map_err(|error| Problem::fault(&error))?;
        response.headers_mut().insert(name, value);
        Ok::<_, Problem>(())
    };
    set(header::ETAG, etag.to_owned())?;
    set(header::CACHE_CONTROL, "private, no-cache".into())?;
    set(LISTED, listed.to_string())?;
    set(LEFT_OUT, made.finished.summary.left_out_line())?;
    if wanted.format.has_lines() {
        let place = format!("{}.{}", wanted.place, made.tag);
        set(CURSOR, ask.app.seal().seal_bytes(&wanted.scope, USE, place.as_bytes()))?;
    }
    let name = wanted.format.file_name();
    set(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))?;
    if !response.headers().contains_key(header::CONTENT_TYPE) {
        let kind = HeaderValue::from_static(wanted.format.content_type());
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(response)
}

/// A file as a body, piece by piece.
async fn sent(file: File) -> Result<Response, Problem> {
    let length = file.metadata().map_err(|error| Problem::fault(&error))?.len();
    let pieces = futures_util::stream::unfold(tokio::fs::File::from_std(file), |mut file| async move {
        let mut piece = vec![0; PIECE_BYTES];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok::<_, io::Error>(Bytes::from(piece)), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    // Whoever packs the body asks once more after its end.
    let mut response = Body::from_stream(pieces.fuse()).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// Works with files, off the threads that serve requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::fault(&error))?
        .map_err(|error| Problem::fault(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_one_by_one() {
        for (known, same) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(knows(known, "\"a\""), same, "{known}");
        }
    }
}
