//! How the engine is spoken to: on standard input, one scan after another, each its length and its bytes; on standard
//! output one line of JSON for the rules and one for each scan.

use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Refused, Rules};

/// Most bytes of one scan.
pub const SCAN_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The first line: what became of the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// How many rules there are.
    pub rules: usize,
    /// What was not taken.
    pub refused: Vec<Refused>,
}

/// Serves scans until the input ends.
///
/// # Errors
/// When input or output breaks off, or a scan is longer than [`SCAN_BYTES_MAX`].
pub fn serve(
    rules: &Rules,
    time: Duration,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let ready = Ready { rules: rules.count(), refused: rules.refused().to_vec() };
    answer(&mut output, &ready)?;
    let mut engine = rules.scanner(time);
    let mut bytes = Vec::new();
    loop {
        if input.fill_buf()?.is_empty() {
            return Ok(());
        }
        let mut length = [0; 8];
        input.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > SCAN_BYTES_MAX {
            return Err(io::Error::other(format!("a scan of {length} bytes, at most {SCAN_BYTES_MAX}")));
        }
        bytes.clear();
        let read = input.by_ref().take(length).read_to_end(&mut bytes)?;
        if read as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer(&mut output, &engine.scan(&bytes))?;
    }
}

fn answer(output: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, what)?;
    output.write_all(b"\n")?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scan;

    #[test]
    fn scans_are_served_one_after_another() {
        let text = "rule short { condition: filesize < 3 }".to_owned();
        let rules = Rules::compile(vec![("s.yar".into(), text)], Vec::new());
        let mut input = Vec::new();
        for piece in [&b"ab"[..], b"", b"long"] {
            input.extend((piece.len() as u64).to_le_bytes());
            input.extend(piece);
        }
        let mut output = Vec::new();
        serve(&rules, Duration::from_secs(10), input.as_slice(), &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        let mut lines = text.lines();
        let ready: Ready = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(ready, Ready { rules: 1, refused: Vec::new() });
        let scans: Vec<Scan> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(scans.iter().map(|scan| scan.found.len()).collect::<Vec<_>>(), [1, 1, 0]);
    }

    #[test]
    fn a_length_out_of_bounds_or_a_piece_cut_off_ends_it() {
        let rules = Rules::compile(Vec::new(), Vec::new());
        for input in [u64::MAX.to_le_bytes().to_vec(), vec![9, 0, 0, 0, 0, 0, 0, 0, 1], vec![1, 2]] {
            assert!(serve(&rules, Duration::from_secs(10), input.as_slice(), &mut Vec::new()).is_err());
        }
    }
}
