//! Whether a server that was configured as a single one is in cluster mode, where a command may not use keys of several slots.
//!
//! It is asked before the first command that would use some: if such a command were rejected and had to be split, later calls on its
//! keys could be executed before it. Calls made meanwhile wait.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use bytes::Bytes;
use cinnabar_port::{
    Keys, Merge, Request, Verb,
    error::{Error, Kind, Result},
    sequence::Sequence,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use super::{One, clustered};
use crate::{
    Deliver, Delivery,
    plan::OutgoingCommand,
    retry::{self, RetryDecision},
    slot::slot_of,
    waiting::Waiting,
};

const UNKNOWN: u8 = 0;
const SINGLE: u8 = 1;
const CLUSTERED: u8 = 2;

/// What is known of the mode, and the rounds that wait for it.
#[derive(Default)]
pub struct Mode {
    known: AtomicU8,
    order: Arc<Sequence>,
    waiting: AtomicUsize,
    /// Why the server could not be asked, and when that was known. Rounds that waited meanwhile have the same error.
    failed: Mutex<Option<(Instant, Error)>>,
}

impl Mode {
    pub fn is_clustered(&self) -> bool {
        self.known.load(Ordering::Relaxed) == CLUSTERED
    }

    pub fn note_clustered(&self) {
        self.known.store(CLUSTERED, Ordering::Relaxed);
    }

    /// Whether a round can be sent now.
    pub fn admits(&self, batch: &[Request]) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0 && (self.is_known() || spread(batch).is_none())
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed) != UNKNOWN
    }

    fn failed(&self) -> MutexGuard<'_, Option<(Instant, Error)>> {
        self.failed.lock()
    }
}

impl One {
    /// Runs a round as soon as the mode is known, in order with others that wait for it.
    pub(super) async fn execute_in_turn(&self, mut batch: Vec<Request>, deadline: Instant, deliver: Deliver<'_>) {
        let (waits, turn, since) = (Waiting::new(&self.mode.waiting, 1), self.mode.order.turn(), Instant::now());
        let room = self.server.reserve(&batch);
        let refused = room.fit.full(&self.settings);
        deliver(Delivery::Some((room.fit.count..batch.len()).map(|at| (at, Err(refused.clone()))).collect()));
        batch.truncate(room.fit.count);
        let deliver: Deliver<'_> = &mut |delivery: Delivery| deliver(Delivery::Some(delivery.into_some()));
        let known = match timeout_at(deadline, turn.reached()).await {
            Ok(()) => self.learn_mode(&batch, since, deadline).await,
            Err(_) => Err(Error::new(Kind::NotSent, "the deadline passed before the mode of the server was known")),
        };
        drop((waits, room));
        match known {
            Ok(()) => turn.run(std::pin::pin!(self.execute_now(batch, deadline, deliver))).await,
            Err(error) => deliver(Delivery::All(batch.iter().map(|_| Err(error.clone())).collect())),
        }
    }

