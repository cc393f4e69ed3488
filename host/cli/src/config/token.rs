//! The token that clients must show.

use std::path::Path;

use anyhow::Context as _;
use innkeeper_admin::Token;

/// Reads a token from a file; white space around it is not part of it.
///
/// # Errors
/// The file cannot be read, or what it holds is no token.
pub(super) fn read(path: &Path) -> anyhow::Result<Token> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the token file {name}"))?;
    parse(&name, &text)
}

/// A token without the white space around it. `origin` says where it came from.
///
/// # Errors
/// The text is no token.
pub(super) fn parse(origin: &str, text: &str) -> anyhow::Result<Token> {
    Token::new(text.trim()).with_context(|| format!("the token of {origin} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_its_origin_is_named() {
        assert!(parse("x", " secret\n").is_ok());
        for bad in ["", " \n", "two words"] {
            let error = parse("token.txt", bad).expect_err("no token").to_string();
            assert!(error.contains("token.txt") && !error.contains("two"), "{error}");
        }
    }
}
