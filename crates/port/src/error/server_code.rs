//! The codes of servers' errors, and what follows from each: one table for the driver, the engines and the features.

use super::Kind;

/// The code of an error reply: its first word or, for some texts after the general `ERR`, what the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCode {
    /// `ASK`: the slot is being migrated, and the key is on another node already.
    Ask,
    /// `BUSY`: the server is running a script that takes long.
    Busy,
    /// `CLUSTERDOWN`: the cluster cannot serve the slot at the moment.
    ClusterDown,
    /// `CROSSSLOT`: the keys of the command are in several slots.
    CrossSlot,
    /// `DENIED`: the server is in protected mode.
    Denied,
    /// `ERR`, with a text that needs no policy of its own.
    Err,
    /// `ERR`: the user may not run a command of a script.
    ForbiddenInScript,
    /// `LOADING`: the server is loading its data.
    Loading,
    /// `MASTERDOWN`: a replica has lost its primary.
    MasterDown,
    /// `MISCONF`: the server cannot persist its data, so it rejects writes.
    MisConf,
    /// `MOVED`: the slot belongs to another node.
    Moved,
    /// `NOAUTH`: the connection is not authenticated.
    NoAuth,
    /// `ERR`: the server has no password configured for the user.
    NoPassword,
    /// `NOPERM`: the user lacks a permission.
    NoPerm,
    /// `NOREPLICAS`: too few replicas are connected for writes.
    NoReplicas,
    /// `NOSCRIPT`: the server does not have the script.
    NoScript,
    /// `OOM`: the server has no memory left for writes.
    OutOfMemory,
    /// `READONLY`: the server is a replica.
    ReadOnly,
    /// `ERR`: the server, or a gateway in front of it, accepts no more clients or requests for now.
    TooMany,
    /// `TRYAGAIN`: the keys of the command are on two nodes while their slot is being migrated.
    TryAgain,
    /// `ERR`: the server does not have the command.
    UnknownCommand,
    /// `ERR`: the command takes another number of arguments.
    WrongArity,
    /// `WRONGPASS`: the user name or the password is wrong.
    WrongPass,
    /// `WRONGTYPE`: the key holds another type of value.
    WrongType,
    /// Any other code.
    Other,
    /// The text does not start with a code.
    None,
}

/// What the driver does with a request that got this error. An error that lets it send the request again says that it had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: the error is the result.
    No,
    /// Sends it again after a pause: the server is up, and not ready.
    Later,
    /// Sends it to the server that has become the primary.
    Elsewhere,
    /// Sends it to the node that the error names.
    Redirect,
    /// Sends it again with the source of its script.
    WithSource,
}

/// What follows from a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The kind of the error that a caller gets.
    pub kind: Kind,
    /// Whether and how the driver sends the request again.
    pub retry: Retry,
    /// Whether the breaker of the server counts it as a failure of the server. The others are errors of the request, or
    /// describe the cluster or a restriction to reads, while the server itself works.
    pub is_failure: bool,
}

use ServerCode as Code;

/// The codes that are read from the first word.
const WORDS: [(&str, Code); 19] = [
    ("ASK", Code::Ask),
    ("BUSY", Code::Busy),
    ("CLUSTERDOWN", Code::ClusterDown),
    ("CROSSSLOT", Code::CrossSlot),
    ("DENIED", Code::Denied),
    ("ERR", Code::Err),
    ("LOADING", Code::Loading),
    ("MASTERDOWN", Code::MasterDown),
    ("MISCONF", Code::MisConf),
    ("MOVED", Code::Moved),
    ("NOAUTH", Code::NoAuth),
    ("NOPERM", Code::NoPerm),
    ("NOREPLICAS", Code::NoReplicas),
    ("NOSCRIPT", Code::NoScript),
    ("OOM", Code::OutOfMemory),
    ("READONLY", Code::ReadOnly),
    ("TRYAGAIN", Code::TryAgain),
    ("WRONGPASS", Code::WrongPass),
    ("WRONGTYPE", Code::WrongType),
];

/// The beginnings of texts after `ERR` that are codes of their own, in any case.
const TEXTS: [(&str, Code); 14] = [
    ("max number of clients", Code::TooMany),
    ("max number of connections", Code::TooMany),
    ("max concurrent connections", Code::TooMany),
    ("max daily request limit", Code::TooMany),
    ("max requests limit", Code::TooMany),
    ("too many connections", Code::TooMany),
    ("too many clients", Code::TooMany),
    ("upstream failure", Code::TooMany),
    // Before and since Redis 7.
    ("The user executing the script can't", Code::ForbiddenInScript),
    ("ACL failure in script", Code::ForbiddenInScript),
    // Since and before Redis 6.
    ("AUTH <password> called without any password configured", Code::NoPassword),
    ("Client sent AUTH, but no password is set", Code::NoPassword),
    ("unknown command", Code::UnknownCommand),
    ("wrong number of arguments", Code::WrongArity),
];

