//! `doctor`: whether a data directory is in order.

mod secrets;

use std::path::Path;

use anyhow::{Context as _, anyhow};
use innkeeper_schedule::zone::{SYSTEM_DIRECTORY, TimezoneData};
use innkeeper_store::{Check, check, free_bytes};
use serde::Serialize;

use crate::args::DoctorArgs;
use crate::config::DATA_DIR_DEFAULT;
use crate::data_directory::DataDirectory;
use crate::exit::Failure;
use crate::output::{Output, bytes};

/// Bytes of the disk below which it is worth a word: as the server's own mark unless told otherwise.
const DISK_FREE_MIN: u64 = 256 << 20;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Note,
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    grade: Grade,
    text: String,
}

fn finding(grade: Grade, text: impl Into<String>) -> Finding {
    Finding { grade, text: text.into() }
}

/// Examines a data directory that no server uses, and says what it finds in plain words.
///
/// # Errors
/// [`Failure::Failed`] if something is wrong.
pub(crate) fn doctor(args: &DoctorArgs, output: Output) -> Result<(), Failure> {
    let path = args.data_dir.clone().unwrap_or_else(|| DATA_DIR_DEFAULT.into());
    let directory = DataDirectory::examine(&path)?;
    let findings = examine(&directory, &path);
    let shown = serde_json::to_value(&findings).context("cannot show what was found")?;
    output.answer(&shown, |_| report(&findings))?;
    match findings.iter().filter(|finding| finding.grade == Grade::Bad).count() {
        0 => Ok(()),
        wrong => Err(Failure::Failed(anyhow!("{wrong} thing(s) in {} need your attention", path.display()))),
    }
}

fn report(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let grade = match finding.grade {
            Grade::Ok => console::style("ok  ").green(),
            Grade::Note => console::style("note").yellow(),
            Grade::Bad => console::style("bad ").red().bold(),
        };
        format!("{grade}  {}", finding.text)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn examine(directory: &DataDirectory, path: &Path) -> Vec<Finding> {
    let mut findings = database(directory);
    findings.extend(rights(directory, path));
    findings.push(disk(free_bytes(path)));
    findings.push(timezones());
    findings
}

fn database(directory: &DataDirectory) -> Vec<Finding> {
    match check(&directory.database()) {
        Err(error) => vec![finding(Grade::Bad, error.to_string())],
        Ok(found) => {
            let mut findings: Vec<_> =
                found.problems().into_iter().map(|problem| finding(Grade::Bad, problem)).collect();
            if findings.is_empty() {
                let text = format!("the database is whole: {}, no broken references", bytes(found.bytes));
                findings.push(finding(Grade::Ok, text));
            }
            findings.push(schema(&found));
            findings.push(artifacts(&found, &directory.cache()));
            findings.extend(secrets::examine(&found, directory));
            findings
        }
    }
}

fn schema(found: &Check) -> Finding {
    let (is, known) = (found.schema_version, found.schema_known);
    if is == known {
        return finding(Grade::Ok, format!("its schema is the current one, {is}"));
    }
    finding(
        Grade::Note,
        format!("its schema is {is}; the next start brings it to {known}. Take a backup first"),
    )
}

/// Compiled plugins are made anew when they are missing, and only take room when they are too many.
fn artifacts(found: &Check, cache: &Path) -> Finding {
    let names = std::fs::read_dir(cache).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let artifacts: Vec<String> = names.filter(|name| name.contains(".artifact")).collect();
    let versions: Vec<String> = found.versions.iter().map(ToString::to_string).collect();
    let is_known = |name: &String| versions.iter().any(|digest| name.starts_with(digest.as_str()));
    let orphans = artifacts.iter().filter(|name| !is_known(name)).count();
    let count = versions.len();
    if orphans == 0 {
        return finding(Grade::Ok, format!("{count} plugin version(s), {} compiled", artifacts.len()));
    }
    let text = format!(
        "{orphans} compiled plugin(s) in {} belong to no version; they may be deleted",
        cache.display()
    );
    finding(Grade::Note, text)
}

fn disk(free: Option<u64>) -> Finding {
    match free {
        None => finding(Grade::Note, "nobody can tell how much of the disk is free"),
        Some(free) if free < DISK_FREE_MIN => {
            let text =
                format!("only {} of the disk are free; a server wants {}", bytes(free), bytes(DISK_FREE_MIN));
            finding(Grade::Bad, text)
        }
        Some(free) => finding(Grade::Ok, format!("{} of the disk are free", bytes(free))),
    }
}

fn timezones() -> Finding {
    let bundled = TimezoneData::Bundled.version();
    let system = TimezoneData::system(Path::new(SYSTEM_DIRECTORY)).map(|data| data.version());
    match system {
        Ok(system) if system > bundled => finding(
            Grade::Note,
            format!(
                "the time zone tables compiled in are {bundled}, those of this machine {system}: newer; \
                 `timezoneData = \"system\"` uses them"
            ),
        ),
        _ => finding(Grade::Ok, format!("the time zone tables compiled in are {bundled}")),
    }
}

#[cfg(unix)]
fn rights(directory: &DataDirectory, path: &Path) -> Vec<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let cache = directory.cache();
    let key = directory.secret_key_file();
    let places = [path.to_owned(), directory.database(), key, cache.clone(), cache.join("key")];
    let is_open = |place: &Path| place.metadata().is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
    let open: Vec<_> = places.iter().filter(|place| is_open(place)).collect();
    if open.is_empty() {
        return vec![finding(Grade::Ok, "nobody but its owner can read it")];
    }
    let told = open.iter().map(|place| {
        let place = place.display();
        finding(Grade::Bad, format!("others than its owner can reach {place}: `chmod go= {place}`"))
    });
    told.collect()
}

#[cfg(not(unix))]
fn rights(_: &DataDirectory, _: &Path) -> Vec<Finding> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_little_room_is_bad() {
        assert_eq!(disk(Some(DISK_FREE_MIN)).grade, Grade::Ok);
        assert_eq!(disk(Some(DISK_FREE_MIN - 1)).grade, Grade::Bad);
        assert_eq!(disk(None).grade, Grade::Note);
    }
}
