//! Server-sent events out of a stream of bytes (WHATWG HTML, section 9.2.6), bounded.

/// Longest line and largest event data, in bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Longest event id kept, in bytes.
const ID_BYTES_MAX: usize = 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The last id told up to and with this event; empty when none was.
    pub(crate) id: String,
    /// Its name, `message` when not told.
    pub(crate) name: String,
    pub(crate) data: String,
}

/// An event was larger than any the contract knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Cuts bytes into events.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    line: Vec<u8>,
    after_return: bool,
    id: String,
    name: String,
    data: Option<String>,
}

impl EventReader {
    /// Takes the next bytes and hands each whole event to `each`.
    pub(crate) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(Event)) -> Result<(), TooLarge> {
        for byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.after_return) => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.line(String::from_utf8_lossy(&line).trim_start_matches('\u{feff}'), &mut each)?;
                }
                byte => {
                    self.after_return = false;
                    if self.line.len() >= EVENT_BYTES_MAX {
                        return Err(TooLarge);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str, each: &mut impl FnMut(Event)) -> Result<(), TooLarge> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            if let Some(data) = self.data.take() {
                let name = if name.is_empty() { "message".into() } else { name };
                each(Event { id: self.id.clone(), name, data });
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') && value.len() <= ID_BYTES_MAX => value.clone_into(&mut self.id),
            "data" => match &mut self.data {
                Some(data) if data.len() + value.len() < EVENT_BYTES_MAX => {
                    data.push('\n');
                    data.push_str(value);
                }
                Some(_) => return Err(TooLarge),
                None => self.data = Some(value.to_owned()),
            },
            // Comments (no field name), `retry` and what is not known: our own backoff decides.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]]) -> Vec<(String, String, String)> {
        let mut events = Vec::new();
        let mut reader = EventReader::default();
        for piece in pieces {
            reader.take(piece, |event| events.push((event.id, event.name, event.data))).unwrap();
        }
        events
    }

    const STREAM: &[u8] = b": keep-alive\n\nid: 1\nevent: warning\ndata: {\"a\":\ndata: 1}\n\n\
        event: lost\n\nid: 2\r\nevent:watchlist\r\ndata:{}\r\n\r\ndata: x\n\ndata: unfinished";

    fn expected() -> Vec<(String, String, String)> {
        [("1", "warning", "{\"a\":\n1}"), ("2", "watchlist", "{}"), ("2", "message", "x")]
            .map(|(id, name, data)| (id.into(), name.into(), data.into()))
            .to_vec()
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_bytes_arrive(cut in 0..STREAM.len(), second in 0..STREAM.len()) {
            let (low, high) = (cut.min(second), cut.max(second));
            prop_assert_eq!(all(&[&STREAM[..low], &STREAM[low..high], &STREAM[high..]]), expected());
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let mut count = 0;
            let taken = EventReader::default().take(&bytes, |_| count += 1);
            prop_assert!(taken.is_ok() && count <= bytes.len());
        }
    }

    #[test]
    fn an_endless_event_is_given_up() {
        let mut reader = EventReader::default();
        assert_eq!(reader.take(&vec![b'x'; EVENT_BYTES_MAX + 1], |_| ()), Err(TooLarge));
        let mut reader = EventReader::default();
        let line = format!("data: {}\n", "x".repeat(EVENT_BYTES_MAX / 2));
        let mut taken = Ok(());
        for _ in 0..3 {
            taken = taken.and_then(|()| reader.take(line.as_bytes(), |_| ()));
        }
        assert_eq!(taken, Err(TooLarge));
    }
}
