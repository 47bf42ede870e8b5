//! The sensor's memory at work: every value that passes goes into it, and what it can be asked.
//!
//! An event belongs to the hour of its own time where it says one (see [`shieldwall_memory::Memory::hour_of`]), so that
//! an old log read today is remembered as what it is. A block of lines is cut where the hour changes, on the assumption
//! that a file is in order; a line out of order may be remembered in a neighbouring hour of its block.
//!
//! What is remembered, and what not:
//!
//! - names with their parents up to what was registered, so that a listed domain finds what lay below it;
//! - addresses alone: an endpoint's port is not kept, so an `ip-port` is answered by its address and never reported;
//! - IPv4 networks of every length, IPv6 networks of 32, 48 and 64 bits;
//! - URLs without their scheme; names of files where a field holds them, not in plain text;
//! - what stands under a mapped key anywhere in an event: the scan does not look at the whole path.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shieldwall_memory::{
    Code, Heat, Hour, Limits, Memory, MemoryError, MemoryKey, NETWORK6_LENGTHS, Page, Question, Scribe,
    network4, network6,
};
use shieldwall_model::time::{Clock, Timestamp};
use shieldwall_watch::matcher::Stats;
use shieldwall_watch::record::Recorder;
use shieldwall_watch::value::{Kind, Value};

use crate::config::Config;
use crate::matching::{Matching, Met};
use crate::rules::{Armed, Woken};
use crate::shared::Shared;

/// The directory of the memory in the state directory.
pub const DIRECTORY: &str = "memory";
/// Time between two flushes, in seconds: what a crash costs at most.
const FLUSH_SECONDS: u64 = 15;
/// How many flushes from one tidying to the next.
const FLUSHES_A_TIDY: u32 = 2;

/// A memory several threads use.
pub(crate) type SharedMemory = Arc<Mutex<Memory>>;

/// Opens the memory, unless none is to be kept, and tells what was found.
pub(crate) fn open(
    config: &Config,
    entropy: &dyn shieldwall_model::id::Entropy,
    now: Timestamp,
) -> Result<Option<SharedMemory>, MemoryError> {
    if config.memory_days == 0 {
        return Ok(None);
    }
    let limits = Limits { days: config.memory_days, bytes_max: config.memory_bytes, ..Limits::default() };
    let (memory, opened) = Memory::open(&config.state.join(DIRECTORY), limits, entropy, now)?;
    if let Some(from) = opened.lost_from {
        tracing::warn!(
            %from,
            "the sensor ended without closing its memory: what passed after that until its end is not remembered"
        );
    }
    for damage in &opened.damage {
        tracing::error!(%damage, "a file of the memory is damaged; what it held is not remembered");
    }
    Ok(Some(Arc::new(Mutex::new(memory))))
}

pub(crate) fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Flushes and tidies until the sensor stops.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let Some(memory) = shared.memory.clone() else { return shared.stopped().await };
    let mut flushes = 0;
    while shared.wait(Duration::from_secs(FLUSH_SECONDS)).await {
        flushes += 1;
        let (memory, now) = (Arc::clone(&memory), shared.clock.now());
        let tidy = flushes % FLUSHES_A_TIDY == 0;
        // A panic in there is told by the runtime; the next round tries again.
        let _ = tokio::task::spawn_blocking(move || upkeep(&memory, now, tidy)).await;
    }
}

fn upkeep(memory: &Mutex<Memory>, now: Timestamp, tidy: bool) {
    if let Err(error) = Memory::flush(memory, now) {
        tracing::error!(%error, code = error.code(), "the memory was not flushed; trying again");
    }
    if !tidy {
        return;
    }
    match Memory::tidy(memory, now) {
        Ok(done) => {
            for damage in &done.damage {
                tracing::error!(%damage, "a file of the memory is damaged and was set aside");
            }
            for day in &done.crowded_out {
                tracing::warn!(day, "forgotten before its time: the memory's share of the disk is used up");
            }
            if done.merged + done.forgotten.len() > 0 {
                tracing::info!(merged = done.merged, forgotten = done.forgotten.len(), "tidied the memory");
            }
        }
        Err(error) => tracing::error!(%error, code = error.code(), "the memory was not tidied; trying again"),
    }
}

