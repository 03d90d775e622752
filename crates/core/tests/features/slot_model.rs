//! Thousands of random calls of a concurrency limit beside an exact simulation: processes take slots, renew and release them, and die with
//! them. Never more run than the limit says.
//!
//! `LIMIT_STEPS` sets the number of steps per engine.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cinnabar_core::features::limit::{Algorithm, Limiter, Slot};

use crate::{both::Engine, limiters::limiter_of, run::Dice};

const STEPS: usize = 1500;
const LIMIT: usize = 4;
const LEASE: Duration = Duration::from_secs(1);
/// No lease ends this close to a call, whose exact time is unknown.
const MARGIN: Duration = Duration::from_millis(20);

struct History<'a> {
    engine: &'a Engine,
    limiter: Arc<Limiter>,
    dice: Dice,
    /// How far the clock was moved, which stands still otherwise.
    passed: Duration,
    /// The slots of processes that are alive, by number.
    held: Vec<(usize, Slot)>,
    next: usize,
    /// When the leases end that the store knows, and when it forgets all.
    ends: HashMap<usize, Duration>,
    forgotten: Duration,
}

impl History<'_> {
    fn pass(&mut self, time: Duration) {
        self.engine.pass(time);
        self.passed += time;
    }

    /// Moves the clock away from the ends of leases, and returns its time.
    fn between_ends(&mut self) -> Duration {
        loop {
            let now = self.passed;
            if !self.ends.values().any(|end| end.abs_diff(now) < MARGIN) {
                if now >= self.forgotten {
                    self.ends.clear();
                }
                return now;
            }
            self.pass(MARGIN);
        }
    }

    fn grant(&mut self, slot: usize, now: Duration) {
        self.ends.insert(slot, now + LEASE);
        self.forgotten = self.ends.values().copied().max().unwrap_or_default();
    }

    fn acquire(&mut self) {
        let now = self.between_ends();
        let call = self.limiter.acquire("p", "id", |_| unreachable!("every call has a reply"));
        let (result, slot) = self.engine.run(call).unwrap();
        self.ends.retain(|_, end| *end > now);
        let expected = self.ends.len() < LIMIT;
        assert_eq!((result.allowed, slot.is_some()), (expected, expected), "{} at {now:?}", self.engine.name);
        if let Some(slot) = slot {
            self.grant(self.next, now);
            self.held.push((self.next, slot));
            self.next += 1;
        } else {
            let wait = Duration::from_millis(result.retry_after_ms.unwrap().unsigned_abs());
            let first = self.ends.values().min().unwrap().saturating_sub(now);
            assert!(wait.abs_diff(first) <= MARGIN, "{wait:?}, but the first ends in {first:?}");
        }
        assert!(self.ends.len() <= LIMIT);
        assert_eq!(result.remaining, Some((LIMIT - self.ends.len()) as u64));
    }

    fn chosen(&mut self) -> Option<usize> {
        (!self.held.is_empty()).then(|| self.dice.below(self.held.len()))
    }

    fn renew(&mut self) {
        let Some(at) = self.chosen() else { return };
        let now = self.between_ends();
        let number = self.held[at].0;
        // One whose lease has ended is renewed as long as no other took its place.
        let renewed = self.engine.run(Ok(self.held[at].1.renew())).unwrap();
        assert_eq!(renewed, self.ends.contains_key(&number), "{} at {now:?}", self.engine.name);
        if renewed {
            self.grant(number, now);
        } else {
            self.held.remove(at);
        }
    }

    fn release(&mut self) {
        let Some(at) = self.chosen() else { return };
        let now = self.between_ends();
        let (number, slot) = self.held.remove(at);
        let released = self.engine.run(Ok(slot.release())).unwrap();
        assert_eq!(released, self.ends.remove(&number).is_some(), "{} at {now:?}", self.engine.name);
    }
}

#[test]
fn never_more_run_than_the_limit_says() {
    let steps = std::env::var("LIMIT_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    Engine::each(|engine| {
        let mut history = History {
            engine,
            limiter: limiter_of(Algorithm::Concurrency(LEASE), LIMIT as f64),
            dice: Dice(7),
            passed: Duration::ZERO,
            held: Vec::new(),
            next: 0,
            ends: HashMap::new(),
            forgotten: Duration::ZERO,
        };
        for _ in 0..steps {
            match history.dice.below(20) {
                0..8 => history.acquire(),
                8..12 => history.renew(),
                12..15 => history.release(),
                // Its process dies.
                15 => drop(history.chosen().map(|at| history.held.swap_remove(at))),
                _ => {
                    let most = [10, 100, 300, 1500][history.dice.below(4)];
                    let time = Duration::from_millis(history.dice.below(most) as u64);
                    history.pass(time);
                }
            }
        }
        assert!(history.next > steps / 20, "{} slots were taken", history.next);
    });
}
