//! What the client verbs print: tables for people, JSON for programs.

mod format;
mod table;

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;
use console::Term;
use serde_json::Value;

pub(crate) use self::format::{
    bytes, count, fuel, json_text, millis, printable, short_time, shorten, time, time_in, wall,
};
pub(crate) use self::table::{Column, fields, table};

/// How answers are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// JSON for programs, or else text for people, who may want to hear only of what they asked for or what went wrong.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether nobody wants to see confirmations and progress.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Prints text for people while something goes on; programs get one answer at its end.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn show(self, text: &str) -> anyhow::Result<()> {
        if self.json || self.quiet || text.is_empty() { Ok(()) } else { print(&line(text.to_owned())) }
    }

    /// Prints what was done: as [`Output::answer`], unless nobody wants to hear that it went well.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn done(self, answer: &Value, text: impl FnOnce(&Value) -> String) -> anyhow::Result<()> {
        if self.quiet { Ok(()) } else { self.answer(answer, text) }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints an answer as JSON, or else what `text` makes of it. An answer without content is nothing in JSON.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn answer(self, answer: &Value, text: impl FnOnce(&Value) -> String) -> anyhow::Result<()> {
        match self.json {
            true if answer.is_null() => Ok(()),
            true => print(&format!("{answer:#}\n")),
            false => print(&line(text(answer))),
        }
    }

    /// Prints one of many as a line of JSON, or else as the line that `text` makes of it. Returns whether anybody still reads.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn item(self, item: &Value, text: impl FnOnce(&Value) -> String) -> anyhow::Result<bool> {
        write_out(&if self.json { format!("{item}\n") } else { line(text(item)) })
    }

    /// Prints a list as JSON, or else as a table with these columns. With nothing in it, people read `empty`.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn list(
        self,
        (items, more): (Vec<Value>, bool),
        columns: &[Column],
        empty: &str,
    ) -> anyhow::Result<()> {
        if more {
            eprintln!("there are more: raise --limit to see them");
        }
        if !self.json && items.is_empty() {
            eprintln!("{empty}");
            return Ok(());
        }
        self.answer(&Value::Array(items), |items| {
            table(columns, items.as_array().map(Vec::as_slice).unwrap_or_default(), self::columns())
        })
    }
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no error.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    write_out(text).map(drop)
}

/// As [`print()`]. Returns whether anybody still reads.
fn write_out(text: &str) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// The terminal's width; `None` if standard output is no terminal.
pub(crate) fn columns() -> Option<usize> {
    let terminal = Term::stdout();
    let size = terminal.size_checked().filter(|_| terminal.is_term())?;
    Some(usize::from(size.1))
}

fn line(text: String) -> String {
    if text.ends_with('\n') { text } else { text + "\n" }
}
