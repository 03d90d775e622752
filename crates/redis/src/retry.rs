//! Decides what may be retried. A request that may have been applied is never sent again unless it is idempotent.

use cinnabar_port::{
    Reply, Request, Verb,
    error::{Error, Kind, Result, Retry},
};

use crate::{command, plan::OutgoingCommand};

/// What to do with a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetryDecision {
    /// It is the result.
    Final,
    /// Send it again immediately, with the source of its script. It had no effect, so this is no retry.
    Whole,
    /// Retry immediately.
    Again,
    /// Retry after a pause: the server is up but not ready.
    Later,
    /// Retry on another server: this one is no longer a primary.
    Elsewhere,
}

/// Decides what to do with this reply to that request.
pub fn classify(command: &OutgoingCommand, reply: &Result<Reply>) -> RetryDecision {
    let Err(error) = reply else { return RetryDecision::Final };
    match error.kind {
        Kind::NotSent => RetryDecision::Again,
        Kind::MaybeApplied if command.idempotent() => RetryDecision::Again,
        // Rejected before execution: it had no effect.
        Kind::Unavailable => match error.code().map(|code| code.policy().retry) {
            Some(Retry::Later) => RetryDecision::Later,
            Some(Retry::Elsewhere) => RetryDecision::Elsewhere,
            _ => RetryDecision::Final,
        },
        _ => RetryDecision::Final,
    }
}

/// Whether the server no longer has the script that the request runs (SCRIPT FLUSH). It had no effect. A caller's own `EVALSHA`
/// is final: its caller has the source.
pub fn script_is_missing(command: &OutgoingCommand, reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if has_policy(error, Retry::WithSource)) && command::script(command).is_some()
}

/// Whether the request may be retried after this reply, in which case it stays in the queue.
pub fn will_be_retried(command: &OutgoingCommand, reply: &Result<Reply>) -> bool {
    let Err(error) = reply else { return false };
    classify(command, reply) != RetryDecision::Final || is_redirected(error)
}

/// Whether a node reports that it does not own the slot.
pub fn is_redirected(error: &Error) -> bool {
    has_policy(error, Retry::Redirect)
}

fn has_policy(error: &Error, retry: Retry) -> bool {
    error.code().is_some_and(|code| code.policy().retry == retry)
}

/// Whether no reply to the request arrived.
pub fn was_lost(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if matches!(error.kind, Kind::NotSent | Kind::MaybeApplied | Kind::Timeout))
}

/// Whether the request was executed, or may have been or still be.
pub fn was_done(reply: &Result<Reply>) -> bool {
    let Err(error) = reply else { return true };
    !matches!(error.kind, Kind::NotSent | Kind::Unavailable | Kind::Backpressure | Kind::Closed)
}

/// Whether the server refused the request, which then had no effect. What a script did before its error stays done.
pub fn was_refused(command: &OutgoingCommand, reply: &Result<Reply>) -> bool {
    use Kind::{Auth, OutOfMemory, Server, WrongType};
    let Err(error) = reply else { return false };
    matches!(error.kind, Server | WrongType | OutOfMemory | Auth) && is_simple(command)
}

