//! Bringing what was built to the host, and following what changes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use console::style;
use innkeeper_model::id::{TaskId, TenantId};
use innkeeper_model::rollout::{Capability, Rollout};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_runner::{Deployment, RunnerError, TaskRunner};

use super::manifest::{Manifest, describe};
use super::project::{Project, widths};
use super::request::curl;
use super::screen::Screen;
use super::watch::Change;
use crate::build::Messages;
use crate::plugins::short_digest;

/// The plugins that are being developed, on a host that runs.
pub(super) struct Session {
    runner: TaskRunner,
    tenant: TenantId,
    projects: Vec<Project>,
    screen: Screen,
}

impl Session {
    /// A session with plugins of which nothing is on the host yet.
    pub(super) fn new(runner: TaskRunner, projects: Vec<Project>, screen: Screen) -> Self {
        Self { runner, tenant: TenantId::default_tenant(), projects, screen }
    }

    /// Brings every plugin to the host, then their tasks, and says how to go on.
    pub(super) async fn begin(&mut self, url: &str) {
        for index in 0..self.projects.len() {
            self.push(index, false).await;
        }
        for index in 0..self.projects.len() {
            self.set_up(index).await;
        }
        self.screen.text(&self.welcome(url));
    }

    /// Does what changes ask for.
    pub(super) async fn follow(&mut self, changes: BTreeSet<(usize, Change)>) {
        for index in 0..self.projects.len() {
            let (manifest, source) =
                (changes.contains(&(index, Change::Manifest)), changes.contains(&(index, Change::Source)));
            if manifest {
                self.read_manifest(index);
            }
            let is_rebuilt = source && self.rebuild(index).await;
            if (manifest || source) && !self.runner.is_stopping() {
                self.push(index, is_rebuilt).await;
                self.set_up(index).await;
            }
        }
    }

    fn read_manifest(&mut self, index: usize) {
        let project = &mut self.projects[index];
        match Manifest::read(&project.directory) {
            Ok(manifest) => {
                if manifest.name != project.manifest.name {
                    project.digest = None;
                    let (old, new) = (style(&project.manifest.name).bold(), style(&manifest.name).bold());
                    self.screen.note(&format!("{old} is now called {new}; what was pushed as {old} stays"));
                }
                project.manifest = manifest;
            }
            Err(error) => self.screen.note(&problem(&format!("{error:#}\nthe former one goes on"))),
        }
    }

    /// Builds a plugin again, and returns whether there is something new to bring to the host.
    async fn rebuild(&mut self, index: usize) -> bool {
        let project = &mut self.projects[index];
        let name = project.manifest.name.clone();
        self.screen.note(&format!("{} changed: building", style(&name).bold()));
        let built = project.build(Messages::Kept).await;
        // Whoever stops the host stops the compiler as well, which is not worth a word.
        if self.runner.is_stopping() {
            return false;
        }
        match built {
            Ok((built, said)) => {
                self.screen.text(&said);
                if !built {
                    self.screen.note(&problem(&format!("{name} does not build; {}", self.still(index))));
                }
                built
            }
            Err(error) => {
                self.screen.note(&problem(&format!("{error:#}; {}", self.still(index))));
                false
            }
        }
    }

    /// Makes what was built last the active version, if it is not.
    async fn push(&mut self, index: usize, is_rebuilt: bool) {
        let project = &self.projects[index];
        let Some(component) = project.component.clone() else { return };
        let (name, former) = (project.manifest.name.clone(), project.digest);
        // The manifest says what it is granted, and nobody else is to be asked.
        let rollout = Rollout { accepts_denial: true, ..Rollout::default() };
        let deployment = Deployment { rollout, ..Deployment::default() };
        match self.runner.deploy(&self.tenant, name.clone(), component.into(), deployment).await {
            Ok(done) => {
                let digest = done.version.digest;
                self.projects[index].digest = Some(digest);
                self.grant(index).await;
                if let Some(former) = former.filter(|former| *former != digest) {
                    let (new, old) = (digest.to_string(), former.to_string());
                    let versions = format!("{}, in place of {}", short_digest(&new), short_digest(&old));
                    self.screen.note(&format!("{} now runs version {versions}", style(name).bold()));
                    self.tell_needs(index, &done.deployed.changes.newly_needed);
                } else if former.is_some() && is_rebuilt {
                    let version = digest.to_string();
                    let version = short_digest(&version);
                    self.screen
                        .note(&format!("{} is as before: version {version} goes on", style(name).bold()));
                }
            }
            Err(error) => self.screen.note(&problem(&format!("{name}: {error}; {}", self.still(index)))),
        }
    }

