//! Fires repeats whose slots have come. Takes find them. If none is made, because no more jobs may run or the event
//! loop is blocked, the worker polls for them: a schedule does not wait for jobs to end.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use cinnabar_port::{
    Call,
    error::{Error, Kind, Result},
};
use tokio::time::Instant;

use super::Worker;
use crate::{
    agents::publish_denials,
    features::queue::{DueRepeat, Taken},
    store::Store,
};

/// The longest time between a take, or a poll, and the next poll; a repeat that failed is skipped for as long. Longer
/// than an idle worker waits between two takes, or it would poll twice a second.
const POLL_EVERY: Duration = Duration::from_millis(1250);
/// The shortest time between polls: what is due and cannot be fired would otherwise be polled endlessly.
const LEAST: Duration = Duration::from_millis(10);

/// When to poll, and what was found.
pub struct Repeats {
    at: Instant,
    not_before: Instant,
    due: Vec<DueRepeat>,
    /// Repeats that failed, and until when they are skipped.
    backing_off: HashMap<String, Instant>,
    /// The last error, if it persists.
    failing: Option<Kind>,
}

/// What to fire.
pub struct Poll {
    /// The repeats known to be due; if there are none, the store is asked first.
    due: Vec<DueRepeat>,
    /// Repeats that are skipped.
    except: HashSet<String>,
}

/// The result of a poll.
#[derive(Default)]
pub struct PollResult {
    /// Whether jobs were added.
    added: bool,
    /// In how long the next slot comes, if known.
    next_in: Option<Duration>,
    /// The repeats that could not be fired.
    failed: Vec<String>,
    /// The error of a repeat, or of the poll itself.
    error: Option<Error>,
}

impl Repeats {
    /// Takes come first.
    pub fn new(now: Instant) -> Self {
        Self { at: now + POLL_EVERY, not_before: now, due: Vec::new(), backing_off: HashMap::new(), failing: None }
    }

    /// Records the repeats that a take found.
    pub fn found(&mut self, taken: &Taken, now: Instant) {
        self.backing_off.retain(|_, until| *until > now);
        let due = taken.due.iter().filter(|repeat| !self.backing_off.contains_key(&repeat.id));
        self.due = due.cloned().collect();
        self.at = if self.due.is_empty() { now + POLL_EVERY } else { now };
    }

    /// When the next poll is due.
    pub fn next_at(&self) -> Instant {
        self.at.max(self.not_before)
    }

    /// The poll that is due, if any.
    pub fn begin(&mut self, now: Instant) -> Option<Poll> {
        self.backing_off.retain(|_, until| *until > now);
        (self.next_at() <= now)
            .then(|| Poll { due: std::mem::take(&mut self.due), except: self.backing_off.keys().cloned().collect() })
    }

    /// Records the result; returns whether jobs were added, and the error if it is new. That the server is unavailable
    /// is reported by takes.
    pub fn ended(&mut self, polled: PollResult, now: Instant) -> (bool, Option<Error>) {
        let PollResult { added, next_in, failed, error } = polled;
        let wait = next_in.map_or(POLL_EVERY, |next_in| next_in.clamp(LEAST, POLL_EVERY));
        self.at = if self.due.is_empty() { now + wait } else { now };
        self.not_before = now + LEAST;
        self.backing_off.extend(failed.into_iter().map(|id| (id, now + POLL_EVERY)));
        let failing = error.as_ref().map(|error| error.kind);
        if failing.is_none() && !self.backing_off.is_empty() {
            return (added, None);
        }
        let is_news = std::mem::replace(&mut self.failing, failing) != failing;
        (added, error.filter(|error| is_news && !error.is_unavailable()))
    }
}

impl PollResult {
    fn note_next(&mut self, next_in: Option<Duration>) {
        self.next_in = [self.next_in, next_in].into_iter().flatten().min();
    }
}

impl Worker {
    /// Fires the repeats that are due. A failure of one does not block the others.
    pub(super) async fn fire(self: Arc<Self>, store: Arc<Store>, poll: Poll) -> PollResult {
        let Poll { mut due, except } = poll;
        let mut polled = PollResult::default();
        if due.is_empty() {
            match self.ask(&store, vec![self.queue.due()]).await.pop() {
                Some(Ok((found, next_in))) => {
                    due = found;
                    polled.note_next(next_in);
                }
                Some(Err(error)) => polled.error = Some(error),
                None => {}
            }
        }
        due.retain(|repeat| !except.contains(&repeat.id));
        let calls = due.iter().map(|repeat| {
            let call = self.queue.fire(repeat);
            call.unwrap_or_else(|error| Call::deferred(|| Err(error)))
        });
        let fired = self.ask(&store, calls.collect()).await;
        for (repeat, fired) in due.into_iter().zip(fired) {
            match fired {
                Ok(fired) => {
                    polled.added |= fired.added.is_some();
                    publish_denials::record(
                        &store,
                        &self.queue,
                        fired.added.map(|added| added.published).unwrap_or_default(),
                    );
                    polled.note_next(fired.next_in);
                }
                Err(error) => {
                    polled.failed.push(repeat.id);
                    polled.error = Some(error);
                }
            }
        }
        polled
    }

