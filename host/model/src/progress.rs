//! How far an execution says it is.

use serde::Serialize;

use crate::time::Timestamp;

/// Characters of a note; what is longer is cut, and ends with `…`.
pub const NOTE_CHARS_MAX: usize = 200;

/// What an execution says of itself while it runs: for people, and kept no longer than that.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// From 0, when nothing is done, to 1, when all is.
    pub fraction: f32,
    /// What it is doing, in a few words; may be empty.
    pub note: String,
    /// When it said so.
    pub at: Timestamp,
}

impl Progress {
    /// What a guest says. A fraction that is none counts as the nearest one, and what is no number as 0.
    #[must_use]
    pub fn new(fraction: f32, note: &str, at: Timestamp) -> Self {
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        let note = match note.char_indices().nth(NOTE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &note[..end]),
            None => note.to_owned(),
        };
        Self { fraction, note, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_from_0_to_1() {
        let fraction = |value| Progress::new(value, "", Timestamp::from_millis(0)).fraction;
        for (said, meant) in [(0.5, 0.5), (-1.0, 0.0), (7.0, 1.0), (f32::INFINITY, 1.0), (f32::NAN, 0.0)] {
            assert!((fraction(said) - meant).abs() < f32::EPSILON, "{said}");
        }
    }

    #[test]
    fn a_long_note_is_cut_and_says_so() {
        let note = |text: &str| Progress::new(0.0, text, Timestamp::from_millis(0)).note;
        let most = "ü".repeat(NOTE_CHARS_MAX);
        assert_eq!(note(&most), most);
        assert_eq!(note(&format!("{most}!")), format!("{most}…"));
    }
}
