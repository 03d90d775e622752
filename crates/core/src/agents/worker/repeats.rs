//! Repeats whose slots have come. Takes find them; where none is made, because nothing more may run or the event loop is blocked,
//! the task looks by itself: a schedule does not wait for jobs to end.

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

/// At the latest so long after a take, or a look, comes another one. One that failed is left exclusive for as long. Longer than an idle
/// worker waits between two takes, or it would ask twice a second.
const LOOK: Duration = Duration::from_millis(1250);
/// What is due and yet not fired would otherwise be looked at without end.
const LEAST: Duration = Duration::from_millis(10);

/// When to look, and what was found.
pub struct Repeats {
    at: Instant,
    not_before: Instant,
    due: Vec<DueRepeat>,
    /// Those that failed, and until when they are left exclusive.
    left_alone: HashMap<String, Instant>,
    /// What went wrong last, if it still does.
    failing: Option<Kind>,
}

/// What to look at.
pub struct Poll {
    /// What is known to be due; where nothing is, that has to be asked first.
    due: Vec<DueRepeat>,
    /// What is not to be fired now.
    except: HashSet<String>,
}

/// What came of a look.
#[derive(Default)]
pub struct PollResult {
    /// Whether jobs were added.
    added: bool,
    /// In how long the next slot comes, as far as is known.
    next_in: Option<Duration>,
    /// Those that could not be fired.
    failed: Vec<String>,
    /// EndReason, or why nothing is known.
    error: Option<Error>,
}

impl Repeats {
    /// Takes come first.
    pub fn new(now: Instant) -> Self {
        Self { at: now + LOOK, not_before: now, due: Vec::new(), left_alone: HashMap::new(), failing: None }
    }

    /// What a take found.
    pub fn found(&mut self, taken: &Taken, now: Instant) {
        self.left_alone.retain(|_, until| *until > now);
        let due = taken.due.iter().filter(|repeat| !self.left_alone.contains_key(&repeat.id));
        self.due = due.cloned().collect();
        self.at = if self.due.is_empty() { now + LOOK } else { now };
    }

    /// When there is something to do.
    pub fn next_at(&self) -> Instant {
        self.at.max(self.not_before)
    }

    /// What to look at, if it is time.
    pub fn begin(&mut self, now: Instant) -> Option<Poll> {
        self.left_alone.retain(|_, until| *until > now);
        (self.next_at() <= now)
            .then(|| Poll { due: std::mem::take(&mut self.due), except: self.left_alone.keys().cloned().collect() })
    }

