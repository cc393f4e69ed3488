//! The header `tracestate`: what each vendor whom a trace has passed keeps in it.

/// Members of the list.
const MEMBERS_MAX: usize = 32;
/// Characters of a key, and of a value.
const KEY_MAX: usize = 256;
/// Characters that are handed on; the standard asks for no more.
const LENGTH_MAX: usize = 512;
/// Members longer than this are the first to go if there are too many characters.
const LONG: usize = 128;

/// The list of all headers together, without white space between its members. `None` if it is empty or not valid.
pub(super) fn read<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut members = Vec::new();
    for header in headers {
        for member in header.split(|character| *character == b',').map(<[u8]>::trim_ascii) {
            if !member.is_empty() {
                members.push(check(member)?);
            }
        }
    }
    let keys: Vec<_> = members.iter().filter_map(|member| member.split('=').next()).collect();
    let is_doubtful = keys.iter().enumerate().any(|(place, key)| keys[..place].contains(key));
    if members.is_empty() || members.len() > MEMBERS_MAX || is_doubtful {
        return None;
    }
    shorten(&mut members);
    Some(members.join(",")).filter(|list| !list.is_empty())
}

/// Leaves out what is too much: whole members, the long ones first, then those that have been there for longest.
fn shorten(members: &mut Vec<&str>) {
    let length = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
    while length(members) > LENGTH_MAX + 1 {
        let long = members.iter().rposition(|member| member.len() > LONG);
        members.remove(long.unwrap_or(members.len() - 1));
    }
}

/// A member as text, if it is a key and a value.
fn check(member: &[u8]) -> Option<&str> {
    let place = member.iter().position(|character| *character == b'=')?;
    let (key, value) = (&member[..place], &member[place + 1..]);
    let plain = |character: &u8| character.is_ascii_lowercase() || character.is_ascii_digit();
    let for_key = |character: &u8| plain(character) || b"_-*/@".contains(character);
    let for_value = |character: &u8| (b' '..=b'~').contains(character) && !b",=".contains(character);
    let is_key = key.first().is_some_and(plain) && key.len() <= KEY_MAX && key.iter().all(for_key);
    let is_value = (1..=KEY_MAX).contains(&value.len()) && value.iter().all(for_value);
    if is_key && is_value { str::from_utf8(member).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[&str]) -> Option<String> {
        read(headers.iter().map(|header| header.as_bytes()))
    }

    #[test]
    fn lists_are_put_together() {
        assert_eq!(of(&["a=1, b=2 3\t,,", "", "t@v=x/y"]).as_deref(), Some("a=1,b=2 3,t@v=x/y"));
        for empty in [&[] as &[&str], &[""], &[" , "]] {
            assert_eq!(of(empty), None);
        }
    }

    #[test]
    fn a_list_that_is_not_valid_is_left_out() {
        let many = (0..33).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
        let long = "x".repeat(257);
        for bad in [
            "a",
            "=1",
            "a=",
            "A=1",
            "-a=1",
            "a b=1",
            "a=1=2",
            "a=é",
            "a=1,a=2",
            &many,
            &format!("a={long}"),
            &format!("{long}=1"),
        ] {
            assert_eq!(of(&["good=1", bad]), None, "{bad}");
        }
    }

    #[test]
    fn what_is_too_long_loses_whole_members() {
        let long = format!("long={}", "x".repeat(200));
        let list: Vec<_> = (0..8).map(|number| format!("k{number}={}", "y".repeat(60))).collect();
        let read = of(&[&long, &list.join(",")]).expect("a list");
        assert!(!read.contains("long") && read.starts_with("k0=") && read.len() <= LENGTH_MAX, "{read}");
        let list: Vec<_> = (0..9).map(|number| format!("k{number}={}", "y".repeat(60))).collect();
        let read = of(&[&list.join(",")]).expect("a list");
        assert!(read.contains("k6=") && !read.contains("k8="), "{read}");
    }
}
