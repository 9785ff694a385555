//! The chain of causes behind an error, in words.

use std::borrow::Cow;
use std::error::Error;

/// Most errors of a chain that are looked at.
const DEEPEST: usize = 16;

/// The words of an error and of all that is behind it, outermost first. What repeats the words before it, as
/// many libraries' errors do, is left out.
pub(crate) fn chain(error: &dyn Error) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let Some(error) = next else { break };
        let words = one_line(&error.to_string()).into_owned();
        if !chain.iter().any(|said| said.contains(&words)) {
            chain.push(words);
        }
        next = error.source();
    }
    chain
}

/// The same in one line.
#[cfg(any(feature = "s3", all(test, feature = "store")))]
pub(crate) fn words(error: &dyn Error) -> String {
    chain(error).join(": ")
}

/// The text with its control characters escaped: a path or a name in it cannot write lines of its own into
/// a log, or colours into a terminal.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().flat_map(|letter| {
        let control = letter.is_control();
        let escaped = control.then(|| letter.escape_default());
        escaped
            .into_iter()
            .flatten()
            .chain((!control).then_some(letter))
    });
    Cow::Owned(escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn each_cause_is_told_once_and_in_one_line() {
        let inner = Link("connection\nrefused", None);
        let middle = Link("sending failed", Some(Box::new(inner)));
        let outer = Link("sending failed: no answer", Some(Box::new(middle)));
        let expected = ["sending failed: no answer", "connection\\nrefused"];
        assert_eq!(chain(&outer), expected);
    }
}
