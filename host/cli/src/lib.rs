//! The innkeeper binary: serve, dev and the client verbs.