/// Brings the memory onto disk as whole.
pub(crate) fn close(memory: &Mutex<Memory>, clock: &dyn Clock) {
    if let Err(error) = Memory::close(memory, clock.now()) {
        tracing::error!(%error, code = error.code(), "the memory was not closed; its last minute may be missing");
    }
}

/// One input's way into the memory.
pub(crate) struct Remembering {
    source: Arc<str>,
    scribe: Option<Scribe>,
}

impl Remembering {
    pub(crate) fn of(input: &str) -> Self {
        Self { source: input.into(), scribe: None }
    }

    /// Matches lines as [`Matching::run`] does, and remembers what is in them, if there is a memory.
    pub(crate) fn run(
        &mut self,
        matching: &mut Matching,
        lines: &[u8],
        armed: &Armed,
        woken: &mut Woken,
        memory: Option<(&SharedMemory, Timestamp)>,
        each: &mut dyn FnMut(Met),
    ) -> Stats {
        let Some((memory, now)) = memory else { return matching.run(lines, armed, None, woken, each) };
        if self.scribe.is_none() {
            let mut memory = lock(memory);
            self.source = memory.source(&self.source);
            self.scribe = Some(Scribe::new(memory.key().clone()));
        }
        let Some(scribe) = &mut self.scribe else { return Stats::default() };
        let (mut sum, mut begin) = (Stats::default(), 0);
        for (time, piece) in matching.hours(lines) {
            let mut memory = lock(memory);
            let hour = memory.hour_of(time, now);
            let (page, heat) = memory.desk(&self.source, hour, now);
            if let Some(time) = time {
                page.watched(time);
            }
            let mut recording = Recording { scribe, page, heat };
            let before = woken.len();
            let stats = matching.run(piece, armed, Some(&mut recording), woken, &mut |mut met| {
                met.line += begin;
                each(met);
            });
            woken.iter_mut().skip(before).for_each(|(line, _)| *line += begin);
            begin += piece.len();
            sum.events += stats.events;
            sum.bytes += stats.bytes;
            sum.matches += stats.matches;
            sum.events_matched += stats.events_matched;
            sum.bad_lines += stats.bad_lines;
            sum.long_lines += stats.long_lines;
            sum.slow_lines += stats.slow_lines;
        }
        sum
    }
}

/// What the matcher tells, on its way to a page.
struct Recording<'a> {
    scribe: &'a mut Scribe,
    page: &'a mut Page,
    heat: &'a mut Heat,
}

impl Recorder for Recording<'_> {
    #[inline]
    fn ipv4(&mut self, address: u32) {
        self.scribe.ipv4(address);
    }

    fn ipv6(&mut self, address: u128) {
        self.scribe.ipv6(address);
    }

    #[inline]
    fn name(&mut self, name: &[u8]) {
        if name.is_ascii() {
            return self.scribe.name(name);
        }
        let value = std::str::from_utf8(name).ok().and_then(|name| Value::new(Kind::Domain, name).ok());
        if let Some(value) = value {
            self.scribe.name(value.bytes());
        }
    }

    fn value(&mut self, kind: Kind, normal: &[u8]) {
        if let Some(code) = code_of(kind) {
            self.scribe.value(code, normal);
        }
    }

    #[inline]
    fn end(&mut self, count: bool) {
        self.scribe.end(count, self.page, self.heat);
    }
}

/// The memory's number for a kind that is kept as a word.
fn code_of(kind: Kind) -> Option<Code> {
    Some(match kind {
        Kind::Ipv6 => Code::Ipv6,
        Kind::Domain => Code::Domain,
        Kind::Url => Code::Url,
        Kind::Email => Code::Email,
        Kind::Md5 => Code::Md5,
        Kind::Sha1 => Code::Sha1,
        Kind::Sha256 => Code::Sha256,
        Kind::Sha512 => Code::Sha512,
        Kind::Ja3 => Code::Ja3,
        Kind::Ja4 => Code::Ja4,
        Kind::FileName => Code::FileName,
        Kind::CryptoAddress => Code::CryptoAddress,
        Kind::Ipv4 | Kind::Cidr4 | Kind::Cidr6 | Kind::IpPort => return None,
    })
}

