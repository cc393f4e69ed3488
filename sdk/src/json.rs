//! JSON text to values and back. One rule holds everywhere: no text and `null` are the same.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// How much of a text that does not fit is shown, in characters.
const EXCERPT_CHARS_MAX: usize = 200;

/// Reads JSON text as a `T`; `what` names it in the message.
///
/// # Errors
/// A permanent failure that shows what was expected and what came: the same text cannot fit better next time.
pub(crate) fn read<T: DeserializeOwned>(what: &str, text: Option<&str>) -> Result<T, Failure> {
    serde_json::from_str(text.unwrap_or("null")).map_err(|error| {
        let expected = short_type_name::<T>();
        Failure::permanent(match text {
            Some(text) => format!("the {what} does not fit `{expected}`: {error}; it is {}", excerpt(text)),
            None => format!("there is no {what}, and `{expected}` needs some"),
        })
    })
}

/// Writes a value as JSON text; nothing for a value that is written as `null`.
///
/// # Errors
/// Those of the value's `Serialize`, and of maps whose keys are not text.
pub(crate) fn write(value: &impl Serialize) -> serde_json::Result<Option<String>> {
    Ok(Some(serde_json::to_string(value)?).filter(|text| text != "null"))
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// The name of a type as its author would write it: without the paths of modules.
///
/// It goes by single characters, and takes those beyond ASCII for letters, which names have of those alone: a search for text
/// and the tables of Unicode would be a tenth of a small component.
fn short_type_name<T>() -> String {
    let is_path =
        |letter: char| letter.is_ascii_alphanumeric() || !letter.is_ascii() || "_:".contains(letter);
    type_name::<T>()
        .split_inclusive(|letter| !is_path(letter))
        .map(|piece| piece.rfind(':').map_or(piece, |colon| &piece[colon + 1..]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Login {
        name: String,
    }

    #[test]
    fn reads_what_fits() {
        assert_eq!(read("data", Some(r#"{"name":"Ada"}"#)), Ok(Login { name: "Ada".to_owned() }));
        assert_eq!(read::<Option<Login>>("data", None), Ok(None));
        assert_eq!(read::<Option<Login>>("data", Some("null")), Ok(None));
    }

    #[test]
    fn says_what_was_expected_and_what_came() {
        let wrong = read::<Option<Login>>("data", Some(r#"{"nick":1}"#));
        let expected = "the data does not fit `Option<Login>`: missing field `name` at line 1 column 10; \
                        it is {\"nick\":1}";
        assert_eq!(wrong, Err(Failure::permanent(expected)));
        let absent = read::<Vec<Login>>("metadata", None);
        assert_eq!(absent, Err(Failure::permanent("there is no metadata, and `Vec<Login>` needs some")));
    }

    #[test]
    fn shows_the_beginning_of_a_long_text() {
        let long = format!("\"{}\"", "ü".repeat(300));
        let message = read::<u8>("data", Some(&long)).map_err(|failure| failure.message().to_owned());
        let shown = format!("\"{}… (602 bytes in all)", "ü".repeat(199));
        assert!(message.as_ref().is_err_and(|message| message.ends_with(&shown)), "{message:?}");
    }

    #[test]
    fn null_is_no_text() {
        assert_eq!(write(&()).ok(), Some(None));
        assert_eq!(write(&None::<u8>).ok(), Some(None));
        assert_eq!(write(&"null").ok(), Some(Some("\"null\"".to_owned())));
        assert!(write(&HashMap::from([(vec![1], 2)])).is_err());
    }
}
