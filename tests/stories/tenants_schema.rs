//! The tenant is part of every key, and of every statement.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use innkeeper_tests::TestHost;
use rusqlite::Connection;

/// Tables that belong to no tenant, each with its reason.
const OF_THE_HOST: [(&str, &str); 3] = [
    ("tenants", "they are the tenants"),
    ("presets", "patterns with a name, the same for all"),
    ("operator_tokens", "the operator belongs to no tenant"),
];

/// Statements over the rows of all tenants, each with its reason. The text is what it begins with.
const OVER_ALL_TENANTS: &[(&str, &str)] = &[
    ("SELECT min(nextRunAt) AS due FROM tasks", "the earliest due time of the host; it names no row"),
    (
        "SELECT * FROM runs WHERE state = 'queued' ORDER BY id",
        "the queue of the host; each row tells whose it is",
    ),
    ("SELECT min(expectCheckAt) AS at FROM tasks", "the earliest expectation of the host; it names no row"),
    ("SELECT max(id) FROM (SELECT id FROM skips", "retention: the end of a step, by the row's number"),
    (
        "DELETE FROM skips WHERE id > ?1 AND id <= ?2 AND toAt < ?3",
        "retention: by age alone, whoever's it is",
    ),
    (
        "UPDATE uploads SET endedAt = ?1 WHERE endedAt IS NULL",
        "the start of a host: nothing goes on then, whoever's it was",
    ),
    (
        "SELECT digest FROM plugin_versions",
        "the examination of a stopped host, for its cache of compiled components",
    ),
    (
        "SELECT count(*) FROM config WHERE isSecret",
        "the examination of a stopped host, for the key of its secrets",
    ),
];

fn names(database: &Connection, sql: &str, of: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).expect("a valid query");
    let names = statement.query_map([of], |row| row.get::<_, String>(0)).expect("rows");
    names.collect::<Result<_, _>>().expect("names")
}

fn tables(database: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = ?1 AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let tables = names(database, sql, "table");
    tables.into_iter().filter(|table| OF_THE_HOST.iter().all(|(name, _)| name != table)).collect()
}

#[test]
fn the_tenant_is_part_of_every_key_and_reference() {
    let host = TestHost::start();
    let database = host.database();
    let tables = tables(&database);
    assert!(tables.len() >= 10, "{tables:?}");
    for table in &tables {
        let columns = names(&database, "SELECT name FROM pragma_table_info(?1)", table);
        assert!(columns.iter().any(|column| column == "tenant"), "{table} does not say whose its rows are");
        let key = names(&database, "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk", table);
        // A row number is no name that anybody could use.
        let is_numbered = key == ["id"] && is_integer(&database, table);
        assert!(
            is_numbered || key.first().is_some_and(|first| first == "tenant"),
            "the key of {table}: {key:?}"
        );
        let unique = "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND origin <> 'pk'";
        for index in names(&database, unique, table) {
            let columns = names(&database, "SELECT name FROM pragma_index_info(?1)", &index);
            assert_eq!(columns.first().map(String::as_str), Some("tenant"), "{index}: {columns:?}");
        }
        check_references(&database, table);
    }
}

fn is_integer(database: &Connection, table: &str) -> bool {
    names(database, "SELECT type FROM pragma_table_info(?1) WHERE pk > 0", table) == ["INTEGER"]
}

/// Every reference of a table goes from its tenant to that of the other row.
fn check_references(database: &Connection, table: &str) {
    let sql = "SELECT group_concat(\"from\" || '>' || coalesce(\"to\", \"from\") || '@' || \"table\", ' ')
        FROM pragma_foreign_key_list(?1) GROUP BY id";
    for reference in names(database, sql, table) {
        let is_of_tenant = reference.split(' ').any(|pair| pair.starts_with("tenant>"));
        assert!(is_of_tenant, "a reference of {table} crosses tenants: {reference}");
    }
}

#[test]
fn every_statement_names_the_tenant() {
    let host = TestHost::start();
    let tables: BTreeSet<String> = tables(&host.database()).into_iter().collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("host").join("store/src");
    let (mut statements, mut unnamed) = (0, Vec::new());
    for path in files(&source) {
        let text = std::fs::read_to_string(&path).expect("source is text");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for statement in literals(text).into_iter().filter(|text| is_statement_over(text, &tables)) {
            statements += 1;
            let names_it = words(&statement).any(|word| word == "tenant");
            let is_exception = OVER_ALL_TENANTS.iter().any(|(begin, _)| statement.starts_with(begin));
            if !names_it && !is_exception {
                unnamed.push(format!("{}: `{statement}`", path.display()));
            }
        }
    }
    assert!(unnamed.is_empty(), "the tenant is in none of these: {unnamed:#?}");
    assert!(statements > 60, "only {statements} statements were found");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The string literals of a source, white space made one blank. Comments have no quotes in this crate's house style.
fn literals(source: &str) -> Vec<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut literals = Vec::new();
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        if character != '"' {
            continue;
        }
        let mut literal = String::new();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => literal.extend(characters.next()),
                other => literal.push(other),
            }
        }
        literals.push(literal.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    literals
}

fn is_statement_over(text: &str, tables: &BTreeSet<String>) -> bool {
    let is_statement =
        ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|verb| text.starts_with(verb));
    let of = |word: &str| matches!(word, "FROM" | "INTO" | "UPDATE" | "JOIN");
    let words: Vec<_> = words(text).collect();
    is_statement && words.windows(2).any(|pair| of(pair[0]) && tables.contains(pair[1]))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}
