//! temp
use innkeeper_schedule::cron::Schedule;
fn main() {
    for (c, z) in [("0 0 29 2 1", "UTC"), ("0 0 29 2 1", "America/New_York"), ("59 59 23 31 12 5#5", "America/New_York"), ("30 2 29 2 7", "Europe/London"), ("* * * * * *", "Asia/Tehran"), ("0 0 29 2 MON#5", "America/New_York"), ("0 0 0 29 2 +MON", "Asia/Gaza"), ("15 30 2 LW * *", "Asia/Gaza")] {
        let zone = z.parse().unwrap();
        let t = std::time::Instant::now();
        match Schedule::parse(c, &zone) { Ok(s) => { let p = t.elapsed(); let t = std::time::Instant::now(); let now = "2025-06-01T12:00:00Z".parse().unwrap(); let n = s.next_n(now, 1000).len(); let a = t.elapsed(); let m = s.previous_n(now, 1000).len(); println!("{c} {z}: parse {p:?} next {n} {a:?} prev {m} {:?}", t.elapsed()); } Err(e) => println!("{c}: {e}") }
    }
}
