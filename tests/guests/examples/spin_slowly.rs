//! Takes square roots of square roots without end: each waits for the one before it, so little fuel takes much time.

use std::hint::black_box;

use innkeeper_sdk::handler;

#[handler]
fn spin_slowly() {
    let mut root = black_box(2.0_f64);
    while root > 0.0 {
        root = (root + 1.0).sqrt().sqrt().sqrt().sqrt().sqrt().sqrt().sqrt().sqrt();
    }
    black_box(root);
}
