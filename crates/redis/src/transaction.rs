//! `MULTI`, commands, `EXEC`: folds their replies into one.
//!
//! They are one exchange, into which no other command can come, so a shared connection is safe. Without the `EXEC`, nothing is
//! executed.

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result, ServerCode},
};

use super::redirection::is_redirection;

/// Folds the replies into one: an array with a reply per command, or the error because of which nothing was executed.
pub fn fold(mut replies: impl Iterator<Item = Result<Reply>>) -> Result<Reply> {
    let begun = replies.next().unwrap_or_else(|| Err(too_few()));
    let mut queued: Vec<_> = replies.collect();
    let done = queued.pop().unwrap_or_else(|| Err(too_few()));
    match done {
        Ok(Reply::Array(items)) if items.len() == queued.len() => {
            // A server that rejects MULTI executes each command separately.
            begun.map(|_| Reply::Array(items))
        }
        Ok(_) => Err(too_few()),
        Err(error) if is_ours(&error) => Err(error),
        Err(error) => {
            if let Err(refused) = &begun
                && queued.iter().any(Result::is_ok)
            {
                let message = format!("the server rejected MULTI and executed the commands one by one: {refused}");
                return Err(Error::new(Kind::MaybeApplied, message).because_of(refused));
            }
            let first = begun.err().or_else(|| queued.into_iter().find_map(Result::err)).unwrap_or(error);
            // ASKING applies to a single command, so a transaction cannot be sent to the node that is importing the slot.
            if first.has_code(ServerCode::Ask) && is_redirection(&first) {
                let why = "the slot of this transaction is being migrated to another node";
                return Err(Error::with_code(ServerCode::TryAgain, why));
            }
            Err(first)
        }
    }
}

/// Appends the reply to the command behind a transaction.
pub fn append(done: Result<Reply>, last: Option<Result<Reply>>) -> Result<Reply> {
    let mut items = done?.array()?;
    items.push(last.unwrap_or_else(|| Err(too_few()))?);
    Ok(Reply::Array(items))
}

/// Whether the error comes from the connection, or from reading the reply, rather than from the server.
fn is_ours(error: &Error) -> bool {
    use Kind::{Internal, MaybeApplied, NotSent, Timeout, Unsupported};
    matches!(error.kind, NotSent | MaybeApplied | Timeout | Internal | Unsupported)
}

fn too_few() -> Error {
    Error::new(Kind::InvalidData, "the server's reply to EXEC does not match the commands of the transaction")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn ok(text: &'static str) -> Result<Reply> {
        Ok(Reply::text(text))
    }

    fn refused(text: &'static str) -> Result<Reply> {
        Err(Error::from_server(text))
    }

    fn folded(replies: Vec<Result<Reply>>) -> Result<Reply> {
        fold(replies.into_iter())
    }

    #[test]
    fn the_replies_are_those_of_exec() {
        let items = vec![Reply::Int(1), Reply::Error(Bytes::from_static(b"ERR no"))];
        let replies = vec![ok("OK"), ok("QUEUED"), ok("QUEUED"), Ok(Reply::Array(items.clone()))];
        assert_eq!(folded(replies).unwrap(), Reply::Array(items));
    }

    #[test]
    fn the_reply_to_the_command_behind_it_is_the_last() {
        let done = || Ok(Reply::Array(vec![Reply::Int(1)]));
        assert_eq!(append(done(), Some(Ok(Reply::Int(2)))).unwrap(), Reply::Array(vec![Reply::Int(1), Reply::Int(2)]));
        assert_eq!(append(done(), Some(refused("NOPERM no"))).unwrap_err().message(), "NOPERM no");
        assert_eq!(append(refused("ERR first"), Some(Ok(Reply::Int(2)))).unwrap_err().message(), "ERR first");
        assert_eq!(append(done(), None).unwrap_err().kind, Kind::InvalidData);
    }

    #[test]
    fn a_rejected_command_aborts_the_transaction_with_its_error() {
        let aborted = "EXECABORT Transaction discarded because of previous errors.";
        for (why, kind) in [
            ("ERR unknown command 'NOSUCH'", Kind::Server),
            ("MOVED 1 127.0.0.1:1", Kind::Server),
            ("ASK 1 127.0.0.1:1", Kind::Unavailable),
            ("OOM command not allowed", Kind::OutOfMemory),
        ] {
            let error = folded(vec![ok("OK"), ok("QUEUED"), refused(why), refused(aborted)]).unwrap_err();
            assert_eq!(error.kind, kind, "{why}");
            assert!(!error.has_code(ServerCode::Ask), "{why}");
        }
    }

    #[test]
    fn without_exec_nothing_was_executed() {
        let lost = |kind| Err(Error::new(kind, "the connection was lost"));
        for kind in [Kind::NotSent, Kind::MaybeApplied, Kind::Timeout, Kind::Unsupported] {
            let replies = vec![ok("OK"), lost(Kind::MaybeApplied), lost(kind)];
            assert_eq!(folded(replies).unwrap_err().kind, kind);
        }
    }

    #[test]
    fn a_server_that_rejects_multi_executes_the_commands_nevertheless() {
        let refused = || refused("NOPERM this user has no permissions to run the 'multi' command");
        assert_eq!(folded(vec![refused(), ok("OK"), refused()]).unwrap_err().kind, Kind::MaybeApplied);
        assert_eq!(folded(vec![refused(), refused(), refused()]).unwrap_err().kind, Kind::Auth);
    }

    #[test]
    fn any_other_reply_is_an_error() {
        assert_eq!(folded(vec![]).unwrap_err().kind, Kind::InvalidData);
        assert_eq!(folded(vec![ok("OK"), ok("QUEUED"), ok("OK")]).unwrap_err().kind, Kind::InvalidData);
        assert_eq!(folded(vec![ok("OK"), ok("QUEUED"), Ok(Reply::Array(vec![]))]).unwrap_err().kind, Kind::InvalidData);
    }
}
