//! What each verb that reads prints, for people, for programs and with `--quiet`, from answers that do not change.
//!
//! To take over a change on purpose: `INSTA_UPDATE=always cargo test --workspace --test printed`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A path, and the status and the body with which it is answered.
type Canned = (&'static str, u16, fn() -> Value);

/// A server that answers each path with the same each time. It ends with the process.
fn server(answers: &'static [Canned]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, answers));
        }
    });
    url
}

fn answer(mut stream: TcpStream, answers: &[Canned]) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let found = answers.iter().find(|(known, _, _)| *known == path);
    let (status, body) = found
        .map_or((404, json!({"detail": format!("nothing at {path}")})), |(_, status, body)| {
            (*status, body())
        });
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // A client that has gone needs no answer.
    let _sent = stream.write_all((head + &body).as_bytes());
}

/// Whether the head and the body that it announces are there.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let mut lengths = head
        .lines()
        .filter_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= lengths.next_back().unwrap_or(0)
}

fn run(url: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_innkeeper"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("INNKEEPER_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).env("TZ", "UTC").env("INNKEEPER_URL", url).envs(variables.iter().copied());
    command.args(arguments).output().expect("the binary runs")
}

/// What is typed, and all that comes of it.
fn session(url: &str, arguments: &[&str]) -> String {
    let output = run(url, arguments, &[]);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(url, "http://SERVER");
    let mut text = format!("$ innkeeper {}\n{}", arguments.join(" "), shown(&output.stdout));
    for line in shown(&output.stderr).lines() {
        let _ = writeln!(text, "! {line}");
    }
    if let Some(code) = output.status.code().filter(|code| *code != 0) {
        let _ = writeln!(text, "exit code {code}");
    }
    text
}

/// Each command as people read it, as programs do, and with nothing around it.
fn sessions(url: &str, commands: &[&[&str]]) -> String {
    let mut text = String::new();
    for command in commands {
        for more in [&[][..], &["--json"], &["--quiet"]] {
            text += &session(url, &[command, more].concat());
            text.push('\n');
        }
    }
    text
}

const ID: &str = "0190a0a0-0000-7000-8000-000000000001";

fn task() -> Value {
    json!({"id": "weekly:report", "name": "Weekly report", "type": "schedule", "preset": null, "cron": "0 9 * * 1",
        "at": null, "timezone": "Europe/London", "nextRunAt": "2025-06-09T08:00:00.000Z",
        "lastRunAt": "2025-06-02T08:00:00.000Z", "attempts": 1, "maxAttempts": 3, "rateCount": 0, "rateWindow": null,
        "status": "pending", "isPaused": false, "metadata": {"team": "sales"}, "createdAt": "2025-06-01T12:00:00.000Z",
        "pauseReason": null, "onEvent": null, "after": null, "plugin": "greeter",
        "retryPolicy": {"maxAttempts": 3, "delay": "30s", "backoff": "exponential", "jitter": 0.0},
        "rateLimit": {"interval": "1m", "limit": 5, "strategy": "fixed", "overflow": "delay"}, "overlap": "skip",
        "misfire": "runOnce", "concurrency": null, "limits": {"fuel": 1_000_000_000, "memory": 67_108_864, "timeout": "30s"}, "expectWithin": "8d",
        "onFailure": "report:failed", "overdueSince": null, "waitingFor": "its next due time"})
}

fn execution() -> Value {
    json!({"id": ID, "taskId": "weekly:report", "status": "failed", "startedAt": "2025-06-02T08:00:00.012Z",
        "completedAt": "2025-06-02T08:00:30.012Z", "error": "it took longer than 30s", "attempt": 3, "runId": ID,
        "kind": "timeout", "trigger": "schedule", "event": null, "eventId": null,
        "scheduledAt": "2025-06-02T08:00:00.000Z", "output": null, "plugin": "greeter", "pluginDigest": "0123456789abcdef",
        "receipt": {"fuel": 82_100, "wallUs": 30_000_000, "cpuUs": 20_000, "memoryBytesPeak": 1_153_434, "hostCalls": 2,
            "logBytes": 20, "logBytesDropped": 0, "keyValueBytes": 0, "egressRequests": 0, "egressBytes": 0},
        "final": true, "replayOf": null, "replayedBy": null})
}

fn page(items: &[Value]) -> Value {
    json!({"items": items, "nextCursor": null})
}

fn plugin() -> Value {
    json!({"name": "greeter", "digest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "size": 81_920,
        "imports": ["wasi:clocks/wall-clock@0.2.6", "wasi:io/streams@0.2.6"], "createdAt": "2025-06-01T12:00:00.000Z",
        "updatedAt": "2025-06-01T13:00:00.000Z"})
}

