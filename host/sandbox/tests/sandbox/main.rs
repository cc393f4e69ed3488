//! The sandbox against guests that do one thing each.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by stopping there")]

mod admission;
mod cache;
mod capabilities;
mod compiler;
mod ending;
mod guests;
mod hostile;
mod hostile_guests;
mod limits;
mod support;
mod walls;
