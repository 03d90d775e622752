//! The entries of a header, from the right.
//!
//! What a client sent is left of what proxies appended. Reading from the right, nothing in it, such as a quote that is never closed, can
//! change what the entries of the proxies say.

use std::{borrow::Cow, net::IpAddr};

use super::{Header, text};

/// One entry of a header.
pub enum Entry<'a> {
    /// An address.
    Address(&'a str),
    /// An element of `Forwarded`.
    Forwarded(&'a str),
}

/// The entries of a header, the last one first.
pub fn from_right(value: &str, header: Header) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = (!value.is_empty()).then_some(value);
    std::iter::from_fn(move || {
        let whole = rest?;
        let split = match header {
            Header::List => whole.rfind(','),
            Header::Forwarded => last_outside_quotes(whole, b','),
            Header::Single => None,
        };
        let (before, last) = split.map_or((None, whole), |at| (Some(&whole[..at]), &whole[at + 1..]));
        rest = before;
        Some(if header == Header::Forwarded { Entry::Forwarded(last) } else { Entry::Address(last) })
    })
}

/// The address in an entry.
pub fn address(entry: Entry<'_>) -> Option<IpAddr> {
    match entry {
        Entry::Address(entry) => text::address(entry),
        Entry::Forwarded(element) => text::address(&node(element)?),
    }
}

/// The value of the parameter `for` of an element, if it has exactly one.
fn node(element: &str) -> Option<Cow<'_, str>> {
    let mut rest = Some(element);
    let mut found = None;
    while let Some(whole) = rest {
        let split = last_outside_quotes(whole, b';');
        let pair = split.map_or(whole, |at| &whole[at + 1..]);
        rest = split.map(|at| &whole[..at]);
        // The grammar allows empty ones, as behind a last semicolon.
        if pair.trim_matches([' ', '\t']).is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        if name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    unquoted(found?.trim_matches([' ', '\t']))
}

fn unquoted(value: &str) -> Option<Cow<'_, str>> {
    let Some(rest) = value.strip_prefix('"') else { return Some(Cow::Borrowed(value)) };
    let inside = rest.strip_suffix('"')?;
    if !inside.contains(['"', '\\']) {
        return Some(Cow::Borrowed(inside));
    }
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    Some(Cow::Owned(text))
}

// The position of the last separator that is in no quotes, where a quote behind an odd number of backslashes is no quote.
fn last_outside_quotes(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut is_quoted = false;
    for at in (0..bytes.len()).rev() {
        if bytes[at] == b'"' && bytes[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0 {
            is_quoted = !is_quoted;
        } else if bytes[at] == separator && !is_quoted {
            return Some(at);
        }
    }
    None
}
