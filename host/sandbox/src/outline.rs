//! A component's outermost layer: what it imports and exports, read past the code.
//!
//! This looks at bytes that nothing has checked, within the host: it reads a bounded part of them, and goes a bounded depth
//! into their types, for the library's own reader of types calls itself as deep as the bytes say.

use std::io;

use innkeeper_model::upload::ReadAt;
use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentAlias, ComponentExport, ComponentExternName,
    ComponentExternalKind, ComponentImport, ComponentOuterAliasKind, ComponentType, ComponentTypeRef,
    CoreType, TypeBounds,
};

/// The header of a component.
const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
/// Sections of one component. Ordinary ones have a few hundred.
const SECTIONS_MAX: usize = 4096;
/// Bytes of the sections that are read. Python's and JavaScript's runtimes have 30 KB.
const READ_BYTES_MAX: usize = 256 << 10;
/// How deep types are nested in one another.
const TYPE_DEPTH_MAX: usize = 16;

const ALIASES: u8 = 6;
const TYPES: u8 = 7;
const IMPORTS: u8 = 10;
const EXPORTS: u8 = 11;

/// What a component asks of its host, and what it offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The names of its imports, each with whether the host must have something for it: types alone need nothing.
    pub(crate) imports: Vec<(String, bool)>,
    /// The names of its exports.
    pub(crate) exports: Vec<String>,
}

/// The outline of a component of `size` bytes. `None` if these are none, or are so unusual that they must be looked at where
/// they can do no harm.
///
/// # Errors
/// Those of whatever holds the bytes.
pub(crate) fn read(bytes: &(impl ReadAt + ?Sized), size: u64) -> io::Result<Option<Outline>> {
    Ok(sections(bytes, size)?.and_then(|sections| outline(&sections).ok()))
}

/// A section: its number and its content.
type Section = (u8, Vec<u8>);

/// The sections that matter, if the component is whole.
fn sections(bytes: &(impl ReadAt + ?Sized), size: u64) -> io::Result<Option<Vec<Section>>> {
    let mut header = [0; HEADER.len()];
    if fill(bytes, 0, &mut header)? < HEADER.len() || header != HEADER {
        return Ok(None);
    }
    let (mut found, mut left) = (Vec::new(), READ_BYTES_MAX);
    let mut offset = HEADER.len() as u64;
    for _ in 0..SECTIONS_MAX {
        if offset == size {
            return Ok(Some(found));
        }
        let mut head = [0; 6];
        let length = fill(bytes, offset, &mut head)?;
        let mut reader = BinaryReader::new(&head[..length], 0);
        let (Ok(id), Ok(section)) = (reader.read_u8(), reader.read_var_u32()) else { return Ok(None) };
        let start = offset + reader.original_position() as u64;
        offset = start + u64::from(section);
        if offset > size {
            return Ok(None);
        }
        if matches!(id, ALIASES | TYPES | IMPORTS | EXPORTS) {
            let Some(rest) = left.checked_sub(section as usize) else { return Ok(None) };
            left = rest;
            let mut content = vec![0; section as usize];
            if fill(bytes, start, &mut content)? < content.len() {
                return Ok(None);
            }
            found.push((id, content));
        }
    }
    Ok(None)
}

/// Reads until `buffer` is full or the bytes are at their end.
fn fill(bytes: &(impl ReadAt + ?Sized), offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match bytes.read_at(offset + filled as u64, &mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// The bytes are broken, or go deeper than is read here.
struct Unreadable;

impl From<BinaryReaderError> for Unreadable {
    fn from(_: BinaryReaderError) -> Self {
        Self
    }
}

/// The types of one component, or of one type in it, by index: of each whether an instance of it needs the host.
type Needs = Vec<bool>;

fn outline(sections: &[Section]) -> Result<Outline, Unreadable> {
    let (mut outline, mut types) = (Outline::default(), Needs::new());
    for (id, content) in sections {
        let mut reader = BinaryReader::new(content, 0);
        for _ in 0..reader.read_var_u32()? {
            match *id {
                TYPES => {
                    let needs = component_type(&mut reader, &types, TYPE_DEPTH_MAX)?;
                    types.push(needs);
                }
                ALIASES => alias(&reader.read()?, &mut types, &[]),
                IMPORTS => {
                    let import: ComponentImport<'_> = reader.read()?;
                    outline.imports.push((import.name.name.to_owned(), needs_host(&import.ty, &types)));
                    name_type(&import.ty, &mut types);
                }
                _ => {
                    let export: ComponentExport<'_> = reader.read()?;
                    outline.exports.push(export.name.name.to_owned());
                    if export.kind == ComponentExternalKind::Type {
                        types.push(false);
                    }
                }
            }
        }
    }
    Ok(outline)
}

fn needs_host(ty: &ComponentTypeRef, types: &[bool]) -> bool {
    match ty {
        ComponentTypeRef::Type(TypeBounds::Eq(_)) => false,
        ComponentTypeRef::Instance(index) => types.get(*index as usize).copied().unwrap_or(false),
        _ => true,
    }
}

/// Whatever is imported or exported as a type has an index as one.
fn name_type(ty: &ComponentTypeRef, types: &mut Needs) {
    if matches!(ty, ComponentTypeRef::Type(_)) {
        types.push(false);
    }
}

fn alias(alias: &ComponentAlias<'_>, types: &mut Needs, outer: &[bool]) {
    match alias {
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, count: 1, index } => {
            types.push(outer.get(*index as usize).copied().unwrap_or(false));
        }
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Type, .. }
        | ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, .. } => types.push(false),
        _ => {}
    }
}

