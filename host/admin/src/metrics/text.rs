//! The text format of Prometheus: families with a help text and a type, samples with labels.

use std::fmt::Write as _;

use innkeeper_model::measure::Spread;

/// The types of family that are written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A text that families are added to, one after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    /// The family whose samples are being added.
    family: &'static str,
}

impl Exposition {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {}", kind.as_str()));
        self.family = name;
    }

    /// Adds a sample of the current family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let family = self.family;
        self.line(format_args!("{family}{} {value}", written(labels)));
    }

    /// Adds a whole number to the current family.
    pub(super) fn count(&mut self, labels: &[(&str, &str)], value: u64) {
        let family = self.family;
        self.line(format_args!("{family}{} {value}", written(labels)));
    }

    /// Adds a whole number of units to the current family.
    pub(super) fn scaled(&mut self, labels: &[(&str, &str)], value: u64, unit: f64) {
        self.sample(labels, scale(value, unit));
    }

    /// A family of one counter.
    pub(super) fn counter(&mut self, name: &'static str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help);
        self.count(&[], value);
    }

    /// A family of one gauge.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str, value: u64) {
        self.family(name, Kind::Gauge, help);
        self.count(&[], value);
    }

    /// A family of one histogram, whose values are counted in units of `unit`.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str, spread: &Spread, unit: f64) {
        self.family(name, Kind::Histogram, help);
        for (bound, count) in spread.bounds.iter().zip(&spread.cumulative) {
            self.line(format_args!("{name}_bucket{{le=\"{}\"}} {count}", scale(*bound, unit)));
        }
        let Spread { sum, count, .. } = spread;
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        self.line(format_args!("{name}_sum {}", scale(*sum, unit)));
        self.line(format_args!("{name}_count {count}"));
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// A count in units, rounded to what a microsecond is worth so that 2,500 µs is 0.0025 and not 0.0024999.
#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are shown to 16 digits, which is enough")]
fn scale(value: u64, unit: f64) -> f64 {
    if unit < 1.0 { value as f64 / (1.0 / unit).round() } else { value as f64 * unit }
}

fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let written: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    format!("{{{}}}", written.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_the_format_wants() {
        let mut out = Exposition::default();
        out.family("a_total", Kind::Counter, "What\\it\nis.");
        out.count(&[("label", "a \"b\"\n\\")], 3);
        let spread =
            Spread { bounds: &[2_500, 1_000_000], cumulative: vec![1, 1, 2], sum: 2_000_500, count: 2 };
        out.histogram("b_seconds", "Time.", &spread, 1e-6);
        assert_eq!(
            out.finish(),
            "# HELP a_total What\\\\it\\nis.\n# TYPE a_total counter\na_total{label=\"a \\\"b\\\"\\n\\\\\"} 3\n\
             # HELP b_seconds Time.\n# TYPE b_seconds histogram\n\
             b_seconds_bucket{le=\"0.0025\"} 1\nb_seconds_bucket{le=\"1\"} 1\nb_seconds_bucket{le=\"+Inf\"} 2\n\
             b_seconds_sum 2.0005\nb_seconds_count 2\n"
        );
    }
}
