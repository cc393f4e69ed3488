//! What does not compile, and what the compiler says about it: the errors are part of what an author reads.
//!
//! `TRYBUILD=overwrite cargo test -p innkeeper-sdk --test compile_fail` writes down what they are now.

#[test]
fn the_errors_of_the_attribute_are_readable() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
