//! `config check`: what holds, and where it comes from.

use innkeeper_model::problem::nearest;
use serde_json::{Value, json};

use super::{SETTINGS, ServerConfig, Settings};
use crate::args::CheckArgs;
use crate::exit::Failure;
use crate::output::{Column, Output, columns, json_text, table};

const COLUMNS: [Column; 3] = [
    Column::new("SETTING", |row| json_text(&row["key"])),
    Column::new("VALUE", |row| json_text(&row["value"])),
    Column::new("FROM", |row| json_text(&row["from"])),
];

/// Variables that begin as those of the settings do and mean something else.
const OTHER_VARIABLES: [&str; 7] = [
    "INNKEEPER_CONFIG",
    "INNKEEPER_URL",
    "INNKEEPER_TOKEN",
    "INNKEEPER_TENANT",
    "INNKEEPER_LOG",
    "INNKEEPER_BINARY",
    "INNKEEPER_SECRET_KEY",
];

/// Shows the settings that a server would run with here.
///
/// # Errors
/// [`Failure::Usage`] if a server would not start with them.
pub(crate) fn check(args: &CheckArgs, token: Option<&str>, output: Output) -> Result<(), Failure> {
    let file = args.file.as_deref().or(args.config.as_deref());
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::gather(Vec::new(), variable, file).map_err(Failure::Usage)?;
    let resolved = ServerConfig::resolve(&settings, false, token);
    let rows: Vec<_> = SETTINGS.iter().map(|setting| row(&settings, setting.key)).collect();
    output.answer(&Value::Array(rows), |rows| {
        table(&COLUMNS, rows.as_array().map(Vec::as_slice).unwrap_or_default(), columns())
    })?;
    for name in unknown_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        eprintln!("{}", told(&name));
    }
    resolved.map(|_| ()).map_err(Failure::Usage)
}

fn row(settings: &Settings, key: &str) -> Value {
    let given = settings.get(key);
    json!({"key": key, "value": given.text, "from": given.origin.to_string()})
}

/// That a variable means nothing, and what it was probably meant to be.
fn told(name: &str) -> String {
    let known = SETTINGS.iter().map(|setting| setting.variable).chain(OTHER_VARIABLES);
    let near = nearest(name, known).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!("the variable {name} is no setting, and has no effect{near}")
}

fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let is_known = |name: &str| {
        OTHER_VARIABLES.contains(&name) || SETTINGS.iter().any(|setting| setting.variable == name)
    };
    names.filter(|name| name.starts_with("INNKEEPER_") && !is_known(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_means_nothing_is_found() {
        let names = ["PATH", "INNKEEPER_URL", "INNKEEPER_LISTEN", "INNKEEPER_LISSEN"].map(str::to_owned);
        assert_eq!(unknown_variables(names.into_iter()), ["INNKEEPER_LISSEN"]);
        assert!(told("INNKEEPER_LISSEN").ends_with("no effect; did you mean INNKEEPER_LISTEN?"));
        assert!(
            unknown_variables(["INNKEEPER_SECRET_KEY".to_owned()].into_iter()).is_empty(),
            "it has an effect"
        );
    }
}
