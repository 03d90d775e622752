//! Passing over a reply as it comes: nothing of it is kept, and no more is remembered than how much is still to come. An array
//! inside another only adds to that.

use bytes::{Buf, BytesMut};

use super::{LONGEST_NUMBER, Malformed, line_end, number};
use crate::error::Error;

/// Nobody sends a reply of so many bytes: it would never end.
pub const MOST_PASSED: u64 = 4 << 30;
/// No server nests deeper: a script's reply is held to the stack of Lua's C API, `LUAI_MAXCSTACK`. Such a reply would end with those
/// of the next callers.
pub const DEEPEST_OF_ALL: u32 = 8000;

/// A reply that is passed over.
pub struct Skip {
    /// How many elements have not begun yet.
    pub elements: u64,
    /// What is left of the one that has.
    pub pending: Pending,
    /// How many arrays have begun one in another, with no other element in between.
    pub nested: u32,
    /// How many bytes were passed.
    pub passed: u64,
    /// What its caller is told.
    pub why: Error,
}

/// What is left of an element.
#[derive(Clone, Copy)]
pub enum Pending {
    Nothing,
    /// A string, with its end.
    Bytes(u64),
    /// Everything up to the end of a line.
    Line,
    /// The elements of an array.
    Elements(u64),
}

impl Skip {
    /// Passes over what is there; whether that was all.
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
                        // The last byte may be the first of the end.
                        let count = bytes.len().saturating_sub(1);
                        self.advance(bytes, count)?;
                        return Ok(false);
                    }
                },
            }
        }
    }

    /// The beginning of the next element; whether it was there.
    fn begin(&mut self, bytes: &mut BytesMut) -> Result<bool, Malformed> {
        let Some(&kind) = bytes.first() else { return Ok(false) };
        if matches!(kind, b'+' | b'-') {
            (self.elements, self.pending, self.nested) = (self.elements - 1, Pending::Line, 0);
            return Ok(true);
        }
        let head = bytes.get(..LONGEST_NUMBER.min(bytes.len())).unwrap_or_default();
        let Some(end) = line_end(head, 0) else {
            return if head.len() < LONGEST_NUMBER { Ok(false) } else { Err(Malformed("a line without an end")) };
        };
        let Some(count) = number(head.get(1..end).unwrap_or_default()) else {
            return Err(Malformed("a number that is none"));
        };
        let count = match kind {
            b':' => 0,
            b'$' | b'*' if count >= -1 => count.max(0) as u64,
            b'$' | b'*' => return Err(Malformed("a length that is none")),
            _ => return Err(Malformed("a line that begins like none of RESP2")),
        };
        let is_nil = head.get(1) == Some(&b'-');
        self.advance(bytes, end + 2)?;
        self.elements -= 1;
        self.nested = if kind == b'*' && count > 0 { self.nested + 1 } else { 0 };
        if self.nested > DEEPEST_OF_ALL {
            return Err(Malformed("arrays nested deeper than any server nests them"));
        }
        self.pending = match kind {
            b'$' if !is_nil => Pending::Bytes(count.saturating_add(2)),
            b'*' => Pending::Elements(count),
            _ => Pending::Nothing,
        };
        // None is shorter than three bytes.
        let least = self.elements.saturating_add(if kind == b'*' { count } else { 0 }).saturating_mul(3);
        if least > MOST_PASSED {
            return Err(Malformed("an array of more elements than any reply has"));
        }
        Ok(true)
    }

    fn advance(&mut self, bytes: &mut BytesMut, count: usize) -> Result<(), Malformed> {
        bytes.advance(count);
        self.passed += count as u64;
        if self.passed > MOST_PASSED { Err(Malformed("a reply without an end")) } else { Ok(()) }
    }
}
