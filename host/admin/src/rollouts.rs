//! How a version is to take effect, as requests say it.

use innkeeper_model::grants::Grants;
use innkeeper_model::problem::FieldError;
use innkeeper_model::rollout::Rollout;
use innkeeper_model::topic::EventName;
use innkeeper_runner::Sample;
use serde_json::Value;

use crate::dry_run::DryRun;
use crate::fields::Fields;
use crate::query::{FromQuery, Parameters};

/// The parameters of an upload.
pub(crate) struct UploadQuery {
    pub(crate) is_dry: bool,
    pub(crate) rollout: Rollout,
}

impl FromQuery for UploadQuery {
    const KEYS: &'static [&'static str] =
        &["dryRun", "assumePlugins", "activate", "allow", "withoutGrants", "migrate"];
    const REPEATABLE: &'static [&'static str] = &["allow"];

    fn read(parameters: &mut Parameters) -> Self {
        let DryRun { is_dry, .. } = DryRun::read(parameters);
        let mut allow = Grants::default();
        for text in parameters.all("allow") {
            if let Err(message) = allow.allow(&text) {
                parameters.problem("allow", "invalid_grant", message);
            }
        }
        let rollout = Rollout {
            activates: parameters.flag("activate").unwrap_or(true),
            allow,
            accepts_denial: parameters.flag("withoutGrants").unwrap_or(false),
            migrates: parameters.flag("migrate").unwrap_or(false),
        };
        if !rollout.activates && (!rollout.allow.is_empty() || rollout.accepts_denial || rollout.migrates) {
            let message = "cannot be `false` beside `allow`, `withoutGrants` or `migrate`: give those when it is activated";
            parameters.problem("activate", "contradiction", message.to_owned());
        }
        Self { is_dry, rollout }
    }
}

/// What a request to activate a version may say, beside which one.
pub(crate) const KEYS: [&str; 5] = ["digest", "allow", "withoutGrants", "migrate", "canary"];

/// Reads it, with the sample that the version is to do well with.
pub(crate) fn read(
    fields: &mut Fields<'_>,
    event_data_bytes_max: usize,
    problems: &mut Vec<FieldError>,
) -> (Rollout, Option<Sample>) {
    let allow = fields.value("allow").map(|grants| read_grants(grants, problems)).unwrap_or_default();
    let accepts_denial = fields.flag("withoutGrants").unwrap_or(false);
    let migrates = fields.flag("migrate").unwrap_or(false);
    let sample = fields.value("canary").map(|sample| read_sample(sample, event_data_bytes_max, problems));
    (Rollout { activates: true, allow, accepts_denial, migrates }, sample)
}

fn read_grants(grants: Value, problems: &mut Vec<FieldError>) -> Grants {
    Grants::from_json(grants).unwrap_or_else(|found| {
        let within = |error: FieldError| FieldError { field: format!("allow.{}", error.field), ..error };
        problems.extend(found.into_iter().map(within));
        Grants::default()
    })
}

fn read_sample(sample: Value, bytes_max: usize, problems: &mut Vec<FieldError>) -> Sample {
    let mut fields = Fields::new("canary.", sample, &["event", "data", "metadata", "http"], problems);
    let (event, data) = (fields.text("event"), fields.value("data"));
    let (metadata, http) = (fields.value("metadata"), fields.flag("http"));
    let event = event.map(|event| event.parse::<EventName>()).transpose().unwrap_or_else(|error| {
        problems.push(FieldError::new("canary.event", "invalid_event_name", error.to_string()));
        None
    });
    let mut text = |field: &str, value: Option<Value>| {
        let text = value?.to_string();
        if text.len() > bytes_max {
            let message = format!("is {} bytes; at most {bytes_max} are taken", text.len());
            problems.push(FieldError::new(format!("canary.{field}"), "too_large", message));
        }
        Some(text)
    };
    let (data, metadata) = (text("data", data), text("metadata", metadata));
    Sample { event, data, metadata, reaches_network: http.unwrap_or(false) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_body(body: Value) -> Result<(Rollout, Option<Sample>), Vec<String>> {
        let (mut shape, mut problems) = (Vec::new(), Vec::new());
        let read = read(&mut Fields::new("", body, &KEYS, &mut shape), 20, &mut problems);
        let named = shape.into_iter().chain(problems).map(|error| error.field).collect::<Vec<_>>();
        if named.is_empty() { Ok(read) } else { Err(named) }
    }

    #[test]
    fn what_is_left_out_is_the_careful_way() {
        assert_eq!(read_body(json!({})), Ok((Rollout::default(), None)));
        let (rollout, sample) = read_body(json!({
            "allow": {"keyValue": ["x"]}, "withoutGrants": true, "migrate": true,
            "canary": {"event": "a:b", "data": [1], "metadata": {"k": 1}, "http": true},
        }))
        .expect("a rollout");
        assert!(rollout.accepts_denial && rollout.migrates && rollout.allow.key_value == ["x"]);
        let sample = sample.expect("a sample");
        assert_eq!((sample.data.as_deref(), sample.metadata.as_deref()), (Some("[1]"), Some("{\"k\":1}")));
        assert!(sample.reaches_network && sample.event.is_some_and(|event| event.as_str() == "a:b"));
    }

    #[test]
    fn every_problem_is_named_by_its_field() {
        let long = "x".repeat(30);
        let refused = read_body(json!({
            "allow": {"http": ["ftp://x"]}, "migrate": 1, "canary": {"event": "a b", "data": long, "dta": 1},
        }));
        let mut named = refused.expect_err("problems");
        named.sort_unstable();
        assert_eq!(named, ["allow.http[0]", "canary.data", "canary.dta", "canary.event", "migrate"]);
    }
}
