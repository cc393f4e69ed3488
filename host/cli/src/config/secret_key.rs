//! The key that secrets are encrypted with.

use std::path::Path;

use anyhow::Context as _;
use innkeeper_runner::SecretKey;

/// The variable that holds the key. It is no flag: others can see a command line.
const VARIABLE: &str = "INNKEEPER_SECRET_KEY";

/// The key of `file`, or else that of the environment; `None` if neither is named.
///
/// # Errors
/// The file cannot be read, or what was found is no key.
pub(crate) fn find(file: Option<&Path>) -> anyhow::Result<Option<SecretKey>> {
    if let Some(path) = file {
        return read(path).map(Some);
    }
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => parse(VARIABLE, &text).map(Some),
        _ => Ok(None),
    }
}

/// Reads a key from a file.
///
/// # Errors
/// The file cannot be read, or what it holds is no key.
pub(crate) fn read(path: &Path) -> anyhow::Result<SecretKey> {
    let name = path.display().to_string();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the secret key file {name}"))?;
    parse(&name, &text)
}

fn parse(origin: &str, text: &str) -> anyhow::Result<SecretKey> {
    SecretKey::parse(text).with_context(|| format!("the secret key of {origin} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_cannot_be_used_is_named_and_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        assert!(find(Some(&path)).is_err());
        std::fs::write(&path, "c2hvcnQ=\n").expect("a file");
        let error = format!("{:#}", find(Some(&path)).expect_err("no key"));
        assert!(error.contains(&path.display().to_string()) && error.contains("32 bytes"), "{error}");
        assert!(!error.contains("c2hv"), "{error}");
        std::fs::write(&path, SecretKey::generate().to_text()).expect("a file");
        assert!(find(Some(&path)).is_ok_and(|key| key.is_some()));
    }
}
