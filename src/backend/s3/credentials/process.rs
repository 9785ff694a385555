//! `credential_process`: a command that prints keys.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::fetch::json_keys;
use crate::sign::Credentials;

/// Largest output that is read.
const MAX_OUTPUT: u64 = 64 << 10;

/// Runs the command and reads the keys that it prints, within `limit`.
pub(super) async fn run(line: &str, limit: Duration) -> Result<Credentials, String> {
    let words = split(line).ok_or("its credential_process is not a command line")?;
    let output = tokio::task::spawn_blocking(move || output(&words, limit)).await;
    let output = output.map_err(|error| error.to_string())??;
    json_keys(&output).map_err(|problem| format!("its credential_process: {problem}"))
}

/// Returns the output of the command. Its stderr goes where this process's goes: it may hold secrets.
fn output(words: &[String], limit: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
    let (program, arguments) = words
        .split_first()
        .ok_or("its credential_process is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("its credential_process cannot be run: {error}"))?;
    let printed = printed(&mut child, limit);
    if printed.is_err() {
        let _ = child.kill();
    }
    // It has closed its output, or was killed: it ends.
    let status = child.wait().map_err(|error| error.to_string())?;
    let printed = printed?;
    match status.code() {
        Some(0) => Ok(printed),
        Some(code) => Err(format!(
            "its credential_process ended with exit code {code}"
        )),
        None => Err("its credential_process was killed".to_owned()),
    }
}

fn printed(child: &mut Child, limit: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
    let stdout = child
        .stdout
        .take()
        .ok_or("its credential_process has no output")?;
    let (sender, read) = mpsc::channel();
    // A thread of its own: what the command starts may keep the output open for ever.
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let outcome = stdout.take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
        sender.send(outcome.map(|_| bytes)).ok();
    });
    let bytes = read
        .recv_timeout(limit)
        .map_err(|_| {
            format!(
                "its credential_process did not end within {} s",
                limit.as_secs()
            )
        })?
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_OUTPUT {
        return Err("its credential_process prints too much".to_owned());
    }
    Ok(bytes)
}

/// The words of a command line, as the AWS CLI splits them: like a POSIX shell's, without expansion.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => match letters.next()? {
                            letter @ ('"' | '\\') => word.push(letter),
                            letter => word.extend(['\\', letter]),
                        },
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are those of Python's `shlex.split`, which the AWS CLI uses.
    #[test]
    fn command_lines_are_split_as_a_shell_would() {
        for (line, words) in [
            ("a b\t c", vec!["a", "b", "c"]),
            (
                r#""/opt/my tool" --role 'lab role'"#,
                vec!["/opt/my tool", "--role", "lab role"],
            ),
            (r#"a\ b "c\"d\e" 'f\g'"#, vec!["a b", r#"c"d\e"#, r"f\g"]),
            ("a '' \"\"", vec!["a", "", ""]),
            ("a$HOME ~ *;b", vec!["a$HOME", "~", "*;b"]),
            ("", vec![]),
        ] {
            assert_eq!(split(line).expect(line), words, "{line}");
        }
        for unclosed in ["a 'b", "a \"b", "a\\"] {
            assert_eq!(split(unclosed), None, "{unclosed}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn time_and_output_are_bounded() {
        let limit = Duration::from_millis(200);
        let keys = r#"printf '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "B"}'"#;
        let command = format!("sh -c {}", quoted(keys));
        let found = run(&command, Duration::from_secs(20)).await.expect("keys");
        assert_eq!(found.access_key_id, "A");
        for (script, words) in [
            ("sleep 5", "did not end"),
            ("sleep 5 & exit 0", "did not end"),
            ("yes", "too much"),
            ("exit 3", "exit code 3"),
            ("echo secret", "not the JSON"),
        ] {
            let patient = if words == "did not end" {
                limit
            } else {
                Duration::from_secs(20)
            };
            let problem = run(&format!("sh -c {}", quoted(script)), patient).await;
            let problem = problem.expect_err(script);
            assert!(problem.contains(words), "{script}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
        assert!(run("/nonexistent/tool", limit).await.is_err());
    }

    #[cfg(unix)]
    fn quoted(script: &str) -> String {
        format!("\"{}\"", script.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
