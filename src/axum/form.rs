//! A `multipart/form-data` body with one file, a chunk at a time
//! ([RFC 7578](https://www.rfc-editor.org/rfc/rfc7578)). No I/O.

use super::ErrorResponse;
use crate::kind::ErrorKind;

/// Bytes that all form fields together may have, as on S3 (20 KB) with room to spare.
pub(super) const MAX_FIELDS: usize = 64 * 1024;

/// Fields that a form may have; a presigned one has about ten.
const MAX_PARTS: usize = 64;

/// Bytes that a boundary may have. RFC 2046 allows 70.
const MAX_BOUNDARY: usize = 200;

/// An empty line.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

pub(super) type Fields = Vec<(String, String)>;

type Result<T> = std::result::Result<T, ErrorResponse>;

/// Tells how many bytes the file may have, given the fields before it.
type MaxBytes<'a> = &'a mut dyn FnMut(&Fields) -> Result<u64>;

/// A form that is whole.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) fields: Fields,
    pub(super) file: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct FormReader {
    delimiter: Vec<u8>,
    /// What is not yet understood: a part's head, or the bytes that may be the start of a delimiter.
    held: Vec<u8>,
    /// Bytes of it in which no part's head ends, so that none is looked at again with each chunk.
    searched: usize,
    state: State,
    fields: Fields,
    file: Option<Vec<u8>>,
    parts: usize,
    /// Bytes of the fields and of the parts' heads so far, and of what comes before the first part.
    taken: usize,
}

#[derive(Debug)]
enum State {
    Preamble,
    Head,
    Field(String, Vec<u8>),
    File { most: u64 },
    End,
}

pub(super) fn not_a_form() -> ErrorResponse {
    ErrorResponse::new(
        ErrorKind::InvalidArgument,
        "the body is not a multipart form",
    )
    .with_hint("send the form as it was given")
}

fn not_one_file() -> ErrorResponse {
    let message = "the form must have one file, in its last field, 'file'";
    ErrorResponse::new(ErrorKind::InvalidArgument, message)
}

fn too_large(message: String) -> ErrorResponse {
    ErrorResponse::new(ErrorKind::LimitExceeded, message)
}

