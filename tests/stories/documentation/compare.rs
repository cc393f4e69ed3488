//! What a page shows beside what was printed.
//!
//! Identifiers, digests, secrets, times and figures with a fraction differ from machine to machine and stand for
//! themselves; everything else must be what the page says. A line `...` stands for any lines, and ` ...` at the end of a line
//! for its rest.

use std::collections::BTreeMap;

use serde_json::Value;

/// Members of answers that are measured: their values are not compared.
const MEASURED: [&str; 14] = [
    "bytes",
    "cpuUs",
    "createdAt",
    "database",
    "diskFreeBytes",
    "fuel",
    "imports",
    "memoryBytesPeak",
    "size",
    "storedBytes",
    "timezoneData",
    "version",
    "wallUs",
    "walBytes",
];

/// What the names on a page turned out to be: an identifier that a page shows stands for the one that was printed.
pub(super) type Names = BTreeMap<String, String>;

/// The names that follow from `printed` if it is what `shown` says; `None` if it is not.
pub(super) fn compare(shown: &[String], printed: &str) -> Option<Names> {
    if is_json(shown) {
        let expected: Value = serde_json::from_str(&shown.concat()).ok()?;
        let mut names = Names::new();
        return same(&expected, &serde_json::from_str(printed).ok()?, &mut names).then_some(names);
    }
    let filled = |line: &&str| !line.trim().is_empty();
    let shown: Vec<&str> = shown.iter().map(String::as_str).filter(filled).collect();
    let printed: Vec<&str> = printed.lines().filter(filled).collect();
    lines(&shown, &printed)
}

/// An answer that is laid out for reading.
fn is_json(shown: &[String]) -> bool {
    shown.first().is_some_and(|line| line.starts_with(['{', '['])) && shown.len() > 1
        || shown.len() == 1 && serde_json::from_str::<Value>(&shown[0]).is_ok_and(|value| !value.is_number())
}

fn lines(shown: &[&str], printed: &[&str]) -> Option<Names> {
    match (shown, printed) {
        ([], []) | (["..."], _) => Some(Names::new()),
        (["...", rest @ ..], _) => (0..=printed.len()).find_map(|skipped| lines(rest, &printed[skipped..])),
        ([line, shown @ ..], [other, printed @ ..]) if is_same(line, other) => {
            let mut names = lines(shown, printed)?;
            names.extend(renamed(line, other));
            Some(names)
        }
        _ => None,
    }
}

fn is_same(line: &str, other: &str) -> bool {
    match line.strip_suffix(" ...") {
        Some(begins) => normal(other).starts_with(&normal(begins)),
        None => normal(line) == normal(other),
    }
}

/// Whether an answer has what a page shows of it. Members that the page leaves out are told by a member `...`.
fn same(shown: &Value, printed: &Value, names: &mut Names) -> bool {
    match (shown, printed) {
        (Value::Object(shown), Value::Object(printed)) => {
            let is_partial = shown.contains_key("...");
            let mut members = shown.iter().filter(|(key, _)| *key != "...");
            (is_partial || shown.len() == printed.len())
                && members.all(|(key, value)| {
                    printed
                        .get(key)
                        .is_some_and(|other| MEASURED.contains(&key.as_str()) || same(value, other, names))
                })
        }
        (Value::Array(shown), Value::Array(printed)) => {
            let is_partial = shown.last().is_some_and(|last| last == "...");
            let told = if is_partial { &shown[..shown.len() - 1] } else { shown };
            (is_partial || shown.len() == printed.len())
                && told.len() <= printed.len()
                && told.iter().zip(printed).all(|(one, other)| same(one, other, names))
        }
        (Value::String(shown), Value::String(printed)) => {
            names.extend(renamed(shown, printed));
            normal(shown) == normal(printed)
        }
        _ => shown == printed,
    }
}

/// A line with single spaces and with a word for everything that differs from time to time.
fn normal(line: &str) -> String {
    let words = words(line);
    let shown = words.iter().enumerate().map(|(index, word)| {
        let unit = words.get(index + 2).filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()));
        match (kind(word), unit.copied()) {
            (None, Some("UTC")) => "TIME",
            (None, Some("ms" | "s" | "KiB" | "MiB" | "GiB")) => "FIGURE",
            (kind, _) => kind.unwrap_or(word),
        }
    });
    let line = shown.collect::<String>();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The identifiers of a line beside those of the other one.
