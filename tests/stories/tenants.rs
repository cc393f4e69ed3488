//! Tenants through the real binary: the operator's commands, and secrets that leave no trace.

use std::process::{Command, Output};

use innkeeper_tests::TestHost;
use innkeeper_tests::host::binary;
use serde_json::Value;

use crate::components::ECHO;

/// Runs a client verb against the host.
fn run(host: &TestHost, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("INNKEEPER_")) {
        command.env_remove(name);
    }
    command.env("INNKEEPER_URL", host.url()).envs(variables.iter().copied());
    command.args(arguments).output().expect("the binary runs")
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_operator_sets_up_tenants_and_no_secret_is_in_a_log_or_in_the_database() {
    let host = TestHost::start();
    let created = answer(&run(
        &host,
        &["--json", "tenant", "create", "acme", "--weight", "2", "--quota", "tasks=1"],
        &[],
    ));
    assert_eq!(created["effectiveQuotas"]["tasks"], 1);
    let acme = [("INNKEEPER_TENANT", "acme")];
    let token = &["--json", "token", "create", "--name", "ci", "--role", "admin"];
    let token = answer(&run(&host, token, &acme));
    let secret = token["secret"].as_str().expect("a secret").to_owned();
    let own = [("INNKEEPER_TOKEN", secret.as_str())];
    let pushed = run(&host, &["--json", "plugin", "push", "echo", ECHO], &own);
    assert_eq!(answer(&pushed)["name"], "echo");
    let create = |id| ["task", "create", "--id", id, "--plugin", "echo", "--on-event", "x"];
    assert!(run(&host, &create("first"), &own).status.success());
    let refused = refusal(&run(&host, &create("second"), &own));
    assert!(refused.contains("quota `tasks` of 1") && refused.contains("quota_exceeded"), "{refused}");
    let refused = refusal(&run(&host, &["tenant", "list"], &own));
    assert!(refused.contains("this needs the role `operator`"), "{refused}");
    let none = answer(&run(&host, &["--json", "task", "list"], &[]));
    assert_eq!(none, serde_json::json!([]), "the default tenant sees nothing of it");
    let id = token["id"].as_str().expect("an id");
    let renewed = answer(&run(&host, &["--json", "token", "rotate", id], &own));
    let second = renewed["secret"].as_str().expect("a secret").to_owned();
    assert!(refusal(&run(&host, &["task", "list"], &own)).contains("unauthorized"));
    assert!(run(&host, &["token", "revoke", id], &[("INNKEEPER_TOKEN", &second)]).status.success());
    let slip = refusal(&run(&host, &["tenant", "delete", "acme", "--confirm", "amce"], &[]));
    assert!(slip.contains("nothing is deleted"), "{slip}");
    assert!(run(&host, &["tenant", "delete", "acme", "--confirm", "acme"], &[]).status.success());
    check_gone(&host);

    let directory = host.stop();
    for entry in std::fs::read_dir(directory.path()).expect("a directory") {
        let path = entry.expect("an entry").path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for secret in [&secret, &second] {
            let random = &secret.as_bytes()[4..36];
            let found = bytes.windows(random.len()).any(|window| window == random);
            assert!(!found, "a secret is in {}", path.display());
        }
    }
}

/// Nothing of the tenant is left in any table.
fn check_gone(host: &TestHost) {
    let database = host.database();
    let sql = "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c ON c.name = 'tenant'
        WHERE m.type = 'table'";
    let mut statement = database.prepare(sql).expect("a valid query");
    let tables = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    for table in tables.map(|name| name.expect("a name")) {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant = 'acme'");
        let left: i64 = database.query_row(&sql, [], |row| row.get(0)).expect("a valid query");
        assert_eq!(left, 0, "{table}");
    }
}
