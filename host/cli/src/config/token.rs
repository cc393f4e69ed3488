//! The token that clients must show.

use std::path::Path;

use anyhow::{Context as _, ensure};

/// Reads a token from a file; white space around it is not part of it.
///
/// # Errors
/// The file cannot be read, or what it holds is no token.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the token file {name}"))?;
    check(&name, &text)
}

/// A token without the white space around it. `origin` says where it came from.
///
/// # Errors
/// The text is empty or cannot stand in an HTTP header.
pub(super) fn check(origin: &str, text: &str) -> anyhow::Result<String> {
    let token = text.trim();
    ensure!(!token.is_empty(), "the token of {origin} is empty: write one, or leave it out");
    let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(visible, "the token of {origin} may have no white space and no characters beyond ASCII");
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_must_fit_a_header() {
        assert_eq!(check("x", " secret\n").ok().as_deref(), Some("secret"));
        for bad in ["", " \n", "two words", "gehéim"] {
            assert!(check("x", bad).is_err(), "{bad:?}");
        }
    }
}
