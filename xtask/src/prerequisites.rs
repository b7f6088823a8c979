//! What must be on the machine before anything starts: each lack is one line with its remedy.

use anyhow::{Result, bail};
use futures_util::future::join_all;
use tokio::process::Command;

/// Newest first, after the one the developer chose to be `python3`.
const PYTHONS: [&str; 5] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

/// Prints its version only if virtual environments can be made.
const PYTHON_PROBE: &str = "import ensurepip, venv, platform; print(platform.python_version())";

const NODE: Tool = Tool { name: "node", oldest: Version(20, 19), remedy: "install Node.js 20.19 or newer" };
const NPM: Tool = Tool { name: "npm", oldest: Version(9, 0), remedy: "install npm, it comes with Node.js" };
const PYTHON: Tool = Tool {
    name: "python3",
    oldest: Version(3, 11),
    remedy: "install Python 3.11 or newer with its venv module (Debian, Ubuntu: apt install python3-venv)",
};

/// What was found.
pub(crate) struct Tools {
    /// The interpreter to make the virtual environment with.
    pub(crate) python: &'static str,
}

struct Tool {
    name: &'static str,
    oldest: Version,
    remedy: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

/// All tools, or all that is wrong with them.
pub(crate) async fn check() -> Result<Tools> {
    let (node, npm, pythons) = tokio::join!(
        ask("node", &["--version"]),
        ask("npm", &["--version"]),
        join_all(PYTHONS.map(|name| async move { (name, ask(name, &["-c", PYTHON_PROBE]).await) })),
    );
    let found = pythons.iter().find(|(_, answer)| lack(&PYTHON, answer.as_deref()).is_none());
    let second_best = pythons.iter().find(|(_, answer)| answer.is_some());
    let python = found.or(second_best).and_then(|(_, answer)| answer.as_deref());
    let lacks: Vec<String> = [(&NODE, node.as_deref()), (&NPM, npm.as_deref()), (&PYTHON, python)]
        .into_iter()
        .filter_map(|(tool, answer)| lack(tool, answer))
        .collect();
    match found {
        Some((name, _)) if lacks.is_empty() => Ok(Tools { python: name }),
        _ => bail!("{}", lacks.join("\n       ")),
    }
}

/// What `program` says; nothing if it is missing or fails.
async fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn lack(tool: &Tool, answer: Option<&str>) -> Option<String> {
    let Tool { name, oldest, remedy } = tool;
    match answer.map(|answer| (answer, Version::parse(answer))) {
        None => Some(format!("{name} is missing or broken: {remedy}")),
        Some((answer, None)) => Some(format!("{name} has an unknown version, {answer:?}: {remedy}")),
        Some((answer, Some(version))) if version < *oldest => {
            Some(format!("{name} is too old, {}: {remedy}", answer.trim_start_matches('v')))
        }
        Some(_) => None,
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.');
        Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_enough_is_no_lack() {
        for (tool, answer) in [
            (&NODE, "v20.19.0"),
            (&NODE, "v24.1.3"),
            (&NPM, "10.8.2"),
            (&PYTHON, "3.11.7"),
            (&PYTHON, "3.14.0rc1"),
        ] {
            assert_eq!(lack(tool, Some(answer)), None, "{} {answer}", tool.name);
        }
    }

    #[test]
    fn each_lack_names_the_tool_and_the_remedy() {
        assert_eq!(lack(&NODE, None).unwrap(), "node is missing or broken: install Node.js 20.19 or newer");
        assert_eq!(
            lack(&NODE, Some("v20.9.0")).unwrap(),
            "node is too old, 20.9.0: install Node.js 20.19 or newer"
        );
        assert!(
            lack(&PYTHON, Some("3.9.6"))
                .unwrap()
                .starts_with("python3 is too old, 3.9.6: install Python 3.11")
        );
        assert!(lack(&NPM, Some("what?")).unwrap().starts_with("npm has an unknown version, \"what?\""));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_gives_no_answer() {
        assert_eq!(ask("there-is-no-such-program", &[]).await, None);
    }
}
