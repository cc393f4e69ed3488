//! Which plugin version is to blame for a crash of the host: pure.
//!
//! At a crash many executions run, and at most one of them did it. A version that ran at a crash is a *suspect*. Suspects
//! start one at a time, so that at the next crash at most one of them runs: it is blamed alone, and whatever ran beside it
//! is not. A suspect that ends its executions in order is cleared; one that is blamed for the third time is quarantined.

/// Crashes of the host after which a version is quarantined.
pub const CRASHES_MAX: u32 = 3;

/// Executions that a suspect must end in order, one after the other and without a crash between, to be cleared.
pub const CLEARING_ENDS: u32 = 10;

/// Given how many crashes each of the versions that ran at a crash had been blamed for before, says which of them are
/// blamed for this one too: the suspects, if any of them is one; else all.
#[must_use]
pub fn blamed(crashes_before: &[u32]) -> Vec<bool> {
    let any_suspect = crashes_before.iter().any(|crashes| *crashes > 0);
    crashes_before.iter().map(|crashes| !any_suspect || *crashes > 0).collect()
}

/// Whether a version that has been blamed for so many crashes is quarantined.
#[must_use]
pub fn is_quarantined(crashes: u32) -> bool {
    crashes >= CRASHES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_suspects_are_blamed_once_there_are_any() {
        assert_eq!(blamed(&[0, 0, 0]), [true, true, true], "nobody knows yet");
        assert_eq!(blamed(&[0, 1, 0]), [false, true, false], "who runs beside a suspect is innocent");
        assert_eq!(blamed(&[]), [false; 0]);
    }

    #[test]
    fn the_third_crash_is_one_too_many() {
        assert_eq!([0, 1, 2, 3, 4].map(is_quarantined), [false, false, false, true, true]);
    }

    /// One version brings the host down whenever it runs; others run beside it.
    #[test]
    fn a_culprit_is_found_in_three_crashes_and_no_innocent_with_it() {
        let mut crashes = [0_u32; 5];
        for crash in 0..3 {
            // All run at the first crash; after it one suspect at a time does, here the culprit, beside a newcomer.
            let running: Vec<usize> = if crash == 0 { (0..4).collect() } else { vec![0, 4] };
            let before: Vec<_> = running.iter().map(|version| crashes[*version]).collect();
            for (version, is_blamed) in running.iter().zip(blamed(&before)) {
                crashes[*version] += u32::from(is_blamed);
            }
        }
        assert_eq!(crashes.map(is_quarantined), [true, false, false, false, false]);
        assert_eq!(crashes[4], 0);
    }
}