impl FormReader {
    pub(super) fn new(boundary: &str) -> Result<Self> {
        if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
            return Err(not_a_form());
        }
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first delimiter may stand at the very beginning.
            held: b"\r\n".to_vec(),
            searched: 0,
            state: State::Preamble,
            fields: Vec::new(),
            file: None,
            parts: 0,
            taken: 0,
        })
    }

    pub(super) fn push(&mut self, chunk: &[u8], max_bytes: MaxBytes<'_>) -> Result<()> {
        // What follows the last part is not looked at.
        if matches!(self.state, State::End) {
            return Ok(());
        }
        self.held.extend_from_slice(chunk);
        while self.step(max_bytes)? {}
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Form> {
        match (self.state, self.file) {
            (State::End, Some(file)) => Ok(Form {
                fields: self.fields,
                file,
            }),
            (State::End, None) => Err(not_one_file()),
            _ => Err(not_a_form()),
        }
    }

    /// Goes on by a delimiter or a part's head. Returns whether there may be more.
    fn step(&mut self, max_bytes: MaxBytes<'_>) -> Result<bool> {
        match self.state {
            State::End => return Ok(false),
            State::Head => return self.head(max_bytes),
            State::Preamble | State::Field(..) | State::File { .. } => {}
        }
        let (until, after, is_last) = match find(&self.held, &self.delimiter) {
            Found::Nothing(until) => (until, until, None),
            Found::Delimiter {
                start,
                end,
                is_last,
            } => (start, end, Some(is_last)),
        };
        self.take(until)?;
        self.held.drain(..after);
        let Some(is_last) = is_last else {
            return Ok(false);
        };
        let next = if is_last { State::End } else { State::Head };
        if let State::Field(name, value) = std::mem::replace(&mut self.state, next) {
            let value = String::from_utf8(value).map_err(|_| not_a_form())?;
            self.fields.push((name, value));
        }
        Ok(true)
    }

    /// Takes so many of the bytes that are held into the part that they are of.
    fn take(&mut self, count: usize) -> Result<()> {
        let data = &self.held[..count];
        match &mut self.state {
            State::File { most } => {
                let file = self.file.get_or_insert_default();
                if (file.len() + data.len()) as u64 > *most {
                    let hint = format!("send a file of at most {most} bytes");
                    return Err(
                        too_large(format!("the file has more than {most} bytes")).with_hint(hint)
                    );
                }
                file.extend_from_slice(data);
            }
            State::Field(_, value) => {
                self.taken += data.len();
                value.extend_from_slice(data);
                self.check_taken()?;
            }
            State::Preamble | State::Head | State::End => {
                self.taken += data.len();
                if self.taken > MAX_FIELDS {
                    return Err(not_a_form());
                }
            }
        }
        Ok(())
    }

    fn check_taken(&self) -> Result<()> {
        if self.taken <= MAX_FIELDS {
            return Ok(());
        }
        let message = format!("the form's fields have more than {MAX_FIELDS} bytes");
        Err(too_large(message))
    }

    fn head(&mut self, max_bytes: MaxBytes<'_>) -> Result<bool> {
        let mut unsearched = self.held[self.searched..].windows(END_OF_HEAD.len());
        let Some(end) = unsearched.position(|bytes| bytes == END_OF_HEAD) else {
            if self.taken + self.held.len() > MAX_FIELDS {
                return Err(not_a_form());
            }
            // The next chunk may begin within it.
            self.searched = (self.held.len() + 1).saturating_sub(END_OF_HEAD.len());
            return Ok(false);
        };
        let end = std::mem::take(&mut self.searched) + end;
        let head = std::str::from_utf8(&self.held[..end]).map_err(|_| not_a_form())?;
        let (name, is_file) = disposition(head).ok_or_else(not_a_form)?;
        self.held.drain(..end + END_OF_HEAD.len());
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(too_large(format!(
                "the form has more than {MAX_PARTS} fields"
            )));
        }
        self.taken += end;
        self.check_taken()?;
        self.state = if is_file || name == "file" {
            if self.file.is_some() || name != "file" {
                return Err(not_one_file());
            }
            self.file = Some(Vec::new());
            State::File {
                most: max_bytes(&self.fields)?,
            }
        } else {
            State::Field(name, Vec::new())
        };
        Ok(true)
    }
}

enum Found {
    /// No delimiter within the bytes before this offset.
    Nothing(usize),
    Delimiter {
        start: usize,
        end: usize,
        is_last: bool,
    },
}

/// Looks for a delimiter: a line of its own, which may have white space at its end.
fn find(held: &[u8], delimiter: &[u8]) -> Found {
    let mut from = 0;
    while let Some(at) = held[from..].iter().position(|&byte| byte == b'\r') {
        let start = from + at;
        let rest = &held[start..];
        from = start + 1;
        if rest.len() < delimiter.len() {
            if delimiter.starts_with(rest) {
                return Found::Nothing(start);
            }
            continue;
        }
        let Some(line) = rest.strip_prefix(delimiter) else {
            continue;
        };
        let end = start + delimiter.len();
        if line.starts_with(b"--") {
            return Found::Delimiter {
                start,
                end: end + 2,
                is_last: true,
            };
        }
        let blank = line
            .iter()
            .take_while(|&&byte| byte == b' ' || byte == b'\t')
            .count();
        match &line[blank..] {
            [b'\r', b'\n', ..] if blank <= MAX_BOUNDARY => {
                // The line break stays: an empty head is another one after it.
                return Found::Delimiter {
                    start,
                    end: end + blank,
                    is_last: false,
                };
            }
            [] | [b'\r'] | [b'-'] if blank <= MAX_BOUNDARY => return Found::Nothing(start),
            _ => {}
        }
    }
    Found::Nothing(held.len())
}

