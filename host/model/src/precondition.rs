//! What a client may demand of the state that its change meets.

/// What must be so for a change to be made. A tag names a state: another state has another tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// It must not exist.
    Absent,
    /// It must exist.
    Present,
    /// It must exist and have one of these tags.
    Tagged(Vec<String>),
}

/// The state is not the one that was demanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", describe(.current.as_deref()))]
pub struct PreconditionFailed {
    /// The tag of the state there is; `None` if it does not exist.
    pub current: Option<String>,
}

impl Precondition {
    /// Whether the change may be made where `current` is the tag of what exists.
    ///
    /// # Errors
    /// [`PreconditionFailed`] if not.
    pub fn check(&self, current: Option<&str>) -> Result<(), PreconditionFailed> {
        let holds = match (self, current) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => true,
            (Self::Absent, Some(_)) | (Self::Present | Self::Tagged(_), None) => false,
            (Self::Tagged(tags), Some(current)) => tags.iter().any(|tag| tag == current),
        };
        if holds { Ok(()) } else { Err(PreconditionFailed { current: current.map(str::to_owned) }) }
    }
}

fn describe(current: Option<&str>) -> String {
    match current {
        Some(tag) => format!("it has changed meanwhile, or exists already: its tag is \"{tag}\" now"),
        None => "it does not exist".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_only_where_it_was_meant_to_be() {
        let tagged = || Precondition::Tagged(vec!["a".to_owned(), "b".to_owned()]);
        for (demanded, current, expected) in [
            (Precondition::None, None, true),
            (Precondition::None, Some("a"), true),
            (Precondition::Absent, None, true),
            (Precondition::Absent, Some("a"), false),
            (Precondition::Present, None, false),
            (Precondition::Present, Some("a"), true),
            (tagged(), None, false),
            (tagged(), Some("b"), true),
            (tagged(), Some("c"), false),
        ] {
            assert_eq!(demanded.check(current).is_ok(), expected, "{demanded:?} of {current:?}");
        }
    }
}
