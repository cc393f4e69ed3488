//! The page `docs/cli.md`: the command line, as clap knows it, for reading.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

/// How the page begins.
const INTRODUCTION: &str = "# The command line

Every verb of `innkeeper` with its arguments, as `--help` shows them; this page is made of the same definitions. `serve`, `dev`, \
`restore`, `doctor` and most of `plugin` work on this machine; the others are clients of the [HTTP API](http.md), and take the \
client options too.

- People get tables that fit their terminal, and colours only there (`NO_COLOR` and `CLICOLOR=0` switch them off, \
`CLICOLOR_FORCE=1` on). Progress is shown on a terminal only.
- `--json` gives programs the answer of the server, and errors as problem documents (RFC 9457) on standard error.
- `--quiet` says nothing of what went well. What was asked for is still printed.
- Standard output has what was asked for, standard error everything else.

";

/// The whole page.
fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = INTRODUCTION.to_owned();
    let exit_codes = root.get_after_help().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "```text\n{exit_codes}\n```\n\n## Client options\n");
    root.get_arguments().filter(|argument| argument.is_global_set()).for_each(|one| describe(one, &mut page));
    for verb in root.get_subcommands().filter(|verb| is_shown(verb)) {
        add(verb, 2, &mut page);
    }
    page
}

fn is_shown(verb: &Command) -> bool {
    !verb.is_hide_set() && verb.get_name() != "help"
}

/// A verb, and those below it.
fn add(verb: &Command, level: usize, page: &mut String) {
    let name = verb.get_bin_name().unwrap_or_else(|| verb.get_name());
    let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "\n{} {name}\n\n{}", "#".repeat(level), sentence(&about));
    let verbs: Vec<_> = verb.get_subcommands().filter(|verb| is_shown(verb)).collect();
    if verbs.is_empty() {
        let usage = verb.clone().render_usage().to_string();
        let _ = writeln!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
        let own =
            verb.get_arguments().filter(|argument| !argument.is_global_set() && !argument.is_hide_set());
        own.filter(|argument| argument.get_id() != "help").for_each(|argument| describe(argument, page));
    }
    for below in verbs {
        add(below, level + 1, page);
    }
}

/// One line for an argument: how it is written, what it means, and what holds without it.
fn describe(argument: &Arg, page: &mut String) {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let mut line = format!("- `{}`: {}", written(argument), sentence(&help));
    let possible: Vec<_> = argument
        .get_possible_values()
        .iter()
        .filter(|value| takes_value(argument) && !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !possible.is_empty() {
        let _ = write!(line, " One of {}.", possible.join(", "));
    }
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value(argument) && !defaults.concat().is_empty() {
        let _ = write!(line, " Default: `{}`.", defaults.join(" "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(line, " Variable: `{}`.", variable.to_string_lossy());
    }
    page.push_str(&line);
    page.push('\n');
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_action().takes_values()
}

/// `-f, --file <PATH>`, or the name of a positional argument.
fn written(argument: &Arg) -> String {
    if argument.is_positional() {
        return argument.to_string();
    }
    match argument.get_short() {
        Some(short) if argument.get_long().is_some() => format!("-{short}, {argument}"),
        _ => argument.to_string(),
    }
}

/// Help ends without a full stop; sentences of a page do not.
fn sentence(help: &str) -> String {
    let help = help.trim();
    if help.ends_with(['.', '?', '!', ']']) { help.to_owned() } else { format!("{help}.") }
}

/// To take over a change on purpose: `INSTA_UPDATE=always cargo test --workspace --lib -- reference`.
#[test]
fn the_page_is_what_the_command_line_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let differs = kept.lines().zip(page.lines()).find(|(kept, page)| kept != page);
    assert!(
        kept == page,
        "docs/cli.md is not what the command line says now, for instance {differs:?}; to make it anew: \
         INSTA_UPDATE=always cargo test --workspace --lib -- reference"
    );
}
