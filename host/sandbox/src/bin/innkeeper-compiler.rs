//! The compiler as a program of its own, for hosts that embed the sandbox and have no verb for it.

use std::process::ExitCode;

fn main() -> ExitCode {
    innkeeper_sandbox::compile_standard_input()
}
