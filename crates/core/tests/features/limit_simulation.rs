//! What each algorithm of limits should do, written without regard to speed or size.

use cinnabar_core::features::limit::Algorithm;

/// Into how many slices a sliding window is divided.
pub const SLICES: i64 = 10;
/// A day in µs.
pub const DAY: i64 = 86_400_000_000;

/// A policy, and the bound that it promises.
#[derive(Clone, Copy)]
pub struct Rules {
    pub algorithm: Algorithm,
    pub limit: i64,
    /// In µs.
    pub period: i64,
    pub burst: i64,
    /// How many hits any period has at most.
    pub bound: i64,
}

#[derive(Default)]
pub struct Simulation {
    /// Of a bucket: hits times the period, drained up to `at`.
    pub level: i128,
    pub at: i64,
    /// Of a window: its hits and its start or end.
    pub hits: i64,
    pub edge: i64,
    /// Of a sliding window: its slices, oldest first.
    pub slices: Vec<(i64, i64)>,
    pub blocked: i64,
    pub limit: Option<i64>,
    /// Changes whenever nothing is counted.
    pub generation: u64,
}

impl Rules {
    pub fn scaled(&self, limit: i64) -> (i64, i64) {
        match self.algorithm {
            Algorithm::Gcra { strict, .. } => {
                let burst = (self.burst * limit / self.limit).max(1);
                let rate = if strict { limit - burst.min(limit) + i64::from(limit > 0) } else { limit };
                (
                    rate,
                    if limit == 0 {
                        0
                    } else if strict {
                        burst.min(limit)
                    } else {
                        burst
                    },
                )
            }
            _ => (limit, 0),
        }
    }
}

impl Simulation {
    pub fn now(&mut self, rules: &Rules, now: i64) {
        let (rate, _) = rules.scaled(self.limit.unwrap_or(rules.limit));
        if self.blocked <= now {
            self.blocked = 0;
        }
        match rules.algorithm {
            Algorithm::Gcra { .. } => {
                self.level = (self.level - i128::from(now - self.at) * i128::from(rate)).max(0);
                self.at = now;
            }
            Algorithm::FixedWindow(_) if now - self.edge >= rules.period => (self.hits, self.edge) = (0, now),
            Algorithm::FixedWindow(_) => {
                if self.hits == 0 {
                    self.edge = now;
                }
            }
            Algorithm::Calendar(_) if now >= self.edge => (self.hits, self.edge) = (0, (now / DAY + 1) * DAY),
            Algorithm::Calendar(_) | Algorithm::Concurrency(_) => {}
            Algorithm::SlidingWindow(_) => {
                let slice = now / width(rules);
                self.slices.retain(|(own, count)| *own >= slice - SLICES && *count > 0);
                self.hits = self.slices.iter().map(|(_, count)| count).sum();
            }
        }
        if self.level == 0 && self.hits == 0 {
            self.generation += 1;
        }
    }

    /// The time until so many hits are allowed.
    pub fn wait(&self, rules: &Rules, now: i64, cost: i64) -> Option<i64> {
        let limit = self.limit.unwrap_or(rules.limit);
        let (rate, burst) = rules.scaled(limit);
        let own = match rules.algorithm {
            Algorithm::Gcra { .. } => {
                if cost > burst || rate == 0 {
                    return None;
                }
                let surplus = self.level + i128::from(cost - burst) * i128::from(rules.period);
                let rate = i128::from(rate);
                if surplus <= 0 { 0 } else { ((surplus + rate - 1) / rate) as i64 }
            }
            _ if cost > limit => return None,
            _ if self.hits + cost <= limit => 0,
            Algorithm::FixedWindow(_) => self.edge + rules.period - now,
            Algorithm::Calendar(_) | Algorithm::Concurrency(_) => self.edge - now,
            Algorithm::SlidingWindow(_) => {
                let mut left = self.hits;
                let leaves = self.slices.iter().find(|(_, count)| {
                    left -= count;
                    left + cost <= limit
                });
                (leaves.unwrap().0 + SLICES + 1) * width(rules) - now
            }
        };
        Some(own.max(self.blocked - now))
    }

    pub fn remaining(&self, rules: &Rules) -> i64 {
        let limit = self.limit.unwrap_or(rules.limit);
        if self.blocked > 0 {
            return 0;
        }
        let left = match rules.algorithm {
            Algorithm::Gcra { .. } => {
                let (_, burst) = rules.scaled(limit);
                (i128::from(burst) * i128::from(rules.period) - self.level).div_euclid(i128::from(rules.period)) as i64
            }
            _ => limit - self.hits,
        };
        left.max(0)
    }

    /// The time until nothing is left of all hits.
    pub fn reset(&self, rules: &Rules, now: i64) -> i64 {
        let (rate, _) = rules.scaled(self.limit.unwrap_or(rules.limit));
        let own = match rules.algorithm {
            Algorithm::Gcra { .. } if self.level == 0 => 0,
            Algorithm::Gcra { .. } if rate == 0 => rules.period,
            Algorithm::Gcra { .. } => ((self.level + i128::from(rate) - 1) / i128::from(rate)) as i64,
            _ if self.hits == 0 => 0,
            Algorithm::FixedWindow(_) => self.edge + rules.period - now,
            Algorithm::Calendar(_) | Algorithm::Concurrency(_) => self.edge - now,
            Algorithm::SlidingWindow(_) => (self.slices.last().unwrap().0 + SLICES + 1) * width(rules) - now,
        };
        own.max(self.blocked - now)
    }

    pub fn add(&mut self, rules: &Rules, now: i64, cost: i64) {
        match rules.algorithm {
            Algorithm::Gcra { .. } => self.level += i128::from(cost) * i128::from(rules.period),
            Algorithm::SlidingWindow(_) => {
                let slice = now / width(rules);
                match self.slices.last_mut().filter(|(own, _)| *own == slice) {
                    Some((_, count)) => *count += cost,
                    None => self.slices.push((slice, cost)),
                }
                self.hits += cost;
            }
            _ => self.hits += cost,
        }
    }
}

pub fn width(rules: &Rules) -> i64 {
    (rules.period + SLICES - 1) / SLICES
}
