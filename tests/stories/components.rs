//! Paths of the components that the build script made, one constant each. One that no story uses does not pass CI.

include!(concat!(env!("OUT_DIR"), "/components.rs"));
