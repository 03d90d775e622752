//! Thousands of random calls, and after each of them what must always be true of a queue's keys.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_core::features::queue::{
    Finish, JobLease, Leased, Limits, NewJob, Note, Options, Outcome, Queue, Rate, Report, Retention, State, Take,
};

use crate::{
    both::Engine,
    queue_invariants::StoredQueue,
    queues::{ask, job, queue_with, same},
    run::Dice,
};

const LEASE: Duration = Duration::from_millis(100);

/// One random history of a queue.
struct History<'a> {
    engine: &'a Engine,
    queue: Queue,
    limits: Limits,
    dice: Dice,
    /// Jobs that were added and neither removed nor finished.
    alive: BTreeSet<String>,
    /// Leases, with the time until which they last at least.
    leases: HashMap<String, (Leased, i64)>,
    /// Jobs whose worker lost them or was slow, with their old tokens.
    lost: Vec<Leased>,
    starts: Vec<(i64, String)>,
    /// The token of the take that was asked to yield.
    yielding: Option<String>,
}

impl History<'_> {
    fn chance(&mut self, of: usize) -> bool {
        self.dice.below(of) == 0
    }

    fn new_job(&mut self) -> NewJob {
        let id = self.chance(3).then(|| format!("id {}", self.dice.below(12)));
        let ttl = self.chance(3).then_some(Duration::from_millis(30));
        let dedup = self.chance(3).then(|| same(&format!("k{}", self.dice.below(3)), ttl)).flatten();
        let group = self.chance(2).then(|| format!("g{}", self.dice.below(3)));
        let delay = self.chance(4).then(|| Duration::from_millis(self.dice.below(60) as u64));
        let priority = self.dice.below(3) as i32 - 1;
        NewJob { id, dedup, group, delay, priority, keep: !self.chance(5), ..job("n") }
    }

    fn add(&mut self) {
        let jobs: Vec<NewJob> = (0..1 + self.dice.below(6)).map(|_| self.new_job()).collect();
        for added in self.engine.run(self.queue.add_many(jobs)).unwrap() {
            if added.is_new {
                assert!(self.alive.insert(added.id.clone()), "{} was there", added.id);
            }
        }
    }

    fn take(&mut self) {
        let idle = self.chance(2);
        let yielding = std::mem::take(&mut self.yielding).filter(|_| !idle);
        let ask = Take { lease: LEASE, limits: self.limits, idle, yielding, ..ask(1 + self.dice.below(8)) };
        let before = StoredQueue::read(self.engine);
        let taken = self.engine.run(self.queue.take(&ask)).unwrap();
        self.yielding = taken.yielding.then(|| ask.token.clone());
        assert!(self.yielding.is_none() || taken.jobs.is_empty());
        let after = StoredQueue::read(self.engine);
        let leased = after.set("leased");
        let exclusive = after.hashes.get("leases").into_iter().flatten();
        assert!(exclusive.filter(|(_, record)| record.split('\n').nth(5) == Some("1")).count() < 2, "one at a time");
        // A lease is reclaimed only once it has expired.
        let mut lost = Vec::new();
        self.leases.retain(|id, (job, until)| {
            let still = leased.contains_key(id) && !taken.jobs.iter().any(|new| new.id == *id);
            if !still {
                assert!(*until <= after.now, "the lease on {id} ended {} ms early", *until - after.now);
                lost.push(job.clone());
            }
            still
        });
        self.lost.extend(lost);
        self.check_dead(&before, &after);
        assert_eq!(taken.paused, before.hashes.get("meta").is_some_and(|meta| meta.contains_key("paused")));
        assert!(taken.jobs.len() <= ask.count && (!taken.paused || taken.jobs.is_empty()));
        assert!(taken.jobs.iter().all(|job| !job.exclusive) || idle && taken.jobs.len() == 1, "it runs exclusive");
        let mut last = 0.0;
        for job in taken.jobs {
            let id = job.id.clone();
            assert_eq!(after.state(&id), Some("leased"));
            let record = &after.hashes["leases"][&id];
            let lines: Vec<&str> = record.split('\n').collect();
            let score: f64 = lines[1].parse().unwrap();
            assert_eq!((lines[4].is_empty(), lines[5]), (!job.exclusive, if job.exclusive { "1" } else { "" }));
            let started = leased[&id] as i64 - LEASE.as_millis() as i64;
            let parks = self.limits.group_concurrency.is_some() || self.limits.group_rate.is_some();
            assert!(score > last || parks, "{job:?} was taken out of order");
            last = score;
            self.starts.push((started, job.group.clone().unwrap_or_default()));
            self.leases.insert(id, (job, started + LEASE.as_millis() as i64));
        }
        self.check_limits(&after);
    }

    /// Jobs with which too many workers crashed are dead, and may not even be retained.
    fn check_dead(&mut self, before: &StoredQueue, after: &StoredQueue) {
        let crashed = |id: &str| before.job(id).and_then(|job| job.get("x")).is_some_and(|crashes| crashes == "2");
        self.alive.retain(|id| match after.state(id) {
            Some(state) => state != "dead",
            None => !(before.state(id) == Some("leased") && crashed(id)),
        });
    }

    fn check_limits(&self, after: &StoredQueue) {
        if let Some(most) = self.limits.concurrency {
            assert!(after.set("leased").len() <= most as usize);
        }
        if let Some(most) = self.limits.group_concurrency {
            assert!(after.members.values().all(|ids| ids.len() <= most as usize), "{:?}", after.members);
        }
        let within = |rate: Option<Rate>, starts: Vec<i64>| {
            let Some(Rate { max, per }) = rate else { return };
            for span in starts.windows(max as usize + 1) {
                assert!(span[max as usize] - span[0] >= per.as_millis() as i64, "{span:?} within {per:?}");
            }
        };
        within(self.limits.rate, self.starts.iter().map(|(at, _)| *at).collect());
        for group in ["g0", "g1", "g2"] {
            let of_group = self.starts.iter().filter(|(_, of)| of == group).map(|(at, _)| *at);
            within(self.limits.group_rate, of_group.collect());
        }
    }

    fn some_lease(&mut self) -> Option<Leased> {
        let mut ids: Vec<&String> = self.leases.keys().collect();
        ids.sort();
        let id = ids.get(self.dice.below(ids.len().max(1)))?.to_string();
        self.leases.get(&id).map(|(job, _)| job.clone())
    }

    fn finish(&mut self) {
        let mut finishes = Vec::new();
        for _ in 0..1 + self.dice.below(4) {
            let late = self.chance(6).then(|| self.lost.pop()).flatten();
            let expected = late.is_none();
            let Some(job) = late.or_else(|| self.some_lease()) else { continue };
            let outcome = match self.dice.below(6) {
                0 => Outcome::Dead { error: Bytes::from_static(b"{}") },
                1 => Outcome::Release,
                2 => {
                    let delay = Duration::from_millis(self.dice.below(2) as u64 * 40);
                    Outcome::Retry { error: Bytes::from_static(b"{}"), delay }
                }
                _ => Outcome::Done("x".repeat(self.dice.below(600)).into()),
            };
            let id = job.id.clone();
            if expected {
                self.leases.remove(&id);
                if matches!(outcome, Outcome::Done(_) | Outcome::Dead { .. }) {
                    self.alive.remove(&id);
                }
            }
            finishes.push((Finish { id: job.id, token: job.token, outcome, ran: Duration::from_millis(1) }, expected));
        }
        let (finishes, expected): (Vec<_>, Vec<bool>) = finishes.into_iter().unzip();
        assert_eq!(self.engine.run(self.queue.finish(finishes)).unwrap().0, expected);
    }

    fn renew(&mut self) {
        let lost = self.lost.last().cloned();
        let leased: Vec<Leased> = self.leases.values().map(|(job, _)| job.clone()).chain(lost.clone()).collect();
        let before = StoredQueue::read(self.engine).now;
        let renewals = leased.iter().map(|job| JobLease { id: job.id.clone(), token: job.token.clone() }).collect();
        let still = self.engine.run(self.queue.renew(LEASE, renewals)).unwrap();
        assert_eq!(still.iter().filter(|still| **still).count(), self.leases.len());
        assert_eq!(lost.is_some(), still.last() == Some(&false) && still.len() > self.leases.len());
        for (_, until) in self.leases.values_mut() {
            *until = before + LEASE.as_millis() as i64;
        }
        if let Some(job) = self.some_lease() {
            let note = match self.dice.below(4) {
                0 => Note::Log("line".into()),
                1 => Note::Progress("1".into()),
                _ => Note::Begun(Duration::from_millis(1)),
            };
            self.engine.run(self.queue.report(vec![Report { id: job.id, token: job.token, note }])).unwrap();
        }
    }

    fn manage(&mut self) {
        match self.dice.below(9) {
            0 => self.engine.run(self.queue.pause()).unwrap(),
            1 | 2 => self.engine.run(self.queue.resume()).unwrap(),
            3 => self.engine.run(self.queue.redrive(3).map(drop)).unwrap(),
            4 if self.chance(8) => {
                let delayed = self.chance(2);
                self.engine.run(self.queue.drain(delayed).map(drop)).unwrap();
            }
            5 => {
                let state = [State::Ready, State::Delayed, State::Done, State::Dead][self.dice.below(4)];
                let age = Duration::from_millis(self.dice.below(100) as u64);
                self.engine.run(self.queue.clean(state, age, 2).map(|call| call.map(drop))).unwrap();
            }
            other => {
                let stored = StoredQueue::read(self.engine);
                let ids: Vec<&str> = stored.hashes.keys().filter_map(|part| part.strip_prefix("job:")).collect();
                let Some(id) = ids.get(self.dice.below(ids.len().max(1))) else { return };
                if other == 6 {
                    assert!(self.engine.run(self.queue.remove(id)).unwrap());
                } else {
                    self.engine.run(self.queue.retry(id).map(|call| call.map(drop))).unwrap();
                }
            }
        }
        // What these change is read from the queue: the other calls are checked against it.
        let stored = StoredQueue::read(self.engine);
        self.alive = stored.hashes.keys().filter_map(|part| part.strip_prefix("job:")).map(str::to_owned).collect();
        self.alive.retain(|id| !matches!(stored.state(id), Some("done" | "dead")));
        let leased = stored.set("leased");
        let (still, lost) = self.leases.drain().partition(|(id, _)| leased.contains_key(id));
        self.leases = still;
        self.lost.extend(lost.into_values().map(|(job, _): (Leased, i64)| job));
    }

    fn read(&mut self) {
        let stored = StoredQueue::read(self.engine);
        let counts = self.engine.run(self.queue.counts()).unwrap();
        let size = |name: &str| stored.set(name).len() as u64;
        assert_eq!(
            (counts.ready, counts.delayed),
            (size("ready") + size("suspects") + size("parked"), size("delayed"))
        );
        assert_eq!((counts.active, counts.done, counts.dead), (size("leased"), size("done"), size("dead")));
        for state in [State::Ready, State::Delayed, State::Active, State::Done, State::Dead] {
            for job in self.engine.run(self.queue.list(state, 0, 1000)).unwrap() {
                assert_eq!(job.state, state);
                assert_eq!(self.engine.run(self.queue.get(&job.id)).unwrap(), Some(job));
            }
        }
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0..=5 => self.add(),
            6..=10 => self.take(),
            11..=14 => self.finish(),
            15 => self.renew(),
            16 => self.manage(),
            17 => self.read(),
            _ => self.engine.pass(Duration::from_millis(self.dice.below(45) as u64)),
        }
        let stored = StoredQueue::read(self.engine);
        stored.check();
        let alive = |id: &&String| !matches!(stored.state(id), Some("done" | "dead") | None);
        let lost: Vec<_> = self.alive.iter().filter(|id| !alive(id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }

    /// Processes everything, and nothing is left.
    fn end(mut self) {
        self.engine.run(self.queue.resume()).unwrap();
        for _ in 0..2000 {
            let left = self.engine.run(self.queue.counts()).unwrap();
            if left.ready + left.delayed + left.active == 0 {
                break;
            }
            self.take();
            self.leases.clear();
            let jobs = self.engine.run(self.queue.list(State::Active, 0, 1000)).unwrap();
            for job in jobs {
                assert!(self.engine.run(self.queue.remove(&job.id)).unwrap());
                self.alive.remove(&job.id);
            }
            self.engine.pass(Duration::from_millis(10));
        }
        assert!(self.alive.is_empty(), "{:?}", self.alive);
        for state in [State::Done, State::Dead] {
            self.engine.run(self.queue.clean(state, Duration::ZERO, u64::MAX)).unwrap();
        }
        self.engine.pass(Duration::from_millis(300));
        let last = self.engine.run(self.queue.take(&ask(10))).unwrap();
        assert!(last.jobs.is_empty() && last.next_in.is_none(), "{last:?}");
        // The outcome of a job that is not retained can be read for two seconds.
        for key in self.engine.keys() {
            assert!(key.starts_with("queue:{queue:q}:end:"), "{key}");
            let left = self.engine.raw(&["PTTL", &key]).unwrap().int().unwrap();
            assert!((-2..=2000).contains(&left) && left != -1, "{key}: {left}");
        }
    }
}

