//! What a tenant notices of another that sends hostile components without end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use innkeeper_tests::{TestHost, eventually};
use serde_json::json;
use ureq::Agent;

use crate::Size;
use crate::bomb::bomb;
use crate::probe::now;
use crate::table::{Table, percentile};

/// Uploads that the hostile tenant has under way at any time.
const HOSTILE: usize = 200;
/// How much longer an upload, or an event's way to its end, may take beside them.
const FACTOR_MAX: u32 = 2;

/// An upload, and an event's way through the host, as a client sees them: alone, and beside two hundred hostile uploads.
pub(crate) fn measure(table: &mut Table, size: Size) {
    let host = TestHost::start();
    let samples = size.samples.min(20);
    assert_eq!(host.post("/v1/tenants", &json!({"id": "hostile"})).status, 201);
    host.push("greeter", env!("INNKEEPER_GREETER"));
    host.create(&json!({"id": "greet", "type": "event", "onEvent": "greet", "plugin": "greeter"}));
    let alone = latencies(&host, samples, 0);
    let (hostile, stop, refused) = (bomb(1, 20_000), AtomicBool::new(false), AtomicUsize::new(0));
    let beside = std::thread::scope(|scope| {
        for _ in 0..HOSTILE {
            scope.spawn(|| send_until(&stop, &refused, host.url(), &hostile));
        }
        // Those that find no place in the line are answered at once: then the others stand in it.
        eventually("a full line", || (refused.load(Ordering::Relaxed) > 0).then_some(()));
        let beside = latencies(&host, samples, samples);
        stop.store(true, Ordering::Relaxed);
        beside
    });
    for (what, alone, beside) in [("upload", &alone[0], &beside[0]), ("event to end", &alone[1], &beside[1])]
    {
        let [alone, beside] = [alone, beside].map(|times| percentile(times, 50));
        table.row(&format!("{what} p50, alone"), format!("{alone:.2?}"), "");
        let factor = beside.as_secs_f64() / alone.as_secs_f64();
        let figure = format!("{beside:.2?} ({factor:.2}x)");
        table.row(&format!("{what} p50, beside hostile uploads"), figure, &format!("under {FACTOR_MAX}x"));
    }
}

/// Sends a component again and again, as a tenant that does not mind being refused.
fn send_until(stop: &AtomicBool, refused: &AtomicUsize, url: &str, component: &[u8]) {
    let config = Agent::config_builder().http_status_as_error(false);
    let agent: Agent = config.timeout_global(Some(Duration::from_mins(5))).build().into();
    while !stop.load(Ordering::Relaxed) {
        let request = agent.put(format!("{url}/v1/plugins/bomb")).header("innkeeper-tenant", "hostile");
        let answer = request.header("content-type", "application/wasm").send(component);
        if answer.is_ok_and(|answer| answer.status() == 429) {
            refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sorted: of uploads, and of events. Every upload is one that was never compiled before.
fn latencies(host: &TestHost, samples: usize, first: usize) -> [Vec<Duration>; 2] {
    let component = std::fs::read(env!("INNKEEPER_GREETER")).expect("the greeter is built");
    let [mut uploads, mut events] = [Vec::new(), Vec::new()];
    for number in first..first + samples {
        let contents = format!("\u{4}note{number:08}");
        let mut component = component.clone();
        component.extend([0, u8::try_from(contents.len()).expect("a short section")]);
        component.extend(contents.bytes());
        let begun = now();
        assert_eq!(host.put_plugin("other", &component).status, 201);
        uploads.push(begun.elapsed());
        let ended = host.executions("greet").len();
        let begun = now();
        host.publish("greet", &json!({"name": "x"}), 1);
        let _ended = host.ended("greet", ended + 1);
        events.push(begun.elapsed());
    }
    uploads.sort_unstable();
    events.sort_unstable();
    [uploads, events]
}
