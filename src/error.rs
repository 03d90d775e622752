//! The one error of this crate: a kind to branch on, a message to read, a source to dig into.

mod secrets;
mod words;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
pub use secrets::keep as keep_secret;

/// What every fallible function here answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Something that could not be done, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong, to branch on.
    pub kind: Kind,
    message: Cow<'static, str>,
    #[source]
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    /// The key of the request that failed, where it is known.
    key: Option<Bytes>,
    /// What is known to be done of a call that was done in part.
    done: Option<Arc<Done>>,
    /// Whether a part of its call is known to be done.
    in_part: bool,
}

/// What is known to be done of a call that was done in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// So many of what it counts.
    Count(u64),
    /// These, of what it was given.
    Names(Vec<String>),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, retryable: $retryable:literal;)*) => {
        /// Kinds of failure. Each has a stable code that JavaScript sees as `error.code`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind, for the test that compares this table with `index.d.ts`.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The stable code, `E_…`.
            pub fn code(self) -> &'static str {
                match self { $(Kind::$name => $code,)* }
            }

            /// Whether the same call may succeed later with nothing changed by the caller.
            pub fn retryable(self) -> bool {
                match self { $(Kind::$name => $retryable,)* }
            }
        }
    };
}

kinds! {
    /// The caller passed something that cannot be meant.
    InvalidArgument = "E_INVALID_ARGUMENT", retryable: false;
    /// An option or environment variable has a value that cannot be meant.
    InvalidSettings = "E_INVALID_SETTINGS", retryable: false;
    /// No connection to the server, it was lost under a read, or its circuit breaker is open; nothing was changed.
    Unavailable = "E_UNAVAILABLE", retryable: true;
    /// It waited until its deadline passed or its connection ended; nothing was sent.
    NotSent = "E_NOT_SENT", retryable: true;
    /// Too much is waiting: for the server, and nothing was sent; or for a subscription, which has ended.
    Backpressure = "E_BACKPRESSURE", retryable: true;
    /// What changes nothing was sent, and the deadline passed before an answer came.
    Timeout = "E_TIMEOUT", retryable: true;
    /// What may have changed something was sent, and no answer came before the connection or the time was lost; or a call of
    /// several steps was done in part.
    MaybeApplied = "E_MAYBE_APPLIED", retryable: false;
    /// The caller's own signal ended it.
    Aborted = "E_ABORTED", retryable: false;
    /// The service was disconnected by its owner.
    Closed = "E_CLOSED", retryable: false;
    /// The server refused the user name or password.
    Auth = "E_AUTH", retryable: false;
    /// The key holds another type of value.
    WrongType = "E_WRONG_TYPE", retryable: false;
    /// The server has no memory left for this write.
    OutOfMemory = "E_OUT_OF_MEMORY", retryable: true;
    /// The server answered with another error.
    Server = "E_SERVER", retryable: false;
    /// A stored value is not what this library writes.
    InvalidData = "E_INVALID_DATA", retryable: false;
    /// Somebody else holds the lock.
    LockHeld = "E_LOCK_HELD", retryable: true;
    /// The lock was lost while its holder was at work.
    LockLost = "E_LOCK_LOST", retryable: false;
    /// Other writers kept changing the value; nothing was written.
    Conflict = "E_CONFLICT", retryable: true;
    /// The job is dead: its last attempt failed, or no other would have helped.
    JobFailed = "E_JOB_FAILED", retryable: false;
    /// The job was removed, has finished and was not kept, or is another worker's by now.
    JobGone = "E_JOB_GONE", retryable: false;
    /// This engine or server cannot do that.
    Unsupported = "E_UNSUPPORTED", retryable: false;
    /// A bug in this library; the process is unharmed.
    Internal = "E_INTERNAL", retryable: false;
}

impl Error {
    /// An error of this kind with this message.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None, key: None, done: None, in_part: false }
    }

    /// Says which key it is about, unless that is known already.
    pub fn at(mut self, key: &Bytes) -> Self {
        self.key.get_or_insert_with(|| key.clone());
        self
    }

    /// The key of the request that failed, where it is known.
    pub fn key(&self) -> Option<&Bytes> {
        self.key.as_ref()
    }

    /// The same error as one of another kind, in other words.
    pub fn become_of(self, kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), ..self }
    }

    /// Says what is known to be done of its call.
    pub fn having_done(mut self, done: Option<Done>) -> Self {
        self.done = done.map(Arc::new);
        self
    }

    /// Says that a part of its call is known to be done.
    pub fn in_part(mut self, in_part: bool) -> Self {
        self.in_part |= in_part;
        self
    }

    /// Whether a part of its call is known to be done, and not only in doubt.
    pub fn is_in_part(&self) -> bool {
        self.in_part
    }

    /// What is known to be done of its call, where it was done in part.
    pub fn done(&self) -> Option<&Done> {
        self.done.as_deref()
    }

    /// Keeps what caused it.
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The caller's mistake, in words that say what to do.
    pub fn argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }

    /// A mistake in options or environment.
    pub fn settings(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidSettings, message)
    }

    /// What the server said when it refused a command: the first word decides the kind, wherever it was said. Of the words, what
    /// may be a caller's is taken out.
    pub fn from_server(message: impl Into<Cow<'static, str>>) -> Self {
        let message = shortened(words::harmless(unwrapped(message.into())));
        let kind = match message.split_whitespace().next().unwrap_or_default() {
            "WRONGTYPE" => Kind::WrongType,
            "NOAUTH" | "WRONGPASS" | "NOPERM" => Kind::Auth,
            "OOM" => Kind::OutOfMemory,
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "READONLY" | "BUSY" | "MISCONF" | "NOREPLICAS" => {
                Kind::Unavailable
            }
            "ERR" if starts_with_any(&message, &FULL) => Kind::Unavailable,
            "ERR" if starts_with_any(&message, &FORBIDDEN_IN_SCRIPT) => Kind::Auth,
            _ => Kind::Server,
        };
        Self::new(kind, message)
    }

    /// The same error without the pieces of these arguments that a server repeats in it.
    pub fn hiding<'a>(mut self, args: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let said = self.kind == Kind::Server || is_code(self.message.split(' ').next().unwrap_or_default());
        if said && let Some(message) = words::without(&self.message, args) {
            self.message = message.into();
            self.source = None;
        }
        self
    }

    /// Whether there was no server to answer, as opposed to an answer that says no.
    pub fn is_unavailable(&self) -> bool {
        use Kind::{Backpressure, MaybeApplied, NotSent, Timeout, Unavailable};
        matches!(self.kind, Unavailable | NotSent | Backpressure | Timeout | MaybeApplied)
    }

    /// The text, without the kind.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// What a server, or a gateway before it, says when it takes nobody more, or nothing more for now.
