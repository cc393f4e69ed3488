//! What plugins do over HTTP is bounded: in number, in bytes, in time and in form.

use innkeeper_tests::{HttpServer, Reply, TestHost};
use serde_json::{Value, json};

use crate::components::{FETCH, FETCH_STANDARD};
use crate::egress::{ALLOW_LOOPBACK, grant, hello};

/// Has the guest with the standard bindings make one request to `server`, and gives its output.
fn standard(server: &HttpServer, more: &Value) -> Value {
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    host.push("standard", FETCH_STANDARD);
    grant(&host, "standard", &[&server.url()]);
    let mut wish = json!({"authority": server.address().to_string()});
    for (key, value) in more.as_object().expect("an object") {
        wish[key] = value.clone();
    }
    let mut execution = host.run_once(&json!({"id": "once", "plugin": "standard"}), &wish);
    assert_eq!(execution["status"], "success", "{execution}");
    execution["output"].take()
}

fn fetch(server: &HttpServer, wish: &Value) -> Value {
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    host.push("fetch", FETCH);
    grant(&host, "fetch", &[&server.url()]);
    host.run_once(&json!({"id": "once", "plugin": "fetch"}), wish)
}

#[test]
fn requests_are_limited_in_number() {
    let server = hello();
    let execution = fetch(&server, &json!({"requests": [{"url": server.url(), "times": 21}]}));
    let answers = execution["output"].as_array().expect("answers");
    assert!(answers[..20].iter().all(|answer| answer["status"] == 200), "{execution}");
    assert_eq!(answers[20]["error"], "Limit", "{execution}");
    assert_eq!((&execution["receipt"]["egressRequests"], server.requests().len()), (&json!(20), 20));
    let failed = fetch(&server, &json!({"requests": [{"url": server.url(), "times": 21}], "thenFail": true}));
    assert_eq!(failed["kind"], "egress_limit", "{failed}");
    assert!(
        failed["error"].as_str().is_some_and(|error| error.contains("more than 20 HTTP requests")),
        "{failed}"
    );
}

#[test]
fn an_answer_over_the_limit_of_bytes_is_cut_off() {
    let server = HttpServer::start(|_| Reply::answer("200 OK", &[], &"x".repeat(9 << 20)));
    let execution =
        fetch(&server, &json!({"requests": [{"url": server.url(), "times": 2}], "thenFail": true}));
    assert_eq!(execution["kind"], "egress_limit", "{execution}");
    assert!(
        execution["error"].as_str().is_some_and(|error| error.contains("more than 8388608 bytes")),
        "{execution}"
    );
    assert_eq!(execution["receipt"]["egressBytes"], 8 << 20);
    let told = fetch(&server, &json!({"requests": [{"url": server.url()}]}));
    assert_eq!(told["output"][0]["error"], "Limit", "{told}");
}

#[test]
fn a_request_over_the_limit_of_bytes_is_cut_off() {
    let server = hello();
    let body = "x".repeat(200 << 10);
    let requests = json!({"requests": [{"method": "POST", "url": server.url(), "body": body, "times": 20}]});
    let whole = fetch(&server, &requests);
    assert!(
        whole["output"].as_array().expect("answers").iter().all(|answer| answer["status"] == 200),
        "{whole}"
    );
    assert!(whole["receipt"]["egressBytes"].as_u64().is_some_and(|bytes| bytes > 4_000_000), "{whole}");
}

#[test]
fn a_slow_server_costs_no_more_than_the_time_that_was_given() {
    let stalls = [
        ("no head", "", "ConnectionReadTimeout", Value::Null),
        ("half a head", "HTTP/1.1 200 OK\r\ncontent-le", "ConnectionReadTimeout", Value::Null),
    ];
    for (what, sent, error, body) in stalls {
        let server = HttpServer::start(move |_| Reply::Stall(sent.as_bytes().to_vec()));
        let output = standard(&server, &json!({"firstByteTimeoutMs": 100}));
        assert_eq!((&output["error"], &output["bodyError"]), (&json!(error), &body), "{what}: {output}");
    }
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec();
    let server = HttpServer::start(move |_| Reply::Stall(half.clone()));
    let output = standard(&server, &json!({"betweenBytesTimeoutMs": 100}));
    assert_eq!((&output["status"], &output["body"]), (&json!(200), &json!("half")), "{output}");
    assert_eq!(output["bodyError"], "ConnectionReadTimeout");
    let whole = fetch(&server, &json!({"requests": [{"url": server.url(), "timeoutMs": 100}]}));
    assert_eq!(whole["output"][0]["error"], "Timeout", "{whole}");
}

