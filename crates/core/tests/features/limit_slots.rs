//! Slots of concurrency limits.

use std::time::Duration;

use cinnabar_core::features::limit::{Algorithm, Limiter};

use crate::{both::Engine, limiters::limiter_of};

#[test]
fn the_slots_of_dead_processes_are_free_a_lease_after_the_clock_has_gone_back() {
    Engine::each(|engine| {
        let lease = Duration::from_secs(10);
        let limiter = limiter_of(Algorithm::Concurrency(lease), 1.0);
        let acquire = || engine.run(limiter.acquire("p", "id", |_| ())).unwrap();
        let day_later = (engine.now_ms() + 86_400_000).to_string();
        engine.raw(&["ZADD", "rate_limit:{rate_limit:id}:p", &day_later, "dead"]).unwrap();
        let (refused, _) = acquire();
        assert!(!refused.allowed, "its process may have renewed it just before");
        assert!(refused.retry_after_ms.is_some_and(|ms| (9000..=10_000).contains(&ms)), "{refused:?}");
        engine.pass(lease);
        assert!(acquire().1.is_some());
    });
}

#[test]
fn a_longer_lease_of_another_process_stays() {
    Engine::each(|engine| {
        let [short, long] =
            [1, 3600].map(|seconds| limiter_of(Algorithm::Concurrency(Duration::from_secs(seconds)), 1.0));
        let acquire = |limiter: &Limiter| engine.run(limiter.acquire("p", "id", |_| ())).unwrap().1;
        assert!(acquire(&long).is_some());
        assert!(acquire(&short).is_none());
        engine.pass(Duration::from_secs(2));
        assert!(acquire(&short).is_none());
    });
}
