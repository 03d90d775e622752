//! Decides how a request continues after a reply.

use std::{sync::atomic::Ordering, time::Duration};

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result, ServerCode},
};
use tokio::time::Instant;

use super::{Round, SHORTEST, SubRequest};
use crate::{
    cluster::Node,
    redirection::{Redirection, is_redirection, redirection},
    retry::{self, RetryDecision},
    settings::Address,
};

/// How often a request is redirected without a pause. After that, nodes that disagree get time to settle between redirections.
const AT_ONCE: u32 = 4;
/// After a node has been down for this long, an automatic fail-over is no longer expected.
const FAIL_OVER: Duration = Duration::from_secs(60);

/// How a sub-request continues.
pub enum Next {
    Final,
    /// Send it to this address immediately, with ASKING if true.
    To(Address, bool),
    /// Retry after a pause.
    Later,
    /// Retry after a refresh of the map.
    Refreshed,
}

impl<'a> Round<'a> {
    pub(super) fn classify(
        &self,
        node: &Node,
        asking: bool,
        sub_request: &mut SubRequest<'a>,
        reply: &Result<Reply>,
    ) -> Next {
        let Err(error) = reply else { return Next::Final };
        if sub_request.tracker.is_given_up() || sub_request.tracked().is_late(Instant::now(), self.deadline) {
            return Next::Final;
        }
        let cluster = self.cluster;
        if sub_request.tracked().script_is_missing(reply) {
            sub_request.tracker.send_source();
            return Next::To(node.address.clone(), asking);
        }
        if error.kind == Kind::Server {
            let Some(redirection) = redirection(error, &node.address) else {
                // Not for this call: the next one may find where its slot is now.
                if retry::is_redirected(error) && !cluster.is_fresh() {
                    cluster.refresh();
                }
                return Next::Final;
            };
            sub_request.tries += 1;
            let (Redirection::Ask(named) | Redirection::Moved(_, named)) = &redirection;
            if !cluster.table().may_know(named) {
                return if sub_request.tries > AT_ONCE { Next::Later } else { Next::Refreshed };
            }
            let (to, asking) = match redirection {
                Redirection::Ask(to) => (to, true),
                Redirection::Moved(slot, to) => {
                    cluster.moved(slot, &to);
                    (to, false)
                }
            };
            return if sub_request.tries > AT_ONCE { Next::Later } else { Next::To(to, asking) };
        }
        match retry::classify(&sub_request.command, reply) {
            RetryDecision::Later => {
                if error.has_code(ServerCode::ClusterDown) {
                    cluster.refresh();
                }
                sub_request.tries += 1;
                Next::Later
            }
            RetryDecision::Again | RetryDecision::Elsewhere => self.lost(node, sub_request, None),
            // The node was unreachable. Only another node can help, and only a newer map can name one.
            RetryDecision::Final if error.kind == Kind::Unavailable => {
                let owns = sub_request
                    .slot
                    .is_none_or(|slot| cluster.table().owner(slot).is_some_and(|owner| owner.address == node.address));
                if owns && self.awaits(node, sub_request) {
                    cluster.refresh();
                    return Next::Later;
                }
                if owns && sub_request.slot.is_some() && cluster.is_fresh() {
                    return Next::Final;
                }
                self.lost(node, sub_request, Some(&node.address))
            }
            RetryDecision::Final | RetryDecision::Whole => {
                // Not for this call: the next one may find that a replica has taken over.
                if error.is_unavailable() && error.kind != Kind::Backpressure && !cluster.is_fresh() {
                    cluster.refresh();
                }
                Next::Final
            }
        }
    }

    fn lost(&self, node: &Node, sub_request: &mut SubRequest<'a>, away: Option<&Address>) -> Next {
        sub_request.lost += 1;
        sub_request.away = away.cloned();
        if sub_request.lost <= self.cluster.settings.retry_attempts {
            return Next::Refreshed;
        }
        if self.awaits(node, sub_request) { Next::Later } else { Next::Final }
    }

    /// Whether to wait because a replica may take over for this node in time.
    pub(super) fn awaits(&self, node: &Node, sub_request: &mut SubRequest<'a>) -> bool {
        let cluster = self.cluster;
        let down_too_long = node.server.pool().down_for().is_some_and(|down| down > FAIL_OVER);
        let crowded = cluster.waiting.load(Ordering::Relaxed) >= cluster.settings.max_queued_calls;
        if !node.followed.load(Ordering::Relaxed) || down_too_long || crowded {
            return false;
        }
        let now = Instant::now();
        let patience = *sub_request.patience.get_or_insert_with(|| now + cluster.settings.connect_wait);
        sub_request.away = None;
        sub_request.tries += 1;
        now + SHORTEST < patience.min(self.deadline)
    }
}

/// Turns an error reply about the cluster into an error that is meaningful to the caller.
pub fn explained(error: Error) -> Error {
    if error.kind != Kind::Server {
        return error;
    }
    match error.code() {
        Some(ServerCode::Moved | ServerCode::Ask) if !is_redirection(&error) => Error::new(
            Kind::Unavailable,
            "the cluster node redirected the request in words that were not understood: they name no slot, or no node and port",
        )
        .because_of(&error),
        Some(ServerCode::Moved | ServerCode::Ask) => {
            let sent_on = format!(
                "the cluster nodes kept redirecting the request until its deadline; the last reply was: {}",
                error.message()
            );
            Error::new(Kind::Unavailable, sent_on).because_of(&error)
        }
        Some(ServerCode::CrossSlot) => {
            let message = format!(
                "{}; keys with the same text in braces, such as {{a}}:x and {{a}}:y, share a slot",
                error.message()
            );
            error.with_kind(Kind::Unsupported, message)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_redirections_are_reported_as_such() {
        let explain = |said: &str| explained(Error::from_server(said.to_owned()));
        for said in ["MOVED 1 127.0.0.1:7000", "ASK 1 :7000"] {
            assert!(explain(said).message().contains("kept redirecting"), "{said}");
        }
        for said in ["MOVED", "ASK 1 127.0.0.1"] {
            let error = explain(said);
            assert_eq!(error.kind, Kind::Unavailable);
            assert!(error.message().contains("not understood"), "{said}");
        }
    }
}
