//! Finding the tasks that listen to an event among ten thousand.

use innkeeper_model::topic::PatternIndex;

use crate::Size;
use crate::probe::now;
use crate::table::Table;

const SUBSCRIPTIONS: usize = 10_000;

pub(crate) fn measure(table: &mut Table, size: Size) {
    let mut index = PatternIndex::default();
    for number in 0..SUBSCRIPTIONS {
        let pattern = match number % 4 {
            0 => format!("tenant:{number}:created"),
            1 => format!("tenant:{number}:*"),
            2 => format!("*:{number}:deleted"),
            _ => format!("order:{number}:*:paid"),
        };
        index.insert(&pattern.parse().expect("a pattern"), number);
    }
    let begun = now();
    let found: usize = (0..size.count)
        .map(|number| index.matching(&format!("order:{}:eu:paid", number % SUBSCRIPTIONS)).len())
        .sum();
    let each = begun.elapsed() / u32::try_from(size.count).unwrap_or(1);
    assert_eq!(found, size.count / 4, "every fourth number has a subscription");
    table.row("find an event's tasks among 10,000 subscriptions", format!("{each:.1?}"), "under 50 µs");
}
