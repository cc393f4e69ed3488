//! From the contract's `(event, data)` to a handler's own arguments, and from its result back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Failure, json};

/// A function that can be a handler: it takes nothing or `(event, data)`, and gives an [`Output`].
///
/// Implemented for every function and closure of that form, never by hand. `Arguments` tells the two forms
/// apart.
///
/// ```
/// use innkeeper_sdk::Handler;
///
/// let echo = |event: Option<&str>, data: u8| Ok::<_, String>(format!("{event:?} {data}"));
/// assert_eq!(echo.call(None, Some("7")), Ok(Some("\"None 7\"".to_owned())));
/// ```
pub trait Handler<'event, Arguments> {
    /// Calls the handler with the event's name and the data as JSON text.
    ///
    /// # Errors
    /// The handler's own failure, or a permanent one if its arguments do not fit what came.
    fn call(self, event: Option<&'event str>, data: Option<&str>) -> Result<Option<String>, Failure>;
}

impl<F: FnOnce() -> O, O: Output> Handler<'_, ()> for F {
    fn call(self, _event: Option<&str>, _data: Option<&str>) -> Result<Option<String>, Failure> {
        self().into_output()
    }
}

impl<'event, F, E, D, O> Handler<'event, (E, D)> for F
where
    F: FnOnce(E, D) -> O,
    E: EventArgument<'event>,
    D: DeserializeOwned,
    O: Output,
{
    fn call(self, event: Option<&'event str>, data: Option<&str>) -> Result<Option<String>, Failure> {
        self(E::from_event(event)?, json::read("data", data)?).into_output()
    }
}

/// How a handler may take the name of the event that started the run.
///
/// ```
/// use innkeeper_sdk::EventArgument;
///
/// assert_eq!(<Option<&str>>::from_event(None), Ok(None));
/// assert!(<&str>::from_event(None).is_err());
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot take the event as `{Self}`",
    label = "not a form of the event's name",
    note = "the event's name comes as `Option<&str>` or `Option<String>`, \
            or as `&str` or `String` if the handler is for events only"
)]
pub trait EventArgument<'event>: Sized {
    /// Makes the argument of the event's name, which is `None` if no event started the run.
    ///
    /// # Errors
    /// A permanent failure if the argument needs an event and there is none.
    fn from_event(event: Option<&'event str>) -> Result<Self, Failure>;
}

impl<'event> EventArgument<'event> for Option<&'event str> {
    fn from_event(event: Option<&'event str>) -> Result<Self, Failure> {
        Ok(event)
    }
}

impl EventArgument<'_> for Option<String> {
    fn from_event(event: Option<&str>) -> Result<Self, Failure> {
        Ok(event.map(ToOwned::to_owned))
    }
}

impl<'event> EventArgument<'event> for &'event str {
    fn from_event(event: Option<&'event str>) -> Result<Self, Failure> {
        event.ok_or_else(|| {
            Failure::permanent("no event started this run, and this handler is for events only")
        })
    }
}

impl EventArgument<'_> for String {
    fn from_event(event: Option<&str>) -> Result<Self, Failure> {
        <&str>::from_event(event).map(ToOwned::to_owned)
    }
}

/// What a handler may give back: nothing, or a `Result` of something that can be written as JSON.
///
/// A value that is written as `null`, such as `()` or `None`, is no output.
///
/// ```
/// use innkeeper_sdk::Output;
///
/// assert_eq!(Ok::<_, String>([1, 2]).into_output(), Ok(Some("[1,2]".to_owned())));
/// assert_eq!(().into_output(), Ok(None));
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot give back `{Self}`",
    label = "not a handler's result",
    note = "a handler gives back nothing, or `Result<R, E>` where `R` implements `serde::Serialize` and `E` is \
            `innkeeper_sdk::Failure` or anything that implements `Display`"
)]
pub trait Output {
    /// The output as JSON text, or none.
    ///
    /// # Errors
    /// The handler's failure, or a permanent one if the value cannot be written as JSON.
    fn into_output(self) -> Result<Option<String>, Failure>;
}

impl Output for () {
    fn into_output(self) -> Result<Option<String>, Failure> {
        Ok(None)
    }
}

impl<R: Serialize, E: Into<Failure>> Output for Result<R, E> {
    fn into_output(self) -> Result<Option<String>, Failure> {
        let value = self.map_err(Into::into)?;
        json::write(&value)
            .map_err(|error| Failure::permanent(format!("the output cannot be written as JSON: {error}")))
    }
}

/// Compiles only for a type that the event may be taken as, so that the compiler's complaint is about that
/// type.
pub fn takes_event<'event, E: EventArgument<'event>>() {}

/// Compiles only for a type that the data may be taken as.
pub fn takes_data<D: DeserializeOwned>() {}

/// Compiles only for a type that a handler may give back.
pub fn yields_output<O: Output>() {}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn call<'event, A>(
        handler: impl Handler<'event, A>,
        event: Option<&'event str>,
        data: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        handler.call(event, data)
    }

    fn borrowing(event: Option<&str>, data: Option<u8>) -> Result<String, Failure> {
        if data == Some(0) {
            Err("nothing to do")?;
        }
        Ok(format!("{event:?} {data:?}"))
    }

    fn for_events_only(event: &str, data: u8) -> Result<(String, u8), String> {
        if data == 0 { Err("nothing to do".to_owned()) } else { Ok((event.to_owned(), data)) }
    }

    #[test]
    fn arguments_come_as_the_handler_takes_them() {
        assert_eq!(
            call(borrowing, Some("a:b"), Some("7")),
            Ok(Some(r#""Some(\"a:b\") Some(7)""#.to_owned()))
        );
        assert_eq!(call(borrowing, None, None), Ok(Some(r#""None None""#.to_owned())));
        assert_eq!(call(for_events_only, Some("a:b"), Some("7")), Ok(Some(r#"["a:b",7]"#.to_owned())));
        assert_eq!(call(|| (), Some("a:b"), Some("not JSON")), Ok(None));
    }

    #[test]
    fn what_does_not_fit_is_a_permanent_failure() {
        let no_event = "no event started this run, and this handler is for events only";
        assert_eq!(call(for_events_only, None, Some("7")), Err(Failure::permanent(no_event)));
        let no_data = "there is no data, and `u8` needs some";
        assert_eq!(call(for_events_only, Some("a:b"), None), Err(Failure::permanent(no_data)));
    }

    #[test]
    fn errors_keep_their_kind() {
        assert_eq!(call(borrowing, None, Some("0")), Err(Failure::retry("nothing to do")));
        assert_eq!(call(for_events_only, Some("a:b"), Some("0")), Err(Failure::retry("nothing to do")));
        let permanent = || Err::<(), _>(Failure::permanent("never"));
        assert_eq!(call(permanent, None, None), Err(Failure::permanent("never")));
    }

    #[test]
    fn an_output_that_is_not_json_is_a_permanent_failure() {
        let result = call(|| Ok::<_, Failure>(HashMap::from([(vec![1], 2)])), None, None);
        assert_eq!(
            result,
            Err(Failure::permanent("the output cannot be written as JSON: key must be a string"))
        );
    }
}
