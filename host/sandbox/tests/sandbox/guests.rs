//! Guests, named for what they do. Each is a core module as text that is made into a component of the contract.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Parts of WASI as far as the guests here use them.
const WASI: &[(&str, &str)] = &[
    ("io.wit", "package wasi:io@0.2.0; interface poll { resource pollable { block: func(); } poll: func(in: list<borrow<pollable>>) -> list<u32>; }"),
    (
        "clocks.wit",
        "package wasi:clocks@0.2.0;
         interface monotonic-clock {
             use wasi:io/poll@0.2.0.{pollable};
             subscribe-duration: func(ns: u64) -> pollable;
         }
         interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }",
    ),
    ("random.wit", "package wasi:random@0.2.0; interface random { get-random-bytes: func(len: u64) -> list<u8>; } interface insecure { get-nonsense: func(); }"),
    ("cli.wit", "package wasi:cli@0.2.0; interface exit { exit: func(status: result); }"),
    (
        "filesystem.wit",
        "package wasi:filesystem@0.2.3;
         interface types { enum error-code { access, again } resource descriptor { sync: func() -> result<_, error-code>; } }
         interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }",
    ),
    (
        "sockets.wit",
        "package wasi:sockets@0.2.0;
         interface network { resource network; enum error-code { unknown, access-denied } enum ip-address-family { ipv4, ipv6 } }
         interface instance-network { use network.{network}; instance-network: func() -> network; }
         interface tcp { use network.{network}; resource tcp-socket; }
         interface tcp-create-socket {
             use network.{error-code, ip-address-family};
             use tcp.{tcp-socket};
             create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
         }",
    ),
    ("acme.wit", "package acme:db@1.0.0; interface query { run: func(); }"),
];

/// A component with the handler `body`, which has the parameters `$event`, `$event_at`, `$event_bytes`, `$data`,
/// `$data_at` and `$data_bytes`. It leaves the address of its result: 16 holds "success without output" unless something
/// was written there.
///
/// `world` are the imports in WIT, `imports` the same in the core module, `more` further items of the module.
pub fn component(world: &str, imports: &str, more: &str, body: &str) -> Vec<u8> {
    component_of(2, world, imports, more, body)
}

pub fn component_of(pages: u32, world: &str, imports: &str, more: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {imports}
            (memory (export "memory") {pages})
            (global $free (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func $string (param $to i32) (param $at i32) (param $bytes i32)
                (i32.store (local.get $to) (local.get $at))
                (i32.store offset=4 (local.get $to) (local.get $bytes)))
            ;; Success with this output.
            (func $output (param $at i32) (param $bytes i32) (result i32)
                (i32.store8 (i32.const 24) (i32.const 1))
                (call $string (i32.const 28) (local.get $at) (local.get $bytes))
                (i32.const 16))
            ;; A failure: 0 is retry, 2 is permanent.
            (func $failure (param $case i32) (param $at i32) (param $bytes i32) (result i32)
                (i32.store8 (i32.const 16) (i32.const 1))
                (i32.store8 (i32.const 24) (local.get $case))
                (call $string (i32.const 32) (local.get $at) (local.get $bytes))
                (i32.const 16))
            {more}
            (func $handle (export "innkeeper:plugin/handler@0.1.0#handle")
                (param $event i32) (param $event_at i32) (param $event_bytes i32)
                (param $data i32) (param $data_at i32) (param $data_bytes i32) (result i32)
                {body}))"#
    );
    encode_for(world, &text)
}

/// A component of the contract without imports from the text of a core module.
pub fn encode(text: &str) -> Vec<u8> {
    encode_for("", text)
}

