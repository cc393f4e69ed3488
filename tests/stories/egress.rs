//! Plugins reach over HTTP what is granted to them and what the operator lets them reach, and nothing else.

use innkeeper_tests::{CERTIFICATE, HttpServer, Reply, TestHost};
use serde_json::{Value, json};

use crate::components::{FETCH, FETCH_STANDARD};

/// Lets plugins reach the test's own server, as an operator would.
pub(crate) const ALLOW_LOOPBACK: [&str; 2] = ["--egress-allow-network", "127.0.0.0/8"];

pub(crate) fn hello() -> HttpServer {
    HttpServer::start(|_| Reply::answer("200 OK", &["x-served: yes"], "hello"))
}

pub(crate) fn grant(host: &TestHost, plugin: &str, urls: &[&str]) {
    let answer = host.put_json(&format!("/v1/plugins/{plugin}/grants"), &json!({"http": urls}));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Has `fetch` make one request, and gives the execution.
fn fetch(host: &TestHost, task: &str, url: &str) -> Value {
    host.run_once(&json!({"id": task, "plugin": "fetch"}), &json!({"requests": [{"url": url}]}))
}

#[test]
fn a_granted_request_is_made_and_counted() {
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    let server = hello();
    host.push("fetch", FETCH);
    grant(&host, "fetch", &[&server.url()]);
    let requests = json!({"requests": [{
        "method": "POST", "url": format!("{}/a?b=c", server.url()), "headers": [["x-mine", "1"]], "body": "data",
    }]});
    let execution = host.run_once(&json!({"id": "once", "plugin": "fetch"}), &requests);
    assert_eq!(execution["output"][0]["status"], 200, "{execution}");
    assert_eq!(execution["output"][0]["body"], "hello");
    let sent = server.requests().remove(0);
    assert!(sent.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{sent}");
    for line in
        [&format!("host: {}", server.address()), "connection: close", "x-mine: 1", "content-length: 4"]
    {
        assert!(sent.contains(&format!("{line}\r\n")), "{line}: {sent}");
    }
    assert!(sent.ends_with("\r\n\r\ndata"), "{sent}");
    assert_eq!(execution["receipt"]["egressRequests"], 1, "{execution}");
    let answer = "HTTP/1.1 200 OK\r\nx-served: yes\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(
        execution["receipt"]["egressBytes"],
        sent.len() + answer.len(),
        "every byte counts, heads too"
    );
}

#[test]
fn the_standard_bindings_work_as_they_are() {
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    let server = hello();
    let pushed = host.push("standard", FETCH_STANDARD);
    let imports = pushed["imports"].as_array().expect("imports");
    for name in ["wasi:http/outgoing-handler@", "wasi:http/types@"] {
        assert!(imports.iter().any(|import| import.as_str().is_some_and(|import| import.starts_with(name))));
    }
    grant(&host, "standard", &[&server.url()]);
    let wish =
        json!({"authority": server.address().to_string(), "method": "POST", "path": "/x", "body": "data"});
    let execution = host.run_once(&json!({"id": "once", "plugin": "standard"}), &wish);
    let output = &execution["output"];
    assert_eq!((&output["status"], &output["body"]), (&json!(200), &json!("hello")), "{execution}");
    assert_eq!((&output["finished"], &output["bodyError"]), (&json!(true), &Value::Null));
    assert!(output["headers"].as_array().is_some_and(|names| names.contains(&json!("x-served"))), "{output}");
    assert!(server.requests()[0].starts_with("POST /x HTTP/1.1\r\n"), "{:?}", server.requests());
}

#[test]
fn what_is_not_granted_is_denied_with_the_command_that_allows_it() {
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    let server = hello();
    let pushed = host.client(&["plugin", "push", "fetch", FETCH]);
    assert!(pushed.contains("innkeeper plugin allow fetch http=https://HOST"), "{pushed}");
    let denied = fetch(&host, "before", &server.url());
    assert_eq!(denied["output"][0]["error"], "Denied", "{denied}");
    assert!(server.requests().is_empty());
    assert_eq!(denied["receipt"]["egressRequests"], 0);
    let log = host.log_of(&denied);
    let expected =
        format!("denied: GET {0}: allow it with: innkeeper plugin allow fetch http={0}", server.url());
    assert!(log.contains(&expected), "{log:?}");
    let (_, command) = expected.split_once("innkeeper ").expect("a command");
    let granted = host.client(&command.split(' ').collect::<Vec<_>>());
    assert!(granted.contains(&server.url()), "{granted}");
    assert_eq!(fetch(&host, "after", &server.url())["output"][0]["status"], 200);
    let other_port = format!("http://127.0.0.1:{}", server.address().port() ^ 1);
    assert_eq!(fetch(&host, "port", &other_port)["output"][0]["error"], "Denied");
    let left = host.client(&["plugin", "deny", "fetch", &format!("http={}", server.url())]);
    assert_eq!(left, "nothing is granted\n");
    assert_eq!(fetch(&host, "again", &server.url())["output"][0]["error"], "Denied");
}

#[test]
fn an_address_inside_is_refused_although_it_is_granted() {
    let host = TestHost::start();
    let server = hello();
    let port = server.address().port();
    host.push("fetch", FETCH);
    let hosts =
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.1.2.3", "169.254.169.254", "0.0.0.0"];
    let urls: Vec<String> = hosts.iter().map(|name| format!("http://{name}:{port}")).collect();
    grant(&host, "fetch", &urls.iter().map(String::as_str).collect::<Vec<_>>());
    let requests: Vec<Value> = urls.iter().map(|url| json!({"url": url})).collect();
    let execution = host.run_once(&json!({"id": "once", "plugin": "fetch"}), &json!({"requests": requests}));
    for (answer, url) in execution["output"].as_array().expect("answers").iter().zip(&urls) {
        assert_eq!(answer["error"], "AddressRefused", "{url}: {execution}");
    }
    assert!(server.requests().is_empty());
    let log = host.log_of(&execution);
    let told =
        |what: &str| log.iter().any(|line| line.contains(what) && line.contains("--egress-allow-network"));
    assert!(told("it leads to a loopback address") && told("it leads to a private address"), "{log:?}");
    assert!(told("it leads to a link-local address"), "{log:?}");
}

#[test]
fn a_redirect_is_a_request_like_any_other() {
    let host = TestHost::start_with(&["--egress-allow-network", "127.0.0.1"]);
    let server = HttpServer::start(|request| match request.split(' ').nth(1) {
        Some("/inside") => Reply::answer("302 Found", &["location: http://127.0.0.2:81/"], ""),
        Some("/elsewhere") => Reply::answer("302 Found", &["location: http://127.0.0.1:81/"], ""),
        Some("/here") => Reply::answer("302 Found", &["location: /there"], ""),
        _ => Reply::answer("200 OK", &[], "there"),
    });
    host.push("fetch", FETCH);
    grant(&host, "fetch", &[&server.url(), "http://127.0.0.2:81"]);
    let at = |path: &str| json!({"url": format!("{}{path}", server.url())});
    let requests = json!({"requests": [at("/inside"), at("/elsewhere"), at("/here")]});
    let execution = host.run_once(&json!({"id": "once", "plugin": "fetch"}), &requests);
    let output = &execution["output"];
    assert_eq!(output[0]["error"], "AddressRefused", "{execution}");
    assert_eq!(output[1]["error"], "Denied", "{execution}");
    assert_eq!((&output[2]["status"], &output[2]["body"]), (&json!(200), &json!("there")), "{execution}");
}

#[test]
fn a_secure_connection_needs_a_certificate_that_the_machine_trusts() {
    let server = HttpServer::start_secure(|_| Reply::answer("200 OK", &[], "secret"));
    let port = server.address().port();
    let (by_name, by_address) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    let wish = json!({"requests": [{"url": by_name}, {"url": by_address}]});
    for is_trusted in [true, false] {
        let trusted = [("SSL_CERT_FILE", CERTIFICATE)];
        let variables = if is_trusted { &trusted[..] } else { &[] };
        let host = TestHost::start_with_variables(&ALLOW_LOOPBACK, variables);
        host.push("fetch", FETCH);
        grant(&host, "fetch", &[&by_name, &by_address]);
        let execution = host.run_once(&json!({"id": "once", "plugin": "fetch"}), &wish);
        let output = &execution["output"];
        if is_trusted {
            assert_eq!(output[0]["body"], "secret", "{execution}");
        } else {
            assert_eq!(output[0]["error"], "Insecure", "{execution}");
        }
        assert_eq!(output[1]["error"], "Insecure", "the certificate is for a name: {execution}");
        let log = host.log_of(&execution);
        assert!(
            log.iter().any(|line| line.contains("no secure connection") || line.contains("SSL_CERT_FILE")),
            "{log:?}"
        );
    }
}

#[test]
fn the_host_is_out_of_its_plugins_reach() {
    let host = TestHost::start_with(&["--egress-allow-network", "0.0.0.0/0,::/0"]);
    host.push("fetch", FETCH);
    let port = host.url().rsplit(':').next().expect("a port");
    let (localhost, unspecified) = (format!("http://localhost:{port}"), format!("http://0.0.0.0:{port}"));
    grant(&host, "fetch", &[host.url(), &localhost, &unspecified]);
    let at = |url: &str| json!({"url": format!("{url}/healthz")});
    let requests = json!({"requests": [at(host.url()), at(&unspecified)]});
    let execution = host.run_once(&json!({"id": "once", "plugin": "fetch"}), &requests);
    for answer in execution["output"].as_array().expect("answers") {
        assert_eq!(answer["error"], "AddressRefused", "{execution}");
    }
    let log = host.log_of(&execution);
    assert!(log.iter().any(|line| line.contains("where this host itself listens")), "{log:?}");
    // A name may have a further address, where nobody listens.
    let by_name = fetch(&host, "by-name", &format!("{localhost}/healthz"));
    assert!(by_name["output"][0]["error"].is_string(), "{by_name}");
}

#[test]
fn grants_are_shown_replaced_and_checked() {
    let host = TestHost::start();
    host.push("fetch", FETCH);
    let none = json!({"http": [], "keyValue": [], "config": []});
    assert_eq!(host.get("/v1/plugins/fetch/grants").body, none);
    let wanted = json!({"http": ["HTTPS://*.Example.com:443"], "keyValue": ["state"], "config": ["token"]});
    let written = json!({"http": ["https://*.example.com"], "keyValue": ["state"], "config": ["token"]});
    assert_eq!(host.put_json("/v1/plugins/fetch/grants", &wanted).body, written);
    let wrong = json!({"http": ["example.com", "https://ok.example", 3], "keyvalue": []});
    let refused = host.put_json("/v1/plugins/fetch/grants", &wrong);
    let fields =
        refused.body["errors"].as_array().expect("errors").iter().map(|error| error["field"].clone());
    let mut fields: Vec<Value> = fields.collect();
    fields.sort_by_key(ToString::to_string);
    assert_eq!((refused.status, fields), (422, vec![json!("http[0]"), json!("http[2]"), json!("keyvalue")]));
    assert_eq!(host.put_json("/v1/plugins/nobody/grants", &none).status, 404);
    assert_eq!(host.get("/v1/plugins/nobody/grants").status, 404);
    // Grants belong to the name: another version has them too, and so has the host after a restart.
    host.push("fetch", FETCH_STANDARD);
    assert_eq!(host.get("/v1/plugins/fetch/grants").body, written);
    let host = TestHost::start_in(host.stop());
    assert_eq!(host.get("/v1/plugins/fetch/grants").body, written);
    let pushed =
        host.client(&["plugin", "push", "fetch", FETCH, "--allow", "http=http://a.org", "--allow", "kv=x"]);
    assert!(!pushed.contains("none is granted"), "{pushed}");
    let shown = host.client(&["--json", "plugin", "grants", "fetch"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["http"], json!(["https://*.example.com", "http://a.org"]));
    assert_eq!(shown["keyValue"], json!(["state", "x"]));
}
