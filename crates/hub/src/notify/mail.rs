//! A notice as a mail: how much is new and where to read it, never what it says. A mail lies on many machines in the
//! clear; the names of objects are often the values themselves.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::address::Envelope;
use lettre::{Address, SmtpTransport, Transport as _};

use super::Notice;
use crate::app::App;
use crate::config::Config;
use crate::searches::kept::Kept;

/// How long the mail server may take, in seconds.
const SERVER_SECONDS_MAX: u64 = 20;
/// Objects listed in a mail.
const LISTED_MAX: usize = 20;
/// Bytes of base64 in a line (RFC 2045 section 6.8).
const LINE_BYTES: usize = 76;

/// Mails a notice. The error is what the log of the search shows.
pub(super) async fn send(app: &App, kept: &Kept, notice: &Notice) -> Result<(), String> {
    let mail =
        app.config().mail.as_ref().ok_or("this hub sends no mail: its operator has set up no server")?;
    let to = kept.email.as_deref().ok_or("there is no address any more")?;
    let read = |text: &str| text.parse::<Address>().map_err(|error| error.to_string());
    let (from, to) = (read(&mail.from)?, read(to)?);
    let mut random = [0u8; 16];
    app.entropy().fill(&mut random).map_err(|error| error.to_string())?;
    let id = format!("{:032x}", u128::from_be_bytes(random));
    let message = write(app.config(), notice, &from, &to, &id);
    let envelope = Envelope::new(Some(from), vec![to]).map_err(|error| error.to_string())?;
    // The server's own words may hold addresses of others: what went wrong is logged, and told in general.
    let failed = |error: lettre::transport::smtp::Error| {
        tracing::warn!(%error, "a mail was not taken");
        if error.is_permanent() {
            "the mail server refused it".to_owned()
        } else {
            "the mail server could not be reached".to_owned()
        }
    };
    let transport = SmtpTransport::from_url(&mail.server)
        .map_err(failed)?
        .timeout(Some(Duration::from_secs(SERVER_SECONDS_MAX)))
        .build();
    // A mail server is spoken to in turns that wait: off the threads that serve requests.
    let sent = tokio::task::spawn_blocking(move || transport.send_raw(&envelope, message.as_bytes()));
    sent.await.map_err(|error| error.to_string())?.map(|_| ()).map_err(failed)
}

/// The mail (RFC 5322), its words in base64 so that no word can break out of its place.
fn write(config: &Config, notice: &Notice, from: &Address, to: &Address, id: &str) -> String {
    let count = notice.objects.len() + notice.withheld;
    let many = if notice.more { "more than " } else { "" };
    let subject = format!("{}: {many}{count} new for {}", config.name, notice.search.name);
    let mut body = format!(
        "New objects fit the search \"{}\" you keep on {}: {many}{count}.\r\n\r\n",
        notice.search.name, config.name
    );
    for object in notice.objects.iter().take(LISTED_MAX) {
        let marking = object.marking.as_deref().unwrap_or("no marking");
        let _ = write!(
            body,
            "{} ({marking})\r\nhttps://{}/intelligence/{}\r\n\r\n",
            object.object_type, config.name, object.id
        );
    }
    let _ = write!(
        body,
        "A mail says where to look and not what is there. To be told no more, remove the search at\r\n\
         https://{}/intelligence/saved\r\n",
        config.name
    );
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{id}@{}>\r\n\
         Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}",
        encoded_words(&subject),
        date(&notice.time),
        from.domain(),
        lines(&STANDARD.encode(body)),
    )
}

/// A header's text as encoded words of at most 75 bytes (RFC 2047 section 2).
fn encoded_words(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut piece = String::new();
    for character in text.chars().filter(|character| !character.is_control()) {
        // 42 bytes are 56 in base64: with the header's name before the first, a line stays under 78 (RFC 5322 2.1.1).
        if piece.len() + character.len_utf8() > 42 {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(character);
    }
    words.push(piece);
    let words: Vec<String> =
        words.iter().map(|piece| format!("=?utf-8?B?{}?=", STANDARD.encode(piece))).collect();
    words.join("\r\n ")
}

fn lines(base64: &str) -> String {
    let mut text = String::with_capacity(base64.len() + base64.len() / 32);
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE_BYTES).unwrap_or((rest, ""));
        text.push_str(line);
        text.push_str("\r\n");
        rest = after;
    }
    text
}

/// A time of ours (`2026-01-31T09:30:00.000000Z`) as RFC 5322 section 3.3 writes it, without the day of the week.
fn date(time: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let part = |from: usize, to: usize| time.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!("{} {} {} {} +0000", part(8, 10), month.copied().unwrap_or("Jan"), part(0, 4), part(11, 19))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::ObjectBody;
    use crate::notify::Told;

    #[test]
    fn a_mail_says_where_to_look_and_not_what_is_there() {
        let notice = Notice {
            search: Told {
                id: "1".into(),
                name: "mine\r\nBcc: x@y.example, a name so long that it takes more than one word é".into(),
                query: "q".into(),
            },
            time: "2026-01-31T09:30:00.000000Z".into(),
            objects: vec![ObjectBody {
                id: "indicator--1".into(),
                object_type: "indicator".into(),
                name: "evil.example".into(),
                marking: Some("TLP:AMBER".into()),
                group: "g".into(),
                version: "v".into(),
                added: "a".into(),
                owner: None,
                withdrawn: false,
            }],
            more: false,
            withheld: 1,
        };
        let (from, to) = ("wall@wall.example".parse().unwrap(), "a@b.example".parse().unwrap());
        let mail = write(&Config::new("/nowhere"), &notice, &from, &to, "id");
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("Bcc") && head.contains("Date: 31 Jan 2026 09:30:00 +0000\r\n"), "{head}");
        assert!(mail.lines().all(|line| line.len() <= 78), "{mail}");
        let body = String::from_utf8(STANDARD.decode(body.replace("\r\n", "")).unwrap()).unwrap();
        assert!(body.contains(": 2.\r\n") && body.contains("/intelligence/indicator--1"), "{body}");
        assert!(!body.contains("evil.example"), "{body}");
    }
}
