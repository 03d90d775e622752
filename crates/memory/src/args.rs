//! Reading of arguments.

use bytes::Bytes;

use super::answer::Fault;
use super::number;

/// A whole number.
pub fn integer(arg: &[u8]) -> Result<i64, Fault> {
    number::integer(arg).ok_or(Fault::NOT_INTEGER)
}

/// A count that is not negative.
pub fn count(arg: &[u8]) -> Result<usize, Fault> {
    number::integer(arg).and_then(|count| usize::try_from(count).ok()).ok_or(Fault::NOT_POSITIVE)
}

/// A number.
pub fn float(arg: &[u8]) -> Result<f64, Fault> {
    number::float(arg).ok_or(Fault::NOT_FLOAT)
}

/// Whether an argument is this word, in any case.
pub fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// An argument as a word in capitals, to match on.
pub fn word(arg: &[u8]) -> String {
    String::from_utf8_lossy(arg).to_ascii_uppercase()
}

/// The argument behind an option.
pub fn following<'a>(args: &mut impl Iterator<Item = &'a Bytes>) -> Result<&'a Bytes, Fault> {
    args.next().ok_or(Fault::SYNTAX)
}

/// The part of `len` elements that `start..=stop` names, counted from the end where negative.
pub fn slice(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let place = |i: i64| if i < 0 { i.saturating_add(len) } else { i };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}
