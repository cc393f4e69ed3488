//! `schedule`.

use clap::{ArgGroup, Args, Subcommand};

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleVerb {
    /// Show when a schedule would be due, without creating a task.
    Preview(Preview),
}

/// A schedule to try out.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("schedule").args(["cron", "preset", "at", "after"]).required(true))]
pub struct Preview {
    /// A cron pattern, such as `0 9 * * MON`.
    #[arg(long, value_name = "PATTERN")]
    pub cron: Option<String>,
    /// A named schedule, such as @daily.
    #[arg(long)]
    pub preset: Option<String>,
    /// An ISO timestamp, such as 2030-12-25T09:00:00.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// A delay, such as 5m.
    #[arg(long, value_name = "DURATION")]
    pub after: Option<String>,
    /// IANA time zone, such as `America/New_York`.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// The instant to look from, in RFC 3339. [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// How many due times to show.
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    pub count: u32,
}
