//! The tutorial plugin: greets whoever the event names, and anybody when a schedule starts it.
//!
//! It must not know which task it serves: the greeting comes from the task's metadata, the guest from the
//! event's data. Its invariant: a greeting it cannot make is a permanent failure, since trying again would
//! not help.

use innkeeper_sdk::{Failure, context, handler, log};
use serde::{Deserialize, Serialize};

/// The event's data, such as `{"userId": "123"}` or `{"userId": "123", "name": "Ada"}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Guest {
    user_id: String,
    name: Option<String>,
}

/// The task's metadata, such as `{"greeting": "Good day"}`.
#[derive(Deserialize)]
struct Settings {
    greeting: String,
}

/// The output: who was greeted, and how.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Greeting {
    message: String,
    user_id: Option<String>,
}

#[handler]
fn greet(event: Option<&str>, data: Option<Guest>) -> Result<Greeting, Failure> {
    let settings = context::metadata::<Option<Settings>>()?;
    let greeting = settings.map_or("Hello".to_owned(), |settings| settings.greeting);
    let message = match &data {
        Some(guest) => format!("{greeting}, {}!", guest.name.as_ref().unwrap_or(&guest.user_id)),
        None => greet_anybody(&greeting, context::current().scheduled_at.as_deref()),
    };
    log::info!("{message} ({})", event.unwrap_or("no event"));
    Ok(Greeting { message, user_id: data.map(|guest| guest.user_id) })
}

/// Greets the hour that a schedule was due at: `2025-09-01T15:00:00.000Z` is the hour `15`.
fn greet_anybody(greeting: &str, scheduled_at: Option<&str>) -> String {
    match scheduled_at.and_then(|time| time.get(11..13)) {
        Some(hour) => format!("{greeting}, anybody out there at hour {hour} UTC!"),
        None => format!("{greeting}, anybody out there!"),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_sdk::log::Level;
    use innkeeper_sdk::testing::Scenario;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_greets_whom_it_names() {
        let report = Scenario::new().event("user:logged_in").data(&json!({"userId": "123"})).run(greet);
        assert_eq!(report.result, Ok(Some(json!({"message": "Hello, 123!", "userId": "123"}))));
        assert_eq!(report.logs.len(), 1);
        assert_eq!(
            (report.logs[0].level, &*report.logs[0].message),
            (Level::Info, "Hello, 123! (user:logged_in)")
        );
    }

    #[test]
    fn a_name_goes_before_an_identifier() {
        let guest = Guest { user_id: "123".to_owned(), name: Some("Ada".to_owned()) };
        let greeting = greet(Some("user:logged_in"), Some(guest));
        assert_eq!(greeting.map(|greeting| greeting.message), Ok("Hello, Ada!".to_owned()));
    }

    #[test]
    fn a_schedule_greets_the_hour_as_its_task_says() {
        let scenario = Scenario::new().metadata(&json!({"greeting": "Good day"}));
        let report = scenario.scheduled_at("2025-09-01T15:00:00.000Z").run(greet);
        let message = "Good day, anybody out there at hour 15 UTC!";
        assert_eq!(report.result, Ok(Some(json!({"message": message, "userId": null}))));
    }

    #[test]
    fn a_manual_start_greets_anybody() {
        let message = greet(None, None).map(|greeting| greeting.message);
        assert_eq!(message, Ok("Hello, anybody out there!".to_owned()));
    }

    #[test]
    fn data_without_a_user_is_refused_for_good() {
        let report = Scenario::new().event("user:logged_in").data(&json!({"user": 7})).run(greet);
        assert!(
            matches!(&report.result, Err(Failure::Permanent(text)) if text.contains("missing field `userId`")),
            "{report:?}"
        );
    }
}
