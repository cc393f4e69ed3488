//! Random patterns against a walk through every minute or second that applies the documented rules literally, with the
//! zone rules of `chrono-tz` instead of the crate's own table.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;
use innkeeper_model::time::Timestamp;
use innkeeper_schedule::at::resolve_at;
use innkeeper_schedule::cron::{CronError, Schedule};
use innkeeper_schedule::duration::parse_duration;
use innkeeper_schedule::zone::Zone;
use proptest::prelude::*;
use proptest::sample::select;

/// Clock changes of every kind: by an hour, half an hour, two hours and a day; at, before and after midnight.
const CHANGES: [(Tz, &str); 22] = [
    (Tz::America__New_York, "2024-03-10T07:00:00Z"),
    (Tz::America__New_York, "2024-11-03T06:00:00Z"),
    (Tz::Europe__London, "2025-03-30T01:00:00Z"),
    (Tz::Europe__London, "2024-10-27T01:00:00Z"),
    (Tz::Australia__Lord_Howe, "2024-10-05T15:30:00Z"),
    (Tz::Australia__Lord_Howe, "2025-04-05T15:00:00Z"),
    (Tz::Pacific__Chatham, "2024-09-28T14:00:00Z"),
    (Tz::Pacific__Chatham, "2025-04-05T14:00:00Z"),
    (Tz::America__St_Johns, "2024-03-10T05:30:00Z"),
    (Tz::America__St_Johns, "2024-11-03T04:30:00Z"),
    (Tz::Africa__Cairo, "2024-04-25T22:00:00Z"),
    (Tz::Africa__Cairo, "2024-10-31T21:00:00Z"),
    (Tz::America__Nuuk, "2025-03-30T01:00:00Z"),
    (Tz::America__Nuuk, "2024-10-27T01:00:00Z"),
    (Tz::Antarctica__Troll, "2024-03-31T01:00:00Z"),
    (Tz::Antarctica__Troll, "2024-10-27T01:00:00Z"),
    (Tz::America__Santiago, "2024-09-08T04:00:00Z"),
    (Tz::America__Santiago, "2024-04-07T03:00:00Z"),
    (Tz::Africa__Casablanca, "2025-02-23T02:00:00Z"),
    (Tz::Africa__Casablanca, "2025-04-06T02:00:00Z"),
    (Tz::Pacific__Apia, "2011-12-30T10:00:00Z"),
    (Tz::UTC, "2024-02-29T00:00:00Z"),
];

/// A field as its text and the values it means; the text is made from the values, not parsed.
#[derive(Debug, Clone)]
struct FieldSpec {
    text: String,
    values: Vec<u32>,
}

/// Which days a pattern means, and how it says so.
#[derive(Debug, Clone)]
enum Days {
    Every,
    OfMonth(Vec<u32>),
    OfWeek(Vec<u32>),
    Either(Vec<u32>, Vec<u32>),
    Both(Vec<u32>, Vec<u32>),
    LastOfMonth,
    LastWorkday,
    NearestWorkday(u32),
    Nth(u32, u32),
    LastOfWeekday(u32),
}

#[derive(Debug, Clone)]
struct PatternSpec {
    second: Option<FieldSpec>,
    minute: FieldSpec,
    hour: FieldSpec,
    days: Days,
}

impl PatternSpec {
    fn text(&self) -> String {
        let second = self.second.as_ref().map_or(String::new(), |second| format!("{} ", second.text));
        let list = |values: &[u32]| values.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let (of_month, of_week) = match &self.days {
            Days::Every => ("*".to_owned(), "?".to_owned()),
            Days::OfMonth(days) => (list(days), "*".to_owned()),
            Days::OfWeek(days) => ("*".to_owned(), list(days)),
            Days::Either(of_month, of_week) => (list(of_month), list(of_week)),
            Days::Both(of_month, of_week) => (list(of_month), format!("+{}", list(of_week))),
            Days::LastOfMonth => ("L".to_owned(), "*".to_owned()),
            Days::LastWorkday => ("LW".to_owned(), "*".to_owned()),
            Days::NearestWorkday(day) => (format!("{day}W"), "*".to_owned()),
            Days::Nth(weekday, nth) => ("*".to_owned(), format!("{weekday}#{nth}")),
            Days::LastOfWeekday(weekday) => ("*".to_owned(), format!("{weekday}L")),
        };
        format!("{second}{} {} {of_month} * {of_week}", self.minute.text, self.hour.text)
    }

    fn is_fixed(&self) -> bool {
        let fields = [self.second.as_ref(), Some(&self.minute), Some(&self.hour)];
        fields.into_iter().flatten().all(|field| field.values.len() == 1 && !field.text.contains(['*', '/']))
    }

