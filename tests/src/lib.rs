//! Black-box stories through the real binary.
