//! The screen that executions and remarks share, line by line.

use std::sync::{Arc, Mutex, PoisonError};

use innkeeper_runner::TaskRunner;
use innkeeper_runner::bus::Message;
use jiff::tz::TimeZone;

use super::print::{Printer, Widths};
use crate::output;

/// Shows things on standard output, each as a whole; clones share it.
#[derive(Clone)]
pub(super) struct Screen {
    printer: Arc<Mutex<Printer>>,
    runner: TaskRunner,
}

impl Screen {
    /// A screen with the columns that are known to be needed, and with this machine's time.
    pub(super) fn new(runner: &TaskRunner, widths: Widths) -> Self {
        let printer = Printer::new(TimeZone::system(), widths);
        Self { printer: Arc::new(Mutex::new(printer)), runner: runner.clone() }
    }

    /// Shows an execution that ended.
    pub(super) fn message(&self, message: &Message) {
        if let Message::Execution(ended) = message {
            self.show(|printer| printer.execution(ended, output::columns()));
        }
    }

    /// Shows a remark with the time.
    pub(super) fn note(&self, text: &str) {
        let now = self.runner.now();
        self.show(|printer| printer.note(now, text));
    }

    /// Shows text as it is.
    pub(super) fn text(&self, text: &str) {
        self.show(|_| text.to_owned());
    }

    fn show(&self, write: impl FnOnce(&mut Printer) -> String) {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        let text = write(&mut printer);
        // A screen that is gone is no reason to stop the plugins.
        let _ = output::print(&text);
    }
}
