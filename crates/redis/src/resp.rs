//! RESP2, the wire format: commands out, replies in. <https://redis.io/docs/latest/develop/reference/protocol-spec/>
//!
//! Replies are limited in depth and size before memory is allocated, and are decoded with an explicit stack. So neither a
//! server nor anything in between can overflow the call stack, or cause large allocations by announcing data that it does not
//! send.

mod skip;
#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes, BytesMut};
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};

use self::skip::{MOST_PASSED, Pending, Skip};

/// A reply nested deeper is skipped.
const DEEPEST: usize = 200;
/// The default `proto-max-bulk-len` of Redis. Longer strings, from servers with a higher limit, are skipped.
const LONGEST_BULK: i64 = 512 << 20;
/// More elements than any command returns.
const MOST_ELEMENTS: i64 = 1 << 27;
/// A line is a number, a status or an error.
const LONGEST_LINE: usize = 1 << 20;
const LONGEST_NUMBER: usize = 64;
/// A longer error is cut to this many bytes.
const ENOUGH: usize = 1 << 10;
/// The memory of one element, apart from its content.
const ELEMENT: usize = 48;
/// The initial capacity for the commands of one exchange.
const DEFAULT_CAPACITY: usize = 512;
/// How much of a skipped reply is read at once.
const PASSED_AT_ONCE: usize = 64 << 10;
/// The most memory that one reply may take: two strings of the maximum length.
pub const LARGEST: usize = 1 << 30;
/// The same while connecting and for our own requests, of which the slot map of a large cluster is the largest.
pub const LARGEST_OF_OURS: usize = 64 << 20;

/// Encoded commands, one after the other.
#[derive(Default)]
pub struct Commands {
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Commands {
    /// Adds a command: the words `first`, followed by `count` more.
    pub fn push<'a>(&mut self, first: &[&[u8]], count: usize, more: impl Iterator<Item = &'a Bytes>) {
        if self.bytes.is_empty() {
            self.bytes.reserve(DEFAULT_CAPACITY);
        }
        self.head(b'*', first.len() + count);
        first.iter().for_each(|word| self.word(word));
        more.for_each(|word| self.word(word));
        self.ends.push(self.bytes.len());
    }