    fn shows(&self, local: NaiveDateTime) -> bool {
        let second = match &self.second {
            Some(second) => second.values.contains(&local.second()),
            None => local.second() == 0,
        };
        second
            && self.minute.values.contains(&local.minute())
            && self.hour.values.contains(&local.hour())
            && self.has_day(local)
    }

    fn has_day(&self, local: NaiveDateTime) -> bool {
        let (day, weekday) = (local.day(), local.weekday().num_days_from_sunday());
        let in_days = |days: i64| local + TimeDelta::days(days);
        let ends_month = |local: NaiveDateTime| (local + TimeDelta::days(1)).month() != local.month();
        let is_workday = (1..=5).contains(&weekday);
        match &self.days {
            Days::Every => true,
            Days::OfMonth(days) => days.contains(&day),
            Days::OfWeek(days) => days.contains(&weekday),
            Days::Either(of_month, of_week) => of_month.contains(&day) || of_week.contains(&weekday),
            Days::Both(of_month, of_week) => of_month.contains(&day) && of_week.contains(&weekday),
            Days::LastOfMonth => ends_month(local),
            Days::LastWorkday => {
                let weekend_follows = weekday == 5 && (ends_month(in_days(1)) || ends_month(in_days(2)));
                is_workday && (ends_month(local) || weekend_follows)
            }
            Days::NearestWorkday(wanted) => is_workday && nearest_workday(local, *wanted) == Some(day),
            Days::Nth(wanted, nth) => weekday == *wanted && day.div_ceil(7) == *nth,
            Days::LastOfWeekday(wanted) => weekday == *wanted && in_days(7).month() != local.month(),
        }
    }
}

/// The workday of the month of `local` nearest to its day `wanted`, if it has that day.
fn nearest_workday(local: NaiveDateTime, wanted: u32) -> Option<u32> {
    let date = local.date().with_day(wanted)?;
    let same_month =
        |days: i64| Some(date + TimeDelta::days(days)).filter(|near| near.month() == date.month());
    match date.weekday().num_days_from_sunday() {
        6 => same_month(-1).or(same_month(2)),
        0 => same_month(1).or(same_month(-2)),
        _ => Some(date),
    }
    .map(|near| near.day())
}

/// Whether the pattern fires at `instant`; `step` is the resolution of the walk in seconds.
fn fires(spec: &PatternSpec, zone: Tz, instant: i64, step: i64) -> bool {
    let local_at = |instant| zone.from_utc_datetime(&utc(instant)).naive_local();
    let local = local_at(instant);
    if !spec.is_fixed() {
        return spec.shows(local);
    }
    let is_earlier_pass =
        zone.from_local_datetime(&local).earliest().is_some_and(|earlier| earlier.timestamp() == instant);
    let mut lost = local_at(instant - step) + TimeDelta::seconds(step);
    let mut fires_after_gap = false;
    while lost < local {
        fires_after_gap |= lost.date() == local.date() && spec.shows(lost);
        lost += TimeDelta::seconds(step);
    }
    (spec.shows(local) && is_earlier_pass) || fires_after_gap
}

fn utc(instant: i64) -> NaiveDateTime {
    DateTime::from_timestamp(instant, 0).expect("an instant of this century").naive_utc()
}

fn field(lowest: u32, highest: u32) -> impl Strategy<Value = FieldSpec> {
    let one = (lowest..=highest).prop_map(|value| FieldSpec { text: value.to_string(), values: vec![value] });
    let every = Just(FieldSpec { text: "*".to_owned(), values: (lowest..=highest).collect() });
    let list = prop::collection::vec(lowest..=highest, 1..4).prop_map(|values| FieldSpec {
        text: values.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        values: values.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect(),
    });
    let range = (lowest..=highest, 0..=highest).prop_map(move |(first, length)| {
        let end = (first + length).min(highest);
        FieldSpec { text: format!("{first}-{end}"), values: (first..=end).collect() }
    });
    let step = (1..=highest).prop_map(move |step| FieldSpec {
        text: format!("*/{step}"),
        values: (lowest..=highest).step_by(step as usize).collect(),
    });
    prop_oneof![3 => one, 1 => every, 1 => list, 1 => range, 1 => step]
}

/// Hours around the clock changes, mostly.
fn hour() -> impl Strategy<Value = FieldSpec> {
    let near = prop_oneof![0..=4_u32, Just(23)];
    let one = near.prop_map(|hour| FieldSpec { text: format!("{hour}-{hour}"), values: vec![hour] });
    prop_oneof![2 => one, 3 => field(0, 23)]
}

