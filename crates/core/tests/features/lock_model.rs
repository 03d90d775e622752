//! Thousands of random calls of writers and readers of one lock beside an exact simulation: they acquire, wait in turn or not, extend and
//! release it, and die with it. A writer is always alone, and fencing tokens grow.
//!
//! `LOCK_STEPS` sets the number of steps per engine.

use std::{collections::HashMap, time::Duration};

use cinnabar_core::features::lock::{Attempt, Locks, Mode, Options, TURN_LEASE, WAIT_LEASE};

use crate::{both::Engine, run::Dice};

const STEPS: usize = 2000;
const CALLERS: usize = 6;
const TTL: Duration = Duration::from_secs(2);
/// Nothing ends this close to a call, whose exact time is unknown.
const MARGIN: Duration = Duration::from_millis(20);

struct History<'a> {
    engine: &'a Engine,
    locks: Locks,
    dice: Dice,
    /// How far the clock was moved, which stands still otherwise.
    passed: Duration,
    callers: Vec<(String, Mode)>,
    writer: Option<(String, Duration)>,
    readers: HashMap<String, Duration>,
    waiting: HashMap<String, Duration>,
    queue: Vec<String>,
    fence: u64,
    granted: usize,
}

impl History<'_> {
    fn pass(&mut self, time: Duration) {
        self.engine.pass(time);
        self.passed += time;
    }

    /// Moves the clock away from the end of anything, forgets what has ended, and returns the time.
    fn between_ends(&mut self) -> Duration {
        loop {
            let now = self.passed;
            let leases = self.writer.iter().map(|(_, end)| end).chain(self.readers.values());
            if !leases.chain(self.waiting.values()).any(|end| end.abs_diff(now) < MARGIN) {
                self.writer.take_if(|(_, end)| *end <= now);
                self.readers.retain(|_, end| *end > now);
                self.waiting.retain(|_, end| *end > now);
                return now;
            }
            self.pass(MARGIN);
        }
    }

    fn has_lock(&self, token: &str) -> bool {
        self.writer.as_ref().is_some_and(|(writer, _)| writer == token) || self.readers.contains_key(token)
    }

    /// Whether a writer waits; if it is the turn of the one that asks, those in the queue do not count.
    fn writer_waits(&self, is_turn: bool) -> bool {
        let is_reader = |token: &String| token.starts_with("read:");
        let comes_later = |token: &String| is_turn && self.queue.contains(token);
        !self.waiting.keys().all(|token| is_reader(token) || comes_later(token))
    }

    /// Whether the lock is granted. A reader yields to a writer that waits.
    fn may_have(&self, token: &str, mode: Mode, is_turn: bool) -> bool {
        let is_held = self.writer.is_some() || !self.readers.is_empty();
        match mode {
            _ if self.has_lock(token) || !is_held => true,
            Mode::Write => false,
            Mode::Read => self.writer.is_none() && !self.writer_waits(is_turn),
        }
    }

    fn grant(&mut self, token: &str, mode: Mode, fence: u64, now: Duration) {
        let had = self.has_lock(token);
        assert!(if had { fence >= self.fence || mode == Mode::Read } else { fence > self.fence }, "{fence}");
        self.fence = self.fence.max(fence);
        match mode {
            Mode::Write => self.writer = Some((token.to_owned(), now + TTL)),
            Mode::Read => drop(self.readers.insert(token.to_owned(), now + TTL)),
        }
        self.waiting.remove(token);
        self.granted += 1;
        assert!(self.writer.is_none() || self.readers.is_empty(), "a writer is alone");
    }

    fn chosen(&mut self) -> (String, Mode) {
        let at = self.dice.below(CALLERS);
        self.callers[at].clone()
    }

    /// One of those that wait in turn, or of those that do not.
    fn waiter(&mut self, in_turn: bool) -> (String, Mode) {
        let at = self.dice.below(CALLERS / 2) * 2 + usize::from(in_turn);
        self.callers[at].clone()
    }

    fn acquire(&mut self) {
        let ((token, mode), now) = (self.chosen(), self.between_ends());
        let expected = self.may_have(&token, mode, false);
        let fence = self.engine.run(self.locks.acquire_fenced("r", &token, TTL)).unwrap();
        assert_eq!(fence.is_some(), expected, "{} {token} at {now:?}", self.engine.name);
        if let Some(fence) = fence {
            let entry = self.waiting.get(&token).copied();
            self.grant(&token, mode, fence, now);
            // Only an attempt removes what an attempt has entered.
            self.waiting.extend(entry.map(|end| (token, end)));
        }
    }

    fn attempt(&mut self) {
        let ((token, mode), now) = (self.waiter(false), self.between_ends());
        let expected = self.may_have(&token, mode, false);
        let attempt = self.engine.run(self.locks.attempt("r", &token, TTL)).unwrap();
        assert_eq!(attempt.fence().is_some(), expected, "{} {token} at {now:?}", self.engine.name);
        self.follow(&token, mode, attempt, now, WAIT_LEASE);
    }

    fn attempt_in_turn(&mut self) {
        let ((mut token, mode), now) = (self.waiter(true), self.between_ends());
        // Whether the store still knows the place of one whose entry has expired depends on what others did meanwhile.
        if self.queue.contains(&token) && !self.waiting.contains_key(&token) && !self.has_lock(&token) {
            let at = self.callers.iter().position(|(one, _)| *one == token).unwrap();
            self.callers[at] = caller(&self.locks, at);
            token.clone_from(&self.callers[at].0);
        }
        let mut is_turn = true;
        if !self.has_lock(&token) {
            if !self.queue.contains(&token) {
                self.queue.push(token.clone());
            }
            self.waiting.insert(token.clone(), now + TURN_LEASE);
            while !self.waiting.contains_key(&self.queue[0]) {
                self.queue.remove(0);
            }
            is_turn = self.queue[0] == token;
        }
        let expected = is_turn && self.may_have(&token, mode, true);
        let attempt = self.engine.run(self.locks.attempt_in_turn("r", &token, TTL)).unwrap();
        assert_eq!(attempt.fence().is_some(), expected, "{} {token} at {now:?}", self.engine.name);
        if expected {
            self.queue.retain(|one| *one != token);
        }
        self.follow(&token, mode, attempt, now, TURN_LEASE);
    }

    fn follow(&mut self, token: &str, mode: Mode, attempt: Attempt, now: Duration, lease: Duration) {
        match attempt {
            Attempt::Acquired(fence) => self.grant(token, mode, fence, now),
            Attempt::Held(left) => {
                self.waiting.insert(token.to_owned(), now + lease);
                let last = self.writer.iter().map(|(_, end)| *end).chain(self.readers.values().copied()).max();
                assert!(last.is_none_or(|end| left.abs_diff(end - now) <= MARGIN), "{left:?}");
            }
        }
    }

    fn extend(&mut self) {
        let ((token, mode), now) = (self.chosen(), self.between_ends());
        let expected = self.has_lock(&token);
        let extended = self.engine.run(self.locks.extend("r", &token, TTL.as_secs_f64())).unwrap();
        assert_eq!(extended, expected, "{} {token} at {now:?}", self.engine.name);
        if extended {
            match mode {
                Mode::Write => self.writer = Some((token, now + TTL)),
                Mode::Read => drop(self.readers.insert(token, now + TTL)),
            }
        }
    }

    fn release(&mut self) {
        let ((token, _), now) = (self.chosen(), self.between_ends());
        let expected = self.has_lock(&token);
        let released = self.engine.run(self.locks.release("r", &token)).unwrap();
        assert_eq!(released, expected, "{} {token} at {now:?}", self.engine.name);
        self.writer.take_if(|(writer, _)| *writer == token);
        self.readers.remove(&token);
    }

    fn leave(&mut self) {
        let (token, _) = self.chosen();
        self.between_ends();
        self.engine.run(self.locks.stop_waiting("r", &token)).unwrap();
        self.waiting.remove(&token);
        self.queue.retain(|one| *one != token);
    }

    /// A caller dies, and another takes its place.
    fn replace(&mut self) {
        let at = self.dice.below(CALLERS);
        self.callers[at] = caller(&self.locks, at);
    }

    fn describe(&mut self) {
        let now = self.between_ends();
        let info = self.engine.run(self.locks.info("r")).unwrap();
        let is_read = !self.readers.is_empty();
        let holders = self.readers.len() + usize::from(self.writer.is_some());
        assert_eq!((info.is_locked, info.is_read, info.holders.len()), (holders > 0, is_read, holders), "at {now:?}");
        assert_eq!(info.waiting, self.waiting.len() as u64, "{} at {now:?}", self.engine.name);
    }
}

