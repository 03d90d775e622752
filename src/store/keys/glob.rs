//! Patterns over the names in a cache.

use super::{LONGEST, is_special, push};
use crate::error::{Error, Result};

/// A text that means nothing but itself to a glob.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A glob over names as one over what they are stored as.
///
/// # Errors
/// `E_INVALID_ARGUMENT` when it is empty or too long, has a class that never ends, that no name can match, or that reads like
/// a word.
pub fn names(glob: &str) -> Result<String> {
    if glob.is_empty() || glob.len() > LONGEST {
        return Err(Error::argument(format!("pattern must have 1 to {LONGEST} bytes, got {}", glob.len())));
    }
    let mut out = String::with_capacity(glob.len() + 8);
    let mut rest = glob.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' | '?' => out.push(c),
            '[' => class(&mut rest, &mut out)?,
            '\\' => push(&mut out, rest.next().unwrap_or('\\')),
            _ => push(&mut out, c),
        }
    }
    Ok(out)
}

/// Copies a class. A character that is stored encoded is three, which no class can match.
fn class(rest: &mut std::str::Chars<'_>, out: &mut String) -> Result<()> {
    out.push('[');
    let (mut size, mut word) = (0, String::new());
    loop {
        let c = match rest.next() {
            None => return Err(Error::argument("pattern has a [ without its ]; \\[ stands for the character")),
            Some(']') if size == 0 => return Err(Error::argument("pattern has a class with nothing in it")),
            Some(']') => break,
            Some('^') if size == 0 && !out.ends_with('^') => {
                word.push('^');
                out.push('^');
                continue;
            }
            Some('\\') => rest.next().unwrap_or('\\'),
            Some(c) => c,
        };
        if !c.is_ascii() || is_special(c as u8) {
            return Err(Error::argument(format!("pattern has {c:?} in a class, where only plain ASCII can match")));
        }
        word.push(c);
        out.push(c);
        size += 1;
    }
    if reads_like_a_word(&word) {
        return Err(Error::argument(
            "pattern has letters in brackets, as in [slug], which a glob takes for one of these letters: \\[slug\\] stands for \
             the text; a range such as [a-z], one letter in both cases or [^…] is a class",
        ));
    }
    out.push(']');
    Ok(())
}

/// `[slug]`, `[...path]` and `[user-id]` are parts of a route to most who write them, and one letter to a glob. What is
/// certainly meant as a class has no more than one letter outside its ranges, in either case, or begins with `^`.
fn reads_like_a_word(class: &str) -> bool {
    let (mut rest, mut alone) = (class.as_bytes(), None);
    while let [c, after @ ..] = rest {
        rest = match after {
            [b'-', end, after @ ..] if c < end => after,
            _ => {
                if c.is_ascii_alphabetic()
                    && alone.replace(c.to_ascii_lowercase()).is_some_and(|other| other != c.to_ascii_lowercase())
                {
                    return !class.starts_with('^');
                }
                after
            }
        };
    }
    false
}
