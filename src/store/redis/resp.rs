//! RESP2, the wire format: commands out, replies in. <https://redis.io/docs/latest/develop/reference/protocol-spec/>
//!
//! What comes in is bounded in depth and in size before anything is kept for it, and is read with a stack of our own: no
//! server, and nobody between, can overflow this process's or make it ask for memory it was only promised data for.

#[cfg(test)]
mod tests;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{
    error::{Error, Result},
    store::Reply,
};

/// A reply nested deeper is no reply: Lua scripts, the deepest there are, do not get there.
const DEEPEST: usize = 128;
/// Redis's own `proto-max-bulk-len`.
const LONGEST_BULK: i64 = 512 << 20;
/// More elements than any command answers.
const MOST_ELEMENTS: i64 = 1 << 27;
/// A line holds a number, a status or an error.
const LONGEST_LINE: usize = 1 << 20;

/// Commands as they go over the wire, one behind the other.
#[derive(Default)]
pub struct Commands {
    bytes: BytesMut,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Commands {
    /// Adds one: some words, then so many more.
    pub fn push<'a>(&mut self, first: &[&[u8]], count: usize, more: impl Iterator<Item = &'a Bytes>) {
        self.head(b'*', first.len() + count);
        first.iter().for_each(|word| self.word(word));
        more.for_each(|word| self.word(word));
        self.ends.push(self.bytes.len());
    }

    /// Adds one of these words.
    pub fn push_words(&mut self, words: &[&[u8]]) {
        self.push(words, 0, std::iter::empty());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes, and where each command ends in them.
    pub fn finish(self) -> (Bytes, Vec<usize>) {
        (self.bytes.freeze(), self.ends)
    }

    fn word(&mut self, word: &[u8]) {
        self.head(b'$', word.len());
        self.bytes.reserve(word.len() + 2);
        self.bytes.put_slice(word);
        self.bytes.put_slice(b"\r\n");
    }

    fn head(&mut self, kind: u8, count: usize) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(count).as_bytes();
        self.bytes.reserve(digits.len() + 3);
        self.bytes.put_u8(kind);
        self.bytes.put_slice(digits);
        self.bytes.put_slice(b"\r\n");
    }
}

/// What came in is no RESP2: whoever sent it cannot be understood any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(&'static str);

/// Reads replies from bytes as they come, never twice from the same ones.
#[derive(Default)]
pub struct Decoder {
    /// Arrays that have begun and not ended, the outermost first.
    open: Vec<Open>,
    /// How much of the buffer was looked through for the end of a line.
    scanned: usize,
}

struct Open {
    left: usize,
    items: Vec<Reply>,
    /// The first error inside, which is then the error of the whole.
    error: Option<Error>,
}

/// Something complete that was read: an answer, or the server's refusal.
type Read = Result<Reply>;

impl Decoder {
    /// The next reply, or `None` until more bytes have come.
    ///
    /// # Errors
    /// `Malformed` when what came can be no reply.
    pub fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Read>, Malformed> {
        loop {
            let Some(read) = self.element(bytes)? else { return Ok(None) };
            if let Some(read) = read.and_then(|read| self.close(read)) {
                return Ok(Some(read));
            }
        }
    }

    /// How many bytes are surely missing, so that a large value is read in large pieces.
    pub fn wants(&self, bytes: &BytesMut) -> usize {
        match line_end(bytes, 0) {
            Some(end) if bytes.first() == Some(&b'$') => match number(bytes.get(1..end).unwrap_or_default()) {
                Some(length @ 0..=LONGEST_BULK) => (end + 2 + length as usize + 2).saturating_sub(bytes.len()),
                _ => 0,
            },
            _ => 0,
        }
    }

