//! Feeds of lines: plain, CSV, hosts files, and Zeek's intelligence framework.

use std::fmt::Write as _;

use shieldwall_watch::value::Kind;

use super::{Item, LeftOut, domain, is_one_line};

/// The columns of the CSV feed.
pub(super) const CSV_HEAD: &str = "kind,value,indicator,name,group,marking,confidence,until\n";

/// The fields of Zeek's intelligence files (Zeek manual, "Intelligence Framework").
pub(super) const ZEEK_HEAD: &str = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n";

/// One value; none that a reader would take for a comment.
pub(super) fn plain(item: &Item<'_>, out: &mut String) -> Result<(), LeftOut> {
    let value = item.value.to_string();
    if !is_one_line(&value) || value.is_empty() || value.starts_with(['#', ';', ' ']) || value.ends_with(' ')
    {
        return Err(LeftOut::Unwritable);
    }
    let _ = writeln!(out, "{value}");
    Ok(())
}

/// A row of RFC 4180; no cell begins with what a spreadsheet takes for a formula.
pub(super) fn csv(item: &Item<'_>, out: &mut String) -> Result<(), LeftOut> {
    let value = item.value.to_string();
    if !is_one_line(&value) || is_formula(&value) {
        return Err(LeftOut::Unwritable);
    }
    let (name, group) = (said(item.name), said(item.group));
    let confidence = item.confidence.map(|sure| sure.to_string()).unwrap_or_default();
    let until = item.ends.map(|at| at.to_string()).unwrap_or_default();
    let kind = item.value.kind().as_str();
    let marking = item.marking.unwrap_or_default();
    let cells = [kind, &value, item.indicator, &name, &group, marking, &confidence, &until];
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', ';']) {
            let _ = write!(out, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            out.push_str(cell);
        }
    }
    out.push('\n');
    Ok(())
}

fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@'])
}

/// A text somebody wrote, on one line; a formula is made a text.
fn said(text: &str) -> String {
    let one: String =
        text.chars().map(|c| if is_one_line(c.encode_utf8(&mut [0; 4])) { c } else { ' ' }).collect();
    if is_formula(one.trim_start()) { format!("'{one}") } else { one }
}

/// The name at an address nobody has (RFC 6890: "this host on this network").
pub(super) fn hosts(item: &Item<'_>, out: &mut String) -> Result<(), LeftOut> {
    let _ = writeln!(out, "0.0.0.0 {}", domain(item.value)?);
    Ok(())
}

/// A row of Zeek's intelligence file: tabs between, and what Zeek would unescape written as it wants it (`\x5c`).
pub(super) fn zeek(item: &Item<'_>, out: &mut String) -> Result<(), LeftOut> {
    let value = item.value.to_string();
    let (value, kind) = match item.value.kind() {
        Kind::Ipv4 | Kind::Ipv6 => (value, "Intel::ADDR"),
        Kind::Cidr4 | Kind::Cidr6 => (value, "Intel::SUBNET"),
        Kind::Domain => (domain(item.value)?, "Intel::DOMAIN"),
        // Zeek knows URLs without their scheme.
        Kind::Url => {
            (value.split_once("//").map_or(value.clone(), |(_, rest)| rest.to_owned()), "Intel::URL")
        }
        Kind::Email => (value, "Intel::EMAIL"),
        Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 => (value, "Intel::FILE_HASH"),
        Kind::FileName => (value, "Intel::FILE_NAME"),
        Kind::IpPort | Kind::Ja3 | Kind::Ja4 | Kind::CryptoAddress => return Err(LeftOut::NoPlace),
    };
    // `-` alone is "unset" and `(empty)` is "empty" to Zeek; `#` begins a comment.
    if !is_one_line(&value)
        || value.is_empty()
        || value.starts_with('#')
        || matches!(&*value, "-" | "(empty)")
    {
        return Err(LeftOut::Unwritable);
    }
    let escape = |text: &str| text.replace('\\', "\\x5c");
    let name = escape(&said(item.name));
    let name = if name.trim().is_empty() || name == "-" { "indicator" } else { &name };
    let _ = writeln!(out, "{}\t{kind}\tShieldwall\t{name}", escape(&value));
    Ok(())
}
