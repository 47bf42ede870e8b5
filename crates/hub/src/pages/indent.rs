//! JSON as its author wrote it, set out for reading: order, spelling of numbers and escapes are kept.

/// Deepest indentation, in steps; deeper values stand there too.
const DEPTH_SHOWN_MAX: usize = 40;

/// Sets out `json` on lines of its own, or gives it back unchanged where it is no JSON. Takes time in its length.
pub fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut letters = json.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        if in_string {
            out.push(letter);
            in_string = escaped || letter != '"';
            escaped = letter == '\\' && !escaped;
            continue;
        }
        match letter {
            '"' => {
                in_string = true;
                out.push(letter);
            }
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(close) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => out.push(letter),
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth.min(DEPTH_SHOWN_MAX) {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_and_spelling_are_kept() {
        let json = r#" {"z":1.50,"a":[ ],"s":"a \"{,:}\\","n":{"x":[1,-0e+0]}} "#;
        let shown = indented(json);
        assert_eq!(
            shown,
            "{\n  \"z\": 1.50,\n  \"a\": [],\n  \"s\": \"a \\\"{,:}\\\\\",\n  \"n\": {\n    \"x\": [\n      1,\n      -0e+0\n    ]\n  }\n}"
        );
    }

    proptest! {
        #[test]
        fn the_same_value_is_read_from_it(text in any::<String>(), numbers in proptest::collection::vec(any::<i64>(), 0..5)) {
            let value = serde_json::json!({"t": text, "n": numbers, "o": {"e": {}, "k": [text, null, true]}});
            let shown = indented(&value.to_string());
            prop_assert_eq!(&shown, &serde_json::to_string_pretty(&value).unwrap());
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            prop_assert!(indented(&text).len() <= text.len() * (2 * DEPTH_SHOWN_MAX + 3) + 3);
        }
    }
}
