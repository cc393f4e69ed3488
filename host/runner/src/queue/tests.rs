//! Which run goes when.

use super::*;

fn run_of(tenant: &str, task: &str, number: u8, ready_at: i64) -> QueuedRun {
    QueuedRun {
        tenant: tenant.parse().expect("a tenant"),
        task_id: task.parse().expect("a task"),
        run_id: RunId::new(Timestamp::from_millis(i64::from(number)), [number; 10]),
        ready_at: Timestamp::from_millis(ready_at),
        has_started: false,
    }
}

fn run(tenant: &str, number: u8, ready_at: i64) -> QueuedRun {
    run_of(tenant, "task", number, ready_at)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn taken(queue: &mut DispatchQueue, now: i64) -> Vec<RunId> {
    queue.take(at(now), 99).into_iter().map(|run| run.run_id).collect()
}

#[test]
fn tenants_take_turns() {
    let mut queue = DispatchQueue::default();
    for number in 0..4 {
        queue.push(run("flood", number, 0), at(0));
    }
    queue.push(run("quiet", 9, 0), at(0));
    let order: Vec<_> = queue.take(at(0), 9).into_iter().map(|run| run.tenant.to_string()).collect();
    assert_eq!(order, ["flood", "quiet", "flood", "flood", "flood"]);
}

#[test]
fn a_run_waits_for_its_time_and_is_taken_once() {
    let mut queue = DispatchQueue::default();
    queue.push(run("a", 1, 50), at(0));
    queue.push(run("a", 1, 50), at(0));
    assert_eq!(queue.next_ready_at(), Some(at(50)));
    assert!(queue.take(at(49), 9).is_empty());
    assert_eq!(queue.take(at(50), 9).len(), 1);
    assert!(queue.take(at(60), 9).is_empty());
    assert_eq!(queue.next_ready_at(), None);
}

#[test]
fn no_more_are_taken_than_asked_for() {
    let mut queue = DispatchQueue::default();
    for number in 0..5 {
        queue.push(run("a", number, 0), at(0));
    }
    assert_eq!(queue.take(at(0), 2).len(), 2);
    assert_eq!(queue.take(at(0), 9).len(), 3);
}

#[test]
fn a_held_task_starts_again_in_order_when_its_window_opens() {
    let mut queue = DispatchQueue::default();
    let runs: Vec<_> = (0..4).map(|number| run("a", number, 0)).collect();
    runs.iter().cloned().for_each(|run| queue.push(run, at(0)));
    assert_eq!(queue.take(at(0), 2).len(), 2);
    queue.refused(runs[1].clone(), Some(at(100)));
    queue.refused(runs[0].clone(), Some(at(100)));
    assert_eq!(taken(&mut queue, 50), [], "the others gather behind the gate without being claimed");
    assert_eq!(queue.next_ready_at(), Some(at(100)));
    assert_eq!(taken(&mut queue, 100), [runs[0].run_id], "the oldest goes first, alone");
    queue.passed(&runs[0], 2);
    assert_eq!(taken(&mut queue, 100), [runs[1].run_id, runs[2].run_id], "as many as the window has left");
    queue.passed(&runs[1], 0);
    assert_eq!(taken(&mut queue, 100), [runs[3].run_id], "one asks until when the others are held");
    queue.refused(runs[2].clone(), Some(at(200)));
    queue.refused(runs[3].clone(), Some(at(200)));
    queue.push(run("a", 9, 0), at(200));
    assert_eq!(taken(&mut queue, 200), [runs[2].run_id], "those who waited go before those who come");
    queue.passed(&runs[2], 9);
    assert_eq!(taken(&mut queue, 200).len(), 2);
    assert!(queue.gates.is_empty() || queue.gates.values().all(|gate| gate.waiting.is_empty()));
}

#[test]
fn a_blocked_run_starts_when_one_of_its_task_ends_even_if_that_was_during_the_claim() {
    let mut queue = DispatchQueue::default();
    let blocked = run("a", 1, 0);
    queue.push(blocked.clone(), at(0));
    assert_eq!(taken(&mut queue, 0), [blocked.run_id]);
    queue.refused(blocked.clone(), None);
    assert_eq!(taken(&mut queue, 9), []);
    queue.reopen(&blocked.tenant, &blocked.task_id);
    assert_eq!(taken(&mut queue, 9), [blocked.run_id]);
    queue.reopen(&blocked.tenant, &blocked.task_id);
    queue.refused(blocked.clone(), None);
    assert_eq!(taken(&mut queue, 9), [blocked.run_id], "the answer was out of date");
    queue.passed(&blocked, 1);
    assert!(queue.gates.is_empty());
}

#[test]
fn a_retry_goes_ahead_of_what_waits_for_its_run_to_end() {
    let mut queue = DispatchQueue::default();
    let blocked = run("a", 1, 0);
    queue.refused(blocked.clone(), None);
    let retry = QueuedRun { has_started: true, ..run("a", 2, 50) };
    queue.push(retry.clone(), at(0));
    assert_eq!(taken(&mut queue, 49), []);
    assert_eq!(taken(&mut queue, 50), [retry.run_id]);
    queue.reopen(&blocked.tenant, &blocked.task_id);
    assert_eq!(taken(&mut queue, 50), [blocked.run_id]);
}

#[test]
fn a_retry_that_a_rate_limit_holds_goes_before_what_waits_for_it() {
    let mut queue = DispatchQueue::default();
    let waits = run("a", 1, 0);
    let retry = QueuedRun { has_started: true, ..run("a", 2, 0) };
    queue.refused(waits.clone(), None);
    queue.reopen(&waits.tenant, &waits.task_id);
    assert_eq!(taken(&mut queue, 0), [waits.run_id]);
    queue.refused(retry.clone(), Some(at(100)));
    queue.refused(waits.clone(), None);
    assert_eq!(taken(&mut queue, 99), []);
    assert_eq!(taken(&mut queue, 100), [retry.run_id], "the window opens the gate, for the retry first");
    queue.passed(&retry, 1);
    assert_eq!(taken(&mut queue, 100), [waits.run_id]);
}

#[test]
fn a_gate_holds_its_own_task_only() {
    let mut queue = DispatchQueue::default();
    let held = run_of("a", "held", 1, 0);
    queue.push(held.clone(), at(0));
    assert_eq!(queue.take(at(0), 1).len(), 1);
    queue.refused(held.clone(), Some(at(1000)));
    queue.push(run_of("a", "free", 2, 0), at(0));
    queue.push(run_of("a", "held", 3, 0), at(0));
    assert_eq!(taken(&mut queue, 0).len(), 1);
    queue.forget(&held.tenant, &held.task_id);
    queue.push(held, at(0));
    assert_eq!(taken(&mut queue, 0).len(), 1, "a task that was forgotten begins anew");
}
