//! Uploads that mean harm: whatever is sent, it is refused by name or taken, and the host neither grows nor stalls.

mod bomb;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use innkeeper_tests::host::Answer;
use innkeeper_tests::{TestHost, eventually};
use serde_json::json;

use crate::components::{BIG_OUTPUT, ECHO, GREETER, SPIN_IN_START_FOREVER};
use crate::hostile_guests::probe::Probe;
use bomb::bomb;

/// How soon the host answers nearly always.
const ANSWER: Duration = Duration::from_millis(50);
/// What the host may grow by, whatever its compilers take: the components themselves, a few at a time.
const GROWTH_BYTES_MAX: u64 = 128 << 20;

/// The code and the message of a refused component.
fn refusal(answer: &Answer) -> (&str, &str) {
    let error = &answer.body["errors"][0];
    (error["code"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
}

fn assert_works(host: &TestHost) {
    host.push("echo", ECHO);
    let next = host.run_once(&json!({"id": "next", "plugin": "echo"}), &json!(1));
    assert_eq!(next["status"], "success", "{next}");
}

#[test]
fn a_component_that_asks_the_compiler_for_gigabytes_is_refused_and_the_host_stays_small() {
    let host = TestHost::start();
    let bomb = bomb(1, 20_000);
    assert!(bomb.len() < 400 << 10, "{} bytes", bomb.len());
    let probe = Probe::start(&host);
    let refused = host.put_plugin("bomb", &bomb);
    let seen = probe.stop();
    assert_eq!(refused.status, 422, "{refused:?}");
    let (code, message) = refusal(&refused);
    assert_eq!(code, "component_too_large", "{message}");
    assert!(message.contains("2147483648 bytes of memory") || message.contains("120 s"), "{message}");
    assert!(seen.growth_bytes() < 32 << 20, "the host grew by {} bytes", seen.growth_bytes());
    assert!(seen.answered_within() < ANSWER, "the host took {:?} and more to answer", seen.answered_within());
    assert_works(&host);
}

#[test]
fn a_component_that_never_starts_is_refused() {
    let host = TestHost::start();
    let refused = host.put_plugin("spin", &fs::read(SPIN_IN_START_FOREVER).expect("the guest is built"));
    assert_eq!(refused.status, 422, "{refused:?}");
    let (code, message) = refusal(&refused);
    assert_eq!(code, "component_does_not_start", "{message}");
    assert!(message.contains("fuel") || message.contains("5000 ms"), "{message}");
    assert_works(&host);
}

#[test]
fn cut_and_spoilt_components_get_a_verdict_each() {
    let host = TestHost::start();
    let whole = fs::read(GREETER).expect("the greeter is built");
    for part in 0..24 {
        let cut = host.put_plugin("cut", &whole[..whole.len() * part / 24]);
        assert_eq!(cut.status, 422, "{part}: {cut:?}");
        let mut spoilt = whole.clone();
        let at = (whole.len() - 1) * part / 23;
        spoilt[at] ^= 0x55;
        let verdict = host.put_plugin("spoilt", &spoilt);
        assert!(matches!(verdict.status, 200 | 201 | 422), "byte {at}: {verdict:?}");
        let (_, message) = refusal(&verdict);
        assert!(!message.contains("host's log"), "byte {at}: {verdict:?}");
    }
    assert_works(&host);
}

#[test]
fn what_is_no_component_is_told_what_it_is() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let artifact = fs::read(&artifacts(host.directory())[0]).expect("an artifact");
    for (bytes, what) in [
        (&artifact[32..], "compiled ahead of time"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"(component)", "text"),
    ] {
        let refused = host.put_plugin("bad", bytes);
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refusal(&refused).1.contains(what), "{refused:?}");
    }
}

