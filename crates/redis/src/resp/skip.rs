//! Skips a reply as it arrives, in constant memory: only the number of outstanding elements is tracked. A nested array just
//! adds to that number.

use bytes::{Buf, BytesMut};
use cinnabar_port::error::Error;

use super::{LONGEST_NUMBER, Malformed, line_end, number};

/// A reply of more bytes than this is treated as endless.
pub const MOST_PASSED: u64 = 4 << 30;
/// No server nests deeper: the reply of a script is limited by the C stack of Lua, `LUAI_MAXCSTACK`. A reply that claims to
/// would swallow the replies to later calls.
pub const DEEPEST_OF_ALL: u32 = 8000;

/// A reply that is being skipped.
pub struct Skip {
    /// How many elements have not started yet.
    pub elements: u64,
    /// The rest of the current element.
    pub pending: Pending,
    /// How many arrays were opened directly inside one another, with no other element in between.
    pub nested: u32,
    /// How many bytes were skipped.
    pub passed: u64,
    /// The error for its caller.
    pub why: Error,
}

/// The rest of an element.
#[derive(Clone, Copy)]
pub enum Pending {
    Nothing,
    /// A string, including its terminator.
    Bytes(u64),
    /// The rest of a line.
    Line,
    /// The elements of an array.
    Elements(u64),
}

impl Skip {
    /// Skips the bytes that have arrived; returns whether the reply is complete.
    pub fn pass(&mut self, bytes: &mut BytesMut) -> Result<bool, Malformed> {
        loop {
            match self.pending {
                Pending::Nothing if self.elements == 0 => return Ok(true),
                Pending::Nothing => {
                    if !self.begin(bytes)? {
                        return Ok(false);
                    }
                }
                Pending::Elements(count) => {
                    self.elements += count;
                    self.pending = Pending::Nothing;
                }
                Pending::Bytes(left) => {
                    let here = left.min(bytes.len() as u64);
                    self.advance(bytes, here as usize)?;
                    if here < left {
                        self.pending = Pending::Bytes(left - here);
                        return Ok(false);
                    }
                    self.pending = Pending::Nothing;
                }
                Pending::Line => match line_end(bytes, 0) {
                    Some(end) => {
                        self.advance(bytes, end + 2)?;
                        self.pending = Pending::Nothing;
                    }
                    None => {
                        // The last byte may be the first of the terminator.
                        let count = bytes.len().saturating_sub(1);
                        self.advance(bytes, count)?;
                        return Ok(false);
                    }
                },
            }
        }
    }

    /// Reads the header of the next element; returns whether it has arrived.
    fn begin(&mut self, bytes: &mut BytesMut) -> Result<bool, Malformed> {
        let Some(&kind) = bytes.first() else { return Ok(false) };
        if matches!(kind, b'+' | b'-') {
            (self.elements, self.pending, self.nested) = (self.elements - 1, Pending::Line, 0);
            return Ok(true);
        }
        let head = bytes.get(..LONGEST_NUMBER.min(bytes.len())).unwrap_or_default();
        let Some(end) = line_end(head, 0) else {
            return if head.len() < LONGEST_NUMBER { Ok(false) } else { Err(Malformed("a line without a terminator")) };
        };
        let Some(count) = number(head.get(1..end).unwrap_or_default()) else {
            return Err(Malformed("an invalid number"));
        };
        let count = match kind {
            b':' => 0,
            b'$' | b'*' if count >= -1 => count.max(0) as u64,
            b'$' | b'*' => return Err(Malformed("an invalid length")),
            _ => return Err(Malformed("a line of an unknown RESP2 type")),
        };
        let is_nil = head.get(1) == Some(&b'-');
        self.advance(bytes, end + 2)?;
        self.elements -= 1;
        self.nested = if kind == b'*' && count > 0 { self.nested + 1 } else { 0 };
        if self.nested > DEEPEST_OF_ALL {
            return Err(Malformed("arrays nested deeper than any server allows"));
        }
        self.pending = match kind {
            b'$' if !is_nil => Pending::Bytes(count.saturating_add(2)),
            b'*' => Pending::Elements(count),
            _ => Pending::Nothing,
        };
        // Each element takes at least three bytes.
        let least = self.elements.saturating_add(if kind == b'*' { count } else { 0 }).saturating_mul(3);
        if least > MOST_PASSED {
            return Err(Malformed("an array with more elements than any reply has"));
        }
        Ok(true)
    }

    fn advance(&mut self, bytes: &mut BytesMut, count: usize) -> Result<(), Malformed> {
        bytes.advance(count);
        self.passed += count as u64;
        if self.passed > MOST_PASSED { Err(Malformed("an endless reply")) } else { Ok(()) }
    }
}
