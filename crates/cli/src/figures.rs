//! Numbers as people read them: grouped digits, sizes, rates, durations.

use std::time::Duration;

/// `1478125` as `1,478,125`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in powers of ten: `1.2 GB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        unit = next;
        if value < 1_000.0 {
            break;
        }
        if next != "TB" {
            value /= 1_000.0;
        }
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// Things a second; nothing took no time.
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    let seconds = took.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// A rate as a whole number of things a second, grouped.
pub(crate) fn per_second(count: u64, took: Duration) -> String {
    grouped(rate(count, took) as u64)
}

/// A duration in seconds with two digits, or in minutes from two minutes on.
pub(crate) fn took(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 120.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

/// `one thing` or `3 things`, with grouped digits.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

/// Reads a size such as `500MB`, `1.5GiB`, `4096`: powers of ten with `B`, powers of two with `iB`.
///
/// # Errors
/// A sentence that says what to write.
pub(crate) fn read_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: write such as 500MB, 1.5GiB or 4096");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if (1.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 1_478_125].map(grouped), ["0", "999", "1,000", "1,478,125"]);
        assert_eq!(
            [0, 999, 1_000, 1_250_000, 3_000_000_000].map(size),
            ["0 B", "999 B", "1.0 kB", "1.2 MB", "3.0 GB"]
        );
        assert_eq!(size(2_500_000_000_000_000), "2500.0 TB");
        assert_eq!(took(Duration::from_millis(1_234)), "1.23 s");
        assert_eq!(took(Duration::from_secs(125)), "2 min 05 s");
        assert_eq!(per_second(10, Duration::ZERO), "0");
        assert_eq!(per_second(3_000, Duration::from_secs(2)), "1,500");
        assert_eq!(
            [counted(1, "match", "matches"), counted(0, "match", "matches")],
            ["1 match", "0 matches"]
        );
    }

    #[test]
    fn sizes_are_read_in_tens_and_in_twos() {
        for (text, bytes) in
            [("4096", 4_096), ("1kB", 1_000), ("1.5 GiB", 1_610_612_736), ("2g", 2_000_000_000)]
        {
            assert_eq!(read_size(text), Ok(bytes));
        }
        for text in ["", "GB", "0", "1 parsec", "-1", "1e400"] {
            assert!(read_size(text).unwrap_err().contains("write such as"), "{text}");
        }
    }
}
