//! The lines of a list that somebody gives, however long they are.

use std::io::{self, BufRead, Read};

use crate::store::ImageStore;

/// Longest line that is read whole.
pub(crate) const MAX_LINE: usize = 8 << 10;

/// Reads line by line. Of a line that is too long comes one byte more than [`MAX_LINE`].
pub(crate) struct Lines<R>(pub(crate) R);

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line().transpose()
    }
}

impl<R: BufRead> Lines<R> {
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut limited = Read::take(&mut self.0, MAX_LINE as u64 + 1);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.len() > MAX_LINE && !line.ends_with(b"\n") {
            self.skip_rest()?;
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let buffered = self.0.fill_buf()?;
            if buffered.is_empty() {
                return Ok(());
            }
            let end = buffered.iter().position(|&byte| byte == b'\n');
            let length = end.map_or(buffered.len(), |at| at + 1);
            self.0.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

/// A line in the form in which the error of a URL that is not the store's shows it: cut short, and without userinfo,
/// query and fragment, which may be secrets.
pub(super) fn shown(store: &ImageStore, line: &str) -> String {
    match store.urls().key_from_url(line) {
        Ok(key) => key.to_string(),
        Err(foreign) => foreign.url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_does_not_run_into_the_next() {
        for length in [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE] {
            let text = format!("{}\nnext\n", "x".repeat(length));
            let lines: Vec<String> = Lines(text.as_bytes()).map(Result::unwrap).collect();
            assert_eq!(lines.len(), 2, "{length}");
            assert_eq!(lines[0].len(), (length + 1).min(MAX_LINE + 1));
            assert_eq!(lines[1], "next\n");
        }
    }
}
