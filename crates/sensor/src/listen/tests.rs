//! Messages over every transport, whole, broken and hostile.

use std::io::Write;
use std::sync::mpsc::{Receiver, sync_channel};

use proptest::prelude::*;

use super::frames::Frames;
use super::*;

fn listen(transport: Transport) -> Listen {
    Listen { transport, address: "127.0.0.1:0".parse().unwrap(), tls: None }
}

fn started(transport: Transport) -> (SocketAddr, Receiver<Block>, Arc<State>) {
    let ((to, blocks), state) = (sync_channel(16), Arc::new(State::default()));
    (start(&listen(transport), to, Arc::clone(&state)).unwrap(), blocks, state)
}

fn lines(blocks: &Receiver<Block>, wanted: usize) -> Vec<String> {
    let mut text = Vec::new();
    while text.iter().filter(|byte| **byte == b'\n').count() < wanted {
        text.extend(blocks.recv_timeout(Duration::from_secs(20)).unwrap().lines);
    }
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn addresses_are_read_and_shown() {
    for (text, transport) in [
        ("syslog+udp://127.0.0.1:5514", Transport::Udp),
        ("syslog+tcp://[::1]:601", Transport::Tcp),
        ("syslog+tls://0.0.0.0:6514", Transport::Tls),
    ] {
        let (read, address) = parse(text).unwrap();
        assert_eq!(read, transport);
        assert_eq!(Listen { transport, address, tls: None }.to_string(), text);
    }
    for wrong in
        ["syslog+udp://localhost:1", "syslog+sctp://127.0.0.1:1", "syslog+udp://127.0.0.1", "syslog+udp"]
    {
        assert!(
            is_listen(wrong) && parse(wrong).unwrap_err().contains("syslog+udp://127.0.0.1:5514"),
            "{wrong}"
        );
    }
}

#[test]
fn a_datagram_is_a_line() {
    let (address, blocks, _state) = started(Transport::Udp);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in
        [&b"<13>Nov 25 08:29:25 h app: one\n"[..], b"", b"<13>two\nlines\0", b"<13>1 - - - - - - {\"a\": 1}"]
    {
        sender.send_to(message, address).unwrap();
    }
    assert_eq!(lines(&blocks, 3), ["<13>Nov 25 08:29:25 h app: one", "<13>two lines", "{\"a\": 1}"]);
}

#[test]
fn a_stream_may_count_its_messages_or_end_them() {
    let (address, blocks, _state) = started(Transport::Tcp);
    let mut sender = TcpStream::connect(address).unwrap();
    sender.write_all(b"<13>one\n9 <13>t\nwo!\n<13>three\n14 <13>{\"four\":").unwrap();
    sender.write_all(b"4}<13>five").unwrap();
    drop(sender);
    assert_eq!(lines(&blocks, 5), ["<13>one", "<13>t wo!", "<13>three", "{\"four\":4}", "<13>five"]);
}

#[test]
fn connections_past_the_limit_are_turned_away_and_it_is_said() {
    let (address, blocks, state) = started(Transport::Tcp);
    let mut open: Vec<TcpStream> =
        (0..CONNECTIONS_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut more = TcpStream::connect(address).unwrap();
    more.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut nothing = [0; 1];
    assert!(matches!(std::io::Read::read(&mut more, &mut nothing), Ok(0) | Err(_)));
    open.last_mut().unwrap().write_all(b"<13>still here\n").unwrap();
    assert_eq!(lines(&blocks, 1), ["<13>still here"]);
    drop(state);
}

fn framed(bytes: &[u8], sizes: &[usize]) -> (Vec<Vec<u8>>, u64) {
    let (mut frames, mut all, mut at) = (Frames::default(), Vec::new(), 0);
    for size in sizes.iter().cycle() {
        if at >= bytes.len() {
            break;
        }
        let end = (at + size).min(bytes.len());
        frames.take(&bytes[at..end], |message| all.push(message.to_vec()));
        at = end;
    }
    frames.last(|message| all.push(message.to_vec()));
    (all, frames.take_skipped())
}

#[test]
fn messages_that_are_too_long_are_passed_over_and_counted() {
    let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
    let text = format!("<1>a\n{} {long}<1>b\n<1>{long}\n<1>c\n99 <1>cut", long.len());
    for size in [1 << 20, 50_000, 7_919] {
        let (all, skipped) = framed(text.as_bytes(), &[size]);
        assert_eq!(all, [b"<1>a", b"<1>b", b"<1>c"].map(|text| text.to_vec()));
        assert_eq!(skipped, 3, "two too long, one cut short");
    }
}

proptest! {
    #[test]
    fn framing_does_not_depend_on_how_the_bytes_arrive(
        bytes in proptest::collection::vec(prop_oneof![
            3 => proptest::sample::select(&b"0123456789 \n<>\0"[..]), 1 => any::<u8>(),
        ], 0..400),
        sizes in proptest::collection::vec(1usize..40, 1..6),
    ) {
        prop_assert_eq!(framed(&bytes, &sizes), framed(&bytes, &[usize::MAX >> 1]));
    }

    #[test]
    fn every_message_becomes_at_most_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut lines = Vec::new();
        let any = push_line(&bytes, &mut lines);
        prop_assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), usize::from(any));
        prop_assert!(lines.len() <= bytes.len() + 1);
    }
}