fn tenant() -> Value {
    json!({"id": "acme", "status": "active", "weight": 2, "timezone": "Europe/Rome", "running": 1, "queuedRuns": 5,
        "createdAt": "2025-06-01T12:00:00.000Z", "usage": {"tasks": 3, "plugins": 1, "storedBytes": 81_920},
        "effectiveQuotas": {"tasks": 100}, "effectiveLimits": {"timeout": "5s"}})
}

const ANSWERS: &[Canned] = &[
    ("/v1/tasks", 200, || {
        let event = json!({"id": "greet", "type": "event", "onEvent": "user:*", "plugin": "greeter", "status": "paused",
            "isPaused": true});
        page(&[event, task()])
    }),
    ("/v1/tasks/weekly:report", 200, task),
    (
        "/v1/tasks/weekly:report/next-runs",
        200,
        || json!({"items": ["2025-06-09T08:00:00.000Z", "2025-06-16T08:00:00.000Z"], "nextCursor": null, "previousRunAt": null}),
    ),
    ("/v1/tasks/weekly:report/skips", 200, || {
        let at = "2025-05-26T08:00:00.000Z";
        page(&[json!({"reason": "misfire", "count": 1, "from": at, "to": at})])
    }),
    ("/v1/tasks/weekly:report/executions", 200, || page(&[execution()])),
    ("/v1/next-runs", 200, || {
        page(&[json!({"at": "2025-06-09T08:00:00.000Z", "taskId": "weekly:report", "plugin": "greeter"})])
    }),
    ("/v1/executions", 200, || page(&[execution()])),
    ("/v1/executions/0190a0a0-0000-7000-8000-000000000001", 200, execution),
    ("/v1/executions/0190a0a0-0000-7000-8000-000000000001/logs", 200, || {
        page(&[json!({"at": "2025-06-02T08:00:01.000Z", "level": "info", "message": "begins \u{1b}[31m"})])
    }),
    ("/v1/plugins", 200, || page(&[plugin()])),
    ("/v1/plugins/greeter", 200, plugin),
    (
        "/v1/plugins/greeter/grants",
        200,
        || json!({"http": ["https://api.example.com"], "keyValue": ["state"], "config": []}),
    ),
    ("/v1/kv", 200, || page(&[json!({"bucket": "state", "keys": 2, "bytes": 2048})])),
    ("/v1/kv/state/user:1", 200, || json!({"visits": 3})),
    ("/v1/kv/state", 200, || page(&[json!({"key": "user:1", "size": 12})])),
    ("/v1/config", 200, || {
        let at = "2025-06-01T12:00:00.000Z";
        page(&[
            json!({"key": "greeting", "isSecret": false, "value": "Good day", "updatedAt": at}),
            json!({"key": "token", "isSecret": true, "value": null, "updatedAt": at}),
        ])
    }),
    (
        "/v1/config/token",
        200,
        || json!({"key": "token", "isSecret": true, "value": null, "updatedAt": "2025-06-01T12:00:00.000Z"}),
    ),
    ("/v1/tenants", 200, || page(&[tenant()])),
    ("/v1/tenants/acme", 200, tenant),
    ("/v1/tokens", 200, || {
        page(&[json!({"id": ID, "name": "ci", "tenant": "acme", "role": "writer", "lastUsedAt": null,
            "expiresAt": "2025-09-01T00:00:00.000Z"})])
    }),
    ("/v1/plugins/greeter/versions", 200, || {
        page(&[
            json!({"digest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "isActive": true,
            "handler": "innkeeper:plugin/handler", "size": 81_920, "createdAt": "2025-06-01T12:00:00.000Z",
            "uploadedBy": "ci", "runs": 2}),
        ])
    }),
    ("/v1/plugins/greeter/limits", 200, || {
        json!({"limits": {"timeout": "5s"}, "effectiveLimits": {"fuel": 1_000_000_000, "timeout": "5s"},
            "effectiveConcurrency": 100})
    }),
    ("/v1/tenant", 200, tenant),
    ("/v1/audit", 200, || {
        page(&[json!({"id": ID, "at": "2025-06-01T12:00:00.000Z", "actor": "ci", "method": "PUT",
            "path": "/v1/tasks/weekly:report", "status": 200})])
    }),
    ("/v1/presets", 200, || {
        page(&[
            json!({"name": "@daily", "cron": "0 0 * * *", "description": "Every day at midnight (00:00)"}),
        ])
    }),
    (
        "/v1/schedules/preview",
        200,
        || json!({"next": ["2025-06-09T08:00:00.000Z"], "previous": ["2025-06-02T08:00:00.000Z"]}),
    ),
    ("/v1/stats", 200, || {
        json!({"total": 2, "pending": 1, "running": 0, "paused": 1, "queuedRuns": 0, "version": "1", "database": {
            "bytes": 4096, "walBytes": 0, "diskFreeBytes": null, "pruned": {"executions": 0, "events": 0, "skips": 0}}})
    }),
];

