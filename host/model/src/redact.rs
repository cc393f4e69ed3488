//! Keeping secrets out of what an execution leaves for people to read.
//!
//! A secret that a handler has read is replaced by a mark wherever it shows up as it is, or in an encoding that programs
//! use without a thought: JSON's escapes, percent-encoding, Base64, hexadecimal. This guards against accidents, such as a
//! header that is logged; a handler that means to give a secret away can always write it in a way that nobody knows.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

/// What takes the place of a secret.
pub const MARK: &str = "[redacted]";

/// Shorter secrets are left alone: they are found everywhere, and the text would tell nothing any more.
pub const SECRET_BYTES_MIN: usize = 4;

/// Replaces secrets in text.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// The longest first, so that a secret within another does not leave the rest of that one.
    forms: Vec<String>,
}

impl Redactor {
    /// Replaces these secrets.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            // A log is split into lines, so each line of a secret is one.
            for part in std::iter::once(secret).chain(secret.lines().map(str::trim)) {
                if part.len() >= SECRET_BYTES_MIN {
                    add_forms(part, &mut forms);
                }
            }
        }
        let mut forms: Vec<_> = forms.into_iter().collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self { forms }
    }

    /// Whether there is nothing to replace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// `text` without the secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for form in &self.forms {
            if text.contains(form.as_str()) {
                text = Cow::Owned(text.replace(form.as_str(), MARK));
            }
        }
        text
    }

    /// `text`, whose end was cut off, without the secrets and without the beginning of one at its end.
    #[must_use]
    pub fn cut_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = self.text(text);
        let begun = self.forms.iter().filter_map(|form| begun(&text, form)).max();
        match begun {
            Some(bytes) => Cow::Owned(format!("{}{MARK}", &text[..text.len() - bytes])),
            None => text,
        }
    }

    /// JSON text without the secrets. It stays JSON: a number that shows a secret becomes a string.
    #[must_use]
    pub fn json(&self, text: &str) -> Option<String> {
        if !self.forms.iter().any(|form| text.contains(form.as_str())) {
            return None;
        }
        let mut value = serde_json::from_str(text).ok()?;
        self.redact_value(&mut value);
        Some(value.to_string())
    }

    fn redact_value(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::String(text) => *text = self.text(text).into_owned(),
            Value::Number(number) => {
                let text = number.to_string();
                let redacted = self.text(&text);
                if redacted != text {
                    *value = Value::String(redacted.into_owned());
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(fields) => {
                for (key, mut field) in std::mem::take(fields) {
                    self.redact_value(&mut field);
                    fields.insert(self.text(&key).into_owned(), field);
                }
            }
        }
    }
}

/// How many bytes at the end of `text` are the beginning of `form`, if they are enough to tell something.
fn begun(text: &str, form: &str) -> Option<usize> {
    let lengths = (SECRET_BYTES_MIN..form.len().min(text.len() + 1)).rev();
    lengths.into_iter().find(|bytes| form.is_char_boundary(*bytes) && text.ends_with(&form[..*bytes]))
}

fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    let json = Value::from(secret).to_string();
    forms.insert(json[1..json.len() - 1].to_owned());
    let bytes = secret.as_bytes();
    for alphabet in [BASE64, BASE64_URL] {
        let encoded = base64(bytes, alphabet);
        let padding = "=".repeat((4 - encoded.len() % 4) % 4);
        forms.insert(format!("{encoded}{padding}"));
        forms.insert(encoded);
    }
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        forms.insert(bytes.iter().flat_map(|byte| hexadecimal(*byte, digits)).collect());
        let percent = percent(bytes, digits);
        forms.insert(percent.replace("%20", "+"));
        forms.insert(percent);
    }
    forms.insert(secret.to_owned());
}

fn hexadecimal(byte: u8, digits: &[u8; 16]) -> [char; 2] {
    [char::from(digits[usize::from(byte >> 4)]), char::from(digits[usize::from(byte & 15)])]
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
fn percent(bytes: &[u8], digits: &[u8; 16]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.extend(hexadecimal(*byte, digits));
        }
    }
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 (RFC 4648) without padding.
fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..=chunk.len() {
            let sextet = (group >> (18 - 6 * place)) & 63;
            text.push(char::from(alphabet[sextet as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_goes_in_every_common_form() {
        let redactor = Redactor::new(["p\"ss wörd"]);
        for text in [
            "the password is p\"ss wörd!",
            r#"{"password":"p\"ss wörd"}"#,
            "?password=p%22ss%20w%C3%B6rd",
            "?password=p%22ss%20w%c3%b6rd",
            "password=p%22ss+w%C3%B6rd",
            "Basic cCJzcyB3w7ZyZA==",
            "token=cCJzcyB3w7ZyZA",
            "in hex: 702273732077c3b67264",
        ] {
            let redacted = redactor.text(text);
            assert!(redacted.contains(MARK), "{text}");
            for piece in ["w\u{f6}rd", "cCJz", "p%22", "7264"] {
                assert!(!redacted.contains(piece), "{redacted}");
            }
        }
        assert_eq!(redactor.text("nothing here"), "nothing here");
    }

    #[test]
    fn short_secrets_are_left_alone_and_long_ones_go_first() {
        assert!(Redactor::new(["abc", ""]).is_empty());
        let redactor = Redactor::new(["pass", "password"]);
        assert_eq!(redactor.text("a password, a pass"), "a [redacted], a [redacted]");
    }

    #[test]
    fn each_line_of_a_secret_is_one() {
        let redactor = Redactor::new(["first line\n  second line\nxy"]);
        assert_eq!(redactor.text("got: second line"), "got: [redacted]");
        assert_eq!(redactor.text("xy"), "xy");
    }

    #[test]
    fn json_stays_json() {
        let redactor = Redactor::new(["12345678", "s3cret"]);
        assert_eq!(redactor.json(r#"{"a":1}"#), None);
        let redacted = redactor.json(r#"{"n":12345678,"s3cret":["x s3cret",true,null]}"#);
        assert_eq!(
            redacted.as_deref(),
            Some(r#"{"[redacted]":["x [redacted]",true,null],"n":"[redacted]"}"#)
        );
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_goes_too() {
        let redactor = Redactor::new(["s3cret-key"]);
        assert_eq!(redactor.cut_text("the key is s3cret-k"), "the key is [redacted]");
        assert_eq!(redactor.cut_text("the key is s3c"), "the key is s3c");
        assert_eq!(redactor.cut_text("s3cret-key and more"), "[redacted] and more");
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_survives(secret in "[a-zA-Z0-9+/ \"äß%]{4,20}", before in ".{0,9}", after in ".{0,9}") {
            // A mark in the text could be part of the secret itself.
            prop_assume!(!MARK.contains(&secret) && !secret.trim().is_empty());
            let redactor = Redactor::new([secret.as_str()]);
            let mut forms = BTreeSet::new();
            add_forms(&secret, &mut forms);
            for form in forms {
                let redacted = redactor.text(&format!("{before}{form}{after}")).replace(MARK, "\u{0}");
                prop_assert!(!redacted.contains(&form), "{redacted}");
            }
        }
    }
}