    /// One element: `Some(None)` when it opened an array.
    fn element(&mut self, bytes: &mut BytesMut) -> Result<Option<Option<Read>>, Malformed> {
        let Some(end) = line_end(bytes, self.scanned) else {
            if bytes.len() > LONGEST_LINE {
                return Err(Malformed("a line without an end"));
            }
            self.scanned = bytes.len().saturating_sub(1);
            return Ok(None);
        };
        self.scanned = 0;
        if end > LONGEST_LINE {
            return Err(Malformed("a line of more than 1 MB"));
        }
        let Some((&kind, line)) = bytes.get(..end).and_then(<[u8]>::split_first) else {
            return Err(Malformed("an empty line"));
        };
        let whole = || number(line).ok_or(Malformed("a number that is none"));
        match kind {
            b'+' => Ok(Some(Some(Ok(Reply::Bulk(take_line(bytes, end)))))),
            b'-' => {
                let message = String::from_utf8_lossy(&take_line(bytes, end)).into_owned();
                Ok(Some(Some(Err(Error::from_server(message)))))
            }
            b':' => {
                let number = whole()?;
                bytes.advance(end + 2);
                Ok(Some(Some(Ok(Reply::Int(number)))))
            }
            b'$' => match whole()? {
                -1 => {
                    bytes.advance(end + 2);
                    Ok(Some(Some(Ok(Reply::Nil))))
                }
                length @ 0..=LONGEST_BULK => Ok(bulk(bytes, end, length as usize)?.map(|bulk| Some(Ok(bulk)))),
                _ => Err(Malformed("a string longer than 512 MB")),
            },
            b'*' => {
                let count = whole()?;
                if !(-1..=MOST_ELEMENTS).contains(&count) {
                    return Err(Malformed("an array of more elements than any reply has"));
                }
                if self.open.len() >= DEEPEST {
                    return Err(Malformed("a reply nested deeper than any reply is"));
                }
                bytes.advance(end + 2);
                Ok(Some(match count {
                    -1 => Some(Ok(Reply::Nil)),
                    0 => Some(Ok(Reply::Array(Vec::new()))),
                    _ => {
                        // A promise of elements is no reason yet to keep room for all of them.
                        let items = Vec::with_capacity((count as usize).min(1024));
                        self.open.push(Open { left: count as usize, items, error: None });
                        None
                    }
                }))
            }
            _ => Err(Malformed("a line that begins like none of RESP2")),
        }
    }

    /// Puts an element where it belongs; answers the whole when it was the last of it.
    fn close(&mut self, mut read: Read) -> Option<Read> {
        while let Some(array) = self.open.last_mut() {
            match read {
                Ok(item) => array.items.push(item),
                Err(error) => {
                    array.error.get_or_insert(error);
                }
            }
            array.left -= 1;
            if array.left > 0 {
                return None;
            }
            let done = self.open.pop()?;
            read = done.error.map_or(Ok(Reply::Array(done.items)), Err);
        }
        Some(read)
    }
}

fn bulk(bytes: &mut BytesMut, end: usize, length: usize) -> Result<Option<Reply>, Malformed> {
    let stop = end + 2 + length;
    if bytes.len() < stop + 2 {
        return Ok(None);
    }
    if bytes.get(stop..stop + 2) != Some(b"\r\n") {
        return Err(Malformed("a string without its end"));
    }
    bytes.advance(end + 2);
    let value = bytes.split_to(length).freeze();
    bytes.advance(2);
    Ok(Some(Reply::Bulk(value)))
}

/// A line without its first byte and its end.
fn take_line(bytes: &mut BytesMut, end: usize) -> Bytes {
    bytes.advance(1);
    let line = bytes.split_to(end - 1).freeze();
    bytes.advance(2);
    line
}

/// Where the first line ends, from `scanned` on.
fn line_end(bytes: &[u8], scanned: usize) -> Option<usize> {
    let mut from = scanned;
    loop {
        let at = from + memchr::memchr(b'\r', bytes.get(from..)?)?;
        match bytes.get(at + 1) {
            Some(b'\n') => return Some(at),
            Some(_) => from = at + 1,
            None => return None,
        }
    }
}

/// A decimal whole number, strictly.
fn number(digits: &[u8]) -> Option<i64> {
    match digits {
        [digit @ b'0'..=b'9'] => Some(i64::from(digit - b'0')),
        [b'+', ..] => None,
        _ => std::str::from_utf8(digits).ok()?.parse().ok(),
    }
}