/// Whether it is one command, and neither a script nor a transaction.
fn is_simple(command: &OutgoingCommand) -> bool {
    let name = match command {
        OutgoingCommand::Get(_) => return true,
        OutgoingCommand::One(Request { verb: Verb::Command(name), .. }) => name,
        OutgoingCommand::One(Request { verb: Verb::Custom(name), .. }) => &name[..],
        OutgoingCommand::One(_) | OutgoingCommand::Many(_) => return false,
    };
    !["EVAL", "FCALL"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the request was sent and its outcome is unknown.
pub fn is_in_doubt(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if matches!(error.kind, Kind::Timeout | Kind::MaybeApplied))
}

/// Whether the request was executed and its reply cannot be read.
pub fn is_unread(reply: &Result<Reply>) -> bool {
    // The server's own errors are of other kinds.
    matches!(reply, Err(error) if error.kind == Kind::Unsupported)
}

/// Returns the final reply for the caller. An error is `E_MAYBE_APPLIED` if the request may have changed something, in this attempt or, where `in_doubt`, in
/// an earlier one.
pub fn settle(command: &OutgoingCommand, in_doubt: bool, reply: Result<Reply>) -> Result<Reply> {
    let doubts = in_doubt || is_in_doubt(&reply);
    let script_is_missing = script_is_missing(command, &reply);
    let Err(error) = reply else { return reply };
    Err(match (error.kind, command.changes()) {
        (_, true) if doubts => {
            let error = command.redacted(error);
            let message = format!("{error}; the call was sent and may or may not have been applied");
            Error::new(Kind::MaybeApplied, message).because_of(&error)
        }
        (Kind::MaybeApplied, false) => Error::new(Kind::Unavailable, error.message().to_owned()).because_of(&error),
        _ if script_is_missing => {
            let why = "the server no longer has the script of this call, and there was no time to send it again";
            Error::new(Kind::NotSent, why)
        }
        _ => command.redacted(error),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use cinnabar_port::Request;

    fn read() -> OutgoingCommand {
        OutgoingCommand::Get([Bytes::from_static(b"key")].into_iter().collect())
    }

    fn write() -> OutgoingCommand {
        OutgoingCommand::One(Request::keyed("INCR", [Bytes::from_static(b"key")]))
    }

    fn failed(kind: Kind) -> Result<Reply> {
        Err(Error::new(kind, "why"))
    }

    #[test]
    fn a_write_that_was_sent_is_never_sent_again() {
        for kind in [Kind::MaybeApplied, Kind::Timeout] {
            assert_eq!(classify(&write(), &failed(kind)), RetryDecision::Final);
            assert_eq!(settle(&write(), false, failed(kind)).unwrap_err().kind, Kind::MaybeApplied);
        }
    }

    #[test]
    fn a_write_that_may_have_been_applied_is_never_reported_as_not_applied() {
        let harmless = OutgoingCommand::One(Request::keyed("DEL", [Bytes::from_static(b"key")]).idempotent());
        assert_eq!(classify(&harmless, &failed(Kind::MaybeApplied)), RetryDecision::Again);
        for kind in [Kind::MaybeApplied, Kind::Timeout] {
            assert_eq!(settle(&harmless, false, failed(kind)).unwrap_err().kind, Kind::MaybeApplied);
        }
        // Its first attempt was lost, and the next ones were not sent.
        for kind in [Kind::Unavailable, Kind::NotSent, Kind::Backpressure, Kind::OutOfMemory] {
            assert_eq!(settle(&harmless, false, failed(kind)).unwrap_err().kind, kind);
            assert_eq!(settle(&harmless, true, failed(kind)).unwrap_err().kind, Kind::MaybeApplied);
            assert_eq!(settle(&read(), true, failed(kind)).unwrap_err().kind, kind);
        }
        assert_eq!(settle(&harmless, true, Ok(Reply::Int(1))).unwrap(), Reply::Int(1));
        let mark =
            OutgoingCommand::One(Request::keyed("SET", [Bytes::from_static(b"mark")]).idempotent().without_effect());
        assert_eq!(settle(&mark, false, failed(Kind::MaybeApplied)).unwrap_err().kind, Kind::Unavailable);
        assert_eq!(settle(&mark, false, failed(Kind::Timeout)).unwrap_err().kind, Kind::Timeout);
    }

    #[test]
    fn unsent_requests_and_lost_reads_are_sent_again() {
        assert_eq!(classify(&write(), &failed(Kind::NotSent)), RetryDecision::Again);
        assert_eq!(classify(&read(), &failed(Kind::MaybeApplied)), RetryDecision::Again);
        assert_eq!(classify(&read(), &failed(Kind::Timeout)), RetryDecision::Final, "its time is over");
        assert_eq!(settle(&read(), false, failed(Kind::MaybeApplied)).unwrap_err().kind, Kind::Unavailable);
        assert_eq!(settle(&read(), false, failed(Kind::Timeout)).unwrap_err().kind, Kind::Timeout);
    }

    #[test]
    fn a_rejected_request_had_no_effect_unless_it_is_a_script() {
        let said = |words: &'static str| Err(Error::from_server(words));
        let custom = |name: &str| {
            let mut request = Request::keyed("GET", [Bytes::from_static(b"key")]);
            request.verb = Verb::Custom(name.to_owned());
            OutgoingCommand::One(request)
        };
        for words in ["WRONGTYPE no", "OOM no", "NOPERM no", "ERR value is not an integer or out of range"] {
            assert!(was_refused(&write(), &said(words)) && was_refused(&custom("LPUSH"), &said(words)), "{words}");
            for script in ["EVAL", "EVALSHA", "EVAL_RO", "FCALL"] {
                assert!(!was_refused(&custom(script), &said(words)), "{script} {words}");
            }
        }
        assert!(!was_refused(&write(), &Ok(Reply::Int(1))));
        for kind in [Kind::MaybeApplied, Kind::Timeout, Kind::Unsupported, Kind::InvalidData] {
            assert!(!was_refused(&write(), &failed(kind)), "{kind:?}");
        }
    }

    #[test]
    fn a_server_that_is_not_ready_is_retried_later_and_a_demoted_one_is_left() {
        for word in ["LOADING", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "BUSY"] {
            let reply = Err(Error::from_server(format!("{word} some words")));
            assert_eq!(classify(&write(), &reply), RetryDecision::Later, "{word}");
        }
        assert_eq!(classify(&write(), &Err(Error::from_server("READONLY no"))), RetryDecision::Elsewhere);
        for word in ["MISCONF", "NOREPLICAS", "OOM", "WRONGTYPE", "ERR"] {
            assert_eq!(
                classify(&write(), &Err(Error::from_server(format!("{word} no")))),
                RetryDecision::Final,
                "{word}"
            );
        }
        assert_eq!(classify(&write(), &Ok(Reply::Nil)), RetryDecision::Final);
    }
}