const FULL: [&str; 8] = [
    "ERR max number of clients",
    "ERR max number of connections",
    "ERR max concurrent connections",
    "ERR max daily request limit",
    "ERR max requests limit",
    "ERR too many connections",
    "ERR too many clients",
    "ERR upstream failure",
];

/// What a server says of a command that its user may not run in a script, up to Redis 7 and since.
const FORBIDDEN_IN_SCRIPT: [&str; 2] = ["ERR The user executing the script can't", "ERR ACL failure in script"];

fn starts_with_any(message: &str, beginnings: &[&str]) -> bool {
    let starts = |beginning: &&str| message.get(..beginning.len()).is_some_and(|m| m.eq_ignore_ascii_case(beginning));
    beginnings.iter().any(starts)
}

fn is_code(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// As many bytes of what a server says are kept.
const LONGEST: usize = 500;

/// An error of a script as servers tell it since Redis 7. Those before put in front of it where it was: `ERR Error running script
/// (call to f_…): @user_script:3: WRONGTYPE …`, and for what the server itself refuses `@user_script: 3: -READONLY …`.
fn unwrapped(message: Cow<'static, str>) -> Cow<'static, str> {
    let mut rest: &str = &message;
    if let Some((_, inner)) =
        rest.strip_prefix("ERR Error running script (call to f_").and_then(|rest| rest.split_once("): "))
    {
        rest = inner;
    }
    while let Some((line, inner)) = rest.strip_prefix("@user_script:").and_then(|rest| rest.split_once(": ")) {
        if line.trim().parse::<u32>().is_err() {
            break;
        }
        rest = inner;
    }
    if rest.len() == message.len() {
        return message;
    }
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_end();
    if is_code(rest.split(' ').next().unwrap_or_default()) {
        rest.to_owned().into()
    } else {
        format!("ERR {rest}").into()
    }
}

/// Servers before Redis 7 repeat in an error whatever they were sent: an error is no place for a caller's megabytes.
fn shortened(message: Cow<'static, str>) -> Cow<'static, str> {
    if message.len() <= LONGEST {
        return message;
    }
    format!("{}…", &message[..message.floor_char_boundary(LONGEST)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_errors_of_servers_are_cut_between_characters() {
        let error = Error::from_server(format!("ERR {}", "ä".repeat(LONGEST)));
        assert!(error.message().ends_with("ä…") && error.message().len() < LONGEST + 4, "{error}");
        assert_eq!(Error::from_server("x".repeat(LONGEST)).message().len(), LONGEST);
    }

    #[test]
    fn errors_of_scripts_are_told_alike_for_all_servers() {
        let at = "ERR Error running script (call to f_f2274cb4b88798803c13e561d24c13164d5f419d): @user_script:73: ";
        for (told, kind, message) in [
            (format!("{at}WRONGTYPE Operation against a key"), Kind::WrongType, "WRONGTYPE Operation against a key"),
            (
                format!("{at}@user_script: 73: -READONLY You can't write against a read only replica. "),
                Kind::Unavailable,
                "READONLY You can't write against a read only replica.",
            ),
            (format!("{at}-OOM command not allowed"), Kind::OutOfMemory, "OOM command not allowed"),
            (
                "@user_script: 13: Unknown Redis command called from Lua script".into(),
                Kind::Server,
                "ERR Unknown Redis command called from Lua script",
            ),
            (format!("{at}user_script:9: 'for' limit"), Kind::Server, "ERR user_script:9: 'for' limit"),
            ("WRONGTYPE Operation".into(), Kind::WrongType, "WRONGTYPE Operation"),
            ("ERR Error running script".into(), Kind::Server, "ERR Error running script"),
            ("@user_script: x: y".into(), Kind::Server, "@user_script: x: y"),
            (String::new(), Kind::Server, ""),
        ] {
            let error = Error::from_server(told);
            assert_eq!((error.kind, error.message()), (kind, message));
        }
    }
}