fn encode_for(world: &str, text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::new();
    resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
    for (path, contents) in WASI {
        resolve.push_str(path, contents).unwrap();
    }
    let world =
        format!("package test:guest; world guest {{ {world} export innkeeper:plugin/handler@0.1.0; }}");
    let package = resolve.push_str("guest.wit", &world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// A handler without imports.
fn plain(body: &str) -> Vec<u8> {
    component("", "", "", body)
}

/// Succeeds without output.
pub fn succeed() -> Vec<u8> {
    plain("(i32.const 16)")
}

/// The same under another digest for each `number`.
pub fn succeed_as(number: u32) -> Vec<u8> {
    plain(&format!("(drop (i32.const {number})) (i32.const 16)"))
}

/// Returns its data as output.
pub fn echo_data() -> Vec<u8> {
    plain("(call $output (local.get $data_at) (local.get $data_bytes))")
}

/// Returns its event's name as output.
pub fn echo_event() -> Vec<u8> {
    plain("(call $output (local.get $event_at) (local.get $event_bytes))")
}

/// Fails with its data as the message: case 0 is retry, 2 is permanent.
pub fn fail(case: u32) -> Vec<u8> {
    plain(&format!("(call $failure (i32.const {case}) (local.get $data_at) (local.get $data_bytes))"))
}

/// Asks for another attempt after 1500 ms, with its data as the message.
pub fn fail_retry_after() -> Vec<u8> {
    plain(
        "(i32.store8 (i32.const 16) (i32.const 1))
         (i32.store8 (i32.const 24) (i32.const 1))
         (i64.store (i32.const 32) (i64.const 1500))
         (call $string (i32.const 40) (local.get $data_at) (local.get $data_bytes))
         (i32.const 16)",
    )
}

/// Never returns.
pub fn spin_forever() -> Vec<u8> {
    plain("(loop (br 0)) (unreachable)")
}

/// Logs once, so that the host knows that it runs, and never returns.
pub fn log_and_spin_forever() -> Vec<u8> {
    logging(
        "wasi:logging/logging",
        "(call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (loop (br 0)) (unreachable)",
    )
}

/// Logs once and sleeps for an hour.
pub fn log_and_sleep() -> Vec<u8> {
    component(
        "import wasi:logging/logging; import wasi:io/poll@0.2.0; import wasi:clocks/monotonic-clock@0.2.0;",
        r#"(import "wasi:logging/logging" "log" (func $log (param i32 i32 i32 i32 i32)))
           (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
           (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#,
        "",
        "(call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
         (call $block (call $subscribe (i64.const 3600000000000)))
         (i32.const 16)",
    )
}

/// Calls itself without end.
pub fn recurse_forever() -> Vec<u8> {
    plain(
        "(call $handle (local.get $event) (local.get $event_at) (local.get $event_bytes)
            (local.get $data) (local.get $data_at) (local.get $data_bytes))
         (i32.add (i32.const 1))",
    )
}

/// Grows its memory until that fails, and then traps as an allocator does.
pub fn grow_memory_and_trap() -> Vec<u8> {
    plain("(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)")
}

/// Grows its memory until that fails, and succeeds.
pub fn grow_memory_and_succeed() -> Vec<u8> {
    plain("(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (i32.const 16)")
}

/// Grows two tables, each of which would fit alone.
pub fn grow_tables_and_trap() -> Vec<u8> {
    component(
        "",
        "",
        "(table $a 1 funcref) (table $b 1 funcref)",
        "(drop (table.grow $a (ref.null func) (i32.const 10000)))
         (if (i32.eq (table.grow $b (ref.null func) (i32.const 10000)) (i32.const -1)) (then (unreachable)))
         (i32.const 16)",
    )
}

/// Traps in a function that has a name.
pub fn trap() -> Vec<u8> {
    component("", "", "(func $open_the_door (unreachable))", "(call $open_the_door) (i32.const 16)")
}

/// Traps while it is instantiated.
pub fn trap_at_start() -> Vec<u8> {
    component("", "", "(func $begin (unreachable)) (start $begin)", "(i32.const 16)")
}

/// Traps if any byte of eight megabytes of fresh memory is not zero; then fills them.
pub fn find_leftovers() -> Vec<u8> {
    plain(
        "(local $at i32)
         (drop (memory.grow (i32.const 128)))
         (local.set $at (i32.const 131072))
         (loop
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if 0 (i32.lt_u (local.get $at) (i32.const 8519680))))
         (memory.fill (i32.const 131072) (i32.const 255) (i32.const 8388608))
         (i32.const 16)",
    )
}

fn logging(name: &str, body: &str) -> Vec<u8> {
    let import = format!(r#"(import "{name}" "log" (func $log (param i32 i32 i32 i32 i32)))"#);
    component("import wasi:logging/logging;", &import, r#"(data (i32.const 512) "firstsecond")"#, body)
}

/// Logs "first: second" as an error.
pub fn log_an_error() -> Vec<u8> {
    logging(
        "wasi:logging/logging",
        "(call $log (i32.const 4) (i32.const 512) (i32.const 5) (i32.const 517) (i32.const 6)) (i32.const 16)",
    )
}

/// Logs without end.
pub fn log_forever() -> Vec<u8> {
    logging(
        "wasi:logging/logging",
        "(loop (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 5)) (br 0)) (unreachable)",
    )
}

/// Logs `times` times, in a row without a loop.
pub fn log_times(times: usize) -> Vec<u8> {
    let call = "(call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 5))";
    logging("wasi:logging/logging", &format!("{} (i32.const 16)", call.repeat(times)))
}

/// Publishes an event called like its own with its data, twice, and then fails if `fails`. Traps if the host says no.
pub fn publish_twice(fails: bool) -> Vec<u8> {
    let publish = "(call $publish (local.get $event_at) (local.get $event_bytes)
            (local.get $data) (local.get $data_at) (local.get $data_bytes) (i32.const 256))
         (if (i32.load8_u (i32.const 256)) (then (unreachable)))";
    let end =
        if fails { "(call $failure (i32.const 0) (i32.const 0) (i32.const 0))" } else { "(i32.const 16)" };
    publishing(&format!("{publish} {publish} {end}"))
}

/// Publishes once, and fails for good with the host's message if the host says no.
pub fn publish_and_tell() -> Vec<u8> {
    publishing(
        "(call $publish (local.get $event_at) (local.get $event_bytes)
            (local.get $data) (local.get $data_at) (local.get $data_bytes) (i32.const 256))
         (if (i32.load8_u (i32.const 256))
            (then (return (call $failure (i32.const 2) (i32.load (i32.const 264)) (i32.load (i32.const 268))))))
         (i32.const 16)",
    )
}

/// Publishes five megabytes in one call.
pub fn publish_megabytes() -> Vec<u8> {
    publishing(
        "(drop (memory.grow (i32.const 100)))
         (call $publish (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 5242880) (i32.const 256))
         (i32.const 16)",
    )
}

fn publishing(body: &str) -> Vec<u8> {
    component(
        "import innkeeper:plugin/events@0.1.0;",
        r#"(import "innkeeper:plugin/events@0.1.0" "publish" (func $publish (param i32 i32 i32 i32 i32 i32)))"#,
        "",
        body,
    )
}

/// Fails with a text out of its execution as the message: the one at `offset` in the record.
pub fn tell_context(offset: u32) -> Vec<u8> {
    component(
        "import innkeeper:plugin/context@0.1.0;",
        r#"(import "innkeeper:plugin/context@0.1.0" "current" (func $current (param i32)))"#,
        "",
        &format!(
            "(call $current (i32.const 256))
             (call $failure (i32.const 2) (i32.load (i32.const {})) (i32.load (i32.const {})))",
            256 + offset,
            260 + offset,
        ),
    )
}

/// Fails with the eight bytes of the wall clock's seconds as the message.
pub fn tell_wall_clock() -> Vec<u8> {
    component(
        "import wasi:clocks/wall-clock@0.2.0;",
        r#"(import "wasi:clocks/wall-clock@0.2.0" "now" (func $now (param i32)))"#,
        "",
        // Seconds below a hundred, as two digits.
        "(call $now (i32.const 256))
         (i32.store8 (i32.const 300) (i32.add (i32.const 48) (i32.div_u (i32.load (i32.const 256)) (i32.const 10))))
         (i32.store8 (i32.const 301) (i32.add (i32.const 48) (i32.rem_u (i32.load (i32.const 256)) (i32.const 10))))
         (call $output (i32.const 300) (i32.const 2))",
    )
}

/// Asks for this many random bytes.
pub fn random_bytes(count: u64) -> Vec<u8> {
    component(
        "import wasi:random/random@0.2.0;",
        r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#,
        "",
        &format!("(call $random (i64.const {count}) (i32.const 256)) (i32.const 16)"),
    )
}

/// Ends its program instead of returning.
pub fn exit() -> Vec<u8> {
    component(
        "import wasi:cli/exit@0.2.0;",
        r#"(import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))"#,
        "",
        "(call $exit (i32.const 0)) (i32.const 16)",
    )
}

/// Holds pollables until there is no handle left.
pub fn hold_handles() -> Vec<u8> {
    component(
        "import wasi:io/poll@0.2.0; import wasi:clocks/monotonic-clock@0.2.0;",
        r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))"#,
        "",
        "(loop (drop (call $subscribe (i64.const 1))) (br 0)) (unreachable)",
    )
}

