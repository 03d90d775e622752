//! The effects of requests, and the error of a call of several requests of which only some were executed.
//!
//! The rule is the same for every call of several requests, whether over slots, rounds or batches. If nothing was changed and
//! no reply to a changing request is missing, the first error is returned unchanged. Otherwise the call has, or may have, taken
//! effect in part: the error is `E_MAYBE_APPLIED`, with what is known to have been done.

use std::sync::Arc;

use super::Reply;
use crate::error::{Done, Error, Kind, Result};

/// The effect of a request that is visible to callers.
#[derive(Debug, Clone)]
pub enum Effect {
    /// None: it reads, or writes internal data that has no meaning on its own.
    None,
    /// A change if this returns true for the reply.
    ChangedIf(fn(&Reply) -> bool),
    /// The reply's share of the count that the call returns; `None` if nothing was changed.
    Count(fn(&Reply) -> Option<u64>),
    /// A change of what these arguments of the call name. For each position: whether it was changed, or `None` if that part was not
    /// executed.
    Names(Arc<[String]>, fn(&Reply, usize) -> Option<bool>),
}

impl Effect {
    /// A change, whatever the reply.
    pub const ALWAYS: Self = Self::ChangedIf(|_| true);

    /// Whether it may change anything.
    pub fn changes(&self) -> bool {
        !matches!(self, Self::None)
    }
}

/// Returns the integer in a reply if it is above 0.
pub fn positive_count(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Int(count) => u64::try_from(*count).ok().filter(|count| *count > 0),
        _ => None,
    }
}

/// Returns the integer in the first element of a reply if it is above 0.
pub fn first_count(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Array(items) => items.first().and_then(positive_count),
        _ => None,
    }
}

/// Whether a reply is 1.
pub fn is_one(reply: &Reply) -> bool {
    *reply == Reply::Int(1)
}

/// Whether a reply is not nil.
pub fn is_not_nil(reply: &Reply) -> bool {
    *reply != Reply::Nil
}

/// The progress of a call.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Whether something was changed, or may have been.
    changed: bool,
    /// Whether something was certainly changed.
    certain: bool,
    /// Whether something was not executed.
    failed: bool,
    done: Option<Done>,
}

impl Progress {
    /// Records the outcome of a request.
    pub fn record(&mut self, effect: &Effect, reply: &Result<Reply>) {
        self.failed |= reply.is_err();
        let initial = match effect {
            Effect::None => return,
            Effect::ChangedIf(_) => None,
            Effect::Count(_) => Some(Done::Count(0)),
            Effect::Names(..) => Some(Done::Names(Vec::new())),
        };
        self.add(initial);
        match reply {
            Ok(reply) => self.record_done(effect, reply),
            Err(error) if error.kind == Kind::MaybeApplied => {
                self.changed = true;
                self.certain |= error.is_partially_applied();
                self.add(error.done().cloned());
            }
            Err(_) => {}
        }
    }

    fn record_done(&mut self, effect: &Effect, reply: &Reply) {
        match effect {
            Effect::None => {}
            Effect::ChangedIf(changes) => self.certain |= changes(reply),
            Effect::Count(count) => {
                if let Some(count) = count(reply) {
                    self.certain = true;
                    self.add(Some(Done::Count(count)));
                }
            }
            Effect::Names(names, is_done) => {
                let mut done = Vec::with_capacity(names.len());
                for (at, name) in names.iter().enumerate() {
                    if let Some(changed) = is_done(reply, at) {
                        self.certain |= changed;
                        done.push(name.clone());
                    }
                }
                self.failed |= done.len() < names.len();
                self.add(Some(Done::Names(done)));
            }
        }
        self.changed |= self.certain;
    }

    fn add(&mut self, more: Option<Done>) {
        match (&mut self.done, more) {
            (_, None) => {}
            (Some(Done::Count(count)), Some(Done::Count(more))) => *count += more,
            (Some(Done::Names(names)), Some(Done::Names(more))) => names.extend(more),
            // A call never has both kinds.
            (Some(_), Some(_)) => {}
            (done @ None, more) => *done = more,
        }
    }

