//! RESP2, the wire format: commands out, replies in. <https://redis.io/docs/latest/develop/reference/protocol-spec/>
//!
//! What comes in is bounded in depth and in size before anything is kept for it, and is read with a stack of our own: no
//! server, and nobody between, can overflow this process's or make it ask for memory it was only promised data for.

mod skip;
#[cfg(test)]
mod tests;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use self::skip::{MOST_PASSED, Pending, Skip};
use crate::{
    error::{Error, Kind, Result},
    store::Reply,
};

/// A reply nested deeper is passed over.
const DEEPEST: usize = 200;
/// Redis's own `proto-max-bulk-len`; where that was raised, a longer string is passed over.
const LONGEST_BULK: i64 = 512 << 20;
/// More elements than any command answers.
const MOST_ELEMENTS: i64 = 1 << 27;
/// A line holds a number, a status or an error.
const LONGEST_LINE: usize = 1 << 20;
const LONGEST_NUMBER: usize = 64;
/// As much of an error that is longer is read.
const ENOUGH: usize = 1 << 10;
/// What keeping one element takes, whatever is in it.
const ELEMENT: usize = 48;
/// How much is read at once of what is passed over.
const PASSED_AT_ONCE: usize = 64 << 10;
/// As many bytes of one reply are kept: two of the longest strings.
pub const LARGEST: usize = 1 << 30;
/// The same while a connection is made and of what we ask for ourselves: the map of a large cluster is the largest of that.
pub const LARGEST_OF_OURS: usize = 64 << 20;

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
pub struct Decoder {
    /// Arrays that have begun and not ended, the outermost first.
    open: Vec<Open>,
    /// How much of the buffer was looked through for the end of a line.
    scanned: usize,
    /// What the reply that is being read takes so far, and how much it may.
    kept: usize,
    most: usize,
    /// The reply is passed over instead.
    skip: Option<Skip>,
}

struct Open {
    left: usize,
    items: Vec<Reply>,
}

/// Something complete that was read: an answer, or the server's refusal.
type Read = Result<Reply>;

impl Decoder {
    /// One that keeps up to so many bytes of a reply.
    pub fn new(most: usize) -> Self {
        Self { open: Vec::new(), scanned: 0, kept: 0, most, skip: None }
    }

    /// Keeps up to so many bytes of a reply from now on.
    pub fn keep(&mut self, most: usize) {
        self.most = most;
    }

    /// The next reply, or `None` until more bytes have come. One that cannot be kept, because it is too large or nested too deep,
    /// is passed over as it comes, and an error.
    ///
    /// # Errors
    /// `Malformed` when what came can be no reply.
    pub fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Read>, Malformed> {
        loop {
            if let Some(skip) = &mut self.skip {
                if !skip.pass(bytes)? {
                    return Ok(None);
                }
                return Ok(self.skip.take().map(|skip| Err(skip.why)));
            }
            let Some(read) = self.element(bytes)? else {
                // More bytes are needed, unless it has just turned out that it is to be passed over.
                if self.skip.is_some() {
                    continue;
                }
                return Ok(None);
            };
            if let Some(read) = read.and_then(|read| self.close(read)) {
                self.kept = 0;
                return Ok(Some(read));
            }
        }
    }

    /// Passes over what is left of the reply, or the whole of the next one: nobody wants it. Answers how many bytes were kept of it.
    pub fn pass_over(&mut self) -> usize {
        let kept = self.kept;
        if self.skip.is_none() {
            self.skip(1, Pending::Nothing, Error::new(Kind::Internal, "a reply that nobody wanted"));
        }
        kept
    }

    /// Whether it is in the middle of a reply that it passes over.
    pub fn passes_over(&self) -> bool {
        self.skip.is_some()
    }

    /// How many bytes are surely missing, so that a large value is read in large pieces.
    pub fn wants(&self, bytes: &BytesMut) -> usize {
        if self.skip.is_some() {
            return PASSED_AT_ONCE;
        }
        match line_end(bytes, 0) {
            Some(end) if bytes.first() == Some(&b'$') => match number(bytes.get(1..end).unwrap_or_default()) {
                Some(length @ 0..=LONGEST_BULK) => (end + 2 + length as usize + 2).saturating_sub(bytes.len()),
                _ => 0,
            },
            _ => 0,
        }
    }

    /// From here on the reply is passed over: so many whole elements, what is pending of another, and the rest of all open arrays.
    fn skip(&mut self, elements: u64, pending: Pending, why: Error) {
        let outside: u64 = self.open.iter().map(|array| array.left as u64 - 1).sum();
        self.skip = Some(Skip { elements: outside + elements, pending, nested: 0, passed: 0, why });
        (self.open, self.kept, self.scanned) = (Vec::new(), 0, 0);
    }

    /// Makes room for so many bytes of one more element; if there is none, the reply is passed over with what is pending of that.
    fn makes_room(&mut self, bytes: usize, pending: Pending) -> bool {
        let kept = self.kept + ELEMENT + bytes;
        if kept <= self.most {
            self.kept = kept;
            return true;
        }
        let why = format!("the reply is larger than {} MB, which is more than is kept of one", self.most >> 20);
        self.skip(0, pending, Error::new(Kind::Unsupported, why));
        false
    }