/// The name that a part's head gives it, and whether it is a file.
fn disposition(head: &str) -> Option<(String, bool)> {
    let value = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let (kind, parameters) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let name = parameter(parameters, "name").filter(|name| !name.is_empty())?;
    let is_file = ["filename", "filename*"]
        .iter()
        .any(|name| parameter(parameters, name).is_some());
    Some((name, is_file))
}

/// A parameter of a header's value: a word, or text in quotes with its escapes.
pub(super) fn parameter(mut parameters: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, rest) = parameters.split_once('=')?;
        let rest = rest.trim_start();
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        let name = name.rsplit(';').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        parameters = after;
    }
}

fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"preamble\r\n--b c\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nvalue\r\n\
        --b c \t\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n\
        --b c\r\ncontent-type: image/jpeg\r\ncontent-disposition: Form-Data; filename=\"a\\\"; name=\\\"x.jpg\"; name=file\r\n\r\n\
        \r\n--b cc\r\n--b c-\r\n\r--b c\r\n\r\n--b c--\r\nepilogue\r\n--b c\r\n";

    fn read(body: &[u8], size: usize) -> Result<Form> {
        let mut reader = FormReader::new("b c")?;
        for chunk in body.chunks(size) {
            reader.push(chunk, &mut |_| Ok(100))?;
        }
        reader.finish()
    }

    #[test]
    fn a_form_is_the_same_however_it_is_cut() {
        for size in 1..=WHOLE.len() {
            let form = read(WHOLE, size).expect("a form");
            let fields = [("key", "value"), ("empty", "")];
            assert_eq!(
                form.fields,
                fields.map(|(name, value)| (name.into(), value.into()))
            );
            assert_eq!(form.file, b"\r\n--b cc\r\n--b c-\r\n\r--b c\r\n", "{size}");
        }
    }

    #[test]
    fn what_is_cut_off_is_no_form() {
        let end = WHOLE.len() - b"\r\nepilogue\r\n--b c\r\n".len();
        for cut in 0..end {
            assert!(read(&WHOLE[..cut], 7).is_err(), "{cut}");
        }
        assert!(read(&WHOLE[..end], 7).is_ok());
    }

    /// A head that came a byte at a time was looked through from its beginning with every byte.
    #[test]
    fn each_byte_of_a_head_is_looked_at_once() {
        let mut reader = FormReader::new("b c").expect("a boundary");
        let long = "x".repeat(5000);
        let head = format!("--b c\r\nX: {long}\r\nContent-Disposition: form-data; name=file\r\n");
        for byte in head.bytes() {
            reader.push(&[byte], &mut |_| Ok(100)).expect("goes on");
            let waits = matches!(reader.state, State::Head);
            assert!(!waits || reader.searched + END_OF_HEAD.len() > reader.held.len());
        }
        assert!(reader.searched > 5000, "{}", reader.searched);
        for byte in b"\r\npixels\r\n--b c--" {
            reader.push(&[*byte], &mut |_| Ok(100)).expect("goes on");
        }
        assert_eq!(reader.finish().expect("a form").file, b"pixels");
    }

    /// Of 64 parts each could have a head of 64 KiB.
    #[test]
    fn heads_count_as_fields_do() {
        let head = |length: usize| {
            let long = "x".repeat(length);
            format!("--b c\r\nX: {long}\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n")
        };
        let file = "--b c\r\nContent-Disposition: form-data; name=file\r\n\r\n\r\n--b c--";
        for (lengths, is_taken) in [
            ([MAX_FIELDS / 3; 2], true),
            ([MAX_FIELDS / 2; 2], false),
            ([MAX_FIELDS, 0], false),
        ] {
            let body = head(lengths[0]) + &head(lengths[1]) + file;
            for size in [100, body.len()] {
                assert_eq!(read(body.as_bytes(), size).is_ok(), is_taken, "{lengths:?}");
            }
        }
    }

    #[test]
    fn bytes_at_random_never_panic() {
        proptest::proptest!(|(body: Vec<u8>, size in 1_usize..50)| {
            let mut mixed = WHOLE.to_vec();
            let at = body.len() % mixed.len();
            mixed.splice(at..at, body.iter().copied());
            read(&mixed, size).ok();
            read(&body, size).ok();
        });
    }
}
