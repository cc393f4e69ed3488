//! Tables that fit the terminal.
//!
//! Nothing is ever broken in two, since people copy what they read: what does not fit is left out, the least important
//! columns first, and the last column is cut.

use comfy_table::{ContentArrangement, Table, presets};
use console::{measure_text_width, style};
use serde_json::Value;

use super::format::{printable, shorten};

/// Columns between two columns of a table.
const GAP: usize = 2;
/// The last column is not cut shorter than this.
const LAST_COLUMNS_MIN: usize = 8;
/// Other columns are left out for the last one to have this.
const LAST_COLUMNS_USEFUL: usize = 20;

/// A column: its heading, what it shows of an item, and how much it is worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    show: fn(&Value) -> String,
    worth: Worth,
}

/// When a column is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// Never.
    Needed,
    /// Where the table would not fit with it.
    Wanted,
    /// Where the last column would be of no use beside it.
    Optional,
}

impl Column {
    /// A column that is always shown.
    pub(crate) const fn new(heading: &'static str, show: fn(&Value) -> String) -> Self {
        Self { heading, show, worth: Worth::Needed }
    }

    /// A column that is left out where the table would not fit with it, after those that are optional.
    pub(crate) const fn wanted(heading: &'static str, show: fn(&Value) -> String) -> Self {
        Self { heading, show, worth: Worth::Wanted }
    }

    /// A column that is left out where there is no room.
    pub(crate) const fn optional(heading: &'static str, show: fn(&Value) -> String) -> Self {
        Self { heading, show, worth: Worth::Optional }
    }
}

/// One line for each item, in at most `width` terminal columns if there is a terminal.
pub(crate) fn table(columns: &[Column], items: &[Value], width: Option<usize>) -> String {
    let mut cells: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let shown = items.iter().map(|item| printable(&(column.show)(item)));
            std::iter::once(column.heading.to_owned()).chain(shown).collect()
        })
        .collect();
    if let Some(width) = width {
        fit(&mut cells, columns, width);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for row in 0..=items.len() {
        table.add_row(cells.iter().map(|column| column[row].as_str()));
    }
    lines(&table)
}

