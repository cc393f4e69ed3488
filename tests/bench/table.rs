//! What was measured, beside what it is to be.

/// Rows of name, figure and goal.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<[String; 3]>);

impl Table {
    /// Adds a row, and shows it at once.
    pub(crate) fn row(&mut self, name: &str, figure: String, goal: &str) {
        eprintln!("{name}: {figure}");
        self.0.push([name.to_owned(), figure, goal.to_owned()]);
    }

    /// Prints all rows, aligned.
    pub(crate) fn print(&self) {
        let width = |column: usize| self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (names, figures) = (width(0), width(1).max(8));
        println!("{:names$}  {:>figures$}  goal", "", "measured");
        for [name, figure, goal] in &self.0 {
            println!("{name:names$}  {figure:>figures$}  {goal}");
        }
    }
}

/// Whole thousands separated, for reading.
pub(crate) fn per_second(count: usize, seconds: f64) -> String {
    let rate =
        if seconds > 0.0 { f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds } else { 0.0 };
    format!("{rate:.0}/s")
}

/// The `percent`-th percentile of what is sorted already.
pub(crate) fn percentile(sorted: &[std::time::Duration], percent: usize) -> std::time::Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or_default()
}