impl ServerCode {
    /// The code of an error reply with this text.
    pub(super) fn of(message: &str) -> Self {
        let message = message.trim_start();
        let (word, text) = message.split_once(char::is_whitespace).unwrap_or((message, ""));
        let starts = |start: &str| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
        match WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, Self::Err)) => TEXTS.iter().find(|(start, _)| starts(start)).map_or(Self::Err, |(_, code)| *code),
            Some((_, code)) => *code,
            None if is_code(word) => Self::Other,
            None => Self::None,
        }
    }

    /// The first word of an error with this code; empty if there is more than one, or none.
    pub(super) fn word(self) -> &'static str {
        WORDS.iter().find(|(_, code)| *code == self).map_or("", |(word, _)| word)
    }

    /// What follows from it.
    pub const fn policy(self) -> Policy {
        let (kind, retry, is_failure) = match self {
            Self::Busy | Self::Loading | Self::MasterDown => (Kind::Unavailable, Retry::Later, true),
            Self::TooMany => (Kind::Unavailable, Retry::No, true),
            Self::ClusterDown | Self::TryAgain => (Kind::Unavailable, Retry::Later, false),
            Self::ReadOnly => (Kind::Unavailable, Retry::Elsewhere, false),
            Self::MisConf | Self::NoReplicas => (Kind::Unavailable, Retry::No, false),
            Self::Ask | Self::Moved => (Kind::Server, Retry::Redirect, false),
            Self::NoScript => (Kind::Server, Retry::WithSource, false),
            Self::Denied | Self::ForbiddenInScript | Self::NoAuth | Self::NoPerm | Self::WrongPass => {
                (Kind::Auth, Retry::No, false)
            }
            Self::OutOfMemory => (Kind::OutOfMemory, Retry::No, false),
            Self::WrongType => (Kind::WrongType, Retry::No, false),
            Self::CrossSlot
            | Self::Err
            | Self::NoPassword
            | Self::UnknownCommand
            | Self::WrongArity
            | Self::Other
            | Self::None => (Kind::Server, Retry::No, false),
        };
        Policy { kind, retry, is_failure }
    }

    /// Whether it says more than the general `ERR`.
    pub const fn is_specific(self) -> bool {
        !self.is_general() && !matches!(self, Self::None)
    }

    /// Whether its word is the general `ERR`.
    pub const fn is_general(self) -> bool {
        use Code::{Err, ForbiddenInScript, NoPassword, TooMany, UnknownCommand, WrongArity};
        matches!(self, Err | ForbiddenInScript | NoPassword | TooMany | UnknownCommand | WrongArity)
    }
}

/// Whether a word has the form of a code.
pub(super) fn is_code(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_code_and_some_texts_are_codes_of_their_own() {
        for (text, code) in [
            ("MOVED 3999 127.0.0.1:6381", Code::Moved),
            ("LOADING Redis is loading the dataset in memory", Code::Loading),
            ("BUSY", Code::Busy),
            ("BUSYGROUP Consumer Group name already exists", Code::Other),
            ("UNKILLABLE Sorry the script already executed write commands", Code::Other),
            ("ERR no such key", Code::Err),
            ("ERR", Code::Err),
            ("ERR unknown command 'NOSUCH'", Code::UnknownCommand),
            ("ERR Max Number of Clients reached", Code::TooMany),
            ("ERR ACL failure in script: no", Code::ForbiddenInScript),
            ("ERR wrong number of arguments for 'auth' command", Code::WrongArity),
            ("ERR Client sent AUTH, but no password is set", Code::NoPassword),
            ("unknown command", Code::None),
            ("Moved 1 a:1", Code::None),
            ("E", Code::None),
            ("", Code::None),
        ] {
            assert_eq!(Code::of(text), code, "{text}");
        }
    }

    #[test]
    fn each_word_of_the_table_is_read_and_written() {
        for (word, code) in WORDS {
            assert_eq!((Code::of(word), code.word()), (code, word));
        }
    }

    #[test]
    fn only_what_has_no_effect_is_sent_again() {
        let may_be_sent_again = |kind| matches!(kind, Kind::Unavailable | Kind::Server);
        for (word, code) in WORDS {
            let Policy { kind, retry, is_failure } = code.policy();
            assert!(retry == Retry::No || may_be_sent_again(kind), "{word}");
            assert!(!is_failure || kind == Kind::Unavailable, "{word}");
        }
    }
}
