//! Writes envelopes (section 3.7) out of objects as they are kept: bytes copied, nothing parsed.

use std::io::{self, Write};

/// Writes one envelope.
#[derive(Debug)]
pub struct EnvelopeWriter<W> {
    out: W,
    any: bool,
}

impl<W: Write> EnvelopeWriter<W> {
    /// An envelope into `out`. Nothing is written before the first object.
    pub const fn new(out: W) -> Self {
        Self { out, any: false }
    }

    /// Adds one object, byte for byte.
    ///
    /// # Errors
    /// What `out` says.
    pub fn push(&mut self, object: &[u8]) -> io::Result<()> {
        let before: &[u8] = if self.any { b"," } else { b"{\"objects\":[" };
        self.out.write_all(before)?;
        self.any = true;
        self.out.write_all(object)
    }

    /// Ends the envelope: with `next`, there is more. An envelope with nothing in it is `{}`, as the standard has it.
    ///
    /// # Errors
    /// What `out` says.
    pub fn finish(mut self, next: Option<&str>) -> io::Result<W> {
        match (self.any, next) {
            (false, None) => self.out.write_all(b"{}")?,
            (true, None) => self.out.write_all(b"],\"more\":false}")?,
            (any, Some(next)) => {
                let before: &[u8] =
                    if any { b"],\"more\":true,\"next\":" } else { b"{\"more\":true,\"next\":" };
                self.out.write_all(before)?;
                serde_json::to_writer(&mut self.out, next)?;
                self.out.write_all(b"}")?;
            }
        }
        Ok(self.out)
    }
}

/// Packs objects into envelopes of at most `bytes_max` bytes and `objects_max` objects each, in order: how a large
/// bundle is sent on. An object larger than that has an envelope to itself, for the receiver to refuse by name.
pub fn pieces<'o>(
    objects: impl IntoIterator<Item = &'o [u8]>,
    bytes_max: usize,
    objects_max: usize,
) -> Vec<Vec<u8>> {
    const HEAD: &[u8] = b"{\"objects\":[";
    const TAIL: &[u8] = b"]}";
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    let mut count = 0usize;
    let mut close = |open: &mut Vec<u8>| {
        open.extend_from_slice(TAIL);
        all.push(std::mem::take(open));
    };
    for object in objects {
        if count > 0 && (count >= objects_max || open.len() + 1 + object.len() + TAIL.len() > bytes_max) {
            close(&mut open);
            count = 0;
        }
        open.extend_from_slice(if count == 0 { HEAD } else { b"," });
        open.extend_from_slice(object);
        count += 1;
    }
    if count > 0 {
        close(&mut open);
    }
    all
}
