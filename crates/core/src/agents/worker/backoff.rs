//! The delay between a failed attempt and the next one.

use std::time::Duration;

use crate::features::queue::{Backoff, BackoffKind};

/// The longest delay that the store accepts.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The delay after attempt number `attempt`, 1 being the first; `chance` is a random number from 0 to 1.
pub fn delay(backoff: &Backoff, attempt: u32, chance: f64) -> Duration {
    let doublings = match backoff.kind {
        BackoffKind::Fixed => 0,
        BackoffKind::Exponential => attempt.saturating_sub(1).min(62),
    };
    // In milliseconds as a float: doubling a duration of centuries would overflow.
    let longest = backoff.longest.min(LONGEST).as_secs_f64();
    let bound = (backoff.delay.as_secs_f64() * 2_f64.powi(doublings as i32)).min(longest);
    let with_jitter = bound * (1.0 + backoff.jitter * (2.0 * chance - 1.0));
    Duration::from_secs_f64(with_jitter.clamp(0.0, longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(kind: BackoffKind, attempt: u32, jitter: f64, chance: f64) -> u128 {
        let backoff = Backoff { kind, delay: Duration::from_secs(1), longest: Duration::from_secs(3600), jitter };
        delay(&backoff, attempt, chance).as_millis()
    }

    #[test]
    fn doubles_up_to_its_bound_or_stays() {
        assert_eq!(
            [1, 2, 3, 12, 13, 4_000_000_000].map(|attempt| ms(BackoffKind::Exponential, attempt, 0.0, 0.5)),
            [1000, 2000, 4000, 2_048_000, 3_600_000, 3_600_000]
        );
        assert_eq!([1, 2, 1000].map(|attempt| ms(BackoffKind::Fixed, attempt, 0.0, 0.5)), [1000; 3]);
    }

    #[test]
    fn is_shaken_to_both_sides() {
        assert_eq!([0.0, 0.5, 1.0].map(|chance| ms(BackoffKind::Fixed, 1, 0.2, chance)), [800, 1000, 1200]);
        assert_eq!(ms(BackoffKind::Exponential, 40, 0.2, 1.0), 3_600_000, "never over the bound");
        assert_eq!(ms(BackoffKind::Fixed, 1, 1.0, 0.0), 0);
    }
}