#[test]
fn tasks_are_printed() {
    let commands: &[&[&str]] = &[
        &["task", "list"],
        &["task", "get", "weekly:report"],
        &["task", "next-runs", "weekly:report"],
        &["task", "skips", "weekly:report"],
        &["task", "executions", "weekly:report"],
        &["task", "upcoming"],
        &["schedule", "preview", "--cron", "0 9 * * 1", "--timezone", "Europe/London"],
        &["preset", "list"],
        &["stats"],
    ];
    insta::assert_snapshot!(sessions(&server(ANSWERS), commands));
}

#[test]
fn executions_are_printed() {
    let commands: &[&[&str]] =
        &[&["execution", "list"], &["execution", "get", ID], &["execution", "logs", ID]];
    insta::assert_snapshot!(sessions(&server(ANSWERS), commands));
}

#[test]
fn plugins_and_what_they_keep_are_printed() {
    let commands: &[&[&str]] = &[
        &["plugin", "list"],
        &["plugin", "get", "greeter"],
        &["plugin", "grants", "greeter"],
        &["plugin", "limits", "greeter"],
        &["plugin", "versions", "greeter"],
        &["kv", "buckets"],
        &["kv", "list", "state"],
        &["kv", "get", "state", "user:1"],
        &["config", "list"],
        &["config", "get", "token"],
    ];
    insta::assert_snapshot!(sessions(&server(ANSWERS), commands));
}

#[test]
fn what_a_server_would_run_with_is_printed() {
    insta::assert_snapshot!(sessions("http://127.0.0.1:1", &[&["config", "check"]]));
}

#[test]
fn tenants_and_tokens_are_printed() {
    let commands: &[&[&str]] = &[
        &["tenant", "list"],
        &["tenant", "show", "acme"],
        &["tenant", "show"],
        &["token", "list"],
        &["audit"],
    ];
    insta::assert_snapshot!(sessions(&server(ANSWERS), commands));
}

const REFUSALS: &[Canned] = &[
    ("/v1/tasks", 422, || {
        json!({"type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "invalid",
            "detail": "the request is wrong in 2 places", "errors": [
                {"field": "cron", "code": "invalid_cron", "message": "is no pattern"},
                {"field": "timezone", "code": "unknown_timezone", "message": "is not a time zone", "suggestion": "Europe/Rome"}]})
    }),
    (
        "/v1/stats",
        401,
        || json!({"title": "Unauthorized", "status": 401, "code": "unauthorized", "detail": "this host wants a token"}),
    ),
];

#[test]
fn refusals_are_printed() {
    let url = server(REFUSALS);
    let create = ["task", "create", "--id", "a", "--plugin", "p", "--cron", "x", "--timezone", "Europe/Roma"];
    let commands: &[&[&str]] =
        &[&create, &["stats"], &["preset", "list"], &["task", "list", "--status", "foo"]];
    let unreachable = session("http://127.0.0.1:1", &["stats"]).replace("127.0.0.1:1", "SERVER");
    insta::assert_snapshot!(sessions(&url, commands) + &unreachable);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    let url = server(ANSWERS);
    let has_colours = |variables: &[(&str, &str)]| {
        let output = run(&url, &["task", "list"], variables);
        assert_eq!(output.status.code(), Some(0));
        output.stdout.contains(&0x1b)
    };
    assert!(!has_colours(&[]), "standard output is no terminal here");
    assert!(has_colours(&[("CLICOLOR_FORCE", "1")]));
    assert!(!has_colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = run("", &["--help"], &[]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    let (answering, refusing) = (server(ANSWERS), server(REFUSALS));
    let cases: [(&str, &[&str], i32, &str); 5] = [
        (&answering, &["stats"], 0, "0  done"),
        (&refusing, &["stats"], 1, "1  refused by the server, or failed"),
        (&answering, &["stats", "--no-such-flag"], 2, "2  wrong usage"),
        (&answering, &["apply", "-f", "no/such/file.toml"], 2, "2  wrong usage"),
        ("http://127.0.0.1:1", &["stats"], 3, "3  the server cannot be reached"),
    ];
    for (url, arguments, code, said) in cases {
        assert_eq!(run(url, arguments, &[]).status.code(), Some(code), "{arguments:?}");
        assert!(text.contains(said), "{said}: {text}");
    }
}
