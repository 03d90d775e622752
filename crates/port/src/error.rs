//! The error type of all crates: a kind, a message and a source.

mod redaction;
mod secrets;
mod server_code;
mod unavailable;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
pub use secrets::register as register_secret;
pub use server_code::{Policy, Retry, ServerCode};

/// The result of every fallible function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The kind of failure.
    pub kind: Kind,
    /// The code of the server's error that this is.
    code: Option<ServerCode>,
    message: Cow<'static, str>,
    #[source]
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    /// Whether a part of the call is known to have been executed.
    partially_applied: bool,
    details: Option<Box<Details>>,
}

/// What most errors do not have.
#[derive(Debug, Clone, Default)]
struct Details {
    /// The key of the request that failed.
    key: Option<Bytes>,
    /// The first word of the server's error because of which this one was made.
    origin: Option<Box<str>>,
    /// What a partially executed call is known to have done.
    done: Option<Arc<Done>>,
}

/// What a partially executed call is known to have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The count that the call would return.
    Count(u64),
    /// Which of the names passed to it were applied.
    Names(Vec<String>),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, retryable: $retryable:literal;)*) => {
        /// Kinds of failure. Each has a stable code that JavaScript sees as `error.code`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind, for the test that compares this table with `types/errors.d.ts`.
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
    /// The caller passed an invalid argument.
    InvalidArgument = "E_INVALID_ARGUMENT", retryable: false;
    /// An option or environment variable has an invalid value.
    InvalidSettings = "E_INVALID_SETTINGS", retryable: false;
    /// No connection to the server, it was lost under a read, or its circuit breaker is open; nothing was changed.
    Unavailable = "E_UNAVAILABLE", retryable: true;
    /// Its deadline passed or its connection ended while it waited; nothing was sent.
    NotSent = "E_NOT_SENT", retryable: true;
    /// Too many calls are waiting for the server, and nothing was sent; or too many messages for a subscription, which has ended.
    Backpressure = "E_BACKPRESSURE", retryable: true;
    /// A call that changes nothing was sent, and the deadline passed before the reply arrived.
    Timeout = "E_TIMEOUT", retryable: true;
    /// A call that may have changed something was sent, and the connection was lost or the deadline passed before the reply
    /// arrived; or only some steps of a call were executed.
    MaybeApplied = "E_MAYBE_APPLIED", retryable: false;
    /// The caller's own signal ended it.
    Aborted = "E_ABORTED", retryable: false;
    /// The service was disconnected by its owner.
    Closed = "E_CLOSED", retryable: false;
    /// The server rejected the user name or password.
    Auth = "E_AUTH", retryable: false;
    /// The key holds another type of value.
    WrongType = "E_WRONG_TYPE", retryable: false;
    /// The server has no memory left for this write.
    OutOfMemory = "E_OUT_OF_MEMORY", retryable: true;
    /// The server returned another error.
    Server = "E_SERVER", retryable: false;
    /// A stored value is not in a format that this library writes.
    InvalidData = "E_INVALID_DATA", retryable: false;
    /// Another holder has the lock.
    LockHeld = "E_LOCK_HELD", retryable: true;
    /// The lock was lost before it was released.
    LockLost = "E_LOCK_LOST", retryable: false;
    /// Other writers kept changing the value; nothing was written.
    Conflict = "E_CONFLICT", retryable: true;
    /// The user has as many sessions as allowed; none was created.
    TooManySessions = "E_TOO_MANY_SESSIONS", retryable: false;
    /// A request comes from another site, so it may be forged; nothing was changed.
    CrossSite = "E_CROSS_SITE", retryable: false;
    /// The job is dead: its last attempt failed, or a retry was ruled out.
    JobFailed = "E_JOB_FAILED", retryable: false;
    /// The job was removed, finished without being retained, or was taken over by another worker.
    JobGone = "E_JOB_GONE", retryable: false;
    /// This engine or server does not support it.
    Unsupported = "E_UNSUPPORTED", retryable: false;
    /// A bug in this library; the process is unharmed.
    Internal = "E_INTERNAL", retryable: false;
}

