//! What is wrong with files, and where: a line for people, fields for programs.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::place::Place;
use crate::output::printable;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mistake {
    /// The file that it is in.
    pub(super) file: Option<PathBuf>,
    /// Where in the file.
    pub(super) place: Option<Place>,
    /// What is declared there.
    pub(super) name: String,
    /// The field of it, such as `retryPolicy.delay`.
    pub(super) field: String,
    /// What is wrong.
    pub(super) message: String,
}

impl Mistake {
    fn to_json(&self) -> Value {
        let file = self.file.as_ref().map(|file| file.display().to_string());
        let (line, column) = (self.place.map(|place| place.line), self.place.map(|place| place.column));
        json!({"file": file, "line": line, "column": column, "name": self.name, "field": self.field,
            "message": self.message})
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(out, "{}:", file.display())?;
            self.place.map_or(Ok(()), |place| write!(out, "{place}:"))?;
            out.write_str(" ")?;
        }
        if !self.name.is_empty() {
            write!(out, "{}: ", printable(&self.name))?;
        }
        if !self.field.is_empty() {
            write!(out, "`{}` ", printable(&self.field))?;
        }
        // A message of several lines stays one.
        out.write_str(&self.message.split('\n').map(printable).collect::<Vec<_>>().join("\n"))
    }
}

/// Everything that is wrong.
#[derive(Debug)]
pub(crate) struct Mistakes {
    /// What that means, if it needs saying.
    pub(super) headline: Option<String>,
    pub(super) all: Vec<Mistake>,
}

impl Mistakes {
    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        self.all.iter().map(Mistake::to_json).collect()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.headline.iter().cloned().chain(self.all.iter().map(ToString::to_string));
        out.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_a_line_and_programs_its_parts() {
        let place = Some(Place { line: 20, column: 34 });
        let mistake = Mistake {
            file: Some("a.toml".into()),
            place,
            name: "nightly".to_owned(),
            field: "cron".to_owned(),
            message: "is no pattern".to_owned(),
        };
        let mistakes = Mistakes { headline: Some("1 refused".to_owned()), all: vec![mistake] };
        assert_eq!(mistakes.to_string(), "1 refused\na.toml:20:34: nightly: `cron` is no pattern");
        assert_eq!(
            mistakes.to_json(),
            json!([{"file": "a.toml", "line": 20, "column": 34, "name": "nightly", "field": "cron",
                "message": "is no pattern"}])
        );
        let bare = Mistake { message: "is too much".to_owned(), ..Mistake::default() };
        assert_eq!(bare.to_string(), "is too much");
    }
}
