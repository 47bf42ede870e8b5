//! Log lines that are not JSON, taken apart into keys and texts.
//!
//! A [`Decoder`] knows how a format spells its fields and nothing of what they mean: a mapping says that, as for JSON.
//! What it cannot take apart it says so of ([`Line::Other`]), and the line is read as text then: nothing in it is
//! lost, it only has no field names.
//!
//! Each decoder walks a line once from front to back and keeps nothing but the header of a Zeek log. Most lines reach a
//! file by way of syslog: a header before BIND's, Unbound's, Squid's, CEF's and mail lines is taken off first.
//!
//! | decoder | lines | source of the format |
//! |---|---|---|
//! | [`Decoder::ZeekTsv`] | Zeek's tab-separated logs with their `#fields` | docs.zeek.org, "Zeek Log Formats" |
//! | [`Decoder::Syslog`] | RFC 5424, RFC 3164, and how rsyslog and syslog-ng write files | the RFCs |
//! | [`Decoder::Cef`] | `CEF:0\|…`, with or without syslog header | ArcSight, "Implementing CEF", version 25 |
//! | [`Decoder::Bind`] | BIND's query and response log | BIND 9 Administrator Reference Manual, logging |
//! | [`Decoder::Unbound`] | Unbound's `log-queries` and `log-replies` | unbound.conf(5) |
//! | [`Decoder::Squid`] | Squid's native access log | Squid, "logformat squid" |
//! | [`Decoder::Combined`] | common and combined access logs, with or without virtual host | Apache httpd, "Log Files" |
//! | [`Decoder::Postfix`] | Postfix in a mail log | Postfix's own lines |

mod cef;
mod cursor;
mod dns;
mod mail;
mod time;
mod web;
mod zeek;

pub mod syslog;

/// Receives a key and the text that stands for it.
pub type Each<'a> = dyn FnMut(&str, &[u8]) + 'a;

/// Longest key told of a line in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Most pairs taken from one line; what follows them is not taken apart.
pub const PAIRS_PER_LINE_MAX: usize = 1_024;

/// How a format that is not JSON spells its fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decoder {
    /// Zeek's tab-separated logs.
    ZeekTsv,
    /// Syslog, any dialect.
    Syslog,
    /// ArcSight's Common Event Format.
    Cef,
    /// BIND's query log.
    Bind,
    /// Unbound's query log.
    Unbound,
    /// Squid's native access log.
    Squid,
    /// Common and combined access logs.
    Combined,
    /// Postfix's lines in a mail log.
    Postfix,
}

/// What a line turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// An event; its pairs were handed out.
    Event,
    /// A header or comment: nothing in it happened.
    Aside,
    /// Not of this format; what was handed out of it is void.
    Other,
}

/// What a decoder remembers from line to line of one stream.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    zeek: zeek::Header,
    scratch: Vec<u8>,
}

impl Memory {
    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.zeek.is_empty()
    }

    /// Takes in the headers in a block of lines; tells whether there were any.
    pub(crate) fn learn(&mut self, decoder: Decoder, lines: &[u8]) -> bool {
        let mut any = false;
        if decoder == Decoder::ZeekTsv
            && (lines.starts_with(b"#") || memchr::memmem::find(lines, b"\n#").is_some())
        {
            for line in lines.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"#")) {
                any |= decoder.read(self, line, &mut |_, _| ()) == Line::Aside;
            }
        }
        any
    }
}

impl Decoder {
    /// Every decoder with the word a mapping file uses for it as `format`.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("zeek-tsv", Self::ZeekTsv),
        ("syslog", Self::Syslog),
        ("cef", Self::Cef),
        ("bind", Self::Bind),
        ("unbound", Self::Unbound),
        ("squid", Self::Squid),
        ("combined", Self::Combined),
        ("postfix", Self::Postfix),
    ];

    /// The word a mapping file uses.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, decoder)| *decoder == self).map_or("", |(word, _)| word)
    }

    /// Takes a line (without its line end) apart and hands out what it holds, in order.
    pub fn read(self, memory: &mut Memory, line: &[u8], each: &mut Each<'_>) -> Line {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        match self {
            Self::ZeekTsv => memory.zeek.read(line, &mut memory.scratch, each),
            Self::Syslog => syslog::read(line, each),
            Self::Cef => cef::read(line, &mut memory.scratch, each),
            Self::Bind => dns::bind(line, each),
            Self::Unbound => dns::unbound(line, each),
            Self::Squid => web::squid(line, each),
            Self::Combined => web::combined(line, &mut memory.scratch, each),
            Self::Postfix => mail::postfix(line, each),
        }
    }
}

#[cfg(test)]
mod tests;