/// One line for each name and value. Values that are empty are left out.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let shown = pairs.iter().filter(|(_, value)| !value.is_empty());
    let lines = shown
        .map(|(name, value)| format!("{}  {}", style(format!("{name:width$}")).bold(), printable(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Leaves columns out, from the right, until the rest fits with a last column of some use; then cuts that one.
fn fit(cells: &mut Vec<Vec<String>>, columns: &[Column], width: usize) {
    let mut worths: Vec<Worth> = columns.iter().map(|column| column.worth).collect();
    for (least, last_columns) in [(Worth::Optional, LAST_COLUMNS_USEFUL), (Worth::Wanted, LAST_COLUMNS_MIN)] {
        for index in (0..worths.len()).rev() {
            if worths[index] == least && needed(cells, last_columns) > width {
                cells.remove(index);
                worths.remove(index);
            }
        }
    }
    let Some((last, others)) = cells.split_last_mut() else { return };
    let room = width.saturating_sub(total(others)).max(LAST_COLUMNS_MIN);
    for cell in last {
        *cell = shorten(cell, room);
    }
}

/// The width at which the last column is whole, or has so many columns of the terminal.
fn needed(cells: &[Vec<String>], last_columns: usize) -> usize {
    cells.split_last().map_or(0, |(last, others)| total(others) + widest(last).min(last_columns))
}

/// The width of these columns, with the gap after each.
fn total(cells: &[Vec<String>]) -> usize {
    cells.iter().map(|column| widest(column) + GAP).sum()
}

fn widest(column: &[String]) -> usize {
    column.iter().map(|cell| measure_text_width(cell)).max().unwrap_or(0)
}

/// The table's lines without the white space that comfy-table puts at both ends, the heading in bold.
fn lines(table: &Table) -> String {
    let lines = table.lines().enumerate().map(|(index, line)| {
        let line = line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
        if index == 0 { style(line).bold().to_string() } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::new("ID", |item| item["id"].as_str().unwrap_or_default().to_owned()),
        Column::optional("N", |item| item["n"].to_string()),
        Column::new("TEXT", |item| item["text"].as_str().unwrap_or_default().to_owned()),
    ];

    fn items() -> [Value; 2] {
        [
            json!({"id": "long-name", "n": 1, "text": "as long as a sentence"}),
            json!({"id": "a\u{1b}[2J", "n": 22, "text": ""}),
        ]
    }

    #[test]
    fn columns_are_aligned_and_control_characters_are_shown() {
        console::set_colors_enabled(false);
        assert_eq!(
            table(&COLUMNS, &items(), None).lines().collect::<Vec<_>>(),
            ["ID          N   TEXT", "long-name   1   as long as a sentence", "a\\u{1b}[2J  22"]
        );
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_last_column_is_cut() {
        console::set_colors_enabled(false);
        assert_eq!(
            table(&COLUMNS, &items(), Some(30)).lines().collect::<Vec<_>>(),
            ["ID          TEXT", "long-name   as long as a sent…", "a\\u{1b}[2J"]
        );
        assert_eq!(table(&COLUMNS, &items(), Some(37)), table(&COLUMNS, &items(), None));
    }

    #[test]
    fn a_list_of_tasks_fits_every_terminal() {
        console::set_colors_enabled(false);
        let tasks = [
            json!({"id": "weekly:report", "type": "schedule", "cron": "0 9 * * 1", "plugin": "greeter", "status": "pending"}),
            json!({"id": "greet-whoever-comes", "type": "event", "onEvent": "user:logged_in:*", "plugin": "greeter",
                "status": "paused"}),
        ];
        let widths = [120, 80, 60, 40];
        let tables =
            widths.map(|width| format!("{width}:\n{}", table(&crate::tasks::COLUMNS, &tasks, Some(width))));
        insta::assert_snapshot!(tables.join("\n\n"));
    }

    #[test]
    fn lists_of_executions_and_of_versions_fit_a_terminal_of_80_columns() {
        console::set_colors_enabled(false);
        let execution = json!({"id": "01a210d2-d959-7076-a819-f16ac8d1ea88", "taskId": "weekly:report",
            "startedAt": "2025-06-02T08:00:00.012Z", "attempt": 1, "event": "user:logged_in", "status": "failed",
            "kind": "permanent", "error": "the data does not fit `Option<Guest>`"});
        let version = json!({"digest": "0123456789abcdef0123", "isActive": true, "handler": "plugin", "size": 90_000,
            "createdAt": "2025-06-02T08:00:00.012Z", "uploadedBy": "whoever sits at this machine", "runs": 12});
        let executions = |width| table(&crate::replays::TRAIL, std::slice::from_ref(&execution), Some(width));
        let versions = table(&crate::versions::COLUMNS, &[version], Some(80));
        for shown in [&executions(80), &versions] {
            assert!(shown.lines().all(|line| measure_text_width(line) <= 80), "{shown}");
        }
        let headings = |table: String| {
            table.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(headings(executions(80)), "ID TASK OUTCOME RESULT");
        assert_eq!(headings(executions(100)), "ID TASK STARTED OUTCOME RESULT");
        assert_eq!(headings(executions(200)), "ID TASK STARTED TRIGGER ATTEMPT OUTCOME RESULT");
        assert_eq!(headings(versions), "DIGEST ACTIVE CALLED AS SIZE UPLOADED OPEN RUNS");
    }

    #[test]
    fn empty_fields_are_left_out() {
        console::set_colors_enabled(false);
        let pairs = [("id", "a".to_owned()), ("name", String::new()), ("status", "paused".to_owned())];
        assert_eq!(fields(&pairs), "id      a\nstatus  paused");
    }
}
