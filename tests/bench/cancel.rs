//! How soon an execution ends that somebody cancels.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use innkeeper_model::clock::SystemClock;
use innkeeper_model::egress::{EgressPolicy, Network};
use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::TenantId;
use innkeeper_model::limits::Limits;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_runner::bus::{Message, Subscription};
use innkeeper_runner::{Publication, RunnerConfig, TaskRunner};
use innkeeper_sandbox::{SandboxConfig, WasmSandbox};
use innkeeper_store::{Durability, ExecutionFilter, Location, PluginPolicy, Store};
use serde_json::{Value, json};

use crate::Size;
use crate::probe::now;
use crate::table::{Table, percentile};

/// What a cancelled execution may take to end.
const GOAL: &str = "under 100 ms";

/// From the accepted wish to the stored end, told to a subscriber, of guests that compute, sleep, and wait for an answer.
pub(crate) async fn measure(table: &mut Table, size: Size) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let limits = Limits { fuel: u64::MAX, timeout: Duration::from_hours(1), ..Limits::DEFAULT };
    let egress = EgressPolicy { allowed: Network::LOOPBACK.to_vec(), ..EgressPolicy::default() };
    let clock = Arc::new(SystemClock);
    let sandbox =
        WasmSandbox::new(SandboxConfig { egress, ..SandboxConfig::default() }, Arc::clone(&clock) as _);
    let location = Location::File(directory.path().join("innkeeper.db"));
    let store = Store::open(&location, Durability::Full).expect("a store");
    let config = RunnerConfig { limits, ..RunnerConfig::default() };
    let sandbox = Arc::new(sandbox.expect("a sandbox"));
    let runner = TaskRunner::start(config, store, sandbox, clock).await.expect("a runner");
    let asked = Arc::new(AtomicUsize::new(0));
    let url = silent_server(Arc::clone(&asked));
    let asking = json!({"requests": [{"url": url, "timeoutMs": 3_600_000}]});
    let samples = size.samples.min(100);
    for (task, component, data) in [
        ("compute", env!("INNKEEPER_GUEST_SPIN_FOREVER"), None),
        ("sleep", env!("INNKEEPER_GUEST_SLEEP_FOREVER"), None),
        ("wait for an answer", env!("INNKEEPER_GUEST_FETCH"), Some(asking)),
    ] {
        let id = task.replace(' ', "-");
        let waits_for = data.is_some().then_some(&*asked);
        push(&runner, component, &id, &url).await;
        let mut times = of_guest(&runner, &id, data, waits_for, samples).await;
        times.sort_unstable();
        for percent in [50, 99] {
            let figure = format!("{:.2?}", percentile(&times, percent));
            table.row(&format!("cancel guests that {task}, p{percent}"), figure, GOAL);
        }
    }
    runner.shutdown(std::future::ready(())).await;
}

async fn push(runner: &TaskRunner, component: &str, task: &str, url: &str) {
    let tenant = TenantId::default_tenant();
    let bytes = std::fs::read(component).expect("the guest is built");
    let plugin = task.parse().expect("a name");
    runner.push_plugin(&tenant, plugin, bytes.into()).await.expect("the guest is taken");
    let grants = serde_json::from_value(json!({"http": [url]})).expect("grants");
    let policy = PluginPolicy { grants, ..PluginPolicy::default() };
    runner.set_plugin_policy(&tenant, &task.parse().expect("a name"), policy).await.expect("it is granted");
    let config = json!({"id": task, "type": "event", "onEvent": task, "plugin": task});
    let config = TaskConfig::from_json(config).expect("a config of the right shape");
    runner.create_task(&tenant, config).await.expect("a valid task");
}

/// `asked` counts the requests that the guest makes, if it makes any.
async fn of_guest(
    runner: &TaskRunner,
    task: &str,
    data: Option<Value>,
    asked: Option<&AtomicUsize>,
    samples: usize,
) -> Vec<Duration> {
    let tenant = TenantId::default_tenant();
    let pattern = format!("execution:{task}").parse().expect("a pattern");
    let mut ends = runner.subscribe(&tenant, &pattern);
    let mut times = Vec::with_capacity(samples);
    for number in 0..samples {
        let is_there = || match asked {
            Some(asked) => asked.load(Ordering::SeqCst) > number,
            None => runner.figures().sandbox.slots_used > 0,
        };
        times.push(once(runner, (&tenant, task), data.clone(), is_there, &mut ends).await);
    }
    times
}

async fn once(
    runner: &TaskRunner,
    (tenant, task): (&TenantId, &str),
    data: Option<Value>,
    is_there: impl Fn() -> bool,
    ends: &mut Subscription,
) -> Duration {
    let publication = Publication { event: task.to_owned(), data, idempotency_key: None };
    runner.publish_events(tenant, vec![publication]).await.expect("a receipt");
    let filter =
        ExecutionFilter { task: Some(task.parse().expect("an id")), limit: 1, ..ExecutionFilter::default() };
    while !is_there() {
        tokio::task::yield_now().await;
    }
    let id = runner.executions(tenant, filter).await.expect("executions")[0].id;
    runner.cancel_execution(tenant, &id).await.expect("it runs");
    let begun = now();
    let ended = ends.next().await;
    let taken = begun.elapsed();
    let Some(Message::Execution(ended)) = ended else { panic!("an end: {ended:?}") };
    assert_eq!((ended.execution.id, ended.execution.kind), (id, Some(FailureKind::Cancelled)));
    taken
}

/// The URL of a server that counts requests and never answers.
fn silent_server(asked: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            std::thread::spawn(move || {
                let _first = stream.read(&mut [0; 1024]);
                asked.fetch_add(1, Ordering::SeqCst);
                let _read = stream.read_to_end(&mut Vec::new());
            });
        }
    });
    url
}
