//! Thousands of random calls of every algorithm beside an exact simulation, and after each the bound that its policy promises.
//!
//! `LIMIT_STEPS` sets the number of steps per algorithm and engine.

use std::{sync::Arc, time::Duration};

use cinnabar_core::features::limit::{Algorithm, Change, Check, How, LimitResult, Limiter, Period};

use crate::{
    both::Engine,
    limit_simulation::{DAY, Rules, Simulation, width},
    limiters::limiter_of,
    run::Dice,
};

const STEPS: usize = 1500;

/// A charge that was made.
struct Charged {
    at: i64,
    hits: i64,
    text: String,
    /// Where it was charged.
    edge: i64,
    generation: u64,
    /// The lowest level of a bucket since, as far as it was looked at.
    low: Option<i128>,
    is_settled: bool,
}

struct History<'a> {
    engine: &'a Engine,
    limiter: Arc<Limiter>,
    rules: Rules,
    simulation: Simulation,
    /// Hits that were allowed and count, by time.
    charges: Vec<Charged>,
    dice: Dice,
    name: String,
    exact: bool,
}

impl History<'_> {
    /// Lets the time pass in the simulation.
    fn advance_to(&mut self, now: i64) {
        self.simulation.now(&self.rules, now);
        for charge in &mut self.charges {
            charge.low = Some(charge.low.map_or(self.simulation.level, |low| low.min(self.simulation.level)));
        }
    }

    fn check(&self, how: How, cost: i64) -> LimitResult {
        let check = Check { policy: "p".into(), id: "id".into(), cost: cost as f64, limit: None };
        self.engine.run(self.limiter.take(&check, how, None)).unwrap()
    }

    fn compare(&mut self, result: &LimitResult, cost: i64, allowed: bool, wait: Option<i64>) {
        let (now, rules) = (result.now_us.unwrap(), self.rules);
        let ms = |us: i64| us / 1000 + i64::from(us % 1000 > 0);
        let limit = self.simulation.limit.unwrap_or(rules.limit);
        let expected = (
            allowed,
            Some(limit as u64),
            Some(self.simulation.remaining(&rules) as u64),
            wait.map(ms),
            ms(self.simulation.reset(&rules, now)),
        );
        let got = (result.allowed, result.limit, result.remaining, result.retry_after_ms, result.reset_after_ms);
        assert_eq!(got, expected, "{} of {cost} at {now}: allowed, limit, left, wait, reset", self.name);
    }

    fn take(&mut self) {
        let limit = self.simulation.limit.unwrap_or(self.rules.limit);
        let cost = if self.dice.below(4) > 0 { 1 } else { self.dice.below(limit as usize + 3) as i64 };
        let how = [How::Take, How::Take, How::Reserve, How::Peek, How::Drain][self.dice.below(5)];
        let result = self.check(how, cost);
        let (now, rules) = (result.now_us.unwrap(), self.rules);
        self.advance_to(now);
        let wait = self.simulation.wait(&rules, now, cost);
        let allowed = wait == Some(0);
        let charged = match how {
            How::Peek => 0,
            How::Drain => cost.min(self.unblocked_remaining()),
            _ if allowed => cost,
            _ => 0,
        };
        if charged > 0 {
            self.simulation.add(&rules, now, charged);
            let text = result.charge.clone().unwrap_or_default();
            let edge = match rules.algorithm {
                Algorithm::SlidingWindow(_) => now / width(&rules),
                _ => self.simulation.edge,
            };
            let generation = self.simulation.generation;
            let charge = Charged { at: now, hits: charged, text, edge, generation, low: None, is_settled: false };
            self.charges.push(charge);
        }
        self.compare(&result, cost, allowed, wait);
        if charged > 0 && how != How::Drain {
            self.assert_bound(now);
        }
    }

    fn unblocked_remaining(&mut self) -> i64 {
        let blocked = std::mem::take(&mut self.simulation.blocked);
        let left = self.simulation.remaining(&self.rules);
        self.simulation.blocked = blocked;
        left
    }

    /// No period that ends now has more hits than the policy promises.
    fn assert_bound(&self, now: i64) {
        let from = match self.rules.algorithm {
            Algorithm::Calendar(_) => now / DAY * DAY - 1,
            _ => now - self.rules.period,
        };
        let hits: i64 = self.charges.iter().filter(|charge| charge.at > from).map(|charge| charge.hits).sum();
        assert!(hits <= self.rules.bound, "{}: {hits} hits in a period, of {}", self.name, self.rules.bound);
    }

    fn settle(&mut self) {
        if self.charges.is_empty() {
            return;
        }
        let at = self.dice.below(self.charges.len());
        let hits = self.charges[at].hits;
        let actual = self.dice.below(hits as usize + 1) as i64;
        let text = self.charges[at].text.clone();
        let settled = self.engine.run(self.limiter.settle("p", "id", &text, actual as f64, None)).unwrap();
        let result = self.check(How::Peek, 0);
        let (now, rules) = (result.now_us.unwrap(), self.rules);
        self.advance_to(now);
        let generation = self.simulation.generation;
        let charge = &mut self.charges[at];
        let counts = charge.generation == generation;
        assert_eq!(settled, counts && !text.is_empty() && !charge.is_settled, "{}: it is settled once", self.name);
        if settled {
            charge.is_settled = true;
            let back = hits - actual;
            let (edge, low) = (charge.edge, charge.low);
            // What had drained counts for the periods that had it.
            if now - charge.at < rules.period {
                charge.hits = actual;
            }
            let simulation = &mut self.simulation;
            match rules.algorithm {
                Algorithm::Gcra { .. } => {
                    let most = simulation.level.min(low.unwrap_or(i128::MAX));
                    let part = most.min(i128::from(back) * i128::from(rules.period));
                    // When it was refunded is shown only by a clock that stands still.
                    if !self.exact && part < i128::from(back) * i128::from(rules.period) {
                        return self.reset();
                    }
                    simulation.level -= part;
                    for low in self.charges.iter_mut().filter_map(|charge| charge.low.as_mut()) {
                        *low = (*low - part).max(0);
                    }
                }
                Algorithm::SlidingWindow(_) => {
                    if let Some((_, count)) = simulation.slices.iter_mut().find(|(slice, _)| *slice == edge) {
                        *count -= back.min(*count);
                    }
                }
                _ if simulation.edge == edge => simulation.hits = (simulation.hits - back).max(0),
                _ => {}
            }
            self.advance_to(now);
        }
        let wait = self.simulation.wait(&rules, now, 0);
        self.compare(&result, 0, wait == Some(0), wait);
        if self.simulation.level == 0 && self.simulation.hits == 0 {
            // Counting starts anew, at a time of its own.
            self.engine.pass(Duration::from_micros(1));
        }
    }

    fn change(&mut self) {
        let change = match self.dice.below(3) {
            0 => Change::Block(1.0 + self.dice.below(3) as f64),
            1 => Change::Unblock,
            _ => Change::Reset,
        };
        self.engine.run(self.limiter.change("p", "id", change, None)).unwrap();
        let result = self.check(How::Peek, 0);
        let (now, rules) = (result.now_us.unwrap(), self.rules);
        self.advance_to(now);
        match change {
            // The time of the block is that of its call, which only a clock that stands still has in common with the next.
            Change::Block(seconds) if self.exact => {
                self.simulation.blocked = self.simulation.blocked.max(now + (seconds * 1e6) as i64);
            }
            Change::Block(_) => {
                self.engine.run(self.limiter.change("p", "id", Change::Unblock, None)).unwrap();
                self.simulation.blocked = 0;
                return;
            }
            Change::Unblock => self.simulation.blocked = 0,
            _ => {
                self.simulation = Simulation { at: now, ..Simulation::default() };
                self.charges.clear();
                self.advance_to(now);
            }
        }
        let wait = self.simulation.wait(&rules, now, 0);
        self.compare(&result, 0, wait == Some(0), wait);
    }

    fn reset(&mut self) {
        self.engine.run(self.limiter.change("p", "id", Change::Reset, None)).unwrap();
        self.simulation = Simulation::default();
        self.charges.clear();
        let now = self.check(How::Peek, 0).now_us.unwrap();
        self.simulation.at = now;
        self.simulation.now(&self.rules, now);
    }

    fn pass(&mut self) {
        let period = self.rules.period as u64;
        let most = [1, 1000, period / 50, period / 7, period][self.dice.below(5)];
        let micros = 1 + self.dice.below(most.max(1) as usize) as u64;
        self.engine.pass(Duration::from_micros(micros));
    }
}

