//! Why a command failed, and the exit code that says so.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::apply::Mistakes;
use crate::config;
use crate::problem::Problem;

/// Why a command failed. Each way has an exit code of its own, so that scripts can tell them apart.
#[derive(Debug)]
pub enum Failure {
    /// The server refused (exit code 1).
    Refused(Problem),
    /// The command failed on this side (exit code 1).
    Failed(anyhow::Error),
    /// What was asked for makes no sense: a bad flag, a bad file, a bad configuration (exit code 2).
    Usage(anyhow::Error),
    /// The server could not be reached (exit code 3).
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the network said.
        cause: anyhow::Error,
    },
}

impl Failure {
    /// A failure of usage, in words.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(anyhow::Error::msg(message.into()))
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 3,
        }
    }

    /// What a person reads, without a colour and without a line end.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Refused(problem) => problem.describe(),
            Self::Failed(error) | Self::Usage(error) => format!("{error:#}"),
            Self::Unreachable { url, cause } => format!(
                "cannot reach the server at {url}: {cause:#}\n\
                 start one with `innkeeper serve`, or name another with --url or INNKEEPER_URL"
            ),
        }
    }

    /// The failure as a problem document (RFC 9457): the server's own, or one of this side.
    #[must_use]
    pub fn document(&self) -> Value {
        let (code, title) = match self {
            Self::Refused(problem) => return problem.document(),
            Self::Failed(_) => ("failed", "The command failed"),
            Self::Usage(_) => ("usage", "Wrong usage"),
            Self::Unreachable { .. } => ("unreachable", "The server cannot be reached"),
        };
        let mut document =
            json!({"type": "about:blank", "title": title, "code": code, "detail": self.message()});
        if let Self::Failed(error) | Self::Usage(error) = self
            && let Some(errors) = errors_of(error)
        {
            document["errors"] = errors;
        }
        document
    }

    /// Prints the failure to standard error, for people or as a problem document, and gives the exit code.
    #[must_use]
    pub fn report(&self, json: bool) -> ExitCode {
        if json {
            eprintln!("{:#}", self.document());
            return ExitCode::from(self.code());
        }
        let label = console::style("error:").for_stderr().red().bold();
        eprintln!("{label} {}", self.message());
        ExitCode::from(self.code())
    }
}

/// What is wrong, one by one, if that is known.
fn errors_of(error: &anyhow::Error) -> Option<Value> {
    let declared = error.downcast_ref::<Mistakes>().map(Mistakes::to_json);
    declared.or_else(|| error.downcast_ref::<config::Mistakes>().map(config::Mistakes::to_json))
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_fail_has_its_exit_code() {
        let unreachable =
            Failure::Unreachable { url: "http://x".to_owned(), cause: anyhow::anyhow!("refused") };
        assert_eq!(Failure::from(anyhow::anyhow!("x")).code(), 1);
        assert_eq!(Failure::Refused(Problem::from_answer(404, b"")).code(), 1);
        assert_eq!(Failure::usage("x").code(), 2);
        assert_eq!(unreachable.code(), 3);
        let message = unreachable.message();
        assert!(message.contains("http://x: refused") && message.contains("INNKEEPER_URL"), "{message}");
    }
}
