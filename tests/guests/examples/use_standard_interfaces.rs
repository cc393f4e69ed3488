//! Uses the standard interfaces through the standard bindings, as its data names them, and gives back what each came to. Of
//! our SDK it uses nothing but the handler.

// Its bindings are there for WebAssembly only.
#![cfg(target_family = "wasm")]

use innkeeper_sdk::{Failure, handler};
use serde_json::{Value, json};
use wasip2::cli::{environment, stderr, stdin, stdout, terminal_stdout};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::io::poll;
use wasip2::io::streams::StreamError;
use wasip2::random::{insecure, insecure_seed, random};

/// Both versions of the logging interface, by the names under which components import them.
mod logging {
    pub(super) mod unversioned {
        wit_bindgen::generate!({
            inline: "
                package test:unversioned;
                world user { import wasi:logging/logging; }
            ",
            path: "../../wit/deps/logging",
            generate_all,
        });
    }
    pub(super) mod draft {
        wit_bindgen::generate!({
            inline: "
                package test:draft;

                package wasi:logging@0.1.0-draft {
                    interface logging {
                        enum level { trace, debug, info, warn, error, critical }
                        log: func(level: level, context: string, message: string);
                    }
                }

                world user { import wasi:logging/logging@0.1.0-draft; }
            ",
            generate_all,
        });
    }
}

#[handler]
fn use_standard_interfaces(interface: Option<&str>, _data: Option<Value>) -> Result<Value, Failure> {
    match interface {
        Some("cli") => Ok(cli()),
        Some("clocks") => Ok(clocks()),
        Some("random") => Ok(randomness()),
        Some("io") => Ok(input_and_output()),
        Some("logging") => Ok(log()),
        Some("exit") => {
            wasip2::cli::exit::exit(Err(()));
            Ok(Value::Null)
        }
        other => Err(Failure::permanent(format!("there is no test of {other:?}"))),
    }
}

fn cli() -> Value {
    let end = matches!(stdin::get_stdin().blocking_read(10), Err(StreamError::Closed));
    json!({
        "environment": environment::get_environment(),
        "arguments": environment::get_arguments(),
        "initialCwd": environment::initial_cwd(),
        "inputIsAtItsEnd": end,
        "hasTerminal": terminal_stdout::get_terminal_stdout().is_some(),
    })
}

fn clocks() -> Value {
    let (first, second) = (monotonic_clock::now(), monotonic_clock::now());
    let (wall, resolution) = (wall_clock::now(), wall_clock::resolution());
    monotonic_clock::subscribe_duration(5_000_000).block();
    monotonic_clock::subscribe_instant(first).block();
    json!({
        "advances": first <= second,
        "waited": monotonic_clock::now() - second >= 5_000_000,
        "hasResolution": monotonic_clock::resolution() > 0,
        "wallSeconds": wall.seconds,
        "wallResolutionNanos": resolution.nanoseconds,
    })
}

fn randomness() -> Value {
    let once = (random::get_random_bytes(32), random::get_random_u64(), insecure_seed::insecure_seed());
    let again = (random::get_random_bytes(32), random::get_random_u64(), insecure_seed::insecure_seed());
    json!({
        "length": once.0.len(),
        "differ": once.0 != again.0 && once.1 != again.1,
        "insecureLength": insecure::get_insecure_random_bytes(7).len(),
        "insecureDiffer": insecure::get_insecure_random_u64() != insecure::get_insecure_random_u64(),
    })
}

fn input_and_output() -> Value {
    let (out, err) = (stdout::get_stdout(), stderr::get_stderr());
    let ready = poll::poll(&[&out.subscribe(), &err.subscribe()]);
    let room = out.check_write().unwrap_or_default();
    let written = out.write(b"to standard output\n").and_then(|()| out.blocking_flush());
    let blocked = err.blocking_write_and_flush(b"to standard error\n");
    let zeroes = out.write_zeroes(0);
    let soon = monotonic_clock::subscribe_duration(1_000_000);
    let late = monotonic_clock::subscribe_duration(3_600_000_000_000);
    json!({
        "ready": ready,
        "hasRoom": room > 0,
        "written": written.is_ok() && blocked.is_ok() && zeroes.is_ok(),
        "first": poll::poll(&[&late, &soon]),
        "isLateReady": late.ready(),
    })
}

fn log() -> Value {
    use logging::draft::wasi::logging::logging as draft;
    use logging::unversioned::wasi::logging::logging as unversioned;
    unversioned::log(unversioned::Level::Info, "unversioned", "news");
    draft::log(draft::Level::Critical, "", "alarm");
    Value::Null
}
