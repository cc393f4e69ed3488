//! The usual mistakes, told apart by their first bytes.

use innkeeper_model::sandbox::Refusal;

/// What else people send, by how it starts.
const OTHERS: [(&[u8], &str); 8] = [
    (
        b"\x7fELF",
        "this is an ELF file, such as machine code or a component that was compiled ahead of time: send the component \
        itself, which this host compiles",
    ),
    (b"\x1f\x8b", "this is compressed with gzip: send the component as it is"),
    (b"\x28\xb5\x2f\xfd", "this is compressed with zstd: send the component as it is"),
    (b"PK\x03\x04", "this is a ZIP archive: send the component in it"),
    (
        b"\xcf\xfa\xed\xfe",
        "this is a Mach-O file, which holds machine code: build a component for the target wasm32-wasip2",
    ),
    (b"MZ", "this is a Windows program: build a component for the target wasm32-wasip2"),
    (b"(", TEXT),
    (b";;", TEXT),
];
const TEXT: &str =
    "this is WebAssembly as text: turn it into a binary first, for example with `wasm-tools parse`";

/// Refuses what does not start like a component.
pub(crate) fn check_start(bytes: &[u8]) -> Result<(), Refusal> {
    if let Some(version) = bytes.strip_prefix(b"\0asm") {
        return match version {
            // Whether a core module can be made a component is another question.
            [1, 0, 0, 0, ..] | [0x0d, 0, 1, 0, ..] => Ok(()),
            _ => Err(Refusal::Invalid(
                "this is WebAssembly of a version that is not known here: build a component for the target wasm32-wasip2"
                    .to_owned(),
            )),
        };
    }
    let text = bytes.trim_ascii_start();
    let known = OTHERS.iter().find(|(start, _)| bytes.starts_with(start) || text.starts_with(start));
    let message = match known {
        _ if bytes.is_empty() => "the component is empty: no bytes were sent",
        Some((_, message)) => message,
        None => "this is not WebAssembly: a component starts with the bytes 00 61 73 6d",
    };
    Err(Refusal::Invalid(message.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_apart() {
        assert_eq!(check_start(b"\0asm\x01\0\0\0"), Ok(()));
        assert_eq!(check_start(b"\0asm\x0d\0\x01\0"), Ok(()));
        for (bytes, hint) in [
            (&b""[..], "empty"),
            (b"  (component)", "text"),
            (b"\n;; a comment", "text"),
            (b"#!/bin/sh", "not WebAssembly"),
            (b"\0as", "not WebAssembly"),
            (b"\0asm", "version"),
            (b"\0asm\x02\0\0\0", "version"),
            (b"\x7fELF\x02\x01\x01", "ahead of time"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"\x28\xb5\x2f\xfd", "zstd"),
            (b"PK\x03\x04", "ZIP"),
        ] {
            match check_start(bytes) {
                Err(Refusal::Invalid(message)) => assert!(message.contains(hint), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