    /// Runs calls together; returns their results in their order.
    async fn ask<T: Send + 'static>(&self, store: &Store, calls: Vec<Call<T>>) -> Vec<Result<T>> {
        let mut results: Vec<(usize, Result<T>)> = Vec::with_capacity(calls.len());
        if !calls.is_empty() {
            let calls = calls.into_iter().enumerate().map(|(index, call)| (call, index)).collect();
            let deadline = Instant::now() + self.options.timeout;
            let settle = |some: Vec<(Result<T>, usize)>| results.extend(some.into_iter().map(|(a, index)| (index, a)));
            store.run(calls, deadline, settle).await;
        }
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, reply)| reply).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(ids: &[&str]) -> Taken {
        let due = ids.iter().map(|id| DueRepeat { id: (*id).into(), slot_ms: 100 });
        Taken { due: due.collect(), ..Taken::default() }
    }

    fn ids(poll: Option<Poll>) -> Option<Vec<String>> {
        poll.map(|poll| poll.due.into_iter().map(|repeat| repeat.id).collect())
    }

    fn broken(kind: Kind, ids: &[&str]) -> PollResult {
        let error = Some(Error::new(kind, "why"));
        PollResult { failed: ids.iter().map(|id| (*id).into()).collect(), error, ..PollResult::default() }
    }

    #[test]
    fn repeats_found_by_takes_are_fired_and_without_takes_the_worker_polls() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut repeats = Repeats::new(start);
        assert_eq!(ids(repeats.begin(start + POLL_EVERY - ms(1))), None);
        let taken = start + ms(900);
        repeats.found(&due(&[]), taken);
        assert_eq!(ids(repeats.begin(taken + POLL_EVERY - ms(1))), None, "a take has polled");
        let polled = taken + POLL_EVERY;
        assert_eq!(ids(repeats.begin(polled)), Some(vec![]), "no take for so long");
        repeats.ended(PollResult { next_in: Some(ms(300)), ..PollResult::default() }, polled);
        assert_eq!(ids(repeats.begin(polled + ms(299))), None);
        assert_eq!(ids(repeats.begin(polled + ms(300))), Some(vec![]));
        // Found during a poll.
        repeats.found(&due(&["a"]), polled + ms(301));
        let ended = polled + ms(302);
        assert!(repeats.ended(PollResult { added: true, ..PollResult::default() }, ended).0);
        assert_eq!(ids(repeats.begin(ended + LEAST - ms(1))), None, "not without end");
        assert_eq!(ids(repeats.begin(ended + LEAST)), Some(vec!["a".into()]));
    }

    #[test]
    fn a_repeat_that_fails_is_skipped_for_a_while_and_reported_once() {
        let ms = Duration::from_millis;
        let mut now = Instant::now();
        let mut repeats = Repeats::new(now);
        let kind = |reported: (bool, Option<Error>)| reported.1.map(|error| error.kind);
        repeats.found(&due(&["a", "b"]), now);
        assert_eq!(ids(repeats.begin(now)), Some(vec!["a".into(), "b".into()]));
        assert_eq!(kind(repeats.ended(broken(Kind::InvalidData, &["a"]), now)), Some(Kind::InvalidData));
        now += POLL_EVERY - ms(1);
        repeats.found(&due(&["a"]), now);
        assert_eq!(ids(repeats.begin(now)), None);
        repeats.found(&due(&["a", "b"]), now);
        assert_eq!(ids(repeats.begin(now)), Some(vec!["b".into()]));
        assert_eq!(kind(repeats.ended(PollResult::default(), now)), None);
        now += POLL_EVERY;
        repeats.found(&due(&["a"]), now);
        assert_eq!(ids(repeats.begin(now)), Some(vec!["a".into()]));
        assert_eq!(kind(repeats.ended(broken(Kind::InvalidData, &["a"]), now)), None, "reported already");
        // It recovers, and fails again later.
        for (polled, reported) in
            [(PollResult::default(), None), (broken(Kind::InvalidData, &["a"]), Some(Kind::InvalidData))]
        {
            now += POLL_EVERY;
            repeats.found(&due(&["a"]), now);
            assert_eq!(ids(repeats.begin(now)), Some(vec!["a".into()]));
            assert_eq!(kind(repeats.ended(polled, now)), reported);
        }
    }

    #[test]
    fn an_unavailable_server_is_not_reported_here() {
        let start = Instant::now();
        let mut repeats = Repeats::new(start);
        assert!(repeats.ended(broken(Kind::Unavailable, &[]), start).1.is_none());
        assert!(repeats.next_at() >= start + POLL_EVERY);
    }
}
