//! JSON text that comes out of a guest and goes on to others.

use serde_json::value::RawValue;

/// How deep arrays and objects may be nested. Most parsers stop at 128, and what a guest gave lies in something else when
/// they read it: one output must not make a list of executions unreadable.
const DEPTH_MAX: usize = 100;

/// Checks that `text` is JSON that everybody can read.
///
/// # Errors
/// What is wrong, to be put after "is": "not JSON text: …".
pub(crate) fn check(text: &str) -> Result<(), String> {
    serde_json::from_str::<&RawValue>(text).map_err(|error| format!("not JSON text: {error}"))?;
    let depth = depth(text);
    if depth > DEPTH_MAX {
        return Err(format!("JSON that is nested {depth} levels deep; at most {DEPTH_MAX} are allowed"));
    }
    Ok(())
}

/// The depth of valid JSON.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest): (usize, usize) = (0, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_readable_json_is_good() {
        for text in ["1", "\"[[[\"", "[1, {\"a\": []}]", "\"\\\"[\""] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in ["", "hello", "[1] [2]", "[", "\"\u{1}\""] {
            let why = check(text).expect_err("no JSON");
            assert!(why.starts_with("not JSON text"), "{text}: {why}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(&nested(100)), Ok(()));
        let why = check(&nested(101)).expect_err("too deep");
        assert!(why.contains("101 levels"), "{why}");
        assert!(check(&nested(1_000_000)).is_err());
        assert_eq!(check(&format!("[{}1]", "[],".repeat(1000))), Ok(()));
    }
}
