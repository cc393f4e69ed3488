//! Guests that mean harm: whatever one does, it ends as a failed execution with the right name and a receipt, soon after its
//! limits, without the host growing, and while the host answers everybody else at once.

pub(crate) mod probe;

use std::time::Duration;

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{
    ASK_FOR_RANDOMNESS, BIG_OUTPUT, CALL_HOST_OFTEN, COPY_MEMORY, ECHO, EXIT, FILL_MEMORY, FLOOD_STDOUT,
    GROW_MANY_MEMORIES, GROW_MEMORY, GROW_TABLES, HOLD_HANDLES, NEST_OUTPUT, OVERFLOW_STACK, PASS_MEGABYTES,
    PASS_NONSENSE, POLL_MUCH, PUBLISH_FOREVER, RETURN_MEGABYTES, RETURN_NONSENSE, SLEEP_FOREVER,
    SPIN_FOREVER, SPIN_IN_POST_RETURN, SPIN_IN_REALLOC, SPIN_IN_START, SPIN_SLOWLY, TRAP, WRITE_NOTHING,
    WRITE_ZEROES,
};
use probe::Probe;

/// Executions of each guest at once: more than there are processors here, so that none is left to the host.
const AT_ONCE: usize = 4;
/// What an execution may take beyond its time limit: it may be in the middle of one call or one instruction, and this machine
/// has other things to do.
const LATE: Duration = Duration::from_secs(4);
/// What the host may grow by while four guests run. Their memory is 16 MiB each, and what one hands over is 4 MiB at most.
const GROWTH_BYTES_MAX: u64 = 160 << 20;
/// How soon the host answers nearly always.
const ANSWER: Duration = Duration::from_millis(50);

/// One way to do harm, and what must come of it.
struct Harm {
    guest: &'static str,
    /// The data of the event.
    data: Value,
    limits: Value,
    timeout: Duration,
    kind: &'static str,
    /// A part of the failure's message.
    says: &'static str,
}

/// The ordinary limits here: a second, and less memory than usual.
fn harm(guest: &'static str, kind: &'static str, says: &'static str) -> Harm {
    let limits = json!({"timeout": "1s", "memory": 16 << 20});
    Harm { guest, data: json!(0), limits, timeout: Duration::from_secs(1), kind, says }
}

impl Harm {
    fn with_data(self, data: Value) -> Self {
        Self { data, ..self }
    }

    fn within(mut self, limit: &str, value: Value) -> Self {
        self.limits[limit] = value;
        self
    }

    /// For what another limit ends, as long as it takes on a busy machine.
    fn with_time(self) -> Self {
        Self { timeout: Duration::from_mins(1), ..self.within("timeout", json!("1m")) }
    }

    /// Does it, several times at once, and checks what comes of it.
    fn check(&self, host: &TestHost, id: &str) {
        host.push(id, self.guest);
        let task = json!({"id": id, "plugin": id, "type": "event", "onEvent": id, "limits": self.limits,
            "concurrency": AT_ONCE});
        host.create(&task);
        let probe = Probe::start(host);
        for _ in 0..AT_ONCE {
            host.publish(id, &self.data, 1);
        }
        let executions = host.ended(id, AT_ONCE);
        let seen = probe.stop();
        for execution in &executions {
            self.check_execution(id, execution);
        }
        let growth = seen.growth_bytes();
        assert!(growth < GROWTH_BYTES_MAX, "{id}: the host grew by {growth} bytes");
        let answer = seen.answered_within();
        assert!(answer < ANSWER, "{id}: the host took {answer:?} and more to answer");
    }

    fn check_execution(&self, id: &str, execution: &Value) {
        assert_eq!(execution["status"], "failed", "{id}: {execution}");
        assert_eq!(execution["kind"], self.kind, "{id}: {execution}");
        let error = execution["error"].as_str().unwrap_or_default();
        assert!(error.contains(self.says), "{id}: `{}` in {execution}", self.says);
        assert!(error.len() < 10_000, "{id}: a message of {} bytes", error.len());
        let wall = execution["receipt"]["wallUs"].as_u64().expect("an execution carries its receipt");
        assert!(Duration::from_micros(wall) < self.timeout + LATE, "{id}: it took {wall} µs");
        assert!(execution["receipt"]["memoryBytesPeak"].as_u64() <= Some(64 << 20), "{id}: {execution}");
    }
}

/// Has each done to one host, which then still works.
fn check_all(harms: impl IntoIterator<Item = Harm>) {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let before = host.run_once(&json!({"id": "before", "plugin": "echo"}), &json!(1));
    assert_eq!(before["status"], "success", "{before}");
    for (number, harm) in harms.into_iter().enumerate() {
        let name = harm.guest.rsplit('/').next().and_then(|file| file.strip_suffix(".wasm"));
        let name = name.unwrap_or_default().replace('_', "-");
        harm.check(&host, &format!("{name}-{number}"));
    }
    let after = host.run_once(&json!({"id": "after", "plugin": "echo"}), &json!(1));
    assert_eq!(after["status"], "success", "{after}");
}

