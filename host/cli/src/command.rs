//! From the command line to the verb, and from its result to the exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::args::{Cli, Command, CompletionsArgs, ConfigVerb};
use crate::exit::Failure;
use crate::output::Output;
use crate::{
    apply, audit, backup, config, configuration, dev, doctor, events, executions, key_value, plugins,
    presets, schedules, serve, tasks, tenants, tokens,
};

/// Runs the command line of this process. Wrong usage is answered by the parser itself, with exit code 2.
#[must_use]
pub fn main() -> ExitCode {
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        // Whatever else asks for colours.
        console::set_colors_enabled(false);
        console::set_colors_enabled_stderr(false);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return answer(&error),
    };
    if matches!(cli.command, Command::CompileComponent) {
        // Before any thread is started: it takes limits upon itself.
        return innkeeper_sandbox::compile_standard_input();
    }
    let json = cli.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Failure::from(anyhow::Error::new(error).context("cannot start threads")).report(json);
        }
    };
    let done = runtime.block_on(run(cli));
    // What still runs, such as a read of standard input, must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

/// Help and the version are answers, anything else is wrong usage; programs get it as they get every error.
fn answer(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && wants_json {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        return Failure::usage(text).report(true);
    }
    // Whoever reads it may have gone.
    let _printed = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let output = Output::new(cli.json, cli.quiet);
    let client = || crate::client::Client::new(&cli.server);
    let token = cli.server.token.as_deref().filter(|token| !token.is_empty());
    match cli.command {
        Command::Serve(args) => serve::serve(args, token).await,
        Command::Dev(args) => dev::dev(args).await,
        Command::Plugin { verb } => plugins::run(verb, &client()?, output).await,
        Command::Task { verb } => tasks::run(verb, &client()?, output).await,
        Command::Execution { verb } => executions::run(verb, &client()?, output).await,
        Command::Event { verb } => events::run(verb, &client()?, output).await,
        Command::Kv { verb } => key_value::run(verb, &client()?, output).await,
        Command::Config { verb: ConfigVerb::Check(args) } => config::check(&args, token, output),
        Command::Config { verb: ConfigVerb::Values(verb) } => {
            configuration::run(verb, &client()?, output).await
        }
        Command::Tenant { verb } => tenants::run(verb, &client()?, output).await,
        Command::Token { verb } => tokens::run(verb, &client()?, output).await,
        Command::Preset { verb } => presets::run(verb, &client()?, output).await,
        Command::Schedule { verb } => schedules::run(verb, &client()?, output).await,
        Command::Apply(args) => apply::apply(args, &client()?, output).await,
        Command::Export(args) => apply::export(args, &client()?, output).await,
        Command::Backup(args) => backup::backup(args, &client()?, output).await,
        Command::Restore(args) => backup::restore(&args, output),
        Command::Doctor(args) => doctor::doctor(&args, output),
        Command::Completions(args) => Ok(completions(&args)?),
        Command::Audit(args) => audit::list(&args, &client()?, output).await,
        Command::Stats => schedules::stats(&client()?, output).await,
        Command::CompileComponent => Ok(()),
    }
}

fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "innkeeper", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script))
}
