//! Leaving out of a component what nobody reads.

use wasmparser::{BinaryReader, Parser};

/// The section with names for the component's own parts, which the linker makes up.
const NAMES: &str = "component-name";
/// The kind of sections that mean nothing to those who run a component.
const CUSTOM: u8 = 0;
/// The magic number and the version.
const PREAMBLE_BYTES: usize = 8;

/// The component without the names of its parts: some kilobytes of a small one. What its modules call their functions stays.
/// What is no component is left as it is: whoever uploads it is told what is wrong with it.
pub(super) fn strip(component: Vec<u8>) -> Vec<u8> {
    if !Parser::is_component(&component) {
        return component;
    }
    without_names(&component).unwrap_or(component)
}

fn without_names(component: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut reader = BinaryReader::new(component, 0);
    let mut kept = reader.read_bytes(PREAMBLE_BYTES)?.to_vec();
    while !reader.eof() {
        let start = reader.current_position();
        let kind = reader.read_u8()?;
        let mut section = reader.read_reader()?;
        if kind != CUSTOM || section.read_string()? != NAMES {
            kept.extend_from_slice(&component[start..reader.current_position()]);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

    /// A section of this kind; its content begins with a text.
    fn section(kind: u8, text: &str, rest: &[u8]) -> Vec<u8> {
        let lengths =
            [text.len() + 1 + rest.len(), text.len()].map(|length| u8::try_from(length).expect("short"));
        [&[kind, lengths[0], lengths[1]], text.as_bytes(), rest].concat()
    }

    #[test]
    fn only_the_names_of_the_components_parts_go() {
        let names = section(CUSTOM, NAMES, b"\x01\x02");
        let kept = [section(CUSTOM, "producers", b"\0"), section(7, NAMES, b"")];
        let component = [PREAMBLE, &kept[0], &names, &kept[1]].concat();
        assert_eq!(strip(component), [PREAMBLE, &kept[0], &kept[1]].concat());
    }

    #[test]
    fn what_is_no_component_stays() {
        for bytes in [&b"no component"[..], b"\0asm\x01\0\0\0", &[PREAMBLE, &[0, 200]].concat()] {
            assert_eq!(strip(bytes.to_vec()), bytes);
        }
    }
}