impl Error {
    /// Creates an error of this kind with this message.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code: None, message: message.into(), source: None, partially_applied: false, details: None }
    }

    /// Adds the key, unless it is already known.
    pub fn at(mut self, key: &Bytes) -> Self {
        self.details().key.get_or_insert_with(|| key.clone());
        self
    }

    /// Returns the key of the request that failed, if known.
    pub fn key(&self) -> Option<&Bytes> {
        self.details.as_ref()?.key.as_ref()
    }

    /// Changes the kind and the message.
    pub fn with_kind(self, kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let cause = self.clone();
        Self { kind, message: message.into(), ..self }.because_of(&cause)
    }

    /// Records that it was made because of another error, whose server's code it keeps for `server_code`. Neither the text nor the
    /// policy of that code is passed on: it was no reply to this request.
    pub fn because_of(mut self, cause: &Self) -> Self {
        if let Some(code) = cause.server_code() {
            self.details().origin = Some(code.into());
        }
        self
    }

    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// Records what the call is known to have done.
    pub fn with_done(mut self, done: Option<Done>) -> Self {
        if done.is_some() || self.done().is_some() {
            self.details().done = done.map(Arc::new);
        }
        self
    }

    /// Records whether a part of the call is known to have been executed.
    pub fn partially_applied(mut self, partially_applied: bool) -> Self {
        self.partially_applied |= partially_applied;
        self
    }

    /// Whether a part of the call is known to have been executed, rather than only possibly.
    pub fn is_partially_applied(&self) -> bool {
        self.partially_applied
    }

    /// Returns what a partially executed call is known to have done.
    pub fn done(&self) -> Option<&Done> {
        self.details.as_ref()?.done.as_deref()
    }

    /// Adds the cause. Of one of ours, the server's code is kept as `because_of` does.
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        let any: &(dyn std::error::Error + 'static) = &source;
        if let Some(cause) = any.downcast_ref::<Self>() {
            self = self.because_of(cause);
        }
        self.source = Some(Arc::new(source));
        self
    }

    /// Creates an error for an invalid argument; the message says what to do.
    pub fn argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }

    /// Names the element of a list whose part this invalid argument is: `ttl must be …` becomes `entries[3].ttl must be …`.
    pub fn in_element(self, list: &str, at: usize) -> Self {
        match self.kind {
            Kind::InvalidArgument => Self { message: format!("{list}[{at}].{}", self.message).into(), ..self },
            _ => self,
        }
    }

    /// Creates an error for invalid options or environment variables.
    pub fn settings(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidSettings, message)
    }

    /// Creates an error from an error reply of the server, whose code determines the kind. Parts that may be the caller's data are
    /// removed.
    pub fn from_server(message: impl Into<Cow<'static, str>>) -> Self {
        let message = shortened(redaction::redacted(normalized(message.into())));
        let code = ServerCode::of(&message);
        Self { code: Some(code), ..Self::new(code.policy().kind, message) }
    }

    /// Creates an error as a server would send it with this code.
    pub fn with_code(code: ServerCode, text: impl std::fmt::Display) -> Self {
        Self { code: Some(code), ..Self::new(code.policy().kind, format!("{} {text}", code.word())) }
    }

    /// Returns the code of the server's error that this is.
    pub fn code(&self) -> Option<ServerCode> {
        self.code
    }

    /// Whether it is a server's error with this code.
    pub fn has_code(&self, code: ServerCode) -> bool {
        self.code == Some(code)
    }

    /// Returns the code as the server wrote it, for messages that must not repeat the text; `None` if the text has no code.
    pub fn code_word(&self) -> Option<&str> {
        let word = self.message.split(' ').next();
        word.filter(|word| self.code.is_some() && server_code::is_code(word) && word.len() <= MAX_CODE)
    }

    /// Returns the code, as the server wrote it, of the server's error that this is or was made because of.
    pub fn server_code(&self) -> Option<&str> {
        let origin = self.details.as_ref().and_then(|details| details.origin.as_deref());
        origin.or_else(|| self.code_word())
    }

    /// Removes pieces of these arguments that the server repeated in the error.
    pub fn redacting<'a>(mut self, args: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        if self.code.is_some()
            && let Some(message) = redaction::redacted_args(&self.message, args)
        {
            self.message = message.into();
            self.source = None;
        }
        self
    }

    /// Whether it is a server's error with a more specific code than `ERR`.
    pub fn is_specific(&self) -> bool {
        self.code.is_some_and(ServerCode::is_specific)
    }

    /// Whether the user may connect to the server but lacks the permission for this.
    pub fn is_denied(&self) -> bool {
        self.kind == Kind::Auth && self.has_code(ServerCode::NoPerm)
    }

    /// Returns the message, without the kind.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The length of the longest word that is passed on as a code.
