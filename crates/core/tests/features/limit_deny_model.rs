//! Thousands of random calls through a deny cache, while others change the same limits: what it refuses, the store refuses too, and for as long.
//!
//! `LIMIT_STEPS` sets the number of steps per algorithm and engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cinnabar_core::features::{
    Moment,
    limit::{Algorithm, Change, Check, Denials, DenyCache, How, LimitResult, Limiter, Period, Source},
};

use crate::{both::Engine, limiters::limiter_of, run::Dice};

const STEPS: usize = 600;
const LIMIT: f64 = 4.0;
const MARKER: &[u8] = b"the end of what was published";

struct History<'a> {
    engine: &'a Engine,
    limiter: Arc<Limiter>,
    cache: Arc<DenyCache>,
    markers: Arc<AtomicUsize>,
    dice: Dice,
    /// How far the clock was moved, which stands still otherwise.
    passed: Duration,
    charges: Vec<String>,
    refused: usize,
}

impl History<'_> {
    fn now(&self) -> Moment {
        Moment { steady: self.passed, wall: self.passed }
    }

    fn take(&mut self, how: How, cost: f64, denials: Option<Denials>) -> LimitResult {
        let check = Check { policy: "p".into(), id: "id".into(), cost, limit: None };
        self.engine.run(self.limiter.take(&check, how, denials)).unwrap()
    }

    fn check(&mut self) {
        let cost = [1.0, 1.0, 2.0, 5.0][self.dice.below(4)];
        let denials = Denials { cache: self.cache.clone(), now: self.now() };
        let result = self.take(How::Take, cost, Some(denials));
        self.charges.extend(result.charge.clone());
        if result.source != Source::Cache {
            return;
        }
        self.refused += 1;
        let store = self.take(How::Peek, cost, None);
        let waits = |result: &LimitResult| result.retry_after_ms.map(|ms| ms.max(0));
        assert!(!result.allowed && !store.allowed, "{}: the store allows what was refused", self.engine.name);
        // A wait is rounded up.
        let late = waits(&result).zip(waits(&store)).map_or(0, |(ours, its)| ours - its);
        assert!(late <= 1, "{}: {late} ms longer", self.engine.name);
    }

    /// Another process changes the limit, and what it publishes arrives.
    fn change(&mut self) {
        match self.dice.below(6) {
            0 => {
                let Some(charge) = self.charges.pop() else { return };
                self.engine.run(self.limiter.settle("p", "id", &charge, 0.0, None)).unwrap();
            }
            at => {
                let change = match at {
                    1 => Change::Block(1.0 + self.dice.below(3) as f64),
                    2 => Change::Unblock,
                    3 => Change::Override { limit: LIMIT * 2.0, seconds: None },
                    4 => Change::Restore,
                    _ => Change::Reset,
                };
                self.engine.run(self.limiter.change("p", "id", change, None)).unwrap();
            }
        }
        let before = self.markers.load(Ordering::Acquire);
        let channel = String::from_utf8(self.limiter.changes_channel().to_vec()).unwrap();
        self.engine.raw(&["PUBLISH", &channel, std::str::from_utf8(MARKER).unwrap()]).unwrap();
        self.engine.wait(|| self.markers.load(Ordering::Acquire) > before);
    }

    fn pass(&mut self) {
        let most = [3, 300, 3000, 20_000][self.dice.below(4)];
        let time = Duration::from_millis(self.dice.below(most) as u64);
        self.engine.pass(time);
        self.passed += time;
    }
}

#[test]
fn what_a_deny_cache_refuses_the_store_refuses_as_long() {
    let steps = std::env::var("LIMIT_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    let gcra = |burst, strict| Algorithm::Gcra { per: 7.0, burst: Some(burst), strict };
    let calendar = Algorithm::Calendar(Period::Day);
    for algorithm in [
        Algorithm::FixedWindow(7.0),
        Algorithm::SlidingWindow(7.0),
        gcra(LIMIT, false),
        gcra(2.0, false),
        gcra(2.0, true),
        calendar,
    ] {
        Engine::each(|engine| {
            let (cache, markers) = (Arc::<DenyCache>::default(), Arc::<AtomicUsize>::default());
            let limiter = limiter_of(algorithm, LIMIT);
            let (hearing, seen) = (cache.clone(), markers.clone());
            engine.listen(limiter.changes_channel(), move |message| match message {
                MARKER => drop(seen.fetch_add(1, Ordering::AcqRel)),
                key => hearing.remove(&Bytes::copy_from_slice(key)),
            });
            cache.listen();
            let mut history = History {
                engine,
                limiter,
                cache,
                markers,
                dice: Dice(21),
                passed: Duration::ZERO,
                charges: Vec::new(),
                refused: 0,
            };
            for _ in 0..steps {
                match history.dice.below(20) {
                    0..14 => history.check(),
                    14..17 => history.pass(),
                    _ => history.change(),
                }
            }
            assert!(history.refused > steps / 50, "the cache refused only {}", history.refused);
        });
    }
}
