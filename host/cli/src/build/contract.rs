//! The contract as the tools of other languages want it: its interfaces as files, and a world with what a project needs of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The name of the world that a project is built for.
pub(super) const WORLD: &str = "project";

/// The interfaces, and those of the standard that plugins may be granted, by their paths in a folder for tools.
const FILES: [(&str, &str); 11] = [
    ("world.wit", include_str!("../../../../wit/world.wit")),
    ("handler.wit", include_str!("../../../../wit/handler.wit")),
    ("context.wit", include_str!("../../../../wit/context.wit")),
    ("events.wit", include_str!("../../../../wit/events.wit")),
    ("deps/logging/logging.wit", include_str!("../../../../wit/deps/logging/logging.wit")),
    ("deps/config/store.wit", include_str!("../../../../wit/deps/config-rc1/store.wit")),
    ("deps/keyvalue/store.wit", include_str!("../../../../wit/deps/keyvalue-draft2/store.wit")),
    ("deps/keyvalue/atomics.wit", include_str!("../../../../wit/deps/keyvalue-draft2/atomics.wit")),
    ("deps/io/io.wit", include_str!("../../../../wit/http/io.wit")),
    ("deps/clocks/clocks.wit", include_str!("../../../../wit/http/clocks.wit")),
    ("deps/http/http.wit", include_str!("../../../../wit/http/http.wit")),
];

/// The files of the contract with a world that imports these interfaces and exports the handler.
pub(super) fn files(imports: &BTreeSet<String>) -> Vec<(String, String)> {
    let known = FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    known.chain([(format!("{WORLD}.wit"), world(imports))]).collect()
}

fn world(imports: &BTreeSet<String>) -> String {
    let mut text = format!("world {WORLD} {{\n");
    for import in imports {
        // What is in the package itself must not be named as if it came from elsewhere.
        let own = import.strip_prefix("innkeeper:plugin/").and_then(|name| name.split('@').next());
        let _ = writeln!(text, "    import {};", own.unwrap_or(import));
    }
    text + "    export handler;\n}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_has_what_a_project_needs_and_nothing_else() {
        let imports =
            ["wasi:logging/logging", "innkeeper:plugin/context@0.1.0", "events"].map(str::to_owned).into();
        let files = files(&imports);
        let world = &files.iter().find(|(path, _)| path == "project.wit").expect("a world").1;
        assert_eq!(
            world,
            "world project {\n    import events;\n    import context;\n    import wasi:logging/logging;\n    export handler;\n}\n"
        );
    }
}