#[test]
fn bodies_without_an_end_are_cut_off_at_the_cap() {
    let host = TestHost::start();
    let probe = Probe::start(&host);
    let address = host.url().trim_start_matches("http://").to_owned();
    let endless: Vec<_> = (0..8)
        .map(|number| {
            let address = address.clone();
            std::thread::spawn(move || send_without_end(&address, number))
        })
        .collect();
    for client in endless {
        let answer = client.join().expect("no panic");
        // Many a client is cut off before it looks for an answer.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    let seen = probe.stop();
    assert!(seen.growth_bytes() < GROWTH_BYTES_MAX, "the host grew by {} bytes", seen.growth_bytes());
    assert!(seen.answered_within() < ANSWER, "the host took {:?} and more to answer", seen.answered_within());
    assert_eq!(host.get("/v1/plugins").body["items"], json!([]));
}

/// Sends pieces of a mebibyte until the host has had enough; what it answered.
fn send_without_end(address: &str, number: usize) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!(
        "PUT /v1/plugins/p{number} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/wasm\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a head");
    let piece = [b"100000\r\n".to_vec(), vec![0; 1 << 20], b"\r\n".to_vec()].concat();
    let sent = (0..1024).take_while(|_| stream.write_all(&piece).is_ok()).count();
    assert!(sent < 128, "{sent} MiB were taken");
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn of_two_hundred_uploads_at_once_some_are_taken_and_the_rest_come_back_later() {
    let host = TestHost::start();
    let probe = Probe::start(&host);
    let component = fs::read(GREETER).expect("the greeter is built");
    let statuses: Vec<Answer> = std::thread::scope(|scope| {
        let upload = |number: usize| {
            let (host, component) = (&host, &component);
            scope.spawn(move || {
                // Each of its own kind, so that each is compiled.
                let mut component = component.clone();
                component.extend(custom_section(number));
                host.put_plugin(&format!("p{number}"), &component)
            })
        };
        let uploads: Vec<_> = (0..200).map(upload).collect();
        uploads.into_iter().map(|upload| upload.join().expect("an answer")).collect()
    });
    let seen = probe.stop();
    let taken = statuses.iter().filter(|answer| answer.status == 201).count();
    for refused in statuses.iter().filter(|answer| answer.status != 201) {
        assert_eq!((refused.status, &refused.body["code"]), (429, &json!("too_many_uploads")), "{refused:?}");
    }
    assert!(taken >= 33, "one goes on and 32 wait at least: {taken} were taken");
    assert_eq!(host.get("/v1/plugins").body["items"].as_array().map(Vec::len), Some(taken));
    assert!(seen.growth_bytes() < GROWTH_BYTES_MAX, "the host grew by {} bytes", seen.growth_bytes());
    assert!(seen.answered_within() < ANSWER, "the host took {:?} and more to answer", seen.answered_within());
}

/// A section that means nothing and makes its component another one.
fn custom_section(number: usize) -> Vec<u8> {
    let contents = format!("\u{4}note{number:08}");
    [vec![0, u8::try_from(contents.len()).expect("a short section")], contents.into_bytes()].concat()
}

#[cfg(target_os = "linux")]
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "that a compiler ends at once, not when it is done, is the promise"
)]
fn a_compiler_does_not_outlive_its_host() {
    let host = TestHost::start();
    let component = bomb(40, 3000);
    let (host_process, url) = (host.process_id(), host.url().to_owned());
    let upload = std::thread::spawn(move || {
        let agent = ureq::Agent::new_with_defaults();
        let request = agent.put(format!("{url}/v1/plugins/bomb")).header("content-type", "application/wasm");
        request.send(&component).is_ok()
    });
    let compiler = eventually("a compiler", || child_of(host_process));
    let killed = Instant::now();
    let _directory = host.kill();
    eventually("the compiler's end", || {
        (parent_of(compiler) != Some(host_process) && !is_alive(compiler)).then_some(())
    });
    assert!(killed.elapsed() < Duration::from_secs(5), "it went on for {:?}", killed.elapsed());
    assert!(!upload.join().expect("no panic"), "nobody answered the upload");
}

/// A process that the process `parent` has started.
fn child_of(parent: u32) -> Option<u32> {
    let entries = fs::read_dir("/proc").expect("the system's processes");
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.into_iter().find(|number| parent_of(*number) == Some(parent))
}

fn parent_of(process: u32) -> Option<u32> {
    field_of(process, "PPid:")?.parse().ok()
}

/// Whether a process still does something. One that nobody has waited for yet does not.
fn is_alive(process: u32) -> bool {
    field_of(process, "State:").is_some_and(|state| !state.starts_with('Z'))
}

fn field_of(process: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix(field))?.trim().to_owned())
}

#[test]
fn an_artifact_that_is_not_as_it_was_is_compiled_again_and_never_run() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.push("output", BIG_OUTPUT);
    host.create(&json!({"id": "echo", "plugin": "echo", "type": "event", "onEvent": "echo"}));
    host.create(&json!({"id": "output", "plugin": "output", "type": "event", "onEvent": "echo"}));
    let mut directory = host.stop();
    let spoil: [fn(&[PathBuf]); 4] = [
        |artifacts| change(&artifacts[0], |bytes| bytes[1000] ^= 1),
        |artifacts| change(&artifacts[1], |bytes| bytes.truncate(5000)),
        |artifacts| change(&artifacts[0], |bytes| bytes.splice(..32, [0; 32]).for_each(drop)),
        |artifacts| {
            let [one, other] =
                [&artifacts[0], &artifacts[1]].map(|path| fs::read(path).expect("an artifact"));
            fs::write(&artifacts[0], other).expect("a writable folder");
            fs::write(&artifacts[1], one).expect("a writable folder");
        },
    ];
    for (turn, spoil) in spoil.into_iter().enumerate() {
        spoil(&artifacts(directory.path()));
        let unfinished = artifacts(directory.path())[0].with_extension("part");
        fs::write(&unfinished, "half of it").expect("a writable folder");
        let host = TestHost::start_in(directory);
        host.publish("echo", &json!({"bytes": 3}), 2);
        for task in ["echo", "output"] {
            let executions = host.ended(task, turn + 1);
            assert!(executions.iter().all(|execution| execution["status"] == "success"), "{executions:?}");
        }
        assert!(!unfinished.exists(), "what was not finished is removed");
        let log = fs::read_to_string(host.directory().join("host.log")).expect("a log");
        assert!(log.matches("is damaged").count() > turn, "the log tells of it");
        directory = host.stop();
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("an artifact");
    change(&mut bytes);
    fs::write(path, bytes).expect("a writable folder");
}

/// The artifacts of a host, in the order of their names.
fn artifacts(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("cache")).expect("a cache");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "artifact")).collect();
    paths.sort();
    paths
}
