//! Makes components of guests that are written as WebAssembly text, which can do what no compiler would.
//!
//! A file that starts a `(component` is one. Any other holds the items of a core module: [`PRELUDE`] is put before them, and
//! what it imports must be interfaces of `wit/` or of `guests/text/wit/`.

use std::collections::BTreeSet;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The export that is the handler.
const HANDLE: &str = "innkeeper:plugin/handler@0.1.0#handle";

/// What most guests need, each unless the file has its own. The handler leaves the address of its result; 16 holds "success
/// without output" unless something was written there.
const PRELUDE: [(&str, &str); 4] = [
    ("(memory ", r#"(memory (export "memory") 2)"#),
    (
        r#"(export "cabi_realloc")"#,
        r#"(global $free (mut i32) (i32.const 4096))
           (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                ;; Rather an old result is overwritten than memory is short.
                (if (i32.gt_u (i32.add (local.get $at) (local.get 3)) (i32.const 131072))
                    (then (local.set $at (i32.const 4096))))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at))"#,
    ),
    (
        "(func $output",
        "(func $output (param $at i32) (param $bytes i32) (result i32)
                (i32.store8 (i32.const 24) (i32.const 1))
                (i32.store (i32.const 28) (local.get $at))
                (i32.store (i32.const 32) (local.get $bytes))
                (i32.const 16))",
    ),
    (
        "(func $failure",
        "(func $failure (param $at i32) (param $bytes i32) (result i32)
                (i32.store8 (i32.const 16) (i32.const 1))
                (i32.store8 (i32.const 24) (i32.const 0))
                (i32.store (i32.const 32) (local.get $at))
                (i32.store (i32.const 36) (local.get $bytes))
                (i32.const 16))",
    ),
];

/// The component of the guest in `file`. `wit` are folders of packages, each after those it needs.
pub fn component(file: &Path, wit: &[&Path]) -> Vec<u8> {
    let text = std::fs::read_to_string(file).expect("a guest can be read");
    let name = file.display();
    if text.lines().any(|line| line.starts_with("(component")) {
        return wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let prelude: String =
        PRELUDE.iter().filter(|(mark, _)| !text.contains(mark)).map(|(_, item)| *item).collect();
    let (imports, items) = split_imports(&text);
    let module = format!("(module\n{imports}\n{prelude}\n{items})");
    let module = module.replace("(export \"handle\")", &format!("(export \"{HANDLE}\")"));
    let mut module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{name}: {error}\n{module}"));
    embed(&mut module, &imports, wit);
    let encoder =
        ComponentEncoder::default().module(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    encoder.validate(true).encode().unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

/// Imports come first in a module; in a guest each is one line.
fn split_imports(text: &str) -> (String, String) {
    let (imports, items): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("(import "));
    (imports.join("\n"), items.join("\n"))
}

/// Tells the encoder what the imports and the handler are.
fn embed(module: &mut Vec<u8>, imports: &str, wit: &[&Path]) {
    let mut resolve = Resolve::new();
    for folder in wit {
        resolve.push_dir(folder).expect("the packages are valid");
    }
    let interfaces: BTreeSet<&str> = imports.lines().filter_map(|line| line.split('"').nth(1)).collect();
    let imports: Vec<String> = interfaces.iter().map(|name| format!("import {name};")).collect();
    let imports = imports.join(" ");
    let world =
        format!("package test:guest; world guest {{ {imports} export innkeeper:plugin/handler@0.1.0; }}");
    let package = resolve.push_str("guest.wit", &world).expect("the world is valid");
    let world = resolve.select_world(&[package], None).expect("there is one world");
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata can be added");
}