    /// Tells what a version newly asks for that the manifest does not grant.
    fn tell_needs(&self, index: usize, newly_needed: &[Capability]) {
        let Manifest { name, grants, .. } = &self.projects[index].manifest;
        for kind in newly_needed.iter().filter(|kind| !kind.is_granted(grants)) {
            let form = kind.form();
            self.screen.note(&problem(&format!(
                "{name} asks for `{kind}` now, and [grants] in its innkeeper.toml has none: it is denied ({form})"
            )));
        }
    }

    /// Grants the plugin what its author declares, and nothing beside it.
    async fn grant(&self, index: usize) {
        let manifest = &self.projects[index].manifest;
        let granted =
            self.runner.set_plugin_grants(&self.tenant, &manifest.name, manifest.grants.clone()).await;
        if let Err(error) = granted {
            self.screen.note(&problem(&format!("the grants of {}: {error}", manifest.name)));
        }
    }

    /// Makes the tasks on the host those that are declared: others go, new ones come, the same ones stay untouched.
    async fn set_up(&mut self, index: usize) {
        let project = &self.projects[index];
        if project.digest.is_none() {
            return;
        }
        let declared = project.manifest.tasks.clone();
        let (mut kept, changed): (Vec<_>, Vec<_>) =
            project.tasks.iter().cloned().partition(|task| declared.contains(task));
        let first = project.tasks.is_empty();
        for task in changed {
            if declared.iter().any(|other| other.id == task.id) {
                // It goes on as it was if what takes its place is not valid.
                kept.push(task);
            } else {
                self.delete(&task.id).await;
                self.screen.note(&format!("{} is gone", style(&task.id).bold()));
            }
        }
        for task in declared.iter().filter(|task| !kept.contains(task)).cloned().collect::<Vec<_>>() {
            match self.replace(&task).await {
                Ok(()) => {
                    if !first {
                        self.screen.note(&format!(
                            "{} is set up: {}",
                            style(&task.id).bold(),
                            trigger(&task)
                        ));
                    }
                    kept.retain(|other| other.id != task.id);
                    kept.push(task);
                }
                Err(RunnerError::Invalid(problems)) => {
                    self.screen.note(&problem(&describe(&task.id, &problems)));
                }
                Err(error) => self.screen.note(&problem(&format!("the task {}: {error}", task.id))),
            }
        }
        self.projects[index].tasks = kept;
    }

    /// Creates a task, or defines it anew if it is there: from before, or from a former session in the data directory.
    async fn replace(&self, task: &TaskConfig) -> Result<(), RunnerError> {
        self.runner.replace_task(&self.tenant, task.clone()).await.map(|_| ())
    }

    async fn delete(&self, id: &str) {
        let Ok(id) = id.parse::<TaskId>() else { return };
        match self.runner.delete_task(&self.tenant, &id).await {
            Ok(()) | Err(RunnerError::NotFound { .. }) => {}
            Err(error) => self.screen.note(&problem(&format!("the task {id} cannot be deleted: {error}"))),
        }
    }

    /// What goes on although something went wrong.
    fn still(&self, index: usize) -> String {
        match self.projects[index].digest {
            Some(digest) => format!("version {} goes on", short_digest(&digest.to_string())),
            None => "waiting for a change".to_owned(),
        }
    }

    /// What is set up, and how to try it.
    fn welcome(&self, url: &str) -> String {
        let width = widths(&self.projects).task;
        let mut text = format!("\n{} at {}\n", style("innkeeper").bold(), style(url).underlined());
        for project in &self.projects {
            let digest = project.digest.map(|digest| digest.to_string());
            let version = digest.as_deref().map_or("is not built yet", short_digest);
            let _ = writeln!(
                text,
                "\n  plugin {}  {}",
                style(&project.manifest.name).bold(),
                style(version).dim()
            );
            for task in &project.manifest.tasks {
                let _ = writeln!(text, "    {:width$}  {}", task.id, style(trigger(task)).dim());
            }
        }
        let examples = self.projects.iter().filter_map(|project| project.manifest.example.as_ref());
        for (index, example) in examples.enumerate() {
            let lead = if index == 0 { "\nPublish an event from another terminal:\n\n" } else { "" };
            let _ = writeln!(text, "{lead}  {}", style(curl(url, example)).cyan());
        }
        text + "\nA change to a plugin's source builds it and swaps it in. Ctrl-C stops.\n\n"
    }
}

/// What makes a declared task run, in words.
fn trigger(task: &TaskConfig) -> String {
    let kinds = [
        ("cron", &task.cron),
        ("preset", &task.preset),
        ("at", &task.at),
        ("after", &task.after),
        ("on event", &task.on_event),
    ];
    let written = kinds.into_iter().find_map(|(kind, text)| Some(format!("{kind} {}", text.as_ref()?)));
    written.unwrap_or_default()
}

fn problem(text: &str) -> String {
    style(text).red().to_string()
}
