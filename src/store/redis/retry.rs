//! What may be sent again, and what must not: nothing that may have been applied is ever sent twice, unless twice does no harm.

use std::time::Duration;

use crate::{
    error::{Error, Kind, Result},
    random,
    store::{Reply, plan::Wire},
};

/// What to do about a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is the answer.
    Final,
    /// Send it again.
    Again,
    /// Send it again in a while: the server is there and not ready.
    Later,
    /// Send it again elsewhere: the server is no primary any more.
    Elsewhere,
}

/// What to do about this reply to that request.
pub fn judge(wire: &Wire, reply: &Result<Reply>) -> Verdict {
    let Err(error) = reply else { return Verdict::Final };
    match error.kind {
        Kind::NotSent => Verdict::Again,
        Kind::MaybeApplied if wire.repeatable() => Verdict::Again,
        // Refused unread: it did nothing.
        Kind::Unavailable => match error.message().split(' ').next() {
            Some("LOADING" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" | "BUSY") => Verdict::Later,
            Some("READONLY") => Verdict::Elsewhere,
            _ => Verdict::Final,
        },
        _ => Verdict::Final,
    }
}

/// How long "in a while" is, before this attempt: full jitter.
pub fn pause(attempt: u32) -> Duration {
    let doubled = Duration::from_millis(50).saturating_mul(2_u32.saturating_pow(attempt.min(5)));
    doubled.mul_f64(random::fraction())
}

/// The error that a caller gets: one who may have changed something is told so, one who has not is not alarmed.
pub fn settle(wire: &Wire, reply: Result<Reply>) -> Result<Reply> {
    let Err(error) = reply else { return reply };
    Err(match (error.kind, wire.repeatable()) {
        (Kind::Timeout | Kind::MaybeApplied, false) => {
            let message = format!("{}; the call was sent, and may or may not have been applied", error.message());
            Error::new(Kind::MaybeApplied, message)
        }
        (Kind::MaybeApplied, true) => Error::new(Kind::Unavailable, error.message().to_owned()),
        _ => error,
    })
}
