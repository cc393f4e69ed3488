//! The HTTP admin API.
