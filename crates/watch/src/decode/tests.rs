//! Each decoder on lines as its programs write them, and on what no program writes.

use proptest::prelude::*;

use super::*;

fn read(decoder: Decoder, lines: &str) -> Vec<(String, String)> {
    let (mut memory, mut pairs) = (Memory::default(), Vec::new());
    for line in lines.lines() {
        let mut here = Vec::new();
        let mut each =
            |key: &str, text: &[u8]| here.push((key.to_owned(), String::from_utf8_lossy(text).into_owned()));
        match decoder.read(&mut memory, line.as_bytes(), &mut each) {
            Line::Event => pairs.extend(here),
            Line::Aside => pairs.push(("aside".into(), String::new())),
            Line::Other => pairs.push(("other".into(), String::new())),
        }
    }
    pairs
}

fn holds(decoder: Decoder, lines: &str, expected: &[(&str, &str)]) {
    let read = read(decoder, lines);
    let expected: Vec<(String, String)> =
        expected.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    assert_eq!(read, expected, "{lines}");
}

#[test]
fn syslog_is_read_in_both_standards_and_as_files_hold_it() {
    let decoder = Decoder::Syslog;
    holds(
        decoder,
        r#"<165>1 2026-11-25T08:29:25.003Z mx.example.com app 8710 ID47 [ex@32473 ip="192.0.2.1" q="a\"b]"][x@1] hello: world"#,
        &[
            ("time", "2026-11-25T08:29:25.003Z"),
            ("host", "mx.example.com"),
            ("priority", "165"),
            ("app", "app"),
            ("process", "8710"),
            ("id", "ID47"),
            ("data", r#"[ex@32473 ip="192.0.2.1" q="a\"b]"][x@1]"#),
            ("sd.ex@32473.ip", "192.0.2.1"),
            ("sd.ex@32473.q", r#"a\"b]"#),
            ("message", "hello: world"),
        ],
    );
    holds(decoder, "<34>1 - - - - - -", &[("priority", "34"), ("message", "")]);
    let bsd = [("host", "mymachine"), ("app", "su"), ("message", "failed for ann")];
    holds(decoder, "Oct 11 22:14:15 mymachine su: failed for ann", &bsd);
    holds(decoder, "Oct  1 2026 22:14:15.123 mymachine su: failed for ann", &bsd);
    let with = |key, text| [bsd[0], (key, text), bsd[1], bsd[2]];
    holds(decoder, "<34>Oct 11 22:14:15 mymachine su: failed for ann", &with("priority", "34"));
    holds(
        decoder,
        "2026-11-25T08:29:25.1+01:00 h sshd[7]: bye",
        &[
            ("time", "2026-11-25T08:29:25.1+01:00"),
            ("host", "h"),
            ("app", "sshd"),
            ("process", "7"),
            ("message", "bye"),
        ],
    );
    // RFC 3164 section 5.4, example 2 has neither; section 4.3.3 makes it all message.
    holds(decoder, "<0>Use the BFG!", &[("priority", "0"), ("message", "Use the BFG!")]);
    for other in [
        "",
        "just words",
        "<999>x",
        "<>x",
        "Oct 11 22:14:15",
        "Oct 99999 22:14:15 a b: c",
        "Octopus is no month",
    ] {
        holds(decoder, other, if other.is_empty() { &[] } else { &[("other", "")] });
    }
}

#[test]
fn zeek_columns_are_named_by_the_header() {
    let log = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n\
        #fields\tts\tid.orig_h\tquery\tanswers\n#types\ttime\taddr\tstring\tvector[string]\n\
        1764059365.5\t192.0.2.1\ta\\x09b.example\t198.51.100.7,c.example\n1\t2\t-\t(empty)\n1\t2\n#close\t2026\n#what";
    let aside = ("aside", "");
    holds(
        Decoder::ZeekTsv,
        log,
        &[
            aside,
            aside,
            aside,
            aside,
            aside,
            aside,
            aside,
            ("ts", "1764059365.5"),
            ("id.orig_h", "192.0.2.1"),
            ("query", "a\tb.example"),
            ("answers", "198.51.100.7"),
            ("answers", "c.example"),
            ("ts", "1"),
            ("id.orig_h", "2"),
            ("other", ""),
            aside,
            ("other", ""),
        ],
    );
    holds(Decoder::ZeekTsv, "1\t2\t3", &[("other", "")]);
}

#[test]
fn cef_values_reach_to_the_next_key() {
    let told = [
        ("version", "0"),
        ("vendor", "Example|Co"),
        ("product", "wall"),
        ("device_version", "1.0"),
        ("signature", "100"),
        ("name", "worm stopped"),
        ("severity", "10"),
        ("src", "192.0.2.1"),
        ("msg", "a = b and more\nlines"),
        ("request", "http://evil.example/?q=1&r=2"),
        ("rt", "2026-11-25T08:29:25Z"),
        ("act", "blocked"),
    ];
    let cef = r"CEF:0|Example\|Co|wall|1.0|100|worm stopped|10|src=192.0.2.1 msg=a \= b and more\nlines request=http://evil.example/?q=1&r=2 rt=Nov 25 2026 08:29:25 act=blocked ";
    holds(Decoder::Cef, cef, &told);
    let headed: Vec<_> = [("host", "fw")].into_iter().chain(told).collect();
    holds(Decoder::Cef, &format!("<14>Nov 25 08:29:25 fw {cef}"), &headed);
    for other in ["CEF:", "CEF:0|a|b", "xCEF:0|a|b|c|d|e|f|", "CEF:9|a|b|c|d|e|f|"] {
        holds(Decoder::Cef, other, &[("other", "")]);
    }
}

#[test]
fn name_servers_tell_client_and_name() {
    holds(
        Decoder::Bind,
        "25-Nov-2026 08:29:25.123 queries: info: client @0x7f3c2c0a1b20 192.0.2.10#53211 (www.example.com): view in: query: www.example.com IN A +E(0)K (192.0.2.53)",
        &[
            ("time", "2026-11-25T08:29:25.123Z"),
            ("client", "192.0.2.10"),
            ("port", "53211"),
            ("view", "in"),
            ("query", "www.example.com"),
            ("class", "IN"),
            ("type", "A"),
            ("flags", "+E(0)K"),
            ("server", "192.0.2.53"),
        ],
    );
    holds(
        Decoder::Bind,
        "Nov 25 08:29:25 ns named[812]: client 2001:db8::1#5353: query: example.com IN MX -",
        &[
            ("host", "ns"),
            ("client", "2001:db8::1"),
            ("port", "5353"),
            ("query", "example.com"),
            ("class", "IN"),
            ("type", "MX"),
            ("flags", "-"),
        ],
    );
    let reply = [
        ("client", "192.0.2.10"),
        ("query", "www.example.com."),
        ("type", "A"),
        ("class", "IN"),
        ("rcode", "NXDOMAIN"),
    ];
    let timed: Vec<_> = [("time", "1764059365")].into_iter().chain(reply).collect();
    holds(
        Decoder::Unbound,
        "[1764059365] unbound[1234:0] info: 192.0.2.10 www.example.com. A IN NXDOMAIN 0.0 1 56",
        &timed,
    );
    let hosted: Vec<_> = [("host", "ns")].into_iter().chain(reply).collect();
    holds(
        Decoder::Unbound,
        "Nov 25 08:29:25 ns unbound[1234]: [1234:0] info: reply: 192.0.2.10 www.example.com. A IN NXDOMAIN",
        &hosted,
    );
    for other in
        ["[1764059365] unbound[1234:0] info: start of service (unbound 1.17.1).", "[x] y", "client x#1: y"]
    {
        holds(Decoder::Unbound, other, &[("other", "")]);
        holds(Decoder::Bind, other, &[("other", "")]);
    }
}

#[test]
fn access_logs_tell_who_asked_for_what() {
    holds(
        Decoder::Squid,
        "1764059365.123    200 192.0.2.10 TCP_MISS/200 5120 GET http://www.example.com/a - HIER_DIRECT/198.51.100.7 text/html\n\
         1764059366.001      9 192.0.2.10 TCP_TUNNEL/200 39 CONNECT evil.example:443 ann HIER_NONE/- -",
        &[
            ("time", "1764059365.123"),
            ("client", "192.0.2.10"),
            ("result", "TCP_MISS"),
            ("status", "200"),
            ("bytes", "5120"),
            ("method", "GET"),
            ("url", "http://www.example.com/a"),
            ("hierarchy", "HIER_DIRECT"),
            ("peer", "198.51.100.7"),
            ("type", "text/html"),
            ("time", "1764059366.001"),
            ("client", "192.0.2.10"),
            ("result", "TCP_TUNNEL"),
            ("status", "200"),
            ("bytes", "39"),
            ("method", "CONNECT"),
            ("target", "evil.example:443"),
            ("user", "ann"),
            ("hierarchy", "HIER_NONE"),
        ],
    );
    let request = [
        ("client", "192.0.2.10"),
        ("user", "ann"),
        ("method", "GET"),
        ("path", "/a?b=1"),
        ("status", "404"),
        ("bytes", "-"),
    ];
    let moment = ("time", "2026-11-25T08:29:25+01:00");
    let common: Vec<_> = [moment].into_iter().chain(request).collect();
    let line = r#"192.0.2.10 - ann [25/Nov/2026:08:29:25 +0100] "GET /a?b=1 HTTP/1.1" 404 -"#;
    holds(Decoder::Combined, line, &common);
    let whole: Vec<_> = [("vhost", "www.example.com"), ("vport", "443"), moment]
        .into_iter()
        .chain(request)
        .chain([("referrer", "http://a.example/"), ("agent", "a \"quoted\" one")])
        .collect();
    holds(
        Decoder::Combined,
        &format!(r#"www.example.com:443 {line} "http://a.example/" "a \"quoted\" one""#),
        &whole,
    );
    for other in ["a b c", "192.0.2.10 - - [yesterday] \"GET / HTTP/1.1\" 200 1", "1764059365.123 x", ""] {
        holds(Decoder::Combined, other, if other.is_empty() { &[] } else { &[("other", "")] });
        holds(Decoder::Squid, other, if other.is_empty() { &[] } else { &[("other", "")] });
    }
}

#[test]
fn mail_logs_tell_sender_receiver_and_relay() {
    holds(
        Decoder::Postfix,
        "Nov 25 08:29:25 mx postfix/smtp[31]: 4F1A2B3C4D: to=<bob@example.org>, orig_to=<root>, relay=mx.example.org[192.0.2.25]:25, delay=0.4, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n\
         Nov 25 08:29:26 mx postfix/smtpd[32]: connect from unknown[IPv6:2001:db8::9]",
        &[
            ("host", "mx"),
            ("process", "postfix/smtp"),
            ("queue", "4F1A2B3C4D"),
            ("to", "bob@example.org"),
            ("orig_to", "root"),
            ("relay.host", "mx.example.org"),
            ("relay.ip", "192.0.2.25"),
            ("relay.port", "25"),
            ("dsn", "2.0.0"),
            ("status", "sent"),
            ("host", "mx"),
            ("process", "postfix/smtpd"),
            ("client.ip", "2001:db8::9"),
        ],
    );
    let reject = "NOQUEUE: reject: RCPT from a.example[192.0.2.4]: 554 5.7.1 Blocked; from=<x@evil.example> to=<a@example.com> proto=ESMTP helo=<h.example>";
    holds(
        Decoder::Postfix,
        &format!("Nov 25 08:29:26 mx postfix/smtpd[32]: {reject}"),
        &[
            ("host", "mx"),
            ("process", "postfix/smtpd"),
            ("queue", "NOQUEUE"),
            ("client.host", "a.example"),
            ("client.ip", "192.0.2.4"),
            ("from", "x@evil.example"),
            ("to", "a@example.com"),
            ("protocol", "ESMTP"),
            ("helo", "h.example"),
            ("message", reject),
        ],
    );
    holds(Decoder::Postfix, "Nov 25 08:29:26 mx dovecot: imap-login: Login", &[("other", "")]);
}

/// Bytes made to mislead: pieces that the decoders look for, in any order, and noise.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"<13>",
        b"1 ",
        b"2026-11-25T08:29:25Z",
        b" - ",
        b"[a b=\"",
        b"\\\"",
        b"\"]",
        b"Nov 25 08:29:25 ",
        b"host ",
        b"app[1]: ",
        b"CEF:0|",
        b"|",
        b"a=",
        b"\\=",
        b"\\",
        b"\\x4",
        b"client ",
        b"@0x1 ",
        b"1.2.3.4#5",
        b": query: ",
        b"[1] unbound[1:0] info: ",
        b"IN ",
        b"\"GET / HTTP/1.1\" ",
        b"[25/Nov/2026:08:29:25 +0000] ",
        b"200 ",
        b"/",
        b"1.5 ",
        b"#fields\ta\tb",
        b"#types\tset[x]",
        b"#separator \\x09",
        b"#separator ,",
        b"\t",
        b",",
        b"\n",
        b"\r",
        b"postfix/x: ",
        b"from=<",
        b">",
        b"relay=a[",
        b"]:2",
        b" ",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\0",
    ];
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_break_a_decoder_or_make_it_say_more_than_there_is(bytes in lines()) {
        for (_, decoder) in Decoder::WORDS {
            let mut memory = Memory::default();
            for line in bytes.split(|byte| *byte == b'\n') {
                let (mut told, mut pairs) = (0, 0);
                decoder.read(&mut memory, line, &mut |key, text| {
                    told += text.len();
                    pairs += 1;
                    assert!(!key.is_empty() && key.len() <= KEY_BYTES_MAX + 8);
                });
                prop_assert!(told <= 4 * line.len() + 64 && pairs <= line.len() + 16, "{decoder:?} {told} {pairs}");
            }
        }
    }
}