    /// One element: `Some(None)` when it opened an array; `None` also when the reply is passed over from here on.
    fn element(&mut self, bytes: &mut BytesMut) -> Result<Option<Option<Read>>, Malformed> {
        let end = match line_end(bytes, self.scanned) {
            Some(end) if end <= LONGEST_LINE => end,
            None if bytes.len() <= LONGEST_LINE => {
                if bytes.len() > LONGEST_NUMBER && !matches!(bytes.first(), Some(b'+' | b'-')) {
                    return Err(Malformed("a line without an end"));
                }
                self.scanned = bytes.len().saturating_sub(1);
                return Ok(None);
            }
            _ => return self.long_line(bytes).map(|()| None),
        };
        self.scanned = 0;
        let Some((&kind, line)) = bytes.get(..end).and_then(<[u8]>::split_first) else {
            return Err(Malformed("an empty line"));
        };
        let whole = || number(line).ok_or(Malformed("a number that is none"));
        match kind {
            b'+' => {
                let line = take_line(bytes, end);
                Ok(self.makes_room(line.len(), Pending::Nothing).then_some(Some(Ok(Reply::Bulk(line)))))
            }
            b'-' => {
                let message = take_line(bytes, end);
                if !self.open.is_empty() {
                    let room = self.makes_room(message.len(), Pending::Nothing);
                    return Ok(room.then_some(Some(Ok(Reply::Refused(message)))));
                }
                let message = String::from_utf8_lossy(&message).into_owned();
                Ok(self.makes_room(0, Pending::Nothing).then(|| Some(Err(Error::from_server(message)))))
            }
            b':' => {
                let number = whole()?;
                bytes.advance(end + 2);
                Ok(self.makes_room(0, Pending::Nothing).then_some(Some(Ok(Reply::Int(number)))))
            }
            b'$' => match whole()? {
                -1 => {
                    bytes.advance(end + 2);
                    Ok(self.makes_room(0, Pending::Nothing).then_some(Some(Ok(Reply::Nil))))
                }
                length @ 0.. if length as u64 <= MOST_PASSED => self.string(bytes, end, length as usize),
                _ => Err(Malformed("a string longer than any server keeps")),
            },
            b'*' => {
                let count = whole()?;
                if !(-1..=MOST_ELEMENTS).contains(&count) {
                    return Err(Malformed("an array of more elements than any reply has"));
                }
                bytes.advance(end + 2);
                if self.open.len() >= DEEPEST && count > 0 {
                    let why = format!("the reply is nested deeper than {DEEPEST} arrays");
                    self.skip(count as u64, Pending::Nothing, Error::new(Kind::Unsupported, why));
                    return Ok(None);
                }
                Ok(match count {
                    _ if !self.makes_room(0, Pending::Elements(count.max(0) as u64)) => None,
                    -1 => Some(Some(Ok(Reply::Nil))),
                    0 => Some(Some(Ok(Reply::Array(Vec::new())))),
                    _ => {
                        // A promise of elements is no reason yet to keep room for all of them.
                        let items = Vec::with_capacity((count as usize).min(1024));
                        self.open.push(Open { left: count as usize, items });
                        Some(None)
                    }
                })
            }
            _ => Err(Malformed("a line that begins like none of RESP2")),
        }
    }

    /// A string of so many bytes, once it is there as a whole.
    fn string(&mut self, bytes: &mut BytesMut, end: usize, length: usize) -> Result<Option<Option<Read>>, Malformed> {
        if length as i64 > LONGEST_BULK || self.kept + ELEMENT + length > self.most {
            bytes.advance(end + 2);
            let room = if length as i64 > LONGEST_BULK { self.most } else { length };
            self.makes_room(room, Pending::Bytes(length as u64 + 2));
            return Ok(None);
        }
        let Some(bulk) = bulk(bytes, end, length)? else { return Ok(None) };
        self.kept += ELEMENT + length;
        Ok(Some(Some(Ok(bulk))))
    }

    /// A line that is longer than any: what it says is not kept.
    fn long_line(&mut self, bytes: &BytesMut) -> Result<(), Malformed> {
        let why = match bytes.split_first() {
            Some((b'+', _)) => Error::new(Kind::Unsupported, "the reply has a status of more than 1 MB"),
            Some((b'-', said)) => {
                Error::from_server(String::from_utf8_lossy(&said[..ENOUGH.min(said.len())]).into_owned())
            }
            _ => return Err(Malformed("a line without an end")),
        };
        self.skip(0, Pending::Line, why);
        Ok(())
    }

    /// Puts an element where it belongs; answers the whole when it was the last of it.
    fn close(&mut self, read: Read) -> Option<Read> {
        let mut item = match read {
            Ok(item) => item,
            Err(error) => return Some(Err(error)),
        };
        while let Some(array) = self.open.last_mut() {
            array.items.push(item);
            array.left -= 1;
            if array.left > 0 {
                return None;
            }
            item = Reply::Array(self.open.pop()?.items);
        }
        Some(Ok(item))
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
