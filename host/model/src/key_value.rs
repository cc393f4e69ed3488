//! Rules of the key-value store and of configuration: names, sizes, what a write means.

/// Bytes of a bucket's name at most.
pub const BUCKET_BYTES_MAX: usize = 100;
/// Bytes of a key at most.
pub const KEY_BYTES_MAX: usize = 256;
/// Bytes of a value at most.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Bytes of the name of a configured value at most.
pub const CONFIG_KEY_BYTES_MAX: usize = 200;
/// Bytes of a configured value at most.
pub const CONFIG_VALUE_BYTES_MAX: usize = 64 << 10;

/// A bucket, key or value that cannot be. The message says which, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEntry(String);

/// Checks the name of a bucket: ASCII letters, digits and `-_.:`.
///
/// # Errors
/// It is empty, too long or has other characters.
pub fn check_bucket(bucket: &str) -> Result<(), InvalidEntry> {
    check_name("bucket", bucket, BUCKET_BYTES_MAX)
}

/// Checks the name of a configured value: ASCII letters, digits and `-_.:`.
///
/// # Errors
/// It is empty, too long or has other characters.
pub fn check_config_key(key: &str) -> Result<(), InvalidEntry> {
    check_name("configuration key", key, CONFIG_KEY_BYTES_MAX)
}

fn check_name(what: &str, name: &str, bytes_max: usize) -> Result<(), InvalidEntry> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if (1..=bytes_max).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(InvalidEntry(format!(
        "{shown:?} names no {what}: use 1 to {bytes_max} ASCII letters, digits and `-_.:`"
    )))
}

/// Checks a key: any text without control characters.
///
/// # Errors
/// It is empty, too long or has control characters.
pub fn check_key(key: &str) -> Result<(), InvalidEntry> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.contains(char::is_control) {
        return Ok(());
    }
    let shown: String = key.chars().take(80).collect();
    Err(InvalidEntry(format!(
        "{shown:?} is no key: use 1 to {KEY_BYTES_MAX} bytes of text without control characters"
    )))
}

/// Checks the size of a value.
///
/// # Errors
/// It is too large.
pub fn check_value(value: &[u8]) -> Result<(), InvalidEntry> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(InvalidEntry(format!("the value has {} bytes; at most {VALUE_BYTES_MAX} are kept", value.len())))
}

/// Checks the size of a configured value. It is text; a secret must not be empty, since nothing could be kept secret.
///
/// # Errors
/// It is too large, or an empty secret.
pub fn check_config_value(value: &str, is_secret: bool) -> Result<(), InvalidEntry> {
    let bytes = value.len();
    if bytes > CONFIG_VALUE_BYTES_MAX {
        return Err(InvalidEntry(format!("has {bytes} bytes; at most {CONFIG_VALUE_BYTES_MAX} are kept")));
    }
    if is_secret && bytes == 0 {
        return Err(InvalidEntry("is empty: a secret needs at least 1 byte".to_owned()));
    }
    Ok(())
}

/// The number that a value holds: decimal digits with an optional sign, as text. What is not there counts as 0.
///
/// # Errors
/// The value is something else.
pub fn number(value: Option<&[u8]>) -> Result<i64, InvalidEntry> {
    let Some(bytes) = value else { return Ok(0) };
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        InvalidEntry(format!("the value of {} bytes is not a whole number as decimal text", bytes.len()))
    })
}

/// The value that holds `value` increased by `delta`.
///
/// # Errors
/// The value is not a number, or the sum does not fit 64 bits.
pub fn add(value: Option<&[u8]>, delta: i64) -> Result<i64, InvalidEntry> {
    let before = number(value)?;
    before
        .checked_add(delta)
        .ok_or_else(|| InvalidEntry(format!("{before} increased by {delta} does not fit 64 bits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_bounded_and_the_error_says_how() {
        for good in ["a", "user-state", "a.b:c_9"] {
            assert_eq!((check_bucket(good), check_config_key(good)), (Ok(()), Ok(())), "{good}");
        }
        for bad in ["", "a b", "a/b", "ü", "a\n", &"a".repeat(201)] {
            assert!(check_bucket(bad).is_err() && check_config_key(bad).is_err(), "{bad}");
        }
        for good in ["a", "mail for ü/1", &"k".repeat(KEY_BYTES_MAX)] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
        for bad in ["", "a\0", "a\nb", &"k".repeat(KEY_BYTES_MAX + 1)] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
        let message = check_bucket("a/b").map_err(|error| error.to_string());
        assert!(message.is_err_and(|text| text.contains("\"a/b\"") && text.contains("1 to 100")));
    }

    #[test]
    fn values_are_bounded() {
        assert!(
            check_value(&vec![0; VALUE_BYTES_MAX]).is_ok()
                && check_value(&vec![0; VALUE_BYTES_MAX + 1]).is_err()
        );
        assert!(check_config_value("", false).is_ok() && check_config_value("", true).is_err());
        assert!(check_config_value(&"x".repeat(CONFIG_VALUE_BYTES_MAX + 1), false).is_err());
    }

    #[test]
    fn numbers_are_decimal_text() {
        assert_eq!(add(None, 5), Ok(5));
        assert_eq!(add(Some(b"-7"), 5), Ok(-2));
        for (value, delta) in
            [(&b"x"[..], 1), (b"", 1), (b" 1", 1), (b"\xff", 1), (b"9223372036854775807", 1)]
        {
            assert!(add(Some(value), delta).is_err(), "{value:?}");
        }
    }
}