/// What a memory can be asked about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Askable {
    /// Whether it passed.
    Whole(Question),
    /// Whether its address passed: the port is not remembered.
    AddressOnly(Question),
    /// Nothing: IPv6 networks are kept by 32, 48 and 64 bits alone.
    Not,
}

/// The question that stands for a value.
pub fn question(key: &MemoryKey, value: &Value) -> Askable {
    let bytes = value.bytes();
    let four = |bytes: &[u8]| bytes.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets));
    let sixteen = |bytes: &[u8]| bytes.first_chunk::<16>().map(|octets| u128::from_be_bytes(*octets));
    let word = |code: Code, bytes: &[u8]| Question::Word(key.of(code as u8, bytes));
    match (value.kind(), bytes) {
        (Kind::Ipv4, octets) => {
            four(octets).map_or(Askable::Not, |ip| Askable::Whole(Question::Addresses(ip, ip)))
        }
        (Kind::Cidr4, [a, b, c, d, length]) => {
            let (first, last) = network4(u32::from_be_bytes([*a, *b, *c, *d]), *length);
            Askable::Whole(Question::Addresses(first, last))
        }
        (Kind::Cidr6, octets) => match (sixteen(octets), octets.last()) {
            (Some(address), Some(length)) if NETWORK6_LENGTHS.contains(length) => {
                Askable::Whole(Question::Word(network6(key, address, *length)))
            }
            _ => Askable::Not,
        },
        (Kind::IpPort, octets) if octets.len() == 6 => {
            four(octets).map_or(Askable::Not, |ip| Askable::AddressOnly(Question::Addresses(ip, ip)))
        }
        (Kind::IpPort, octets) => {
            octets.get(..16).map_or(Askable::Not, |octets| Askable::AddressOnly(word(Code::Ipv6, octets)))
        }
        (Kind::Url, url) => {
            let from = url.windows(2).position(|pair| pair == b"//").unwrap_or(0);
            Askable::Whole(word(Code::Url, url.get(from..).unwrap_or(url)))
        }
        (kind, bytes) => code_of(kind).map_or(Askable::Not, |code| Askable::Whole(word(code, bytes))),
    }
}

/// Most values a network is made of when it is asked how common it is.
const PARTS_MAX: u32 = 256;

/// The words under which it is kept how common a value is; none for what is not counted.
pub(crate) fn words_of(key: &MemoryKey, value: &Value) -> Vec<u64> {
    let address = |ip: u32| key.of(Code::Ipv4 as u8, &ip.to_be_bytes()).as_u64();
    let network = |net: u32| match net.to_be_bytes() {
        [a, b, c, _] => key.of(Code::Network4 as u8, &[a, b, c]).as_u64(),
    };
    match question(key, value) {
        Askable::Whole(Question::Addresses(first, last))
        | Askable::AddressOnly(Question::Addresses(first, last)) => match last - first {
            0..PARTS_MAX if last - first < 255 => (first..=last).map(address).collect(),
            wide => (0..=wide >> 8).take(PARTS_MAX as usize).map(|net| network(first + (net << 8))).collect(),
        },
        Askable::Whole(Question::Word(word)) | Askable::AddressOnly(Question::Word(word)) => {
            vec![word.as_u64()]
        }
        Askable::Not => Vec::new(),
    }
}

