//! Imports an interface that no host offers: it must be refused by name.

use innkeeper_sdk::{Failure, handler};

mod missing {
    wit_bindgen::generate!({
        inline: "
            package example:missing;

            interface thing {
                answer: func() -> u32;
            }

            world needy {
                import thing;
            }
        ",
    });
}

#[handler]
fn import_unknown() -> Result<u32, Failure> {
    Ok(missing::example::missing::thing::answer())
}