fn days() -> impl Strategy<Value = Days> {
    let of_month = || prop::collection::vec(1..=31_u32, 1..4);
    let of_week = || prop::collection::vec(0..=6_u32, 1..3);
    prop_oneof![
        6 => Just(Days::Every),
        1 => of_month().prop_map(Days::OfMonth),
        1 => of_week().prop_map(Days::OfWeek),
        1 => (of_month(), of_week()).prop_map(|(of_month, of_week)| Days::Either(of_month, of_week)),
        1 => (of_month(), of_week()).prop_map(|(of_month, of_week)| Days::Both(of_month, of_week)),
        1 => Just(Days::LastOfMonth),
        1 => Just(Days::LastWorkday),
        1 => (1..=31_u32).prop_map(Days::NearestWorkday),
        1 => (0..=6_u32, 1..=5_u32).prop_map(|(weekday, nth)| Days::Nth(weekday, nth)),
        1 => (0..=6_u32).prop_map(Days::LastOfWeekday),
    ]
}

fn pattern(with_seconds: bool) -> impl Strategy<Value = PatternSpec> {
    let second = if with_seconds { field(0, 59).prop_map(Some).boxed() } else { Just(None).boxed() };
    (second, field(0, 59), hour(), days()).prop_map(|(second, minute, hour, days)| PatternSpec {
        second,
        minute,
        hour,
        days,
    })
}

/// Checks next, previous and count in the window that starts at a multiple of `step` near a clock change.
fn check(spec: &PatternSpec, (zone, change): (Tz, &str), start: i64, steps: i64, step: i64) {
    let change = change.parse::<Timestamp>().expect(change).as_millis() / 1000;
    let start = change + start * step;
    let walked: Vec<Timestamp> = (1..=steps)
        .map(|count| start + count * step)
        .filter(|instant| fires(spec, zone, *instant, step))
        .map(|instant| Timestamp::from_millis(instant * 1000))
        .collect();
    let (first, last) =
        (Timestamp::from_millis(start * 1000), Timestamp::from_millis((start + steps * step) * 1000));
    let named: Zone = zone.name().parse().expect("a zone of the table");
    let schedule = match Schedule::parse(&spec.text(), &named) {
        Ok(schedule) => schedule,
        // Such as the 31st when it must also be the second Monday.
        Err(CronError::NeverFires { .. }) if walked.is_empty() => return,
        Err(error) => panic!("{error}"),
    };
    let context = || format!("`{}` in {zone} after {first}", spec.text());
    let mut found = schedule.next_n(first, walked.len() + 1);
    found.retain(|due| *due <= last);
    assert_eq!(found, walked, "next: {}", context());
    let mut found = schedule.previous_n(Timestamp::from_millis(last.as_millis() + 1), walked.len() + 1);
    found.retain(|due| *due > first);
    found.reverse();
    assert_eq!(found, walked, "previous: {}", context());
    let counted = schedule.count_between(Timestamp::from_millis(first.as_millis() + 1), last);
    assert_eq!(counted, walked.len() as u64, "count: {}", context());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn minutes_agree_with_a_walk(
        spec in pattern(false),
        change in select(&CHANGES[..]),
        start in -2200..0_i64,
    ) {
        check(&spec, change, start, 2500, 60);
    }

    #[test]
    fn seconds_agree_with_a_walk(
        spec in pattern(true),
        change in select(&CHANGES[..]),
        start in -4000..0_i64,
    ) {
        check(&spec, change, start, 4200, 1);
    }

    #[test]
    fn a_one_off_time_is_the_earliest_instant_or_after_the_gap(
        change in select(&CHANGES[..]),
        seconds in -100_000..100_000_i64,
    ) {
        let (zone, change) = change;
        let change = change.parse::<Timestamp>().expect(change).as_millis() / 1000;
        let offset_before = zone.from_utc_datetime(&utc(change - 1)).naive_local() - utc(change - 1);
        let local = utc(change + seconds) + offset_before;
        let expected = match zone.from_local_datetime(&local).earliest() {
            Some(earliest) => earliest.timestamp(),
            // As if the clock had not been put forward.
            None => change + seconds,
        };
        let named: Zone = zone.name().parse().expect("a zone of the table");
        let resolved = resolve_at(&local.format("%Y-%m-%dT%H:%M:%S").to_string(), &named);
        prop_assert_eq!(resolved, Ok(Timestamp::from_millis(expected * 1000)));
    }

    #[test]
    fn any_text_is_answered(
        text in "[-0-9*/,#LW?+@.:TZ MONFRIJAlwhdms\u{e9}]{0,24}",
        free in any::<String>(),
    ) {
        for text in [text, free] {
            // Each either reads it or says why not; none may panic.
            if let Err(error) = Schedule::parse(&text, &Zone::utc()) {
                prop_assert!(!error.to_string().is_empty());
            }
            if let Err(error) = resolve_at(&text, &Zone::utc()) {
                prop_assert!(error.to_string().contains(text.as_str()));
            }
            if let Err(error) = text.parse::<Zone>() {
                prop_assert!(error.to_string().contains(text.as_str()));
            }
            if let Err(error) = parse_duration(&text) {
                prop_assert!(error.to_string().contains("duration"));
            }
        }
    }
}