#[test]
fn guests_that_compute_without_end_are_stopped_wherever_they_do() {
    check_all([
        harm(SPIN_FOREVER, "fuel_exhausted", "50000000").within("fuel", json!(50_000_000)),
        harm(SPIN_SLOWLY, "timeout", "1000 ms"),
        harm(SPIN_IN_START, "fuel_exhausted", "1000000").within("fuel", json!(1_000_000)),
        harm(SPIN_IN_REALLOC, "fuel_exhausted", "50000000").within("fuel", json!(50_000_000)),
        harm(SPIN_IN_POST_RETURN, "fuel_exhausted", "50000000").within("fuel", json!(50_000_000)),
        harm(OVERFLOW_STACK, "stack_overflow", "overflowed"),
        harm(SLEEP_FOREVER, "timeout", "1000 ms"),
        harm(CALL_HOST_OFTEN, "host_call_limit", "100000").with_time(),
    ]);
}

#[test]
fn guests_that_take_all_memory_get_no_more_than_their_limit() {
    check_all([
        harm(GROW_MEMORY, "memory_exceeded", "16777216"),
        harm(GROW_TABLES, "memory_exceeded", "200000").within("memory", json!(200_000)),
        harm(GROW_MANY_MEMORIES, "memory_exceeded", "2000000").within("memory", json!(2_000_000)),
        harm(FILL_MEMORY, "fuel_exhausted", "1000000000").with_time(),
        harm(COPY_MEMORY, "fuel_exhausted", "1000000000").with_time(),
        harm(RETURN_MEGABYTES, "output_exceeded", "bytes").within("memory", json!(64 << 20)),
        harm(RETURN_MEGABYTES, "output_exceeded", "bytes")
            .with_data(json!(1))
            .within("memory", json!(64 << 20)),
        harm(BIG_OUTPUT, "output_exceeded", "100002 bytes").with_data(json!({"bytes": 100_000})),
        harm(NEST_OUTPUT, "handler_error", "30000 levels deep"),
    ]);
}

#[test]
fn guests_that_flood_the_host_with_calls_are_stopped() {
    check_all([
        harm(FLOOD_STDOUT, "host_call_limit", "100000").with_time(),
        harm(WRITE_NOTHING, "host_call_limit", "100000").with_time(),
        harm(WRITE_ZEROES, "trap", "zeroes"),
        harm(WRITE_ZEROES, "trap", "4096").with_data(json!(1)),
        harm(ASK_FOR_RANDOMNESS, "trap", "4294967296"),
        harm(ASK_FOR_RANDOMNESS, "trap", "1073741824").with_data(json!(1)),
        harm(ASK_FOR_RANDOMNESS, "timeout", "1000 ms").with_data(json!(2)),
        harm(POLL_MUCH, "host_call_limit", "too much at once"),
        harm(POLL_MUCH, "timeout", "1000 ms").with_data(json!(1)),
        harm(HOLD_HANDLES, "host_call_limit", "too much at once"),
        harm(PUBLISH_FOREVER, "host_call_limit", "100000").with_time(),
    ]);
}

#[test]
fn arguments_too_large_for_one_call_are_refused_in_every_call() {
    let each = (0..6)
        .map(|which| harm(PASS_MEGABYTES, "host_call_limit", "too much at once").with_data(json!(which)));
    check_all(each);
}

#[test]
fn what_is_no_text_list_handle_or_result_is_a_trap() {
    let passed = (0..9).map(|which| harm(PASS_NONSENSE, "trap", "").with_data(json!(which)));
    let returned = (0..5).map(|which| harm(RETURN_NONSENSE, "trap", "").with_data(json!(which)));
    let exits = (0..2).map(|code| harm(EXIT, "trap", "exit code").with_data(json!(code)));
    check_all(passed.chain(returned).chain(exits));
}

#[test]
fn a_storm_of_traps_and_retries_leaves_the_host_as_it_was() {
    let host = TestHost::start();
    host.push("trap", TRAP);
    let retries = json!({"maxAttempts": 20});
    host.create(
        &json!({"id": "trap", "plugin": "trap", "type": "event", "onEvent": "trap", "retryPolicy": retries}),
    );
    let probe = Probe::start(&host);
    for _ in 0..50 {
        host.publish("trap", &Value::Null, 1);
    }
    innkeeper_tests::eventually("the end of the storm", || {
        // Both in one answer: a run that ends an attempt waits for the next one.
        let stats = host.get("/v1/stats").body;
        (stats["queuedRuns"] == 0 && stats["runningRuns"] == 0).then_some(())
    });
    let seen = probe.stop();
    let kinds: i64 = host
        .database()
        .query_row(
            "SELECT count(*) FROM task_executions WHERE kind = 'trap' AND receipt IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .expect("a valid query");
    assert_eq!(kinds, 50 * 20, "every attempt is an execution with its receipt");
    assert!(seen.growth_bytes() < GROWTH_BYTES_MAX, "the host grew by {} bytes", seen.growth_bytes());
    assert!(seen.answered_within() < ANSWER, "the host took {:?} and more to answer", seen.answered_within());
}
