//! Small texts from a person: ages and `.env` files.

use std::time::Duration;

/// Largest `.env` file that is read.
pub(super) const MAX_ENV_FILE: u64 = 1 << 20;

/// `90s`, `30m`, `24h`, `7d`.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not an age: write 90s, 30m, 24h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// The variables of a `.env` file.
///
/// `NAME=value`, `export` before it or not, `#` comments; in single quotes everything is itself, in
/// double quotes `\n`, `\r`, `\t`, `\"`, `\$` and `\\` are what they are in most languages, and both may
/// span lines (a PEM key). Nothing is substituted. Errors name the line and never its value.
pub(super) fn env_file(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(variables);
        }
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let start = rest.strip_prefix("export ").unwrap_or(rest);
        let end = start.find(['=', '\n']).unwrap_or(start.len());
        let name = start[..end].trim();
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !start[end..].starts_with('=') || name.is_empty() || !name.bytes().all(named) {
            return Err(format!("line {line}: expected NAME=value"));
        }
        let after = start[end + 1..].trim_start_matches([' ', '\t']);
        let (value, tail) = value(after).ok_or(format!("line {line}: a quote that never ends"))?;
        let (left, next) = tail.split_once('\n').unwrap_or((tail, ""));
        let left = left.trim();
        if !left.is_empty() && !left.starts_with('#') {
            return Err(format!("line {line}: something follows the closing quote"));
        }
        variables.push((name.to_owned(), value));
        rest = next;
    }
}

/// A value and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let (value, tail) = quoted.split_once('\'')?;
        return Some((value.to_owned(), tail));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => return Some((value, &quoted[at + 1..])),
                '\\' => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    same @ ('"' | '\\' | '$') => value.push(same),
                    other => value.extend(['\\', other]),
                },
                other => value.push(other),
            }
        }
        return None;
    }
    let end = text.find('\n').unwrap_or(text.len());
    let line = &text[..end];
    let comment = line
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|&at| at == 0 || line[..at].ends_with([' ', '\t']));
    let value = &line[..comment.unwrap_or(line.len())];
    Some((value.trim().to_owned(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(age("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in [
            "",
            "24",
            "h",
            "-1h",
            "1.5h",
            "24hours",
            "1ü",
            "99999999999999999999d",
        ] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn env_files_as_people_write_them() {
        let text = "# comment\nA=1\nexport B=two words # comment\r\nC='it is $HOME # 1'\nD=\"a\\nb \\\"q\\\"\"\n\
                    E=\nF=a#b\n  G = spaced \nKEY=\"-----BEGIN\nabc\n-----END\"\nLAST=x";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "it is $HOME # 1"),
            ("D", "a\nb \"q\""),
            ("E", ""),
            ("F", "a#b"),
            ("G", "spaced"),
            ("KEY", "-----BEGIN\nabc\n-----END"),
            ("LAST", "x"),
        ];
        let expected: Vec<(String, String)> = expected
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(env_file(text), Ok(expected));
    }

    #[test]
    fn env_file_errors_name_the_line_and_keep_the_value() {
        for (text, line) in [
            ("A=1\nhush-hush\n", "line 2"),
            ("A=1\n\nB=\"hush", "line 3"),
            ("B='hush' hush", "line 1"),
            ("=hush", "line 1"),
        ] {
            let error = env_file(text).expect_err(text);
            assert!(
                error.starts_with(line) && !error.contains("hush"),
                "{error}"
            );
        }
    }
}