/// The hour a time lies in, for whoever asks.
pub fn hour(time: Timestamp) -> Hour {
    Hour::of(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::InputFormat;
    use shieldwall_memory::Archive;
    use shieldwall_model::id::RepeatableEntropy;
    use shieldwall_watch::mapping::Mappings;
    use shieldwall_watch::watchlist::Builder;

    fn value(text: &str) -> Value {
        shieldwall_watch::value::detect(text).unwrap()
    }

    #[test]
    fn what_passes_is_found_in_the_hour_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let now = Timestamp::parse("2026-02-01T12:30:00Z").unwrap();
        let memory =
            Memory::open(directory.path(), Limits::default(), &RepeatableEntropy::new(1), now).unwrap().0;
        let memory = Arc::new(Mutex::new(memory));
        let mappings = Arc::new(Mappings::built_in().unwrap());
        let list = Arc::new(Builder::new(1).build().unwrap());
        let armed = Armed { list: Arc::clone(&list), rules: Arc::default() };
        let mut matching = Matching::new(&InputFormat::Auto, &mappings, list).unwrap();
        let mut remembering = Remembering::of("eve.json");
        let mut log = String::new();
        for (time, name, ip) in [
            ("2026-01-31T22:59:59.9Z", "a.B.old.example", "198.51.100.7"),
            ("2026-01-31T23:10:00Z", "new.example", "2001:db8:1:2::5"),
            ("2026-01-31T23:20:00Z", "b\u{fc}cher.example", "10.0.0.2"),
            ("1999-01-01T00:00:00Z", "long-gone.example", "10.0.0.3"),
        ] {
            log += &format!(
                "{{\"timestamp\":\"{time}\",\"event_type\":\"dns\",\"src_ip\":\"10.1.2.3\",\"dest_ip\":\"{ip}\",\"dns\":{{\"rrname\":\"{name}\"}}}}\n"
            );
        }
        let stats = remembering.run(
            &mut matching,
            log.as_bytes(),
            &armed,
            &mut Vec::new(),
            Some((&memory, now)),
            &mut |_| {},
        );
        assert_eq!(stats.events, 4);
        close(&memory, &shieldwall_model::time::ManualClock::new(now));
        let archive = Archive::open(directory.path()).unwrap();
        let ask = |text: &str| {
            let Askable::Whole(question) = question(archive.key(), &value(text)) else { panic!("{text}") };
            let answers = archive.ask(&[question], Hour(0), Hour(u32::MAX)).unwrap();
            let hours: Vec<String> = answers.found[0]
                .iter()
                .flat_map(|found| found.sources["eve.json"].hours().map(|hour| hour.begins().to_string()))
                .map(|text| text[..13].to_owned())
                .collect();
            hours
        };
        for name in ["a.b.old.example", "b.old.example", "old.example", "198.51.100.7", "198.51.100.0/24"] {
            assert_eq!(ask(name), ["2026-01-31T22"], "{name}");
        }
        for name in ["new.example", "2001:db8:1:2::5", "2001:db8:1::/48", "xn--bcher-kva.example"] {
            assert_eq!(ask(name), ["2026-01-31T23"], "{name}");
        }
        assert_eq!(ask("10.1.2.3"), ["2026-01-31T22", "2026-01-31T23", "2026-02-01T12"]);
        assert_eq!(ask("long-gone.example"), ["2026-02-01T12"], "too long ago to be believed");
        assert!(ask("never.example").is_empty());
    }

    #[test]
    fn a_value_is_asked_as_far_as_it_is_remembered() {
        let key = MemoryKey::new([1; 32]);
        assert!(matches!(
            question(&key, &value("198.51.100.7:443")),
            Askable::AddressOnly(Question::Addresses(..))
        ));
        assert!(matches!(
            question(&key, &value("[2001:db8::1]:443")),
            Askable::AddressOnly(Question::Word(_))
        ));
        assert_eq!(question(&key, &value("2001:db8::/33")), Askable::Not);
        let url = |text: &str| question(&key, &Value::new(Kind::Url, text).unwrap());
        assert_eq!(url("http://a.example/x"), url("https://a.example/x"));
        assert_ne!(url("http://a.example/x"), url("http://a.example/X"));
        assert_eq!(words_of(&key, &value("198.51.100.0/24")).len(), 1);
        assert_eq!(words_of(&key, &value("198.51.100.0/30")).len(), 4);
        assert_eq!(words_of(&key, &value("198.51.0.0/16")).len(), 256);
        assert_eq!(words_of(&key, &value("evil.example")).len(), 1);
    }
}