const MAX_CODE: usize = 20;
/// The length in bytes to which a server's error is cut.
const MAX_LENGTH: usize = 500;

/// Normalizes the error of a script to the format of Redis 7. Earlier servers prepend the position: `ERR Error running script
/// (call to f_…): @user_script:3: WRONGTYPE …`, and for errors of the server itself `@user_script: 3: -READONLY …`.
fn normalized(message: Cow<'static, str>) -> Cow<'static, str> {
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
    if server_code::is_code(rest.split(' ').next().unwrap_or_default()) {
        rest.to_owned().into()
    } else {
        format!("ERR {rest}").into()
    }
}

/// Servers before Redis 7 repeat the request in an error, which may be megabytes long.
fn shortened(message: Cow<'static, str>) -> Cow<'static, str> {
    if message.len() <= MAX_LENGTH {
        return message;
    }
    format!("{}…", &message[..message.floor_char_boundary(MAX_LENGTH)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_servers_error_survives_in_the_errors_made_of_it() {
        let loading = Error::from_server("LOADING Redis is loading the dataset in memory");
        let busy_group = Error::from_server("BUSYGROUP Consumer Group name already exists");
        let made = |cause: &Error| Error::new(Kind::NotSent, "nothing was sent").because_of(cause);
        for (error, code) in [
            (loading.clone(), Some("LOADING")),
            (made(&loading), Some("LOADING")),
            (made(&made(&loading)), Some("LOADING")),
            (Error::new(Kind::Unavailable, "cannot connect").with_source(made(&busy_group)), Some("BUSYGROUP")),
            (loading.clone().with_kind(Kind::MaybeApplied, "only a part"), Some("LOADING")),
            (made(&Error::from_server(format!("{} secret", "A".repeat(21)))), None),
            (made(&Error::from_server("no code")), None),
            (Error::new(Kind::Unavailable, "LOADING"), None),
        ] {
            assert_eq!(error.server_code(), code, "{error:?}");
        }
        assert_eq!(
            (loading.code(), made(&loading).code()),
            (Some(ServerCode::Loading), None),
            "no reply to this request"
        );
    }

    #[test]
    fn long_errors_of_servers_are_cut_between_characters() {
        let error = Error::from_server(format!("ERR {}", "ä".repeat(MAX_LENGTH)));
        assert!(error.message().ends_with("ä…") && error.message().len() < MAX_LENGTH + 4, "{error}");
        assert_eq!(Error::from_server("x".repeat(MAX_LENGTH)).message().len(), MAX_LENGTH);
    }

    #[test]
    fn errors_of_scripts_are_the_same_for_all_servers() {
        let at = "ERR Error running script (call to f_f2274cb4b88798803c13e561d24c13164d5f419d): @user_script:73: ";
        for (reply, kind, message) in [
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
            let error = Error::from_server(reply);
            assert_eq!((error.kind, error.message()), (kind, message));
        }
    }
}