fn live(engine: &Engine, seed: u64, steps: usize) {
    let mut dice = Dice(seed);
    let per = Duration::from_millis(80);
    let limits = match dice.below(5) {
        0 => Limits { concurrency: Some(4), ..Limits::default() },
        1 => Limits { group_concurrency: Some(1 + dice.below(2) as u32), ..Limits::default() },
        2 => Limits { group_rate: Some(Rate { max: 2, per }), ..Limits::default() },
        3 => Limits {
            concurrency: Some(6),
            rate: Some(Rate { max: 5, per }),
            group_concurrency: Some(2),
            group_rate: Some(Rate { max: 3, per }),
        },
        _ => Limits::default(),
    };
    let keep = Retention { count: dice.below(8) as u64, age: Duration::from_secs(60), bytes: 1500 };
    let queue = queue_with(Options { keep_done: keep, keep_dead: keep, max_crashes: 3, ..Options::default() });
    let (alive, leases, lost, starts) = Default::default();
    let mut history = History { engine, queue, limits, dice, alive, leases, lost, starts, yielding: None };
    for _ in 0..steps {
        history.step();
    }
    history.end();
}

#[test]
fn the_invariants_of_a_queue_always_hold_on_the_embedded_engine() {
    for seed in 0..10 {
        println!("seed {seed}");
        live(&Engine::embedded(), seed, 250);
    }
}

#[test]
fn the_invariants_of_a_queue_always_hold_on_a_server() {
    for seed in 100..106 {
        println!("seed {seed}");
        live(&Engine::server(), seed, 150);
    }
}
