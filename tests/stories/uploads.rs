//! Uploads that are large, many or broken off: they take no memory of the host, and leave nothing.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use innkeeper_tests::{TestHost, eventually};
use serde_json::json;
use ureq::Agent;

use crate::components::{ECHO, IMPORT_UNKNOWN};
use crate::hostile_guests::probe::Probe;

/// Bytes of each upload.
const UPLOAD_BYTES: usize = 30 << 20;
/// What the host may grow by while it refuses them all: as much as one of them takes.
const GROWTH_REFUSED_BYTES_MAX: u64 = 30 << 20;
/// And while it takes them all: two thirds of what they are together, half of which is the database's cache of 64 MiB.
const GROWTH_TAKEN_BYTES_MAX: u64 = 128 << 20;
const TENANTS: usize = 6;

/// The component at `path` made large by a section that means nothing, and one of its own by `number`.
fn large(path: &str, number: usize) -> Vec<u8> {
    let mut component = fs::read(path).expect("the guest is built");
    let mut contents = b"\x04note".to_vec();
    contents.resize(UPLOAD_BYTES - component.len() - 6, u8::try_from(number).expect("few"));
    component.push(0);
    let mut size = contents.len();
    // Five bytes of seven bits each.
    for place in 0..5 {
        let more = if place < 4 { 0x80 } else { 0 };
        component.push(u8::try_from(size & 0x7f).expect("seven bits") | more);
        size >>= 7;
    }
    component.extend(contents);
    component
}

#[test]
fn large_uploads_at_once_take_no_memory_of_the_host() {
    let host = TestHost::start();
    for number in 0..TENANTS {
        assert_eq!(host.post("/v1/tenants", &json!({"id": format!("t{number}")})).status, 201);
    }
    let (taken, refused) = (large(ECHO, 1), large(IMPORT_UNKNOWN, 2));
    let put = |tenant: usize, component: &[u8]| {
        let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.put(format!("{}/v1/plugins/large", host.url()));
        let request = request.header("innkeeper-tenant", format!("t{tenant}"));
        let mut answer =
            request.header("content-type", "application/wasm").send(component).expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    };
    let growth = |component: &[u8], expected: u16, part: &str| {
        let probe = Probe::start(&host);
        std::thread::scope(|scope| {
            for tenant in 0..TENANTS {
                let put = &put;
                scope.spawn(move || {
                    let (status, body) = put(tenant, component);
                    assert!(status == expected && body.contains(part), "{status}: {body}");
                });
            }
        });
        probe.stop().growth_bytes()
    };
    let grown = growth(&refused, 422, "example:missing/thing");
    assert!(grown < GROWTH_REFUSED_BYTES_MAX, "the host grew by {grown} bytes");
    let grown = growth(&taken, 201, "large");
    assert!(grown < GROWTH_TAKEN_BYTES_MAX, "the host grew by {grown} bytes");
    assert_eq!(kept_uploads(host.directory()), 0);
    let stored = "SELECT count(*) FROM plugin_versions WHERE length(component) = size AND size = ?1";
    let stored: usize =
        host.database().query_row(stored, [UPLOAD_BYTES], |row| row.get(0)).expect("a valid query");
    assert_eq!(stored, TENANTS, "every byte is kept");
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let host = TestHost::start();
    let address = host.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!(
        "PUT /v1/plugins/part HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/wasm\r\n\
         Content-Length: {UPLOAD_BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a head");
    stream.write_all(&vec![0; 1 << 20]).expect("a part");
    eventually("an open upload", || (open_uploads(&host) == 1).then_some(()));
    drop(stream);
    eventually("its end", || (open_uploads(&host) == 0).then_some(()));
    assert_eq!(kept_uploads(host.directory()), 0);
    host.push("echo", ECHO);
    assert_eq!(host.get("/v1/plugins").body["items"].as_array().map(Vec::len), Some(1));
}

/// Files that the host has left where it receives uploads.
fn kept_uploads(directory: &Path) -> usize {
    fs::read_dir(directory.join("uploads")).expect("the folder of uploads").count()
}

/// Files there that the host has open, whether they have a name or not.
fn open_uploads(host: &TestHost) -> usize {
    let folder = host.directory().join("uploads");
    let files = fs::read_dir(format!("/proc/{}/fd", host.process_id())).expect("the host's open files");
    let names = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    names.filter(|name| name.starts_with(&folder)).count()
}
