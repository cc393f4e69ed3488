//! When a pattern fires in a time zone: the ideal wall clock of [`Calendar`] laid over the spans of a zone.
//!
//! Inside a span of constant offset a wall clock time is one instant, so an *interval* pattern needs no rule of its own:
//! the times in a gap belong to no span, those of an overlap to two, and it fires in each. A *fixed* time (second,
//! minute and hour each one value, written without `*` and `/`) fires once for each date: of a repeated time only the
//! earlier instant counts, and a time lost in a gap fires at the first instant after the gap, if that still has the date.
//!
//! A sparse pattern would cross hundreds of spans before its next match, so the walk jumps to a day before it.

use crate::calendar::{Calendar, DAY};
use crate::offsets::{OffsetTable, Span};

/// The occurrences of a pattern in a zone, in seconds since the epoch.
pub(crate) struct Occurrences<'a> {
    pub(crate) calendar: &'a Calendar,
    pub(crate) offsets: &'a OffsetTable,
    /// Whether the pattern is a fixed time.
    pub(crate) fixed: bool,
}

/// The wall clock searched so far: no match lies between the two times, and the second one, if any, is a match.
#[derive(Clone, Copy)]
struct Searched {
    origin: i64,
    found: Option<i64>,
}

impl Occurrences<'_> {
    /// The first occurrence at or after `instant`.
    pub(crate) fn first_from(&self, instant: i64) -> Option<i64> {
        let mut instant = instant;
        let mut span = self.offsets.span_at(instant);
        let mut searched = self.search_from(self.opening_of(&span, instant));
        loop {
            if instant == span.start && self.fires_after_gap(&span) {
                return Some(instant);
            }
            let opening = self.opening_of(&span, instant);
            if opening < searched.origin || searched.found.is_some_and(|found| found < opening) {
                searched = self.search_from(opening);
            }
            if let Some(due) = searched.found.filter(|found| found - span.offset < span.end) {
                return Some(due - span.offset);
            }
            let next = self.offsets.span_after(&span)?;
            let clock_goes_back = self.opening_of(&next, next.start) < opening;
            // No zone is a whole day off UTC, so the match is after this instant in whatever span it lies.
            let day_before = searched.found.map(|found| found - DAY);
            (instant, span) = match day_before {
                Some(jump) if jump > next.start && !clock_goes_back => (jump, self.offsets.span_at(jump)),
                None if !clock_goes_back => return None,
                _ => (next.start, next),
            };
        }
    }

    /// The last occurrence at or before `instant`.
    pub(crate) fn last_until(&self, instant: i64) -> Option<i64> {
        let mut instant = instant;
        let mut span = self.offsets.span_at(instant);
        let mut searched = self.search_until(instant + span.offset);
        loop {
            let closing = instant + span.offset;
            if closing > searched.origin || searched.found.is_some_and(|found| found > closing) {
                searched = self.search_until(closing);
            }
            if let Some(due) = searched.found.filter(|found| *found >= self.opening_of(&span, span.start)) {
                return Some(due - span.offset);
            }
            if self.fires_after_gap(&span) {
                return Some(span.start);
            }
            let previous = self.offsets.span_before(&span)?;
            let clock_goes_on = span.start - 1 + previous.offset > closing;
            let day_after = searched.found.map(|found| found + DAY);
            (instant, span) = match day_after {
                Some(jump) if jump < span.start && !clock_goes_on => (jump, self.offsets.span_at(jump)),
                None if !clock_goes_on => return None,
                _ => (span.start - 1, previous),
            };
        }
    }

    /// How many occurrences there are from `first` to `last`, both included.
    pub(crate) fn count(&self, first: i64, last: i64) -> u64 {
        let mut instant = first;
        let mut count = 0;
        while instant <= last {
            let span = self.offsets.span_at(instant);
            if instant == span.start && self.fires_after_gap(&span) {
                count += 1;
            }
            let end = span.end.min(last + 1);
            count += self.calendar.count(self.opening_of(&span, instant), end + span.offset);
            instant = end;
        }
        count
    }

    /// The first wall clock time to consider from `instant`, which is in `span`: a fixed time that the span before
    /// already showed is not due again.
    fn opening_of(&self, span: &Span, instant: i64) -> i64 {
        let local = instant + span.offset;
        if self.fixed { local.max(span.local_end_of_previous()) } else { local }
    }

    /// Whether a fixed time lies in the gap just before `span`, on the date with which the span begins.
    fn fires_after_gap(&self, span: &Span) -> bool {
        let (lost_from, lost_until) = (span.local_end_of_previous(), span.local_start());
        if !self.fixed || lost_from >= lost_until {
            return false;
        }
        let same_date_from = lost_from.max(lost_until.div_euclid(DAY) * DAY);
        self.calendar.first_from(same_date_from).is_some_and(|found| found < lost_until)
    }

    fn search_from(&self, origin: i64) -> Searched {
        Searched { origin, found: self.calendar.first_from(origin) }
    }

    fn search_until(&self, origin: i64) -> Searched {
        Searched { origin, found: self.calendar.last_until(origin) }
    }
}
