//! Decides how a request continues after a reply.

use std::{sync::atomic::Ordering, time::Duration};

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result, ServerCode},
};
use tokio::time::Instant;

use super::{Piece, Round, SHORTEST};
use crate::{
    cluster::Node,
    redirection::{Redirection, is_redirection, redirection},
    retry::{self, Verdict},
    settings::Address,
};

/// How often a request is redirected without a pause. After that, nodes that disagree get time to settle between redirections.
const AT_ONCE: u32 = 4;
/// After a node has been gone for this long, an automatic fail-over is no longer expected.
const FAIL_OVER: Duration = Duration::from_secs(60);

/// How a piece continues.
pub enum Next {
    Final,
    /// Send it to this address immediately, with ASKING if true.
    To(Address, bool),
    /// Retry after a pause.
    Later,
    /// Retry after a refresh of the map.
    Learned,
}

impl<'a> Round<'a> {
    pub(super) fn judge(&self, node: &Node, asking: bool, piece: &mut Piece<'a>, reply: &Result<Reply>) -> Next {
        let Err(error) = reply else { return Next::Final };
        if piece.tracker.is_given_up() || piece.tracked().is_late(Instant::now(), self.deadline) {
            return Next::Final;
        }
        let cluster = self.cluster;
        if piece.tracked().forgotten(reply) {
            piece.tracker.take_source();
            return Next::To(node.address.clone(), asking);
        }
        if error.kind == Kind::Server {
            let Some(redirection) = redirection(error, &node.address) else {
                // Not for this call: the next one may find where its slot is now.
                if retry::is_redirected(error) && !cluster.is_fresh() {
                    cluster.learn();
                }
                return Next::Final;
            };
            piece.tries += 1;
            let (Redirection::Ask(named) | Redirection::Moved(_, named)) = &redirection;
            if !cluster.table().may_know(named) {
                return if piece.tries > AT_ONCE { Next::Later } else { Next::Learned };
            }
            let (to, asking) = match redirection {
                Redirection::Ask(to) => (to, true),
                Redirection::Moved(slot, to) => {
                    cluster.moved(slot, &to);
                    (to, false)
                }
            };
            return if piece.tries > AT_ONCE { Next::Later } else { Next::To(to, asking) };
        }
        match retry::judge(&piece.wire, reply) {
            Verdict::Later => {
                if error.has_code(ServerCode::ClusterDown) {
                    cluster.learn();
                }
                piece.tries += 1;
                Next::Later
            }
            Verdict::Again | Verdict::Elsewhere => self.lost(node, piece, None),
            // The node was unreachable. Only another node can help, and only a newer map can name one.
            Verdict::Final if error.kind == Kind::Unavailable => {
                let owns = piece
                    .slot
                    .is_none_or(|slot| cluster.table().owner(slot).is_some_and(|owner| owner.address == node.address));
                if owns && self.awaits(node, piece) {
                    cluster.learn();
                    return Next::Later;
                }
                if owns && piece.slot.is_some() && cluster.is_fresh() {
                    return Next::Final;
                }
                self.lost(node, piece, Some(&node.address))
            }
            Verdict::Final | Verdict::Whole => {
                // Not for this call: the next one may find that a replica has taken over.
                if error.is_unavailable() && error.kind != Kind::Backpressure && !cluster.is_fresh() {
                    cluster.learn();
                }
                Next::Final
            }
        }
    }

    fn lost(&self, node: &Node, piece: &mut Piece<'a>, away: Option<&Address>) -> Next {
        piece.lost += 1;
        piece.away = away.cloned();
        if piece.lost <= self.cluster.settings.retry_attempts {
            return Next::Learned;
        }
        if self.awaits(node, piece) { Next::Later } else { Next::Final }
    }

    /// Whether to wait because a replica may take over for this node in time.
    pub(super) fn awaits(&self, node: &Node, piece: &mut Piece<'a>) -> bool {
        let cluster = self.cluster;
        let gone = node.server.pool().gone_for().is_some_and(|gone| gone > FAIL_OVER);
        let crowded = cluster.waiting.load(Ordering::Relaxed) >= cluster.settings.max_queued_calls;
        if !node.followed.load(Ordering::Relaxed) || gone || crowded {
            return false;
        }
        let now = Instant::now();
        let patience = *piece.patience.get_or_insert_with(|| now + cluster.settings.connect_wait);
        piece.away = None;
        piece.tries += 1;
        now + SHORTEST < patience.min(self.deadline)
    }
}

/// Turns an error reply about the cluster into an error that is meaningful to the caller.
pub fn explained(error: Error) -> Error {
    match error.code() {
        Some(ServerCode::Moved | ServerCode::Ask) if !is_redirection(&error) => Error::new(
            Kind::Unavailable,
            "the cluster node redirected the request in words that were not understood: they name no slot, or no node and port",
        ),
        Some(ServerCode::Moved | ServerCode::Ask) => {
            let sent_on = format!(
                "the cluster nodes kept redirecting the request until its deadline; the last reply was: {}",
                error.message()
            );
            Error::new(Kind::Unavailable, sent_on)
        }
        Some(ServerCode::CrossSlot) if error.kind == Kind::Server => {
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
    fn only_what_redirects_is_said_to() {
        let told = |said: &str| explained(Error::from_server(said.to_owned()));
        for said in ["MOVED 1 127.0.0.1:7000", "ASK 1 :7000"] {
            assert!(told(said).message().contains("kept redirecting"), "{said}");
        }
        for said in ["MOVED", "ASK 1 127.0.0.1"] {
            let error = told(said);
            assert_eq!(error.kind, Kind::Unavailable);
            assert!(error.message().contains("not understood"), "{said}");
        }
    }
}