/// Reads one type, and says whether an instance of it needs the host.
fn component_type(reader: &mut BinaryReader<'_>, outer: &[bool], depth: usize) -> Result<bool, Unreadable> {
    const COMPONENT: u8 = 0x41;
    const INSTANCE: u8 = 0x42;
    let is_nested = matches!(reader.clone().read_u8()?, COMPONENT | INSTANCE);
    if !is_nested {
        reader.read::<ComponentType<'_>>()?;
        return Ok(false);
    }
    let depth = depth.checked_sub(1).ok_or(Unreadable)?;
    let is_instance = reader.read_u8()? == INSTANCE;
    let (mut types, mut needs) = (Needs::new(), false);
    for _ in 0..reader.read_var_u32()? {
        needs |= declaration(reader, &mut types, outer, depth)?;
    }
    Ok(is_instance && needs)
}

/// Reads one declaration of a nested type, and says whether it is an export that needs the host.
fn declaration(
    reader: &mut BinaryReader<'_>,
    types: &mut Needs,
    outer: &[bool],
    depth: usize,
) -> Result<bool, Unreadable> {
    match reader.read_u8()? {
        0x00 => {
            reader.read::<CoreType<'_>>()?;
        }
        0x01 => {
            let needs = component_type(reader, types, depth)?;
            types.push(needs);
        }
        0x02 => alias(&reader.read()?, types, outer),
        0x03 => name_type(&reader.read::<ComponentImport<'_>>()?.ty, types),
        0x04 => {
            reader.read::<ComponentExternName<'_>>()?;
            let ty: ComponentTypeRef = reader.read()?;
            let needs = needs_host(&ty, types);
            name_type(&ty, types);
            return Ok(needs);
        }
        _ => return Err(Unreadable),
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Option<Outline> {
        read_bytes(&wat::parse_str(text).expect("valid text"))
    }

    fn read_bytes(bytes: &[u8]) -> Option<Outline> {
        read(bytes, bytes.len() as u64).expect("bytes in memory")
    }

    fn import(text: &str) -> bool {
        let outline = read_text(&format!("(component {text})")).expect("an outline");
        assert_eq!(outline.imports.last().map(|(name, _)| name.as_str()), Some("a:b/c"));
        outline.imports.last().is_some_and(|(_, needs)| *needs)
    }

    #[test]
    fn what_needs_the_host_is_told_from_mere_types() {
        for (is_needed, instance) in [
            (true, r#"(export "f" (func))"#),
            (true, r#"(export "r" (type (sub resource)))"#),
            (true, r#"(export "i" (instance (export "f" (func))))"#),
            (false, ""),
            (false, r#"(type $t u32) (export "t" (type (eq $t)))"#),
            (false, r#"(type $t (record (field "x" u8))) (export "t" (type (eq $t)))"#),
            (false, r#"(type (component (import "f" (func)))) (type $t u32) (export "t" (type (eq $t)))"#),
        ] {
            assert_eq!(
                import(&format!(r#"(import "a:b/c" (instance {instance}))"#)),
                is_needed,
                "{instance}"
            );
        }
        let by_index = r#"(type u8) (import "x:y/z" (instance $z (type $t u8) (export "t" (type (eq $t)))))
            (alias export $z "t" (type)) (import "r" (type (sub resource)))
            (type $i (instance (export "f" (func)))) (import "a:b/c" (instance (type $i)))"#;
        assert!(import(by_index), "types are counted where they get an index");
    }

    #[test]
    fn code_is_passed_over() {
        let outline = read_text(
            r#"(component
                (core module $m (func (export "f") unreachable) (data "0123456789"))
                (component $inner (import "hidden" (func)))
                (core instance $i (instantiate $m))
                (func (export "run") (canon lift (core func $i "f"))))"#,
        );
        let expected = Outline { imports: Vec::new(), exports: vec!["run".to_owned()] };
        assert_eq!(outline, Some(expected));
    }

    #[test]
    fn what_is_not_whole_has_no_outline() {
        let bytes = wat::parse_str(r#"(component (import "a:b/c" (instance (export "f" (func)))))"#);
        let bytes = bytes.expect("valid text");
        assert!(read_bytes(&bytes).is_some());
        for length in (0..bytes.len()).filter(|length| *length != 8) {
            let outline = read_bytes(&bytes[..length]);
            // Cut between two sections it is a component, and has no import yet.
            assert!(outline.is_none_or(|outline| outline == Outline::default()), "{length} bytes");
        }
        assert_eq!(read_text("(module)"), None);
    }

    #[test]
    fn types_of_any_depth_and_size_are_survived() {
        let nested = |levels: usize| {
            let types = [&[1][..], &[0x42, 1, 1].repeat(levels), &[0x42, 0]].concat();
            let [low, middle, high, _] = u32::try_from(types.len()).expect("few bytes").to_le_bytes();
            // Seven bits in each byte, the least first.
            let size = [low | 0x80, (middle << 1) | (low >> 7) | 0x80, (high << 2) | (middle >> 6)];
            [&HEADER[..], &[TYPES], &size, &types].concat()
        };
        assert!(read_bytes(&nested(10)).is_some());
        for levels in [16, 1_000, 80_000] {
            assert_eq!(read_bytes(&nested(levels)), None, "{levels} levels");
        }
        let many = HEADER.iter().copied().chain([0, 1, 0].repeat(SECTIONS_MAX + 1)).collect::<Vec<_>>();
        assert_eq!(read_bytes(&many), None);
    }
}
