//! The one place that reads time zone tables: which offset from UTC holds when.
//!
//! A zone is seen as spans of constant offset. Everything about daylight saving time follows from that view: inside a
//! span the wall clock runs evenly, so each wall clock time there is one instant; a gap is what lies between the wall
//! clocks of two spans; a repeated time belongs to both.

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone, Weekday};
use chrono_tz::Tz;

/// Stands for "since ever" and "for ever", far outside every supported instant but safe to add offsets to.
const FOREVER: i64 = i64::MAX / 4;

const DAY: i64 = 86_400;

/// Before the first change of any zone, in 1845.
const TABLE_START: i64 = -3_944_700_000;

/// The bundled tables list the changes up to the end of 2099.
const TABLE_END_YEAR: i32 = 2100;
const TABLE_END: i64 = 4_102_444_800;

/// How far apart the tables are sampled. The shortest span in them is 6.9 days long (Cambridge Bay in 2000), so each
/// span has a sample of its own.
const SAMPLE_STEP: i64 = 6 * DAY;

/// A zone that still changes its clock this late follows yearly rules that the table merely stops listing.
const RECURRING_FROM_YEAR: i32 = 2095;

/// A stretch of time with one offset from UTC. All values are seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first instant.
    pub(crate) start: i64,
    /// The first instant after it.
    pub(crate) end: i64,
    /// Wall clock minus UTC.
    pub(crate) offset: i64,
    /// The offset before `start`.
    pub(crate) previous_offset: i64,
}

impl Span {
    /// The wall clock at the first instant.
    pub(crate) fn local_start(&self) -> i64 {
        self.start + self.offset
    }

    /// The wall clock that the span before this one would have shown at its end.
    pub(crate) fn local_end_of_previous(&self) -> i64 {
        self.start + self.previous_offset
    }
}

/// All spans of one zone.
#[derive(Debug)]
pub(crate) struct OffsetTable {
    first_offset: i64,
    /// Instant and new offset of each change, ascending.
    changes: Vec<(i64, i64)>,
    /// Whether years past the table repeat the rules of its last years.
    recurring: bool,
}

impl OffsetTable {
    /// The table of a zone from the rules compiled into this program.
    pub(crate) fn bundled(zone: Tz) -> Self {
        let offset_at = |instant: i64| bundled_offset(zone, instant);
        let mut changes = Vec::new();
        let first_offset = offset_at(TABLE_START);
        let mut known = (TABLE_START, first_offset);
        while known.0 < TABLE_END {
            let sample = known.0 + SAMPLE_STEP;
            let offset = offset_at(sample);
            if offset != known.1 {
                changes.push((first_instant_of(&offset_at, known.0, sample), offset));
            }
            known = (sample, offset);
        }
        Self::new(first_offset, changes)
    }

    /// The table of a zone from the rules that a file of the operating system holds.
    pub(crate) fn system(zone: &jiff::tz::TimeZone) -> Self {
        let start = jiff::Timestamp::from_second(TABLE_START).unwrap_or_default();
        let first_offset = i64::from(zone.to_offset(start).seconds());
        let mut known = first_offset;
        let mut changes = Vec::new();
        for change in zone.following(start) {
            let (instant, offset) = (change.timestamp().as_second(), i64::from(change.offset().seconds()));
            if instant >= TABLE_END {
                break;
            }
            // A change of the abbreviation alone moves no clock.
            if offset != known {
                changes.push((instant, offset));
                known = offset;
            }
        }
        Self::new(first_offset, changes)
    }

    fn new(first_offset: i64, changes: Vec<(i64, i64)>) -> Self {
        let last_change = changes.last().map_or(-FOREVER, |change| change.0);
        Self { first_offset, changes, recurring: last_change >= start_of_year(RECURRING_FROM_YEAR) }
    }

    /// The span that contains `instant`.
    pub(crate) fn span_at(&self, instant: i64) -> Span {
        if !self.recurring {
            return self.listed_span_at(instant);
        }
        if instant >= TABLE_END {
            return self.recurring_span_at(instant);
        }
        let span = self.listed_span_at(instant);
        Span { end: span.end.min(TABLE_END), ..span }
    }

    /// The span that follows; `None` if `span` lasts for ever.
    pub(crate) fn span_after(&self, span: &Span) -> Option<Span> {
        (span.end < FOREVER).then(|| self.span_at(span.end))
    }

    /// The span before; `None` if `span` has no beginning.
    pub(crate) fn span_before(&self, span: &Span) -> Option<Span> {
        (span.start > -FOREVER).then(|| self.span_at(span.start - 1))
    }