    /// Adds a command that consists of these words.
    pub fn push_words(&mut self, words: &[&[u8]]) {
        self.push(words, 0, std::iter::empty());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes, and where each command ends in them.
    pub fn finish(self) -> (Bytes, Vec<usize>) {
        (Bytes::from(self.bytes), self.ends)
    }

    fn word(&mut self, word: &[u8]) {
        self.head(b'$', word.len());
        self.bytes.reserve(word.len() + 2);
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn head(&mut self, kind: u8, count: usize) {
        if let Ok(digit @ 0..10) = u8::try_from(count) {
            return self.bytes.extend_from_slice(&[kind, b'0' + digit, b'\r', b'\n']);
        }
        let mut digits = itoa::Buffer::new();
        self.bytes.push(kind);
        self.bytes.extend_from_slice(digits.format(count).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// The input is not RESP2, so nothing after it can be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(&'static str);

/// An incremental decoder, which reads each byte only once.
pub struct Decoder {
    /// Incomplete arrays, the outermost first.
    open: Vec<Open>,
    /// How far the buffer was searched for the end of a line.
    scanned: usize,
    /// The memory of the current reply so far, and its limit.
    retained: usize,
    most: usize,
    /// Set while the current reply is skipped.
    skip: Option<Skip>,
    /// Whether the types of RESP3 are accepted that a connection for pushes needs.
    pushes: bool,
}

struct Open {
    left: usize,
    items: Vec<Reply>,
}

/// A complete reply, or the server's error reply.
type Read = Result<Reply>;

impl Decoder {
    /// Creates a decoder with this memory limit per reply, in bytes.
    pub fn new(most: usize) -> Self {
        Self { open: Vec::new(), scanned: 0, retained: 0, most, skip: None, pushes: false }
    }

    /// Sets the memory limit per reply, in bytes.
    pub fn set_limit(&mut self, most: usize) {
        self.most = most;
    }

    /// Accepts pushes, maps and nulls of RESP3 too: pushes and maps are read as arrays.
    pub fn accept_pushes(&mut self) {
        self.pushes = true;
    }

    /// The next reply, or `None` if more bytes are needed. A reply that is too large or nested too deep is skipped as it
    /// arrives, and returned as an error.
    ///
    /// # Errors
    /// `Malformed` if the input is not a valid reply.
    pub fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Read>, Malformed> {
        loop {
            if let Some(skip) = &mut self.skip {
                if !skip.pass(bytes)? {
                    return Ok(None);
                }
                return Ok(self.skip.take().map(|skip| Err(skip.why)));
            }
            let Some(read) = self.element(bytes)? else {
                // More bytes are needed, unless the reply has just turned out to need skipping.
                if self.skip.is_some() {
                    continue;
                }
                return Ok(None);
            };
            if let Some(read) = read.and_then(|read| self.close(read)) {
                self.retained = 0;
                return Ok(Some(read));
            }
        }
    }

    /// Skips the rest of the current reply, or the next one as a whole. Returns how much memory it had taken.
    pub fn pass_over(&mut self) -> usize {
        let retained = self.retained;
        if self.skip.is_none() {
            self.skip(1, Pending::Nothing, Error::new(Kind::Internal, "a skipped reply"));
        }
        retained
    }

    /// Whether it is in the middle of a skipped reply.
    pub fn passes_over(&self) -> bool {
        self.skip.is_some()
    }

    /// How many bytes are known to be missing, so that a large value is read in large chunks.
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

    /// Skips the rest of the current reply: `elements` whole elements, the pending part of another, and the rest of all open
    /// arrays.
    fn skip(&mut self, elements: u64, pending: Pending, why: Error) {
        let outside: u64 = self.open.iter().map(|array| array.left as u64 - 1).sum();
        self.skip = Some(Skip { elements: outside + elements, pending, nested: 0, passed: 0, why });
        (self.open, self.retained, self.scanned) = (Vec::new(), 0, 0);
    }

    /// Accounts for an element of `bytes` bytes. If that exceeds the limit, skips the reply, including the pending part of the
    /// element, and returns false.
    fn makes_room(&mut self, bytes: usize, pending: Pending) -> bool {
        let retained = self.retained + ELEMENT + bytes;
        if retained <= self.most {
            self.retained = retained;
            return true;
        }
        let why = format!("the reply is larger than the limit of {} MB", self.most >> 20);
        self.skip(0, pending, Error::new(Kind::Unsupported, why));
        false
    }

    /// Reads one element: `Some(None)` if it opened an array; `None` if more bytes are needed or the reply is now being
    /// skipped.
    fn element(&mut self, bytes: &mut BytesMut) -> Result<Option<Option<Read>>, Malformed> {
        let end = match line_end(bytes, self.scanned) {
            Some(end) if end <= LONGEST_LINE => end,
            None if bytes.len() <= LONGEST_LINE => {
                if bytes.len() > LONGEST_NUMBER && !matches!(bytes.first(), Some(b'+' | b'-')) {
                    return Err(Malformed("a line without a terminator"));
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
        let whole = || number(line).ok_or(Malformed("an invalid number"));
        match kind {
            b'+' => {
                let line = take_line(bytes, end);
                Ok(self.makes_room(line.len(), Pending::Nothing).then_some(Some(Ok(Reply::Bulk(line)))))
            }
            b'-' => {
                let message = take_line(bytes, end);
                if !self.open.is_empty() {
                    let room = self.makes_room(message.len(), Pending::Nothing);
                    return Ok(room.then_some(Some(Ok(Reply::Error(message)))));
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
                _ => Err(Malformed("a string longer than any server stores")),
            },
            b'_' if self.pushes => {
                bytes.advance(end + 2);
                Ok(self.makes_room(0, Pending::Nothing).then_some(Some(Ok(Reply::Nil))))
            }
            b'*' | b'>' | b'%' if kind == b'*' || self.pushes => {
                let count = if kind == b'%' { whole()?.saturating_mul(2) } else { whole()? };
                if !(-1..=MOST_ELEMENTS).contains(&count) {
                    return Err(Malformed("an array with more elements than any reply has"));
                }
                bytes.advance(end + 2);
                if self.open.len() >= DEEPEST && count > 0 {
                    let why = format!("the reply is nested more than {DEEPEST} arrays deep");
                    self.skip(count as u64, Pending::Nothing, Error::new(Kind::Unsupported, why));
                    return Ok(None);
                }
                Ok(match count {
                    _ if !self.makes_room(0, Pending::Elements(count.max(0) as u64)) => None,
                    -1 => Some(Some(Ok(Reply::Nil))),
                    0 => Some(Some(Ok(Reply::Array(Vec::new())))),
                    _ => {
                        // The count is not trusted: capacity is reserved for part of the elements only.
                        let items = Vec::with_capacity((count as usize).min(1024));
                        self.open.push(Open { left: count as usize, items });
                        Some(None)
                    }
                })
            }
            _ => Err(Malformed("a line of an unknown RESP2 type")),
        }
    }

    /// A string of `length` bytes, once it has arrived completely.
    fn string(&mut self, bytes: &mut BytesMut, end: usize, length: usize) -> Result<Option<Option<Read>>, Malformed> {
        if length as i64 > LONGEST_BULK || self.retained + ELEMENT + length > self.most {
            bytes.advance(end + 2);
            let room = if length as i64 > LONGEST_BULK { self.most } else { length };
            self.makes_room(room, Pending::Bytes(length as u64 + 2));
            return Ok(None);
        }
        let Some(bulk) = bulk(bytes, end, length)? else { return Ok(None) };
        self.retained += ELEMENT + length;
        Ok(Some(Some(Ok(bulk))))
    }

    /// A line beyond the length limit; its content is not retained.
    fn long_line(&mut self, bytes: &BytesMut) -> Result<(), Malformed> {
        let why = match bytes.split_first() {
            Some((b'+', _)) => Error::new(Kind::Unsupported, "the reply is a status longer than 1 MB"),
            Some((b'-', said)) => {
                Error::from_server(String::from_utf8_lossy(&said[..ENOUGH.min(said.len())]).into_owned())
            }
            _ => return Err(Malformed("a line without a terminator")),
        };
        self.skip(0, Pending::Line, why);
        Ok(())
    }

    /// Adds an element to the innermost open array; returns the reply if it is complete.
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
        return Err(Malformed("a string without a terminator"));
    }
    bytes.advance(end + 2);
    let value = bytes.split_to(length).freeze();
    bytes.advance(2);
    Ok(Some(Reply::Bulk(value)))
}

/// Takes a line, without its type byte and terminator.
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

/// Parses a decimal integer strictly.
fn number(digits: &[u8]) -> Option<i64> {
    match digits {
        [digit @ b'0'..=b'9'] => Some(i64::from(digit - b'0')),
        [b'+', ..] => None,
        _ => std::str::from_utf8(digits).ok()?.parse().ok(),
    }
}