#[test]
fn an_execution_that_waits_for_a_server_ends_with_its_time() {
    let server = HttpServer::start(|_| Reply::Stall(Vec::new()));
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    host.push("fetch", FETCH);
    grant(&host, "fetch", &[&server.url()]);
    let task = json!({"id": "once", "plugin": "fetch", "limits": {"timeout": "300ms"}});
    // The answer may be late for the request, and then for the next one: there is no time for many.
    let requests = json!({"requests": [{"url": server.url(), "times": 10}]});
    let execution = host.run_once(&task, &requests);
    assert_eq!(execution["kind"], "timeout", "{execution}");
    assert_eq!(host.get("/healthz").status, 200);
}

#[test]
fn heads_are_of_a_bounded_size() {
    let long = format!("x-long: {}", "x".repeat(100 << 10));
    let server = HttpServer::start(move |_| Reply::answer("200 OK", &[&long], "never seen"));
    assert_eq!(standard(&server, &json!({}))["error"], "HttpResponseHeaderSectionSize");
    let many: Vec<String> = (0..200).map(|number| format!("x-{number}: 1")).collect();
    let server = HttpServer::start(move |_| {
        Reply::answer("200 OK", &many.iter().map(String::as_str).collect::<Vec<_>>(), "never seen")
    });
    assert_eq!(standard(&server, &json!({}))["error"], "HttpResponseHeaderSectionSize");
    let server = hello();
    let large = standard(&server, &json!({"manyHeaders": [20, 4000]}));
    assert_eq!(large["error"], "HttpRequestHeaderSectionSize", "{large}");
    let many = standard(&server, &json!({"manyHeaders": [101, 1]}));
    assert_eq!(many["error"], "HttpRequestHeaderSectionSize", "{many}");
    let path = format!("/{}", "x".repeat(9000));
    assert_eq!(standard(&server, &json!({"path": path}))["error"], "HttpRequestUriTooLong");
    assert!(server.requests().is_empty());
}

#[test]
fn a_guest_that_hoards_headers_is_stopped() {
    let server = hello();
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    host.push("standard", FETCH_STANDARD);
    let wish = json!({"authority": server.address().to_string(), "manyHeaders": [100, 4000]});
    let execution = host.run_once(&json!({"id": "once", "plugin": "standard"}), &wish);
    assert_eq!(execution["kind"], "host_call_limit", "{execution}");
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let two = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nhello";
    let server = HttpServer::start(move |_| Reply::Bytes(two.as_bytes().to_vec()));
    assert_eq!(standard(&server, &json!({}))["error"], "HttpProtocolError");
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort";
    let server = HttpServer::start(move |_| Reply::Bytes(short.as_bytes().to_vec()));
    let output = standard(&server, &json!({}));
    assert_eq!((&output["body"], &output["bodyError"]), (&json!("short"), &json!("HttpResponseIncomplete")));
    let server = hello();
    let output =
        standard(&server, &json!({"headers": [["content-length", "5"]], "body": "abc", "method": "POST"}));
    assert_eq!(output["finished"], "HttpRequestBodySize", "{output}");
    assert!(output["status"].is_null(), "{output}");
    let output = standard(&server, &json!({"headers": [["content-length", "5"]]}));
    assert_eq!(output["error"], "HttpRequestBodySize", "{output}");
    assert!(server.requests().is_empty());
}

#[test]
fn what_concerns_the_connection_is_the_hosts_business() {
    let server = hello();
    let headers = json!([
        ["transfer-encoding", "chunked"],
        ["connection", "keep-alive"],
        ["host", "elsewhere.example"],
        ["content-length", "3"],
        ["content-length", "4"],
        ["te", "trailers"],
        ["expect", "100-continue"],
        ["x-mine", "1"],
    ]);
    let output = standard(&server, &json!({"headers": headers, "body": "abc", "method": "POST"}));
    let refused = output["refusedHeaders"].to_string();
    for name in ["transfer-encoding", "connection", "host", "content-length"] {
        assert!(refused.contains(name), "{name}: {refused}");
    }
    assert_eq!(output["status"], 200, "{output}");
    let sent = server.requests().remove(0);
    assert!(sent.contains("x-mine: 1\r\n") && sent.contains("content-length: 3\r\n"), "{sent}");
    assert!(sent.contains(&format!("host: {}\r\n", server.address())), "{sent}");
    for name in ["te:", "expect:", "transfer-encoding:", "elsewhere.example"] {
        assert!(!sent.contains(name), "{name}: {sent}");
    }
}

#[test]
fn only_plain_requests_are_made() {
    let server = hello();
    let address = server.address();
    for (wish, expected) in [
        (json!({"method": "CONNECT"}), "HttpRequestMethodInvalid"),
        (json!({"authority": format!("user:word@{address}")}), "HttpRequestUriInvalid"),
    ] {
        let output = standard(&server, &wish);
        assert_eq!(output["error"], expected, "{wish}: {output}");
    }
    assert!(server.requests().is_empty());
}
