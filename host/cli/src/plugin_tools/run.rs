//! `plugin run`: one execution here and now, with everything that came of it.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::anyhow;
use innkeeper_model::BoxFuture;
use innkeeper_model::clock::{Clock as _, SystemClock};
use innkeeper_model::execution::LogLine;
use innkeeper_model::grants::Grants;
use innkeeper_model::id::{Digest, ExecutionId, RunId, TenantId};
use innkeeper_model::limits::Limits;
use innkeeper_model::progress::Progress;
use innkeeper_model::sandbox::{
    ConfigValue, Invocation, KeyValueChange, KeyValueWrite, Outcome, ProgressSink, Report, Sandbox as _,
    StateError, StateReader, Unheard,
};
use innkeeper_model::trace::TraceContext;
use innkeeper_sandbox::WasmSandbox;
use serde_json::{Map, Value, json};

use super::inspect::refused;
use super::{measure, sandbox};
use crate::args::{GrantText, RunPlugin};
use crate::executions::progress;
use crate::exit::Failure;
use crate::output::{Output, bytes, fields, fuel, json_text, millis, printable};
use crate::plugins;

/// Bytes of one event's data, as on a host that nothing else was said to.
const EVENT_DATA_BYTES_MAX: usize = 256 << 10;

/// Runs a component and prints what came of it.
///
/// # Errors
/// The file cannot be read, the host would refuse it, or it fails.
pub(crate) async fn run(args: RunPlugin, output: Output) -> Result<(), Failure> {
    let component: Arc<[u8]> = plugins::read(&args.file).map_err(Failure::Usage)?.into();
    let sandbox = sandbox()?;
    let admission =
        sandbox.admit(Arc::clone(&component).into()).await.map_err(|refusal| refused(&refusal))?;
    let occasion = Occasion::new(&args, admission.digest, component)?;
    let mut reports = Vec::new();
    for number in 0..args.repeat {
        let progress: Arc<dyn ProgressSink> =
            if args.repeat > 1 || output.is_quiet() { Arc::new(Unheard) } else { Arc::new(OnStderr) };
        reports.push(occasion.execute(&sandbox, number, progress).await);
    }
    let first = &reports[0];
    let mut told = tell(first);
    if args.repeat > 1 {
        told["repeated"] = measure::summary(&reports);
    }
    output.answer(&told, describe)?;
    match reports.iter().find_map(|report| match &report.outcome {
        Outcome::Success(_) => None,
        Outcome::Failure(failure) => Some(failure),
    }) {
        None => Ok(()),
        Some(failure) => Err(Failure::Failed(anyhow!("{}: {}", failure.kind, failure.message))),
    }
}

/// What every execution is made with.
struct Occasion {
    digest: Digest,
    event: Option<String>,
    data: Option<String>,
    metadata: Option<Arc<str>>,
    grants: Arc<Grants>,
    state: Arc<Bench>,
}

impl Occasion {
    fn new(args: &RunPlugin, digest: Digest, component: Arc<[u8]>) -> Result<Self, Failure> {
        let mut granted = grants(&args.allow)?;
        granted.config.extend(args.config.iter().map(|(key, _)| key.clone()));
        Ok(Self {
            digest,
            event: args.event.as_ref().map(ToString::to_string),
            data: args.data.as_ref().map(ToString::to_string),
            metadata: args.metadata.as_ref().map(|metadata| metadata.to_string().into()),
            grants: Arc::new(granted),
            state: Arc::new(Bench { component, config: args.config.iter().cloned().collect() }),
        })
    }

    async fn execute(&self, sandbox: &WasmSandbox, number: u32, progress: Arc<dyn ProgressSink>) -> Report {
        let now = SystemClock.now();
        let mut unique = [0; 10];
        unique[6..].copy_from_slice(&number.to_be_bytes());
        let (run_id, execution_id) = (RunId::new(now, unique), ExecutionId::new(now, unique));
        let invocation = Invocation {
            tenant: TenantId::default_tenant(),
            task_id: "plugin:run".parse().unwrap_or_else(|_| unreachable!("it is a valid id")),
            run_id,
            execution_id,
            trace: TraceContext::of_execution(None, run_id, execution_id, false),
            plugin: "plugin".parse().unwrap_or_else(|_| unreachable!("it is a valid name")),
            digest: self.digest,
            attempt: 1,
            max_attempts: 1,
            scheduled_at: if self.event.is_none() { Some(now) } else { None },
            started_at: now,
            metadata: self.metadata.clone(),
            event: self.event.clone(),
            data: self.data.clone(),
            limits: Limits::DEFAULT,
            event_data_bytes_max: EVENT_DATA_BYTES_MAX,
            grants: Arc::clone(&self.grants),
            state: Arc::clone(&self.state) as Arc<dyn StateReader>,
            progress,
        };
        sandbox.execute(invocation, Box::pin(std::future::pending())).await
    }
}

/// The grants as a server would read them.
fn grants(texts: &[GrantText]) -> Result<Grants, Failure> {
    let mut lists = Map::new();
    for text in texts {
        let list = lists.entry(text.list).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(text.entry.clone().into());
        }
    }
    serde_json::from_value(Value::Object(lists)).map_err(|error| Failure::usage(format!("--allow: {error}")))
}

