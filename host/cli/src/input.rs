//! Values that are too long or too secret for a command line.

use std::io::{IsTerminal as _, Read as _};

use anyhow::Context as _;
use console::Term;

use crate::exit::Failure;

/// All of standard input.
///
/// # Errors
/// It cannot be read.
pub(crate) fn bytes() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    if std::io::stdin().is_terminal() {
        eprintln!("type the value, then Ctrl-D on a line of its own:");
    }
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

/// Standard input had no value, which is no way to say that it is to be empty.
pub(crate) fn nothing() -> Failure {
    Failure::usage("no value was given; for one that is empty write '' after the key")
}

/// A text: asked for at a terminal, without showing it if it is secret; else all of standard input without the line end
/// after it.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub(crate) fn text(prompt: &str, is_secret: bool) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("{prompt}: ");
        let terminal = Term::stderr();
        let line = if is_secret { terminal.read_secure_line() } else { terminal.read_line() };
        return Ok(line.context("cannot read from the terminal")?);
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    let text = String::from_utf8(bytes);
    let text =
        text.map_err(|_| Failure::usage("standard input is not UTF-8, and a configured value is text"))?;
    Ok(without_line_end(text))
}

/// The text without the one line end after it.
pub(crate) fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_a_text() {
        for (text, expected) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\nb", "a\nb"), ("", "")] {
            assert_eq!(without_line_end(text.to_owned()), expected, "{text:?}");
        }
    }
}
