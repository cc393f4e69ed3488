//! Stories of the runner alone, as an embedder has it: a clock that moves when told to, and a sandbox that does as it
//! is told. Here time and failure are exact.

mod alerts;
mod conflicts;
mod damage;
mod events;
mod library;
mod lifecycle;
mod limits;
mod meetings;
mod plugin_concurrency;
mod quotas;
mod retention;
mod schedules;
mod scripted;
mod specification;
mod stage;
mod versions;
