//! The commands of an exchange, changed where their replies might be taken for messages, and how to read those replies.

use std::{collections::HashMap, sync::LazyLock};

use bytes::{Buf, Bytes};
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};

use super::shape::{self, LONG, Shape};

/// A script that runs any command. An error is an element of its reply, and as such has the server's own text.
const RUN: &str = "return {1, redis.pcall(unpack(ARGV))}";

/// The most words that Lua unpacks, less a few.
const MOST_UNPACKED: usize = 7_900;

/// The same for any number of words: the last ones are unpacked, and the others put before them so many at a time.
static RUN_LONG: LazyLock<String> = LazyLock::new(|| {
    const AT_A_TIME: usize = 100;
    let before: Vec<_> = (0..AT_A_TIME).rev().map(|back| format!("ARGV[last - {back}]")).collect();
    format!(
        "local function run(last, ...)
           if last == 0 then return redis.pcall(...) end
           return run(last - {AT_A_TIME}, {}, ...)
         end
         local rest = #ARGV % {AT_A_TIME}
         return {{1, run(#ARGV - rest, unpack(ARGV, #ARGV - rest + 1))}}",
        before.join(", ")
    )
});

/// Scripts that are remembered by their SHA-1. Ours are fewer; those of callers may be any number.
const MOST_SCRIPTS: usize = 512;

/// One command that is sent.
#[derive(Debug)]
pub struct Outgoing {
    pub words: Vec<Bytes>,
    pub reading: Reading,
    /// An error might repeat bytes that are not UTF-8, if only a part of a character. The script of a caller may make such an error.
    pub error_may_be_bytes: bool,
}

impl Outgoing {
    fn new(words: Vec<Bytes>, reading: Reading) -> Self {
        let error_may_be_bytes = !words.iter().all(|word| word.is_ascii());
        Self { words, reading, error_may_be_bytes }
    }
}

/// What becomes of the reply to a command that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It is the reply.
    Whole,
    /// The reply is the first so many elements.
    First(usize),
    /// The reply is the element behind a number.
    Second,
    /// The reply is an array without its first element, and these are the readings of the others.
    Transaction(Vec<Reading>),
    /// No caller asked for it.
    None,
}

impl Reading {
    /// The reply to the caller's command; `None` if there was none.
    pub fn apply(self, reply: Result<Reply>) -> Option<Result<Reply>> {
        match (self, reply) {
            (Self::None, _) => None,
            (Self::First(count), Ok(Reply::Array(items))) => {
                Some(Ok(Reply::Array(items.into_iter().take(count).collect())))
            }
            (Self::Transaction(readings), Ok(Reply::Array(items))) => {
                let items = items.into_iter().skip(1).zip(readings);
                Some(Ok(Reply::Array(items.filter_map(|(item, reading)| reading.apply_to_item(item)).collect())))
            }
            (Self::Second, Ok(Reply::Array(items))) => Some(match items.into_iter().nth(1) {
                Some(Reply::Error(words)) => Err(Error::from_server(String::from_utf8_lossy(&words).into_owned())),
                reply => Ok(reply.unwrap_or(Reply::Nil)),
            }),
            (_, reply) => Some(reply),
        }
    }

    /// The same for an element of a transaction's reply.
    fn apply_to_item(self, item: Reply) -> Option<Reply> {
        self.apply(Ok(item))
            .map(|reply| reply.unwrap_or_else(|error| Reply::Error(Bytes::copy_from_slice(error.message().as_bytes()))))
    }
}

/// What is to be done for a command of the exchange.
#[derive(Debug)]
pub enum Step {
    Send(Outgoing),
    /// Nothing is sent.
    Reply(Error),
}

/// The scripts that were sent over a connection: SHA-1s of their wrapped forms, by their own.
#[derive(Default)]
pub struct Wrapped(HashMap<String, String>);

/// The commands in these bytes, as they are sent.
pub fn steps(mut bytes: Bytes, scripts: &mut Wrapped) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut transaction: Option<Vec<Reading>> = None;
    while let Some(words) = next(&mut bytes) {
        let name = words.first().map(|name| String::from_utf8_lossy(name).to_ascii_uppercase()).unwrap_or_default();
        let send = |words, reading| Step::Send(Outgoing::new(words, reading));
        match &name[..] {
            "MULTI" => {
                transaction = Some(Vec::new());
                steps.push(send(words, Reading::Whole));
                // The array that EXEC returns begins with the reply to this, and so with nothing that a caller has stored.
                steps.push(send(vec![Bytes::from_static(b"PING")], Reading::None));
            }
            "EXEC" => steps.push(send(words, Reading::Transaction(transaction.take().unwrap_or_default()))),
            _ => {
                let mut step = changed(&name, words, scripts);
                if let (Some(readings), Step::Send(outgoing)) = (&mut transaction, &mut step) {
                    // The reply is QUEUED. A server that rejects MULTI executes it at once, so it is changed nevertheless.
                    readings.push(std::mem::replace(&mut outgoing.reading, Reading::Whole));
                }
                steps.push(step);
            }
        }
    }
    steps
}

fn changed(name: &str, mut words: Vec<Bytes>, scripts: &mut Wrapped) -> Step {
    let send = |words, reading| Step::Send(Outgoing::new(words, reading));
    match shape::of(name, words.get(1..).unwrap_or_default()) {
        Shape::Plain => send(words, Reading::Whole),
        Shape::Padded { others } => {
            let count = words.len() - 1 - others;
            let last = words.last().cloned().unwrap_or_default();
            words.resize(1 + others + LONG, last);
            send(words, Reading::First(count))
        }
        Shape::Script => {
            if let Some(source) = words.get_mut(1) {
                *source = scripts.wrap(source);
            }
            Step::Send(Outgoing { words, reading: Reading::Second, error_may_be_bytes: true })
        }
        Shape::Named => match words.get(1).and_then(|sha| scripts.sha(sha)) {
            Some(sha) => {
                words[1] = sha;
                send(words, Reading::Second)
            }
            // It is sent again with its source.
            None => Step::Reply(Error::from_server("NOSCRIPT this script was not sent over this connection yet")),
        },
        Shape::Wrapped => match shape::keys(name, &words[1..]) {
            Some(keys) => {
                let script = if words.len() > MOST_UNPACKED { RUN_LONG.as_str() } else { RUN };
                let mut run = vec![Bytes::from_static(b"EVAL"), Bytes::from_static(script.as_bytes())];
                run.push(Bytes::from(keys.len().to_string()));
                run.extend(keys);
                run.extend(words);
                send(run, Reading::Second)
            }
            None => Step::Reply(unchecked(name)),
        },
        Shape::Unknown => Step::Reply(unchecked(name)),
    }
}

fn unchecked(name: &str) -> Error {
    Error::new(Kind::Internal, format!("{name} was not kept from the driver fred; nothing was sent"))
}

impl Wrapped {
    /// The script as one whose reply is an array of a number and the reply.
    fn wrap(&mut self, source: &Bytes) -> Bytes {
        let wrapped = wrap(source);
        if self.0.len() >= MOST_SCRIPTS {
            self.0.clear();
        }
        let sha = |text: &[u8]| sha1_smol::Sha1::from(text).digest().to_string();
        self.0.insert(sha(source), sha(&wrapped));
        wrapped
    }

    fn sha(&self, sha: &[u8]) -> Option<Bytes> {
        let wrapped = self.0.get(std::str::from_utf8(sha).ok()?)?;
        Some(Bytes::copy_from_slice(wrapped.as_bytes()))
    }
}

/// Its first line stays the first if it is one for the server, and errors name the same lines. A script need not be UTF-8.
fn wrap(source: &[u8]) -> Bytes {
    let is_headed = source.starts_with(b"#!") || source.starts_with(b"--!");
    let line = || memchr::memchr(b'\n', source).map_or(source.len(), |end| end + 1);
    let (head, body) = source.split_at(if is_headed { line() } else { 0 });
    Bytes::from([head, b"return {1, (function(...) ", body, b"\nend)(...)}"].concat())
}

/// The next command of an exchange, without its encoding.
fn next(bytes: &mut Bytes) -> Option<Vec<Bytes>> {
    let count = number(bytes, b'*')?;
    (0..count)
        .map(|_| {
            let length = number(bytes, b'$')?;
            let word = bytes.split_to(length);
            bytes.advance(2);
            Some(word)
        })
        .collect()
}

fn number(bytes: &mut Bytes, kind: u8) -> Option<usize> {
    let end = memchr::memchr(b'\r', bytes)?;
    let (&first, digits) = bytes.get(..end)?.split_first()?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok();
    bytes.advance(end + 2);
    number.filter(|_| first == kind)
}

#[cfg(test)]
mod tests;