    /// What came of it: whether jobs were added, and what went wrong, told once. That a server is away is told by takes.
    pub fn ended(&mut self, looked: PollResult, now: Instant) -> (bool, Option<Error>) {
        let PollResult { added, next_in, failed, error } = looked;
        let wait = next_in.map_or(LOOK, |next_in| next_in.clamp(LEAST, LOOK));
        self.at = if self.due.is_empty() { now + wait } else { now };
        self.not_before = now + LEAST;
        self.left_alone.extend(failed.into_iter().map(|id| (id, now + LOOK)));
        let failing = error.as_ref().map(|error| error.kind);
        if failing.is_none() && !self.left_alone.is_empty() {
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
    /// Fires what is due. One that fails holds up no other one.
    pub(super) async fn fire(self: Arc<Self>, store: Arc<Store>, look: Poll) -> PollResult {
        let Poll { mut due, except } = look;
        let mut looked = PollResult::default();
        if due.is_empty() {
            match self.ask(&store, vec![self.queue.due()]).await.pop() {
                Some(Ok((found, next_in))) => {
                    due = found;
                    looked.note_next(next_in);
                }
                Some(Err(error)) => looked.error = Some(error),
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
                    looked.added |= fired.added.is_some();
                    publish_denials::record(
                        &store,
                        &self.queue,
                        fired.added.map(|added| added.published).unwrap_or_default(),
                    );
                    looked.note_next(fired.next_in);
                }
                Err(error) => {
                    looked.failed.push(repeat.id);
                    looked.error = Some(error);
                }
            }
        }
        looked
    }

    /// The answers to calls that go out together, in their order.
    async fn ask<T: Send + 'static>(&self, store: &Store, calls: Vec<Call<T>>) -> Vec<Result<T>> {
        let mut answers: Vec<(usize, Result<T>)> = Vec::with_capacity(calls.len());
        if !calls.is_empty() {
            let calls = calls.into_iter().enumerate().map(|(index, call)| (call, index)).collect();
            let deadline = Instant::now() + self.options.timeout;
            let settle = |some: Vec<(Result<T>, usize)>| answers.extend(some.into_iter().map(|(a, index)| (index, a)));
            store.run(calls, deadline, settle).await;
        }
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(ids: &[&str]) -> Taken {
        let due = ids.iter().map(|id| DueRepeat { id: (*id).into(), slot_ms: 100 });
        Taken { due: due.collect(), ..Taken::default() }
    }

    fn ids(look: Option<Poll>) -> Option<Vec<String>> {
        look.map(|look| look.due.into_iter().map(|repeat| repeat.id).collect())
    }

    fn broken(kind: Kind, ids: &[&str]) -> PollResult {
        let error = Some(Error::new(kind, "why"));
        PollResult { failed: ids.iter().map(|id| (*id).into()).collect(), error, ..PollResult::default() }
    }

    #[test]
    fn what_a_take_finds_is_fired_at_once_and_without_takes_it_is_looked_for() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut repeats = Repeats::new(start);
        assert_eq!(ids(repeats.begin(start + LOOK - ms(1))), None);
        let taken = start + ms(900);
        repeats.found(&due(&[]), taken);
        assert_eq!(ids(repeats.begin(taken + LOOK - ms(1))), None, "a take has looked");
        let looked = taken + LOOK;
        assert_eq!(ids(repeats.begin(looked)), Some(vec![]), "no take for so long");
        repeats.ended(PollResult { next_in: Some(ms(300)), ..PollResult::default() }, looked);
        assert_eq!(ids(repeats.begin(looked + ms(299))), None);
        assert_eq!(ids(repeats.begin(looked + ms(300))), Some(vec![]));
        // Lookup while the look is under way.
        repeats.found(&due(&["a"]), looked + ms(301));
        let ended = looked + ms(302);
        assert!(repeats.ended(PollResult { added: true, ..PollResult::default() }, ended).0);
        assert_eq!(ids(repeats.begin(ended + LEAST - ms(1))), None, "not without end");
        assert_eq!(ids(repeats.begin(ended + LEAST)), Some(vec!["a".into()]));
    }

    #[test]
    fn one_that_fails_is_left_alone_for_a_while_and_told_once() {
        let ms = Duration::from_millis;
        let mut now = Instant::now();
        let mut repeats = Repeats::new(now);
        let kind = |told: (bool, Option<Error>)| told.1.map(|error| error.kind);
        repeats.found(&due(&["a", "b"]), now);
        assert_eq!(ids(repeats.begin(now)), Some(vec!["a".into(), "b".into()]));
        assert_eq!(kind(repeats.ended(broken(Kind::InvalidData, &["a"]), now)), Some(Kind::InvalidData));
        now += LOOK - ms(1);
        repeats.found(&due(&["a"]), now);
        assert_eq!(ids(repeats.begin(now)), None);
        repeats.found(&due(&["a", "b"]), now);
        assert_eq!(ids(repeats.begin(now)), Some(vec!["b".into()]));
        assert_eq!(kind(repeats.ended(PollResult::default(), now)), None);
        now += LOOK;
        repeats.found(&due(&["a"]), now);
        assert_eq!(ids(repeats.begin(now)), Some(vec!["a".into()]));
        assert_eq!(kind(repeats.ended(broken(Kind::InvalidData, &["a"]), now)), None, "told already");
        // It is well again, and fails again later.
        for (looked, told) in
            [(PollResult::default(), None), (broken(Kind::InvalidData, &["a"]), Some(Kind::InvalidData))]
        {
            now += LOOK;
            repeats.found(&due(&["a"]), now);
            assert_eq!(ids(repeats.begin(now)), Some(vec!["a".into()]));
            assert_eq!(kind(repeats.ended(looked, now)), told);
        }
    }

    #[test]
    fn that_a_server_is_away_is_told_by_others() {
        let start = Instant::now();
        let mut repeats = Repeats::new(start);
        assert!(repeats.ended(broken(Kind::Unavailable, &[]), start).1.is_none());
        assert!(repeats.next_at() >= start + LOOK);
    }
}
