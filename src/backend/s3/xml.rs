//! The XML documents that S3 answers with.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// The reason why an answer is not the document that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is something else altogether.
    Foreign,
    /// It begins as one, and is not whole.
    Broken,
}

/// Calls `end` at the end of every element below the root, with its path below the root and its text.
pub(super) fn walk(
    xml: &[u8],
    root: &[u8],
    mut end: impl FnMut(&[&[u8]], &[u8]),
) -> Result<(), Unreadable> {
    let mut reader = Reader::from_reader(xml.strip_prefix(b"\xef\xbb\xbf").unwrap_or(xml));
    let mut path: Vec<Vec<u8>> = Vec::new();
    let mut text = Vec::new();
    loop {
        let unreadable = match path.is_empty() {
            true => Unreadable::Foreign,
            false => Unreadable::Broken,
        };
        match reader.read_event().map_err(|_| unreadable)? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_vec());
                if path[0] != root {
                    return Err(Unreadable::Foreign);
                }
                text.clear();
            }
            Event::Empty(empty) if path.is_empty() => {
                let is_it = empty.local_name().as_ref() == root;
                return is_it.then_some(()).ok_or(Unreadable::Foreign);
            }
            Event::Text(part) => text.extend_from_slice(&part),
            Event::CData(part) => text.extend_from_slice(&part),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(letter)) => text.extend(letter.to_string().bytes()),
                _ => {
                    let named = std::str::from_utf8(&reference).ok();
                    let named = named.and_then(resolve_predefined_entity);
                    text.extend_from_slice(named.ok_or(Unreadable::Broken)?.as_bytes());
                }
            },
            Event::End(_) => {
                let names: Vec<&[u8]> = path.iter().skip(1).map(Vec::as_slice).collect();
                if names.is_empty() {
                    return Ok(());
                }
                end(&names, &text);
                path.pop();
                text.clear();
            }
            Event::Eof => return Err(unreadable),
            _ => {}
        }
    }
}