/// A caller with a token of its own. A third of them write.
fn caller(locks: &Locks, at: usize) -> (String, Mode) {
    let mode = if at.is_multiple_of(3) { Mode::Write } else { Mode::Read };
    (locks.new_token(mode).unwrap(), mode)
}

#[test]
fn a_writer_is_alone_and_readers_are_together() {
    let steps = std::env::var("LOCK_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    Engine::each(|engine| {
        let locks = Locks::new(Options::default()).unwrap();
        let mut history = History {
            engine,
            dice: Dice(7),
            passed: Duration::ZERO,
            callers: (0..CALLERS).map(|at| caller(&locks, at)).collect(),
            locks,
            writer: None,
            readers: HashMap::new(),
            waiting: HashMap::new(),
            queue: Vec::new(),
            fence: 0,
            granted: 0,
        };
        for _ in 0..steps {
            match history.dice.below(20) {
                0..3 => history.acquire(),
                3..6 => history.attempt(),
                6..10 => history.attempt_in_turn(),
                10 => history.extend(),
                11..15 => history.release(),
                15 => history.leave(),
                16 => history.replace(),
                17 => history.describe(),
                _ => {
                    let most = [10, 100, 1000, 8000][history.dice.below(4)];
                    let time = Duration::from_millis(history.dice.below(most) as u64);
                    history.pass(time);
                }
            }
        }
        assert!(history.granted > steps / 20, "{} grants", history.granted);
    });
}