fn renamed(line: &str, other: &str) -> Vec<(String, String)> {
    let named = |line| -> Vec<String> {
        let is_name = |word: &&str| matches!(kind(word), Some("ID" | "DIGEST" | "SECRET"));
        words(line).into_iter().filter(is_name).map(|word| trimmed(word).to_owned()).collect()
    };
    named(line).into_iter().zip(named(other)).collect()
}

/// A line in words of letters, digits and `.:-_`, and what stands between them.
fn words(line: &str) -> Vec<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || ".:-_".contains(letter);
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter| is_part(letter) != is_part(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after;
    }
    words
}

/// A word without what ends a sentence.
fn trimmed(word: &str) -> &str {
    word.trim_end_matches(['.', ':'])
}

/// What a word is, if it differs from time to time.
fn kind(word: &str) -> Option<&'static str> {
    let word = trimmed(word);
    let has = |letter: char| word.contains(letter);
    let all = |allowed: &str| word.chars().all(|letter| letter.is_ascii_digit() || allowed.contains(letter));
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if word.starts_with("ink_") {
        Some("SECRET")
    } else if word.len() == 36 && word.chars().filter(|letter| *letter == '-').count() == 4 {
        Some("ID")
    } else if digits >= 4 && (has(':') || has('-')) && all(":-.TZ") {
        Some("TIME")
    } else if word.len() >= 8 && digits > 0 && all("abcdef-") && digits < word.len() {
        Some("DIGEST")
    } else if digits >= 2 && has('.') && all(".k") && word.matches('.').count() == 1 {
        Some("FIGURE")
    } else {
        None
    }
}

#[test]
fn what_differs_from_time_to_time_stands_for_itself() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let printed = "published as 01a20fa2-fa7c-7082-a930-c01fe9fb21e3: 1 run\n";
    let names = compare(&shown("published as 01a20fa2-fa7b-70dd-acfe-fa91c992ced5: 1 run"), printed);
    let expected = ("01a20fa2-fa7b-70dd-acfe-fa91c992ced5", "01a20fa2-fa7c-7082-a930-c01fe9fb21e3");
    assert_eq!(names, Some(Names::from([(expected.0.to_owned(), expected.1.to_owned())])));
    assert!(compare(&shown("published as 01a20fa2-fa7b-70dd-acfe-fa91c992ced5: 2 run"), printed).is_none());
    assert!(compare(&shown("22:17:48.003  ok  14.0k fuel"), "01:02:03.999 ok 2.1k fuel").is_some());
    assert!(compare(&shown("22:17:48.003  ok  14.0k fuel"), "01:02:03.999 failed 2.1k fuel").is_none());
    assert!(compare(&shown("0.19 ms 2 B"), "23 ms 2 B").is_some() && compare(&shown("2 B"), "3 B").is_none());
    assert!(compare(&shown("at hour 22 UTC!"), "at hour 03 UTC!").is_some());
    assert!(compare(&shown("a\n..."), "a\nb\nc\n").is_some() && compare(&shown("a"), "a\nb\n").is_none());
    assert!(
        compare(&shown("...\nc"), "a\nb\nc\n").is_some() && compare(&shown("...\nd"), "a\nb\nc").is_none()
    );
    assert!(compare(&shown("a b ..."), "a  b c").is_some() && compare(&shown("a b ..."), "a c b").is_none());
    let laid_out = shown("{\n  \"runs\": 1,\n  \"fuel\": 7,\n  \"...\": \"\"\n}");
    assert!(compare(&laid_out, r#"{"fuel":9,"runs":1,"more":true}"#).is_some());
    assert!(compare(&laid_out, r#"{"fuel":9,"runs":2,"more":true}"#).is_none());
    assert!(compare(&shown("{\"runs\": 1}"), r#"{"runs":1,"more":true}"#).is_none());
}
