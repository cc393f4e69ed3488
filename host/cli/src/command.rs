//! From the command line to the verb, and from its result to the exit code.

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::output::Output;
use crate::{
    configuration, dev, events, executions, key_value, plugins, schedules, serve, tasks, tenants, tokens,
};

/// Runs the command line of this process. Wrong usage is answered by the parser itself, with exit code 2.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::CompileComponent) {
        // Before any thread is started: it takes limits upon itself.
        return innkeeper_sandbox::compile_standard_input();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Failure::from(anyhow::Error::new(error).context("cannot start threads")).report();
        }
    };
    let done = runtime.block_on(run(cli));
    // What still runs, such as a read of standard input, must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let output = Output::new(cli.json);
    let client = || crate::client::Client::new(&cli.server);
    match cli.command {
        Command::Serve(args) => serve::serve(args, cli.server.token.filter(|token| !token.is_empty())).await,
        Command::Dev(args) => dev::dev(args).await,
        Command::Plugin { verb } => plugins::run(verb, &client()?, output).await,
        Command::Task { verb } => tasks::run(verb, &client()?, output).await,
        Command::Execution { verb } => executions::run(verb, &client()?, output).await,
        Command::Event { verb } => events::run(verb, &client()?, output).await,
        Command::Kv { verb } => key_value::run(verb, &client()?, output).await,
        Command::Config { verb } => configuration::run(verb, &client()?, output).await,
        Command::Tenant { verb } => tenants::run(verb, &client()?, output).await,
        Command::Token { verb } => tokens::run(verb, &client()?, output).await,
        Command::Schedule { verb } => schedules::run(verb, &client()?, output).await,
        Command::Stats => schedules::stats(&client()?, output).await,
        Command::CompileComponent => Ok(()),
    }
}
