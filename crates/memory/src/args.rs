//! Parsing of arguments.

use bytes::Bytes;

use super::number;
use super::resp_value::CommandError;

/// Parses an integer.
pub fn integer(arg: &[u8]) -> Result<i64, CommandError> {
    number::integer(arg).ok_or(CommandError::NOT_INTEGER)
}

/// Parses a count that is not negative.
pub fn count(arg: &[u8]) -> Result<usize, CommandError> {
    number::integer(arg).and_then(|count| usize::try_from(count).ok()).ok_or(CommandError::NOT_POSITIVE)
}

/// Parses a number.
pub fn float(arg: &[u8]) -> Result<f64, CommandError> {
    number::float(arg).ok_or(CommandError::NOT_FLOAT)
}

/// Whether an argument is this word, in any case.
pub fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// Returns an argument as a word in upper case.
pub fn word(arg: &[u8]) -> String {
    String::from_utf8_lossy(arg).to_ascii_uppercase()
}

/// Returns the argument after an option.
pub fn following<'a>(args: &mut impl Iterator<Item = &'a Bytes>) -> Result<&'a Bytes, CommandError> {
    args.next().ok_or(CommandError::SYNTAX)
}

/// Returns the range of `len` elements for the inclusive indices `start` and `stop`, counted from the end if negative.
pub fn slice(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let position = |i: i64| if i < 0 { i.saturating_add(len) } else { i };
    let (start, stop) = (position(start).max(0), position(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}
