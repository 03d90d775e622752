//! A charge is settled once, however long it is kept.

use std::time::Duration;

use cinnabar_core::features::limit::{Algorithm, Check, How, Limiter, Period};

use crate::{both::Engine, limiters::limiter_of};

fn reserve(engine: &Engine, limiter: &Limiter, cost: f64) -> Option<String> {
    let check = Check { policy: "p".into(), id: "id".into(), cost, limit: None };
    engine.run(limiter.take(&check, How::Reserve, None)).unwrap().charge
}

fn settle(engine: &Engine, limiter: &Limiter, charge: &str, actual: f64) -> bool {
    engine.run(limiter.settle("p", "id", charge, actual, None)).unwrap()
}

#[test]
fn a_charge_of_a_bucket_that_is_never_empty_is_refunded_once() {
    Engine::each(|engine| {
        let limiter = limiter_of(Algorithm::Gcra { per: 10.0, burst: Some(100.0), strict: false }, 10.0);
        reserve(engine, &limiter, 40.0).unwrap();
        let charge = reserve(engine, &limiter, 30.0).unwrap();
        assert!(settle(engine, &limiter, &charge, 0.0));
        for _ in 0..700 {
            engine.pass(Duration::from_secs(1));
            reserve(engine, &limiter, 1.0).unwrap();
            assert!(!settle(engine, &limiter, &charge, 0.0));
        }
    });
}

#[test]
fn more_is_charged_once_and_within_ten_minutes() {
    Engine::each(|engine| {
        for algorithm in [
            Algorithm::FixedWindow(10.0),
            Algorithm::SlidingWindow(10.0),
            Algorithm::Gcra { per: 10.0, burst: None, strict: false },
            Algorithm::Calendar(Period::Hour),
        ] {
            let limiter = limiter_of(algorithm, 100.0);
            let (charge, late) = (reserve(engine, &limiter, 2.0).unwrap(), reserve(engine, &limiter, 2.0).unwrap());
            engine.pass(Duration::from_secs(300));
            assert!(settle(engine, &limiter, &charge, 7.0), "a long request is charged for");
            for _ in 0..60 {
                engine.pass(Duration::from_secs(61));
                assert!(!settle(engine, &limiter, &charge, 7.0), "{algorithm:?}");
            }
            assert!(!settle(engine, &limiter, &late, 7.0), "{algorithm:?}");
            engine.raw(&["FLUSHALL"]).unwrap();
        }
    });
}

#[test]
fn a_turn_that_is_far_away_can_be_given_back_until_it_has_come() {
    Engine::each(|engine| {
        let limiter = limiter_of(Algorithm::Gcra { per: 60.0, burst: None, strict: false }, 1.0);
        let check = Check { policy: "p".into(), id: "id".into(), cost: 1.0, limit: None };
        let turns: Vec<_> = (0..60)
            .map(|_| engine.run(limiter.take(&check, How::ReserveWithin(7_200_000_000), None)).unwrap().charge.unwrap())
            .collect();
        engine.pass(Duration::from_secs(3000));
        assert!(settle(engine, &limiter, &turns[59], 0.0));
        assert!(!settle(engine, &limiter, &turns[59], 0.0));
        assert!(!settle(engine, &limiter, &turns[0], 0.0), "it has been used");
    });
}
