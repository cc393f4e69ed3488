//! `dev`: a host for whoever writes a plugin.
//!
//! It builds plugins, runs them on a host of its own, shows every execution as it ends, and does so again whenever a
//! source changes. A version that does not build or is refused never takes the place of one that works.

mod print;
mod project;
mod request;
mod screen;
mod session;
mod watch;

pub mod manifest;

use std::io::{ErrorKind, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use innkeeper_model::id::TenantId;
use innkeeper_runner::TaskRunner;
use innkeeper_runner::bus::Subscription;
use tokio::net::TcpListener;

use self::project::Project;
use self::screen::Screen;
use self::session::Session;
use self::watch::Watcher;
use crate::args::DevArgs;
use crate::build::{self, Messages};
use crate::config::{LogFormat, ServerConfig, Storage};
use crate::exit::Failure;
use crate::lifecycle::Signals;
use crate::serve::Host;
use crate::telemetry;

/// The port that is tried first.
const PORT_DEFAULT: u16 = 7070;
/// How many ports are tried, one after the other.
const PORTS: u16 = 20;

/// Runs plugins from their sources until a signal comes.
///
/// # Errors
/// [`Failure::Usage`] if a folder is no plugin; [`Failure::Failed`] if nothing can be built here or the host fails.
pub(crate) async fn dev(args: DevArgs) -> Result<(), Failure> {
    telemetry::start("warn", LogFormat::Text).map_err(Failure::Usage)?;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let mut projects = project::open(&args.directories).map_err(Failure::Usage)?;
    let folders = projects.iter().map(|project| (project.directory.clone(), project.language));
    let mut watcher = Watcher::start(folders.collect())?;
    tokio::select! {
        () = signals.next() => return Ok(()),
        built = build_first(&mut projects) => built?,
    }
    let listener = listen(args.port).await?;
    let storage = args.data_dir.map_or(Storage::Memory, Storage::Directory);
    let host = Host::start(ServerConfig::local(storage), listener).await?;
    let url = host.url();
    let screen = Screen::new(&host.runner, project::widths(&projects));
    tokio::spawn(show_executions(subscribe(&host.runner)?, screen.clone()));
    let mut session = Session::new(host.runner.clone(), projects, screen);
    let developing = async {
        session.begin(&url).await;
        loop {
            session.follow(watcher.next().await).await;
        }
    };
    tokio::select! {
        ended = host.run(&mut signals) => ended?,
        () = developing => {}
    }
    if std::io::stdout().is_terminal() {
        // The terminal has shown a `^C` without a line end.
        crate::output::print("\n")?;
    }
    Ok(())
}

/// Builds everything once. A plugin that does not build has its errors shown and waits for a change.
async fn build_first(projects: &mut [Project]) -> anyhow::Result<()> {
    for project in projects {
        build::prepare(&project.directory).await?;
        project.build(Messages::Shown).await?;
    }
    Ok(())
}

/// Listens on this machine only: on `port`, or else on the first free one from the default on.
async fn listen(port: Option<u16>) -> anyhow::Result<TcpListener> {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ports = match port {
        Some(port) => port..=port,
        None => PORT_DEFAULT..=PORT_DEFAULT + PORTS - 1,
    };
    let last = *ports.end();
    for port in ports {
        match TcpListener::bind(address(port)).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && port != last => {}
            bound => {
                return bound.with_context(|| {
                    let address = address(port);
                    format!("cannot listen on {address}; name another port with --port, or none for the next free one")
                });
            }
        }
    }
    anyhow::bail!("no port to listen on")
}

fn subscribe(runner: &TaskRunner) -> anyhow::Result<Subscription> {
    let every_execution = "execution:*".parse()?;
    Ok(runner.subscribe(&TenantId::default_tenant(), &every_execution))
}

/// Shows executions as they end, and says how many came too fast to be shown.
async fn show_executions(mut executions: Subscription, screen: Screen) {
    let mut missed = 0;
    while let Some(message) = executions.next().await {
        screen.message(&message);
        let now = executions.missed();
        if now > missed {
            screen.note(&format!("{} executions ended too fast to be shown", now - missed));
            missed = now;
        }
    }
}
