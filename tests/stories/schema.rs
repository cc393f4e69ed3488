//! The database is readable by anybody with `sqlite3`: the specification's tables, by its names.

use innkeeper_tests::TestHost;

fn columns(host: &TestHost, table: &str) -> Vec<String> {
    let database = host.database();
    let mut statement = database.prepare("SELECT name FROM pragma_table_info(?1)").expect("a valid query");
    let names = statement.query_map([table], |row| row.get(0)).expect("rows");
    names.collect::<Result<_, _>>().expect("names")
}

#[test]
fn the_two_tables_of_the_specification_have_its_columns_first() {
    let host = TestHost::start();
    let tasks = [
        "id",
        "name",
        "type",
        "preset",
        "cron",
        "at",
        "timezone",
        "nextRunAt",
        "lastRunAt",
        "attempts",
        "maxAttempts",
        "rateCount",
        "rateWindow",
        "status",
        "isPaused",
        "metadata",
        "createdAt",
        "onEvent",
    ];
    assert_eq!(columns(&host, "tasks")[..tasks.len()], tasks);
    let executions = ["id", "taskId", "status", "startedAt", "completedAt", "error", "attempt"];
    assert_eq!(columns(&host, "task_executions")[..executions.len()], executions);
}