/// Tries files and sockets. Outputs the number of folders it was given, its socket's error code and 7 for a network it
/// could hold and drop, as one number.
pub fn try_files_and_sockets() -> Vec<u8> {
    component(
        "import wasi:filesystem/preopens@0.2.3; import wasi:filesystem/types@0.2.3;
         import wasi:sockets/instance-network@0.2.0; import wasi:sockets/tcp-create-socket@0.2.0;",
        r#"(import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))
           (import "wasi:filesystem/types@0.2.3" "[method]descriptor.sync" (func $sync (param i32 i32)))
           (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
           (import "wasi:sockets/network@0.2.0" "[resource-drop]network" (func $drop_network (param i32)))
           (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $socket (param i32 i32)))"#,
        "",
        "(call $directories (i32.const 256))
         (call $socket (i32.const 0) (i32.const 272))
         (if (i32.eqz (i32.load8_u (i32.const 272))) (then (unreachable)))
         (call $drop_network (call $network))
         (i32.store8 (i32.const 300) (i32.add (i32.const 49) (i32.load (i32.const 260))))
         (i32.store8 (i32.const 301) (i32.add (i32.const 48) (i32.load8_u (i32.const 276))))
         (i32.store8 (i32.const 302) (i32.const 55))
         (call $output (i32.const 300) (i32.const 3))",
    )
}

/// Imports an interface that no host has.
pub fn import_unknown() -> Vec<u8> {
    component(
        "import acme:db/query@1.0.0;",
        r#"(import "acme:db/query@1.0.0" "run" (func))"#,
        "",
        "(i32.const 16)",
    )
}

/// Imports a function that an offered interface does not have.
pub fn import_unknown_function() -> Vec<u8> {
    component(
        "import wasi:random/insecure@0.2.0;",
        r#"(import "wasi:random/insecure@0.2.0" "get-nonsense" (func))"#,
        "",
        "(i32.const 16)",
    )
}