fn rules() -> Vec<(&'static str, Rules)> {
    let gcra = |burst, strict| Algorithm::Gcra { per: 7.0, burst: Some(burst), strict };
    let period = 7_000_000;
    vec![
        ("fixed", Rules { algorithm: Algorithm::FixedWindow(7.0), limit: 5, period, burst: 0, bound: 10 }),
        ("sliding", Rules { algorithm: Algorithm::SlidingWindow(7.0), limit: 5, period, burst: 0, bound: 5 }),
        ("gcra", Rules { algorithm: gcra(5.0, false), limit: 5, period, burst: 5, bound: 10 }),
        ("burst", Rules { algorithm: gcra(3.0, false), limit: 11, period, burst: 3, bound: 14 }),
        ("strict", Rules { algorithm: gcra(4.0, true), limit: 9, period, burst: 4, bound: 9 }),
        ("calendar", Rules { algorithm: Algorithm::Calendar(Period::Day), limit: 5, period: DAY, burst: 0, bound: 5 }),
    ]
}

/// Compares an algorithm with its simulation, on both engines.
fn compare(name: &str) {
    let steps = std::env::var("LIMIT_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    let (_, rules) = rules().into_iter().find(|(known, _)| *known == name).unwrap();
    Engine::each(|engine| {
        let mut history = History {
            engine,
            limiter: limiter_of(rules.algorithm, rules.limit as f64),
            rules,
            simulation: Simulation::default(),
            charges: Vec::new(),
            dice: Dice(12),
            name: format!("{name} on {}", engine.name),
            exact: engine.name == "server",
        };
        for _ in 0..steps {
            match history.dice.below(20) {
                0..12 => history.take(),
                12..18 => history.pass(),
                18 => history.settle(),
                _ => history.change(),
            }
            let now = history.charges.last().map_or(0, |charge| charge.at);
            history.charges.retain(|charge| now - charge.at < 3 * rules.period);
        }
    });
}

#[test]
fn a_fixed_window_does_what_its_simulation_does() {
    compare("fixed");
}

#[test]
fn a_sliding_window_does_what_its_simulation_does() {
    compare("sliding");
}

#[test]
fn a_token_bucket_does_what_its_simulation_does() {
    compare("gcra");
}

#[test]
fn a_token_bucket_with_a_small_burst_does_what_its_simulation_does() {
    compare("burst");
}

#[test]
fn a_strict_token_bucket_does_what_its_simulation_does() {
    compare("strict");
}

#[test]
fn a_calendar_does_what_its_simulation_does() {
    compare("calendar");
}