    /// Whether something was changed, or may have been.
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    /// Whether something was not executed. Otherwise the reader's own error applies.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Returns the error that the caller of a call gets if this one ended it.
    pub fn final_error(&self, error: Error) -> Error {
        if !self.changed {
            return error;
        }
        let error = if error.kind == Kind::MaybeApplied {
            error
        } else {
            let message = format!("only a part of this call was applied, or may have been: {error}");
            error.with_kind(Kind::MaybeApplied, message)
        };
        error.with_done(self.done.clone()).partially_applied(self.certain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(kind: Kind) -> Result<Reply> {
        Err(Error::new(kind, "why"))
    }

    /// The caller's error after these requests, whose first error ended their call.
    fn error_after(requests: &[(Effect, Result<Reply>)]) -> Error {
        let mut progress = Progress::default();
        for (effect, reply) in requests {
            progress.record(effect, reply);
        }
        progress.final_error(requests.iter().find_map(|(_, reply)| reply.clone().err()).unwrap())
    }

    fn named(name: &str) -> Effect {
        Effect::Names([name.to_owned()].into(), |_, _| Some(true))
    }

    #[test]
    fn the_first_error_is_returned_if_nothing_was_changed() {
        let read = || (Effect::None, Ok(Reply::Int(7)));
        let kinds = [Kind::Unavailable, Kind::NotSent, Kind::Backpressure, Kind::Timeout, Kind::Closed, Kind::Server];
        for kind in kinds {
            let error = error_after(&[read(), (Effect::ALWAYS, lost(kind)), (Effect::ALWAYS, lost(Kind::NotSent))]);
            assert_eq!((error.kind, error.message()), (kind, "why"));
            assert!(error.done().is_none());
        }
        let nothing_to_do = [
            (Effect::ChangedIf(is_one), Ok(Reply::Int(0))),
            (Effect::ChangedIf(is_not_nil), Ok(Reply::Nil)),
            (Effect::Count(positive_count), Ok(Reply::Int(0))),
            (Effect::Count(first_count), Ok(Reply::Array(vec![Reply::Int(0), Reply::Int(9)]))),
        ];
        for (effect, reply) in nothing_to_do {
            let error = error_after(&[(effect, reply), (Effect::ALWAYS, lost(Kind::Unavailable))]);
            assert_eq!(error.kind, Kind::Unavailable);
        }
    }

    #[test]
    fn any_error_after_a_change_is_maybe_applied() {
        for kind in [Kind::Unavailable, Kind::NotSent, Kind::Server, Kind::OutOfMemory, Kind::WrongType, Kind::Closed] {
            for before in [Ok(Reply::Int(1)), lost(Kind::MaybeApplied)] {
                for requests in [
                    [(Effect::ALWAYS, before.clone()), (Effect::ALWAYS, lost(kind))],
                    [(Effect::None, lost(kind)), (Effect::ChangedIf(is_one), before.clone())],
                ] {
                    let error = error_after(&requests);
                    assert_eq!(error.kind, Kind::MaybeApplied, "{requests:?}");
                    assert!(error.message().ends_with("why"), "{error}");
                    assert_eq!(error.is_partially_applied(), before.is_ok(), "{requests:?}");
                }
            }
        }
    }

    #[test]
    fn a_count_is_replied_as_a_number() {
        let count = |reply| (Effect::Count(positive_count), reply);
        let error = error_after(&[count(Ok(Reply::Int(3))), count(lost(Kind::NotSent)), count(Ok(Reply::Int(2)))]);
        assert_eq!(error.done(), Some(&Done::Count(5)));
        let error = error_after(&[count(lost(Kind::MaybeApplied))]);
        assert_eq!((error.done(), error.message()), (Some(&Done::Count(0)), "why"));
        // What was cut up and put together again has counted already.
        let part = Error::new(Kind::MaybeApplied, "in part").with_done(Some(Done::Count(4))).partially_applied(true);
        let error = error_after(&[count(Ok(Reply::Int(1))), count(Err(part))]);
        assert_eq!(error.done(), Some(&Done::Count(5)));
        let changed_all_the_same = (Effect::Count(|_| Some(0)), Ok(Reply::Nil));
        let error = error_after(&[changed_all_the_same, (Effect::None, lost(Kind::Unavailable))]);
        assert_eq!((error.kind, error.done()), (Kind::MaybeApplied, Some(&Done::Count(0))));
    }

    #[test]
    fn named_changes_are_reported_by_name() {
        let error = error_after(&[
            (named("a"), Ok(Reply::text("OK"))),
            (named("b"), lost(Kind::Unavailable)),
            (named("c"), lost(Kind::MaybeApplied)),
            (named("d"), Ok(Reply::text("OK"))),
        ]);
        assert_eq!(error.done(), Some(&Done::Names(vec!["a".into(), "d".into()])));
        assert!(!error.message().contains('d') || error.message().starts_with("only a part of this call"), "{error}");
        // One run for both, of which the server took one.
        let both = Effect::Names(["a".to_owned(), "b".to_owned()].into(), |_, at| (at == 1).then_some(true));
        let mut progress = Progress::default();
        progress.record(&both, &Ok(Reply::Nil));
        assert!(progress.has_failed() && progress.has_changed());
        let error = progress.final_error(Error::new(Kind::OutOfMemory, "full"));
        assert_eq!((error.kind, error.done()), (Kind::MaybeApplied, Some(&Done::Names(vec!["b".into()]))));
        let error = error_after(&[(named("a"), lost(Kind::Unavailable)), (named("b"), lost(Kind::NotSent))]);
        assert_eq!((error.kind, error.done()), (Kind::Unavailable, None));
    }
}
