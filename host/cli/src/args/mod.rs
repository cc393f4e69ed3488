//! The command line, as clap reads it. Values are parsed into types that cannot be wrong wherever there is one.

mod apply;
mod configuration;
mod execution;
mod key_value;
mod number;
mod operations;
mod plugin;
mod plugin_tools;
mod preset;
#[cfg(test)]
mod reference;
mod rollout;
mod schedule;
mod server;
mod task;
mod tenant;
mod token;
mod trail;

use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand};
use innkeeper_schedule::zone::TimezoneData;

pub use apply::{ApplyArgs, ExportArgs};
pub use configuration::{ConfigVerb, SetConfig, ValueVerb};
pub use execution::{EventVerb, ExecutionVerb, Publish, Tail};
pub use key_value::{KeyValueVerb, ListKeys, SetValue};
pub use operations::{AuditArgs, BackupArgs, CheckArgs, CompletionsArgs, DoctorArgs, RestoreArgs};
pub use plugin::{Activate, Grant, GrantText, PluginLimits, PluginVerb, Push, Rollback};
pub use plugin_tools::{Build, Language, New, RunPlugin};
pub use preset::{PresetVerb, SetPreset};
pub use rollout::{Canary, RolloutArgs};
pub use schedule::{Preview, ScheduleVerb};
pub use server::{DevArgs, ServeArgs};
pub use task::{Create, ListExecutions, ListTasks, Run, TaskVerb};
pub use tenant::{Settings, TenantVerb};
pub use token::{CreateToken, TokenVerb};
pub use trail::{ListTrail, Redrive, Upcoming, Which};

/// Runs other people's code on a schedule or on an event, safely, in one binary.
#[derive(Debug, Parser)]
#[command(name = "innkeeper", version = VERSION.as_str(), arg_required_else_help = true, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
    /// Which server the client verbs talk to.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Print answers as JSON, and errors as problem documents (RFC 9457) on standard error.
    #[arg(long, global = true, help_heading = "Client options")]
    pub json: bool,
    /// Say nothing of what went well: no confirmation and no progress. What was asked for is still printed.
    #[arg(short, long, global = true, help_heading = "Client options", conflicts_with = "json")]
    pub quiet: bool,
}

/// What the exit codes say.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  refused by the server, or failed
  2  wrong usage: a flag, a file or a setting
  3  the server cannot be reached";

/// This program's version, and that of the time zone tables compiled in: they age, and whoever reads a wrong due time wants
/// to know.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!("{}, time zone tables {}", env!("CARGO_PKG_VERSION"), TimezoneData::Bundled.version())
});

/// Which server the client verbs talk to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Client options")]
pub struct ServerArgs {
    /// The server that the client verbs talk to.
    #[arg(
        long,
        global = true,
        env = "INNKEEPER_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:7070",
        value_name = "URL"
    )]
    pub url: String,
    /// The token: client verbs show it, `serve` asks for it. Prefer the variable: others can see a command line.
    #[arg(long, global = true, env = "INNKEEPER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The tenant that the client verbs are about, for the operator; a token of a tenant's is about its own.
    #[arg(long, global = true, env = "INNKEEPER_TENANT", value_name = "TENANT")]
    pub tenant: Option<String>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a server.
    Serve(ServeArgs),
    /// Build plugins, run them on a server of their own, and again whenever their source changes.
    Dev(DevArgs),
    /// Upload, list and delete plugins.
    Plugin {
        /// What to do.
        #[command(subcommand)]
        verb: PluginVerb,
    },
    /// Create, list and control tasks.
    Task {
        /// What to do.
        #[command(subcommand)]
        verb: TaskVerb,
    },
    /// Look at executions, and run failed ones again.
    Execution {
        /// What to do.
        #[command(subcommand)]
        verb: ExecutionVerb,
    },
    /// Publish events, and watch them.
    Event {
        /// What to do.
        #[command(subcommand)]
        verb: EventVerb,
    },
    /// Look at and change what plugins keep: the key-value store.
    Kv {
        /// What to do.
        #[command(subcommand)]
        verb: KeyValueVerb,
    },
    /// Set and list what plugins are configured with, secrets included.
    Config {
        /// What to do.
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Create, list and change tenants. For the operator.
    Tenant {
        /// What to do.
        #[command(subcommand)]
        verb: TenantVerb,
    },
    /// Make, list and revoke tokens.
    Token {
        /// What to do.
        #[command(subcommand)]
        verb: TokenVerb,
    },
    /// Try schedules out.
    Schedule {
        /// What to do.
        #[command(subcommand)]
        verb: ScheduleVerb,
    },
    /// List and set named schedules.
    Preset {
        /// What to do.
        #[command(subcommand)]
        verb: PresetVerb,
    },
    /// Show counts over the tasks.
    Stats,
    /// List who changed what of a tenant. For its administrators.
    Audit(AuditArgs),
    /// Compile one component from standard input to standard output. For the host itself, which speaks to it in its own way.
    #[command(hide = true, name = COMPILE_VERB)]
    CompileComponent,
    /// Bring a tenant to what files declare, all of it or nothing. Shows the difference first.
    Apply(ApplyArgs),
    /// Write what a tenant has into a folder, in the form that `apply` reads.
    Export(ExportArgs),
    /// Copy the database of a running server into a file.
    Backup(BackupArgs),
    /// Make a data directory of a backup.
    Restore(RestoreArgs),
    /// Examine the data directory of a server that is stopped.
    Doctor(DoctorArgs),
    /// Print a script that completes this command line in a shell.
    Completions(CompletionsArgs),
}

/// The verb with which a host starts its own program as its compiler.
pub const COMPILE_VERB: &str = "compile-component";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// To take over a change on purpose: `INSTA_UPDATE=always cargo test -p innkeeper args`.
    #[test]
    fn help_says_what_it_said() {
        let mut command = Cli::command();
        command.build();
        let help = |command: &clap::Command| command.clone().render_help().to_string();
        insta::assert_snapshot!("help", help(&command));
        let task = command.find_subcommand("task").expect("a verb");
        insta::assert_snapshot!("help_task", help(task));
        let create = task.find_subcommand("create").expect("a verb");
        insta::assert_snapshot!("help_task_create", help(create));
    }
}