    /// Asks the server, if the round depends on it.
    ///
    /// # Errors
    /// Why there was no reply. If a reply does not show the mode, the mode stays unknown or is assumed to be single.
    async fn learn_mode(&self, batch: &[Request], since: Instant, deadline: Instant) -> Result<()> {
        if self.mode.is_known() {
            return Ok(());
        }
        let Some(question) = spread(batch) else { return Ok(()) };
        if let Some((at, error)) = &*self.mode.failed()
            && *at >= since
        {
            return Err(error.clone());
        }
        let question = OutgoingCommand::One(question.reads());
        let reply = self.server.ask(&question, deadline).await;
        let known = match &reply {
            _ if clustered::is_divided(&reply) => CLUSTERED,
            Err(_) if retry::classify(&question, &reply) >= RetryDecision::Later => UNKNOWN,
            Err(error) if error.is_unavailable() || error.kind == Kind::Closed || is_unconnected(error) => {
                // Nothing of the round itself was sent.
                let kind = if error.kind == Kind::Timeout { Kind::NotSent } else { error.kind };
                let error = Error::new(kind, error.message().to_owned()).because_of(error);
                *self.mode.failed() = Some((Instant::now(), error.clone()));
                return Err(error);
            }
            // If the user has no permission for the question, the reply to the round itself shows the mode.
            _ => SINGLE,
        };
        self.mode.known.store(known, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether the server refuses the whole connection, which says nothing about its mode.
fn is_unconnected(error: &Error) -> bool {
    matches!(error.kind, Kind::Auth | Kind::InvalidSettings | Kind::Unsupported) && !error.is_denied()
}

/// A harmless request that is rejected in cluster mode, if the batch has one that would have to be split there. It needs no other
/// permissions than the batch.
fn spread(batch: &[Request]) -> Option<Request> {
    let mut groups: Vec<(usize, &Bytes)> = Vec::new();
    let differ = |one: &Bytes, other: &Bytes| slot_of(one) != slot_of(other);
    for request in batch {
        // Most requests have one key and are sent as they are: until the mode is known, each round passes here.
        let several = matches!(request.keys, Keys::At { count: 2.., .. });
        if !several && matches!(request.merge, Merge::No | Merge::Dedup) {
            continue;
        }
        let Some(mut keys) = request.touched() else { continue };
        let Some(first) = keys.next() else { continue };
        if clustered::is_cut(request)
            && let Some(other) = keys.find(|key| differ(first, key))
        {
            let keys = [first.clone(), other.clone()];
            return Some(match request.name() {
                "MGET" => question("MGET", keys),
                "EXISTS" | "TOUCH" => question("EXISTS", keys),
                _ => script(keys),
            });
        }
        let group = match (request.merge, &request.verb) {
            (Merge::Get, _) => GETS,
            (Merge::Script, Verb::Script(script)) => std::ptr::from_ref(*script).addr(),
            _ => continue,
        };
        match groups.iter().find(|(other, _)| *other == group) {
            None => groups.push((group, first)),
            Some((_, other)) if differ(first, other) => {
                let keys = [(*other).clone(), first.clone()];
                return Some(if group == GETS { question("MGET", keys) } else { script(keys) });
            }
            Some(_) => {}
        }
    }
    None
}

/// The group of merged `GET`s. The other groups are scripts, identified by their addresses.
const GETS: usize = 0;

fn question(name: &'static str, keys: [Bytes; 2]) -> Request {
    Request::with_keys(name, keys.into_iter().collect(), 2)
}

/// The features that run scripts or remove keys have permission for `EVAL`.
fn script(keys: [Bytes; 2]) -> Request {
    let words = [Bytes::from_static(b"return 0"), Bytes::from_static(b"2")];
    let mut request = Request::with_keys("EVAL", words.into_iter().chain(keys).collect(), 0);
    request.keys = Keys::at(2, 2, 1);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Bytes {
        Bytes::copy_from_slice(name.as_bytes())
    }

    fn del(names: &[&str]) -> Request {
        Request::with_keys("DEL", names.iter().map(|name| key(name)).collect(), names.len())
    }

    static RELEASE: cinnabar_port::Script = cinnabar_port::Script::new("release", "return 1", 1, 1);

    #[test]
    fn the_mode_is_queried_only_before_commands_that_would_be_split() {
        let run = |name| Request::script(&RELEASE, [key(name), key("token")]).merging(Merge::Script);
        let raw = |name| Request::keyed("GET", [key(name)]);
        for batch in [
            vec![raw("a"), raw("b")],
            vec![del(&["a"]), del(&["b"])],
            vec![del(&["{x}a", "{x}b"])],
            vec![Request::get(key("a")), raw("b"), run("b")],
            vec![Request::get(key("{x}a")), Request::get(key("{x}b"))],
            vec![Request::with_keys("MSET", vec![key("a"), key("b")].into(), 2)],
        ] {
            assert!(spread(&batch).is_none(), "{batch:?}");
        }
        for (batch, name) in [
            (vec![raw("c"), del(&["a", "b"])], "EVAL"),
            (vec![Request::with_keys("EXISTS", vec![key("a"), key("b")].into(), 2)], "EXISTS"),
            (vec![Request::get(key("a")), raw("c"), Request::get(key("b"))], "MGET"),
            (vec![run("a"), run("b")], "EVAL"),
        ] {
            let question = spread(&batch).unwrap();
            assert_eq!(question.name(), name);
            assert_eq!(question.touched().unwrap().collect::<Vec<_>>(), [&key("a"), &key("b")], "{name}");
        }
    }
}
