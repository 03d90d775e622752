//! Thousands of random runs of a scheduler. In each, every job that was taken is reported to have ended exactly once,
//! unless it was lost; no more jobs run than are allowed; and in the end nothing is left.

use std::collections::{HashMap, HashSet};

use super::*;

/// Random numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The state of the store and the handlers.
#[derive(Default)]
struct World {
    given: u64,
    reported: HashMap<String, &'static str>,
    lost: HashSet<String>,
    running: HashMap<u64, String>,
    /// The round in flight.
    in_flight: Option<Round>,
}

impl World {
    fn land(&mut self, fixture: &mut Fixture, dice: &mut Dice, fails: bool) {
        let Some(Round { reports, finishes, take }) = self.in_flight.take() else { return };
        let error = || Some(Error::new(Kind::MaybeApplied, "lost"));
        if fails {
            let result = RoundResult { reports, finishes, lost_take: take, error: error(), ..RoundResult::default() };
            fixture.land(result);
            return;
        }
        for finish in &finishes {
            assert_eq!(self.reported.insert(finish.id.clone(), ""), None, "{} was reported twice", finish.id);
        }
        let taken = take.map(|asked| {
            let count = if asked.again { 0 } else { dice.below(asked.count as u64 + 1) };
            let jobs = (0..count).map(|_| {
                self.given += 1;
                let mut job = job(&format!("j{}", self.given));
                job.timeout = Duration::from_millis(50 + dice.below(500));
                job.stores_start_first = dice.below(3) == 0;
                job
            });
            let jobs = taken(jobs.collect());
            (asked, jobs)
        });
        fixture.land(RoundResult { taken, ..RoundResult::default() });
    }

    fn record(&mut self, notices: &[Notice]) {
        for (number, why) in ended(notices) {
            match why {
                EndReason::Lost => {
                    let id = self.running.get(&number).cloned();
                    self.lost.extend(id);
                }
                EndReason::TimedOut | EndReason::Closed => {
                    self.running.remove(&number);
                }
            }
        }
    }

    fn step(&mut self, fixture: &mut Fixture, dice: &mut Dice, concurrency: usize) {
        match dice.below(8) {
            0 | 1 => {
                // JavaScript keeps to its concurrency; a lost job counts until it has ended.
                if self.running.len() < concurrency
                    && let Some((number, id)) = fixture.begin()
                {
                    self.running.insert(number, id);
                }
            }
            2 => {
                // Also numbers that were never used, or are no longer.
                let number = dice.below(self.given + 2);
                let ours = self.running.remove(&number).is_some_and(|id| !self.lost.contains(&id));
                assert_eq!(fixture.end(number), ours);
            }
            3 => {
                let notices = fixture.after(dice.below(120));
                self.record(&notices);
            }
            4 => {
                if self.in_flight.is_none() {
                    self.in_flight = fixture.scheduler.round(fixture.now);
                }
            }
            5 => {
                let fails = dice.below(4) == 0;
                self.land(fixture, dice, fails);
            }
            6 => {
                if let Some(leases) = fixture.scheduler.renew(fixture.now) {
                    let lost = leases.iter().filter(|_| dice.below(10) == 0).collect::<Vec<_>>();
                    let waiting = lost.iter().filter(|(number, _)| !self.running.contains_key(number));
                    self.lost.extend(waiting.map(|(_, lease)| lease.id.clone()));
                    let numbers = (dice.below(5) > 0).then(|| lost.iter().map(|(number, _)| *number).collect());
                    if numbers.is_none() {
                        self.lost.retain(|id| !lost.iter().any(|(_, lease)| lease.id == *id));
                    }
                    let notices = fixture.scheduler.renewed(numbers, fixture.now);
                    self.record(&notices);
                }
            }
            _ => match dice.below(10) {
                0 => fixture.scheduler.pause(true, fixture.now),
                1..5 => fixture.scheduler.pause(false, fixture.now),
                _ => fixture.scheduler.wake(fixture.now),
            },
        }
        assert!(fixture.scheduler.running() <= concurrency, "{} run", fixture.scheduler.running());
        assert!(fixture.scheduler.running() + fixture.scheduler.ready.len() <= concurrency + 100);
    }
}

#[test]
fn every_job_ends_once_whatever_happens() {
    for seed in 0..300 {
        let (mut dice, mut world) = (Dice(seed), World::default());
        let concurrency = 1 + dice.below(5) as usize;
        let mut fixture = fixture(concurrency);
        for _ in 0..400 {
            world.step(&mut fixture, &mut dice, concurrency);
        }
        let give_up = fixture.now + Duration::from_millis(300);
        fixture.scheduler.close(Some(give_up), fixture.now);
        for _ in 0..20 {
            let notices = fixture.after(100);
            world.record(&notices);
            if world.in_flight.is_none() {
                world.in_flight = fixture.scheduler.round(fixture.now);
            }
            world.land(&mut fixture, &mut dice, false);
        }
        assert!(fixture.scheduler.is_over(), "seed {seed}: something is left");
        for number in 1..=world.given {
            let id = format!("j{number}");
            let (reported, lost) = (world.reported.contains_key(&id), world.lost.contains(&id));
            assert!(reported || lost, "seed {seed}: {id} has no end");
        }
    }
}
