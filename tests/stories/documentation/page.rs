//! A page taken apart: what somebody who follows it does, in order.

/// Something to do, or to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A file to write.
    File { name: String, text: String },
    /// A command to type, and what it prints; nothing if the page does not show that.
    Command { text: String, shown: Vec<String> },
    /// What the server that runs prints meanwhile.
    Server { shown: Vec<String> },
}

/// A step, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) line: usize,
    /// The heading of the second level above it.
    pub(super) section: String,
    pub(super) step: Step,
}

/// The steps of a page.
pub(super) fn steps(page: &str) -> Vec<Placed> {
    let mut steps = Vec::new();
    let mut section = String::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        }
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```")).collect();
        let placed = |step| Placed { line: number + 1, section: section.clone(), step };
        steps.extend(read_block(info, &body).into_iter().map(placed));
    }
    steps
}

fn read_block(info: &str, body: &[&str]) -> Vec<Step> {
    let mut words = info.split_whitespace();
    let language = words.next().unwrap_or_default();
    match words.next().map(|word| word.split_once('=').unwrap_or((word, ""))) {
        Some(("file", name)) => {
            let text = body.iter().flat_map(|line| [line, "\n"]).collect();
            return vec![Step::File { name: name.to_owned(), text }];
        }
        Some(("shown", "server")) => return vec![Step::Server { shown: owned(body) }],
        Some((word, _)) => panic!("`{word}` in the fence of a block: write file=NAME or shown=server"),
        None => {}
    }
    match language {
        "sh" => script(body),
        "console" => conversation(body),
        "bash" | "shell" | "zsh" => panic!("a block is `{language}`: write sh or console, so that it is run"),
        _ => Vec::new(),
    }
}

/// One command for each line that does not go on from the one before.
fn script(body: &[&str]) -> Vec<Step> {
    let mut commands = Vec::new();
    let mut lines = body.iter();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let text = continued(line, &mut lines);
        commands.push(Step::Command { text, shown: Vec::new() });
    }
    commands
}

fn conversation(body: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = body.iter();
    while let Some(line) = lines.next() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                let text = continued(command, &mut lines);
                steps.push(Step::Command { text, shown: Vec::new() });
            }
            (None, Some(Step::Command { shown, .. })) => shown.push((*line).to_owned()),
            (None, _) => panic!("output before any command: {line}"),
        }
    }
    steps
}

/// A command with the lines that belong to it: those after a `\`.
fn continued<'a>(first: &str, rest: &mut impl Iterator<Item = &'a &'a str>) -> String {
    let mut text = first.to_owned();
    while text.ends_with('\\') {
        let Some(line) = rest.next() else { break };
        text.push('\n');
        text.push_str(line);
    }
    text
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn a_page_is_what_somebody_does() {
    let page = "# T\n```sh\n# first\na \\\n  b\nc # why\n```\n## S\n```toml file=x.toml\nk = 1\n```\n\
        ```console\n$ d\nout\n$ e\n```\n```rust\nfn main() {}\n```\n```text shown=server\nhello\n```\n";
    let command = |text: &str, shown: &[&str]| Step::Command { text: text.to_owned(), shown: owned(shown) };
    let found: Vec<_> = steps(page).into_iter().map(|placed| (placed.section, placed.step)).collect();
    let expected = [
        ("", command("a \\\n  b", &[])),
        ("", command("c # why", &[])),
        ("S", Step::File { name: "x.toml".to_owned(), text: "k = 1\n".to_owned() }),
        ("S", command("d", &["out"])),
        ("S", command("e", &[])),
        ("S", Step::Server { shown: owned(&["hello"]) }),
    ];
    assert_eq!(found, expected.map(|(section, step)| (section.to_owned(), step)));
}
