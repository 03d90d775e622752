//! Patterns over the names in a cache.

use cinnabar_port::error::{Error, Result};

use super::{MAX_IDENTIFIER_BYTES, is_special, push};

/// Escapes a text so that a glob matches it literally.
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

/// Translates a glob over names into one over their stored form.
///
/// # Errors
/// `E_INVALID_ARGUMENT` if it is empty or too long, or has a class that is not closed, that no name can match or that looks
/// like a word.
pub fn names(glob: &str) -> Result<String> {
    if glob.is_empty() || glob.len() > MAX_IDENTIFIER_BYTES {
        return Err(Error::argument(format!(
            "pattern must have 1 to {MAX_IDENTIFIER_BYTES} bytes, got {}",
            glob.len()
        )));
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

/// Copies a class. A character that is stored encoded takes three bytes, which no class can match.
fn class(rest: &mut std::str::Chars<'_>, out: &mut String) -> Result<()> {
    out.push('[');
    let (mut size, mut word) = (0, String::new());
    loop {
        let c = match rest.next() {
            None => return Err(Error::argument("pattern has a [ without a closing ]; use \\[ for a literal bracket")),
            Some(']') if size == 0 => return Err(Error::argument("pattern has an empty class []")),
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
            return Err(Error::argument(format!(
                "pattern has {c:?} in a class, where only plain ASCII characters can match"
            )));
        }
        word.push(c);
        out.push(c);
        size += 1;
    }
    if reads_like_a_word(&word) {
        return Err(Error::argument(
            "pattern has several letters in brackets, such as [slug], which matches a single one of them: use \\[slug\\] for \
             the literal text; a range such as [a-z], one letter in both cases, and [^…] are allowed as classes",
        ));
    }
    out.push(']');
    Ok(())
}

/// `[slug]`, `[...path]` and `[user-id]` are usually meant as parts of a route, but a glob matches a single character. A class
/// is unambiguous if it has at most one letter outside its ranges, in either case, or starts with `^`.
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
