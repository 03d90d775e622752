//! Patterns over the names in a cache.

use bytes::Bytes;

use super::{Prefix, check, is_special, push};
use crate::error::{Error, Result};

/// The keys with this prefix whose names match a glob: `*`, `?` and `[a-z]` mean what they mean to Redis, `\` takes that
/// meaning away, everything else stands for itself. Names over 512 bytes are stored hashed and match no pattern but `*`.
///
/// # Errors
/// `E_INVALID_ARGUMENT` when the pattern is no identifier, or has a class that never ends or that no name can match.
pub fn pattern(prefix: &Prefix, glob: &str) -> Result<Bytes> {
    check("pattern", glob)?;
    let mut out = String::with_capacity(prefix.as_str().len() + glob.len() + 8);
    for c in prefix.as_str().chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    let mut rest = glob.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' | '?' => out.push(c),
            '[' => class(&mut rest, &mut out)?,
            '\\' => push(&mut out, rest.next().unwrap_or('\\')),
            _ => push(&mut out, c),
        }
    }
    Ok(out.into())
}

/// Copies a class. A character that is stored encoded is three, which no class can match.
fn class(rest: &mut std::str::Chars<'_>, out: &mut String) -> Result<()> {
    out.push('[');
    let mut size = 0;
    loop {
        let c = match rest.next() {
            None => return Err(Error::argument("pattern has a [ without its ]; \\[ stands for the character")),
            Some(']') if size == 0 => return Err(Error::argument("pattern has a class with nothing in it")),
            Some(']') => break,
            Some('^') if size == 0 && !out.ends_with('^') => {
                out.push('^');
                continue;
            }
            Some('\\') => rest.next().unwrap_or('\\'),
            Some(c) => c,
        };
        if !c.is_ascii() || is_special(c as u8) {
            return Err(Error::argument(format!("pattern has {c:?} in a class, where only plain ASCII can match")));
        }
        out.push(c);
        size += 1;
    }
    out.push(']');
    Ok(())
}
