//! Matching allocates nothing per event where nothing matches.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::mapping::Mappings;
use shieldwall_watch::matcher::Matcher;
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::Builder;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is passed on to the system's allocator unchanged; counting touches only a thread's own cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated_where_nothing_matches() {
    // One value of every kind, so that every kind is looked for.
    let mut builder = Builder::new(3);
    for (number, (kind, text)) in [
        (Kind::Ipv4, "203.0.113.250"),
        (Kind::Ipv6, "2001:db8::ffff"),
        (Kind::Cidr4, "203.0.113.0/28"),
        (Kind::Cidr6, "2001:db8:ffff::/48"),
        (Kind::IpPort, "203.0.113.251:9001"),
        (Kind::Domain, "not-in-it.invalid"),
        (Kind::Url, "http://not-in-it.invalid/x"),
        (Kind::Email, "nobody@not-in-it.invalid"),
        (Kind::Md5, "00000000000000000000000000000000"),
        (Kind::Sha1, "0000000000000000000000000000000000000000"),
        (Kind::Sha256, "0000000000000000000000000000000000000000000000000000000000000000"),
        (Kind::Ja3, "00000000000000000000000000000000"),
        (Kind::Ja4, "t00d0000h2_000000000000_000000000000"),
        (Kind::FileName, "not-in-it.invalid"),
        (Kind::CryptoAddress, "1111111111111111111111111111"),
    ]
    .into_iter()
    .enumerate()
    {
        builder.add(&Value::new(kind, text).unwrap(), number as u32).unwrap();
    }
    let list = Arc::new(builder.build().unwrap());
    let mappings = Mappings::built_in().unwrap();
    for format in Telemetry::ALL {
        let mut generator = Generator::new(21);
        // Lines with letters beyond ASCII may go to the exact reader; what it takes for them is not per event.
        let lines: Vec<String> = (0..20_000)
            .map(|at| generator.line(format, at, None))
            .filter(|line| line.is_ascii() && !line.contains("\\u"))
            .collect();
        let mut matcher = Matcher::new(Arc::clone(&list), mappings.get(format.mapping()).unwrap());
        // The filter lets a stranger pass now and then: such a line is read exactly, and may allocate if it has escapes.
        let mut slow = 0;
        let fast: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .filter(|line| {
                matcher.feed(format!("{line}\n").as_bytes(), &mut |_| {});
                let read = matcher.stats().slow_lines - slow;
                slow += read;
                read == 0
            })
            .collect();
        assert!(slow <= 20, "{}: {slow} slow lines in {} events", format.mapping(), lines.len());
        let text = fast.join("\n") + "\n";
        matcher.feed(text.as_bytes(), &mut |_| {});
        let before = COUNT.get();
        matcher.feed(text.as_bytes(), &mut |_| {});
        let counted = COUNT.get() - before;
        let stats = matcher.stats();
        assert_eq!(stats.matches, 0);
        assert_eq!(stats.events, (lines.len() + 2 * fast.len()) as u64);
        assert!(lines.len() > 15_000, "{}", lines.len());
        assert_eq!(stats.slow_lines, slow, "{}", format.mapping());
        assert_eq!(counted, 0, "{}: allocations in {} events", format.mapping(), fast.len());
    }
}
