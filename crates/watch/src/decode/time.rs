//! Times as log lines write them, brought to RFC 3339 where the line tells enough.

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// The number of a month by its English short name.
pub(super) fn month(name: &[u8]) -> Option<usize> {
    MONTHS.iter().position(|known| name.eq_ignore_ascii_case(known)).map(|at| at + 1)
}

/// `hh:mm:ss`, perhaps with a fraction.
pub(super) fn is_clock(text: &[u8]) -> bool {
    let (clock, fraction) = text.split_at_checked(8).unwrap_or((text, &[]));
    let shape = clock.iter().enumerate().all(|(at, byte)| match at {
        2 | 5 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    clock.len() == 8
        && shape
        && fraction.iter().enumerate().all(
            |(at, byte)| {
                if at == 0 { *byte == b'.' } else { byte.is_ascii_digit() }
            },
        )
}

/// Writes RFC 3339. `zone` is `+hhmm`, `+hh:mm` or empty: UTC.
pub(super) fn rfc3339(year: &[u8], month: usize, day: &[u8], clock: &[u8], zone: &[u8]) -> Option<String> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let day: u8 = text(day)?.parse().ok()?;
    if year.len() != 4 || !super::cursor::is_number(year) || !(1..=31).contains(&day) || !is_clock(clock) {
        return None;
    }
    let zone = match zone {
        [] => "Z".to_owned(),
        [b'+' | b'-', digits @ ..] if digits.len() == 4 && super::cursor::is_number(digits) => {
            let (hours, minutes) = zone.split_at_checked(3)?;
            format!("{}:{}", text(hours)?, text(minutes)?)
        }
        [b'+' | b'-', _, _, b':', _, _] => text(zone)?.to_owned(),
        _ => return None,
    };
    Some(format!("{}-{month:02}-{day:02}T{}{zone}", text(year)?, text(clock)?))
}

/// Whether this is how RFC 3339 begins: a date, `T`, and a clock.
pub(super) fn is_rfc3339(text: &[u8]) -> bool {
    let date = text.iter().take(10).enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    date && text.get(10) == Some(&b'T') && text.get(11..19).is_some_and(is_clock)
}
