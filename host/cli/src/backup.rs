//! `backup` and `restore`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use innkeeper_store::{Check, check, restore as bring_back};
use serde_json::{Value, json};

use crate::args::{BackupArgs, RestoreArgs};
use crate::client::Client;
use crate::data_directory;
use crate::exit::Failure;
use crate::output::{Output, bytes, count};
use crate::progress::Transfer;

/// Has the server take a copy, receives it, and checks it.
///
/// # Errors
/// As [`Failure`] tells them apart. Nothing is left of a copy that is not whole.
pub(crate) async fn backup(args: BackupArgs, client: &Client, output: Output) -> Result<(), Failure> {
    let part = part_of(&args.file).map_err(Failure::Usage)?;
    let mut file = create(&part).map_err(Failure::Usage)?;
    let received = receive(client, &mut file, output).await;
    let kept = received.and_then(|()| Ok(keep(&file, &part, &args.file)?));
    if kept.is_err() {
        let _nothing_left = std::fs::remove_file(&part);
    }
    let check = kept?;
    output.done(&facts(&check, &args.file), |_| {
        format!(
            "{} holds a whole copy: {}, schema {}",
            args.file.display(),
            bytes(check.bytes),
            check.schema_version
        )
    })?;
    Ok(())
}

async fn receive(client: &Client, file: &mut File, output: Output) -> Result<(), Failure> {
    let mut answer = client.download(&["backup"]).await?;
    let progress = Transfer::start("receiving", answer.content_length(), output.is_quiet());
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| anyhow!(error).context("the copy broke off"))?
    {
        file.write_all(&chunk).context("cannot write the copy")?;
        progress.add(chunk.len());
    }
    progress.finish();
    Ok(file.sync_all().context("cannot write the copy")?)
}

/// Gives a copy its name once it is known to be whole.
fn keep(file: &File, part: &Path, name: &Path) -> anyhow::Result<Check> {
    file.sync_all()?;
    let found = check(part)?;
    let problems = found.problems();
    ensure!(problems.is_empty(), "the copy is not whole: {}", problems.join("; "));
    std::fs::rename(part, name).with_context(|| format!("cannot name the copy {}", name.display()))?;
    Ok(found)
}

/// The name of a copy that is not complete.
fn part_of(file: &Path) -> anyhow::Result<PathBuf> {
    ensure!(!file.exists(), "{} exists already: name another file, or remove it", file.display());
    let mut name = file.file_name().with_context(|| format!("{} names no file", file.display()))?.to_owned();
    name.push(".part");
    Ok(file.with_file_name(name))
}

fn create(part: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(part).with_context(|| format!("cannot make {}", part.display()))
}

/// Makes a data directory of a copy.
///
/// # Errors
/// [`Failure::Usage`] if the folder is not empty, [`Failure::Failed`] if the copy is not whole or cannot be written.
pub(crate) fn restore(args: &RestoreArgs, output: Output) -> Result<(), Failure> {
    data_directory::ensure_empty(&args.data_dir).map_err(Failure::Usage)?;
    let database = data_directory::database_in(&args.data_dir);
    let restored = bring_back(&args.file, &database);
    let check = restored.with_context(|| format!("cannot restore {}", args.file.display()))?;
    let directory = args.data_dir.display();
    let key = match check.secrets {
        0 => String::new(),
        secrets => format!(
            "\nit holds {}, and their key is in no backup: put the `secret.key` of the host that it comes from into {directory} first",
            count(usize::try_from(secrets).unwrap_or(usize::MAX), "secret")
        ),
    };
    output.done(&facts(&check, &args.data_dir), |_| {
        format!(
            "restored {} into {directory}, schema {}{key}\nstart it with `innkeeper serve --data-dir {directory}`",
            bytes(check.bytes),
            check.schema_version
        )
    })?;
    Ok(())
}

fn facts(check: &Check, place: &Path) -> Value {
    json!({"path": place.display().to_string(), "bytes": check.bytes, "schemaVersion": check.schema_version})
}
