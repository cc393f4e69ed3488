//! Tables that fit the terminal.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};
use console::style;
use serde_json::Value;

use super::format::printable;

/// A column: its heading, and what it shows of an item.
pub(crate) type Column = (&'static str, fn(&Value) -> String);

/// One line for each item. Without a terminal, nothing is wrapped.
pub(crate) fn table(columns: &[Column], items: &[Value]) -> String {
    let mut table = plain();
    table.set_header(columns.iter().map(|(heading, _)| Cell::new(heading)));
    for item in items {
        table.add_row(columns.iter().map(|(_, show)| Cell::new(printable(&show(item)))));
    }
    // The first column names the item: it is to be copied, so it is never broken.
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    trimmed(&table)
}

/// One line for each name and value. Values that are empty are left out.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let shown = pairs.iter().filter(|(_, value)| !value.is_empty());
    let lines = shown
        .map(|(name, value)| format!("{}  {}", style(format!("{name:width$}")).bold(), printable(value)));
    lines.collect::<Vec<_>>().join("\n")
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// The table without the white space that comfy-table puts at both ends of a line.
fn trimmed(table: &Table) -> String {
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

    #[test]
    fn columns_are_aligned_and_control_characters_are_shown() {
        let columns: [Column; 2] = [
            ("ID", |item| item["id"].as_str().unwrap_or_default().to_owned()),
            ("N", |item| item["n"].to_string()),
        ];
        let items = [json!({"id": "long-name", "n": 1}), json!({"id": "a\u{1b}[2J", "n": 22})];
        console::set_colors_enabled(false);
        assert_eq!(
            table(&columns, &items).lines().map(str::trim_end).collect::<Vec<_>>(),
            ["ID          N", "long-name   1", "a\\u{1b}[2J  22"]
        );
    }

    #[test]
    fn empty_fields_are_left_out() {
        console::set_colors_enabled(false);
        let pairs = [("id", "a".to_owned()), ("name", String::new()), ("status", "paused".to_owned())];
        assert_eq!(fields(&pairs), "id      a\nstatus  paused");
    }
}