/// Shows how far the execution is, a line for each time it says so.
struct OnStderr;

impl ProgressSink for OnStderr {
    fn report(self: Arc<Self>, _: &Invocation, fraction: f32, note: &str) {
        let said = Progress::new(fraction, note, SystemClock.now());
        eprintln!("{}", progress(&json!(said)));
    }
}

/// A store in which there is nothing but the component and the configuration.
struct Bench {
    component: Arc<[u8]>,
    config: HashMap<String, String>,
}

impl StateReader for Bench {
    fn component(&self, _: &TenantId, _: &Digest) -> BoxFuture<Result<Option<Arc<[u8]>>, StateError>> {
        let component = Arc::clone(&self.component);
        Box::pin(async { Ok(Some(component)) })
    }

    fn value(&self, _: &TenantId, _: &str, _: &str) -> BoxFuture<Result<Option<Vec<u8>>, StateError>> {
        Box::pin(async { Ok(None) })
    }

    fn configuration(&self, _: &TenantId, key: &str) -> BoxFuture<Result<Option<ConfigValue>, StateError>> {
        let value = self.config.get(key).map(|text| ConfigValue { text: text.clone(), is_secret: false });
        Box::pin(async { Ok(value) })
    }

    fn keys(
        &self,
        _: &TenantId,
        _: &str,
        _: Option<&str>,
        _: u32,
    ) -> BoxFuture<Result<Vec<String>, StateError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Everything that came of an execution.
fn tell(report: &Report) -> Value {
    let events: Vec<Value> = report
        .effects
        .events
        .iter()
        .map(|event| json!({"event": event.event, "data": event.data.as_deref().map(parsed)}))
        .collect();
    let mut told = json!({
        "logs": report.logs.iter().map(line).collect::<Vec<_>>(),
        "events": events,
        "writes": report.effects.writes.iter().map(write).collect::<Vec<_>>(),
        "receipt": report.receipt,
    });
    match &report.outcome {
        Outcome::Success(output) => {
            told["status"] = "success".into();
            told["output"] = output.as_deref().map_or(Value::Null, parsed);
        }
        Outcome::Failure(failure) => {
            told["status"] = "failed".into();
            told["kind"] = failure.kind.to_string().into();
            told["error"] = failure.message.clone().into();
            let millis = |after: std::time::Duration| u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            told["retryAfterMs"] = failure.retry_after.map_or(Value::Null, |after| millis(after).into());
        }
    }
    told
}

fn write(write: &KeyValueWrite) -> Value {
    let (change, value) = match &write.change {
        KeyValueChange::Set(value) => ("set", String::from_utf8_lossy(value).into()),
        KeyValueChange::Delete => ("delete", Value::Null),
        KeyValueChange::Add(amount) => ("add", (*amount).into()),
    };
    json!({"bucket": write.bucket, "key": write.key, "change": change, "value": value})
}

fn line(line: &LogLine) -> Value {
    json!({"level": line.level, "message": line.message})
}

/// What the sandbox has checked to be JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn describe(told: &Value) -> String {
    let mut text = fields(&rows(told));
    if !told["repeated"].is_null() {
        text = format!("{}\n\n{}", text.trim_end(), measure::describe(&told["repeated"]));
    }
    text
}

/// What came of an execution that a server only tried, as text.
pub(crate) fn describe_trial(trial: &Value) -> String {
    let mut told = trial.clone();
    told["status"] = if trial["kind"].is_null() { "success" } else { "failed" }.into();
    fields(&rows(&told))
}

fn rows(told: &Value) -> Vec<(&'static str, String)> {
    let list = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    let number = |field: &str| told["receipt"][field].as_u64().unwrap_or(0);
    let mut rows = vec![("status", json_text(&told["status"]))];
    if told["status"] == "success" {
        rows.push(("output", printable(&told["output"].to_string())));
    } else {
        let error = format!("{}: {}", json_text(&told["kind"]), json_text(&told["error"]));
        rows.push(("error", printable(&error)));
    }
    for event in list("events") {
        rows.push(("event", printable(&format!("{} {}", json_text(&event["event"]), event["data"]))));
    }
    for write in list("writes") {
        let target = format!("{}/{}", json_text(&write["bucket"]), json_text(&write["key"]));
        rows.push((
            "write",
            printable(&format!("{} {target} {}", json_text(&write["change"]), write["value"])),
        ));
    }
    for line in list("logs") {
        rows.push((
            "log",
            printable(&format!("{} {}", json_text(&line["level"]), json_text(&line["message"]))),
        ));
    }
    rows.push(("fuel", fuel(number("fuel"))));
    rows.push(("time", format!("{}, {} of it computing", millis(number("wallUs")), millis(number("cpuUs")))));
    rows.push(("memory", bytes(number("memoryBytesPeak"))));
    rows.push(("host calls", number("hostCalls").to_string()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_as_a_server_would() {
        let texts: Vec<GrantText> = ["http=https://a.org", "kv=b", "http=http://b.org:81"]
            .iter()
            .map(|text| text.parse().expect("a grant"))
            .collect();
        let grants = grants(&texts).expect("grants");
        assert_eq!((grants.http.len(), grants.key_value.as_slice()), (2, &["b".to_owned()][..]));
    }
}
