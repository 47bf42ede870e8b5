//! Lines that a decoder takes apart: every mapped text is offered, as the exact side offers it.

use super::batch::Pass;
use super::scan::lines;
use crate::decode::{Decoder, Line};
use crate::mapping::{Action, Reading};
use crate::offer::offer;

pub(super) fn scan(pass: &mut Pass<'_>, decoder: Decoder) {
    lines(pass, |pass, from, to| line(pass, decoder, from, to));
}

fn line(pass: &mut Pass<'_>, decoder: Decoder, from: usize, to: usize) {
    let (text, mapping) = (pass.text, pass.mapping);
    let line = text.get(from..to).unwrap_or_default();
    let mut scratch = std::mem::take(&mut pass.batch.scratch);
    let mut memory = std::mem::take(&mut pass.batch.memory);
    let read = decoder.read(&mut memory, line, &mut |key, value| {
        let Some(node) = mapping.child(0, key) else { return };
        for action in mapping.actions(node) {
            match action {
                Action::Field { field, .. } => {
                    if let Some(field) = mapping.field(*field) {
                        offer(field.reading, value, None, &mut scratch, pass);
                    }
                }
                Action::UrlHost(_) => match within(text, value) {
                    Some(at) => pass.url_host(at, at + value.len()),
                    None => pass.unsure(),
                },
                Action::UrlPath(_) => match within(text, value) {
                    Some(at) => pass.url_path(at, at + value.len(), false),
                    None => pass.unsure(),
                },
                // Which port belongs to the URL shows when it is put together.
                Action::UrlPort(_) => pass.unsure(),
                Action::Port(_) | Action::Time(_) => {}
            }
        }
    });
    match read {
        Line::Event => {}
        // The exact side has to learn of it as well.
        Line::Aside => pass.unsure(),
        Line::Other => offer(Reading::Text, line, None, &mut scratch, pass),
    }
    pass.batch.scratch = scratch;
    pass.batch.memory = memory;
}

/// Where in `text` a part of it lies; `None` if it was unescaped and lies elsewhere.
fn within(text: &[u8], part: &[u8]) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (at + part.len() <= text.len()).then_some(at)
}
