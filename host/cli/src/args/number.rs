//! Numbers and sizes on the command line.

use crate::config::parse_bytes;

/// Reads a whole number from 1.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("must be a whole number, 1 or more".to_owned()),
    }
}

/// Reads a number of bytes, such as `32MiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    parse_bytes(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_something_in_it_and_a_size_has_a_unit() {
        assert_eq!(at_least_one("7"), Ok(7));
        assert!(at_least_one("0").is_err() && at_least_one("-1").is_err());
        assert_eq!(size("32MiB"), Ok(32 << 20));
        assert!(size("32 megs").is_err_and(|error| error.contains("such as 64MiB")));
    }
}