    fn listed_span_at(&self, instant: i64) -> Span {
        let after = self.changes.partition_point(|change| change.0 <= instant);
        let offset_of = |count: usize| match count.checked_sub(1) {
            Some(index) => self.changes[index].1,
            None => self.first_offset,
        };
        Span {
            start: after.checked_sub(1).map_or(-FOREVER, |index| self.changes[index].0),
            end: self.changes.get(after).map_or(FOREVER, |change| change.0),
            offset: offset_of(after),
            previous_offset: offset_of(after.saturating_sub(1)),
        }
    }

    /// Past the table, a year is like the listed one with the same calendar: the rules speak of months and weekdays.
    /// Spans are cut at the turn of the year, because the year before follows another model.
    fn recurring_span_at(&self, instant: i64) -> Span {
        let year = year_of(instant);
        let (year_start, year_end) = (start_of_year(year), start_of_year(year + 1));
        let shift = year_start - start_of_year(model_year(year));
        let span = self.listed_span_at(instant - shift);
        let (start, end) = (span.start + shift, span.end + shift);
        let previous_offset =
            if start > year_start { span.previous_offset } else { self.span_at(year_start - 1).offset };
        Span { start: start.max(year_start), end: end.min(year_end), offset: span.offset, previous_offset }
    }
}

fn bundled_offset(zone: Tz, instant: i64) -> i64 {
    let utc = DateTime::from_timestamp(instant, 0).unwrap_or_default().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

/// The first instant after `before` with the offset that holds at `after`.
fn first_instant_of(offset_at: &impl Fn(i64) -> i64, mut before: i64, mut after: i64) -> i64 {
    let wanted = offset_at(after);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset_at(middle) == wanted {
            after = middle;
        } else {
            before = middle;
        }
    }
    after
}

/// The latest of the last 28 listed years that has the same length and starts on the same weekday.
fn model_year(year: i32) -> i32 {
    let shape = |year: i32| -> (Weekday, bool) {
        let date = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
        (date.weekday(), date.leap_year())
    };
    let wanted = shape(year);
    let latest = (TABLE_END_YEAR - 28..TABLE_END_YEAR).rev().find(|model| shape(*model) == wanted);
    latest.unwrap_or(TABLE_END_YEAR - 1)
}

fn year_of(instant: i64) -> i32 {
    DateTime::from_timestamp(instant, 0).unwrap_or_default().year()
}

fn start_of_year(year: i32) -> i64 {
    NaiveDate::from_ymd_opt(year, 1, 1).map_or(FOREVER, |date| i64::from(date.to_epoch_days()) * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_agree_with_the_tables_hour_by_hour() {
        let zones =
            [Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Africa__Casablanca, Tz::Pacific__Apia];
        for zone in zones {
            let table = OffsetTable::bundled(zone);
            for hour in 0..(14 * 366 * 24) {
                let instant = start_of_year(2011) + hour * 3600;
                assert_eq!(table.span_at(instant).offset, bundled_offset(zone, instant), "{zone} {instant}");
            }
        }
    }

    #[test]
    fn every_zone_agrees_over_the_whole_table() {
        for zone in chrono_tz::TZ_VARIANTS {
            let table = OffsetTable::bundled(zone);
            for step in 0..3_000 {
                let instant = TABLE_START + step * (31 * DAY + 12_345);
                if instant < TABLE_END {
                    assert_eq!(
                        table.span_at(instant).offset,
                        bundled_offset(zone, instant),
                        "{zone} {instant}"
                    );
                }
            }
            let shortest = table.changes.windows(2).map(|pair| pair[1].0 - pair[0].0).min();
            assert!(shortest.is_none_or(|shortest| shortest > SAMPLE_STEP), "{zone} {shortest:?}");
        }
    }

    #[test]
    fn spans_follow_each_other_without_a_hole() {
        let table = OffsetTable::bundled(Tz::Europe__London);
        let mut span = table.span_at(-FOREVER);
        let mut count = 0;
        while span.end < start_of_year(2200) {
            let next = table.span_at(span.end);
            assert_eq!((next.start, next.previous_offset), (span.end, span.offset));
            span = next;
            count += 1;
        }
        assert!(count > 400, "{count}");
    }

    #[test]
    fn summer_time_goes_on_past_the_table() {
        let table = OffsetTable::bundled(Tz::America__New_York);
        // 2124 is a leap year that starts on a Saturday: the clock changes on March 12 and November 5.
        let march =
            NaiveDate::from_ymd_opt(2124, 3, 12).expect("a date").and_hms_opt(7, 0, 0).expect("a time");
        let change = march.and_utc().timestamp();
        assert_eq!(table.span_at(change - 1).offset, -5 * 3600);
        assert_eq!(table.span_at(change).offset, -4 * 3600);
        assert_eq!(table.span_at(change).start, change);
    }
}
