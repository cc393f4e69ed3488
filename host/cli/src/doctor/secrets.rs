//! Whether the secrets of a database can be read with the key that a server would use.

use std::path::Path;

use innkeeper_runner::SecretKey;
use innkeeper_store::Check;

use super::{Finding, Grade, finding};
use crate::config::{find_secret_key, read_secret_key};
use crate::data_directory::DataDirectory;

/// The variable that names another file for the key, as `server.secretKeyFile` does.
const FILE_VARIABLE: &str = "INNKEEPER_SECRET_KEY_FILE";

/// Looks for the key only if there are secrets.
pub(super) fn examine(found: &Check, directory: &DataDirectory) -> Option<Finding> {
    let secret = found.some_secret.as_ref()?;
    let (count, file) = (found.secrets, directory.secret_key_file());
    let shown = file.display();
    Some(match key(&file) {
        Err(error) => finding(Grade::Bad, format!("{count} secret(s) cannot be read: {error:#}")),
        Ok(None) => finding(
            Grade::Bad,
            format!(
                "{count} secret(s) cannot be read: their key is missing, and no backup has it; put it into {shown}, or name it \
                 by {FILE_VARIABLE} or INNKEEPER_SECRET_KEY"
            ),
        ),
        Ok(Some((key, origin))) if key.fits(secret) => finding(
            Grade::Ok,
            format!(
                "{count} secret(s) can be read with the key of {origin}; no backup has it, so keep a copy"
            ),
        ),
        Ok(Some((_, origin))) => finding(
            Grade::Bad,
            format!(
                "{count} secret(s) cannot be read: they were encrypted with another key than that of {origin}"
            ),
        ),
    })
}

/// The key that a server would use on this directory, and where it comes from. None is made.
fn key(beside: &Path) -> anyhow::Result<Option<(SecretKey, String)>> {
    let named = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty());
    let named = named.as_deref().map(Path::new);
    if let Some(key) = find_secret_key(named)? {
        let origin =
            named.map_or_else(|| "INNKEEPER_SECRET_KEY".to_owned(), |path| path.display().to_string());
        return Ok(Some((key, origin)));
    }
    if !beside.exists() {
        return Ok(None);
    }
    Ok(Some((read_secret_key(beside)?, beside.display().to_string())))
}
