//! Policies beyond what the simulation has: several at once, in a cluster too, waiting, overrides, time zones, huge limits, and clocks that go
//! back.

use std::{sync::Arc, time::Duration};

use cinnabar_core::features::limit::{
    Algorithm, Change, Check, How, LimitResult, Limiter, Period, Policy, PolicyOptions, Results,
};

use crate::{
    both::Engine,
    limiters::{check, limiter, policy},
};

fn take(engine: &Engine, limiter: &Limiter, policy: &str, cost: f64) -> LimitResult {
    engine.run(limiter.take(&check(policy, "id", cost), How::Take, None)).unwrap()
}

const GCRA: Algorithm = Algorithm::Gcra { per: 10.0, burst: None, strict: false };

fn several() -> Arc<Limiter> {
    limiter(vec![
        policy("second", Algorithm::SlidingWindow(1.0), 3.0),
        policy("day", Algorithm::Calendar(Period::Day), 5.0),
        policy("user", GCRA, 4.0),
        policy("free", GCRA, f64::INFINITY),
    ])
}

fn take_all(engine: &Engine, limiter: &Arc<Limiter>, checks: &[Check]) -> Results {
    engine.run(limiter.take_all(checks)).unwrap()
}

fn remaining(results: &Results) -> Vec<Option<u64>> {
    results.each.iter().map(|result| result.remaining).collect()
}

#[test]
fn several_policies_are_charged_together_or_not_at_all() {
    Engine::each(|engine| {
        let limiter = several();
        let all =
            [check("second", "ip", 1.0), check("free", "ip", 9.0), check("day", "ip", 2.0), check("user", "ann", 1.0)];
        let first = take_all(engine, &limiter, &all);
        assert!(first.allowed, "{first:?}");
        assert_eq!(remaining(&first), [Some(2), None, Some(3), Some(3)]);
        assert_eq!(remaining(&take_all(engine, &limiter, &all)), [Some(1), None, Some(1), Some(2)]);
        let refused = take_all(engine, &limiter, &all);
        assert!(!refused.allowed);
        assert_eq!(remaining(&refused), [Some(1), None, Some(1), Some(2)], "nothing was charged");
        let allowed: Vec<_> = refused.each.iter().map(|result| result.allowed).collect();
        assert_eq!(allowed, [true, true, false, true]);
        let peek = check("second", "ip", 1.0);
        assert_eq!(engine.run(limiter.take(&peek, How::Peek, None)).unwrap().remaining, Some(1));
    });
}

#[test]
fn several_policies_are_checked_before_anything_is_sent() {
    let limiter = several();
    let many: Vec<_> = (0..33).map(|n| check("second", &n.to_string(), 1.0)).collect();
    for checks in
        [&[][..], &many, &[check("second", "ip", 1.0), check("second", "ip", 1.0)], &[check("none", "ip", 1.0)]]
    {
        assert!(limiter.take_all(checks).is_err());
    }
    assert!(limiter.take_all(&[check("second", "ip", 1.0), check("second", "other", 1.0)]).is_ok());
    let free = limiter.take_all(&[check("free", "ip", 1.0)]).unwrap();
    assert!(free.requests.is_empty(), "it needs no server");
}

#[test]
fn in_a_cluster_the_charges_of_other_slots_are_refunded() {
    let nodes = Engine::cluster();
    let engine = &nodes[0];
    let limiter = several();
    let all: Vec<_> = ["a", "b", "c", "d"].map(|id| check("second", id, 1.0)).into_iter().collect();
    let ids_left = || -> Vec<_> {
        let left = |id: &&str| {
            engine.run(limiter.take(&check("second", id, 1.0), How::Peek, None)).unwrap().remaining.unwrap()
        };
        ["a", "b", "c", "d"].iter().map(left).collect()
    };
    let first = take_all(engine, &limiter, &all);
    assert!(first.allowed);
    assert_eq!(ids_left(), [2, 2, 2, 2]);
    engine.run(limiter.take(&check("second", "c", 2.0), How::Take, None)).unwrap();
    let refused = take_all(engine, &limiter, &all);
    assert!(!refused.allowed && refused.each[0].allowed && !refused.each[2].allowed);
    let left = ids_left();
    // A second of the machine's clock may have passed, which allows more.
    assert!(left[0] >= 2 && left[1] >= 2 && left[3] >= 2, "{left:?}");
}

#[test]
fn a_turn_is_charged_in_advance() {
    Engine::each(|engine| {
        let limiter = limiter(vec![policy("p", GCRA, 2.0), policy("window", Algorithm::FixedWindow(10.0), 2.0)]);
        let wait = |seconds: u64| {
            engine.run(limiter.take(&check("p", "id", 1.0), How::ReserveWithin(seconds * 1_000_000), None)).unwrap()
        };
        let waits: Vec<_> = (0..4).map(|_| wait(60).retry_after_ms.unwrap()).collect();
        // One per five seconds, after two at once.
        assert_eq!(waits[..2], [0, 0], "{waits:?}");
        assert!((4900..=5000).contains(&waits[2]) && (9900..=10_000).contains(&waits[3]), "{waits:?}");
        let late = wait(10);
        assert!(!late.allowed && late.retry_after_ms.unwrap() > 14_000, "{late:?}");
        assert!(late.charge.is_none());
        let last = wait(60);
        assert!(last.allowed, "what was refused was not charged");
        // Who gives up gives the turn back.
        let charge = last.charge.unwrap();
        assert!(engine.run(limiter.settle("p", "id", &charge, 0.0, None)).unwrap());
        assert!(!engine.run(limiter.settle("p", "id", &charge, 0.0, None)).unwrap());
        assert!(wait(60).retry_after_ms.unwrap() <= 15_000);
        for _ in 0..3 {
            take(engine, &limiter, "window", 1.0);
        }
        let window =
            engine.run(limiter.take(&check("window", "id", 1.0), How::ReserveWithin(60_000_000), None)).unwrap();
        assert!(!window.allowed, "a window has no turns");
    });
}

#[test]
fn more_than_a_charge_can_be_settled_and_is_paid_back() {
    Engine::each(|engine| {
        let limiter = limiter(vec![policy("p", GCRA, 10.0)]);
        let reserved = engine.run(limiter.take(&check("p", "id", 1.0), How::Reserve, None)).unwrap();
        let charge = reserved.charge.unwrap();
        assert!(engine.run(limiter.settle("p", "id", &charge, 25.0, None)).unwrap());
        let refused = take(engine, &limiter, "p", 1.0);
        assert!(!refused.allowed);
        assert!((15_900..=16_000).contains(&refused.retry_after_ms.unwrap()), "{refused:?}");
        engine.pass(Duration::from_secs(16));
        assert!(take(engine, &limiter, "p", 1.0).allowed);
        for bad in ["", "x", "0123456789abcdef.1.s.x", "'; DROP TABLE"] {
            assert!(!engine.run(limiter.settle("p", "id", bad, 0.0, None)).unwrap(), "{bad}");
        }
    });
}

#[test]
fn an_identifier_can_have_another_limit() {
    Engine::each(|engine| {
        let limiter = limiter(vec![policy("p", GCRA, 2.0), policy("free", GCRA, f64::INFINITY)]);
        let change = |change| engine.run(limiter.change("p", "id", change, None)).unwrap();
        assert!(change(Change::Override { limit: 5.0, seconds: Some(60.0) }));
        let first = take(engine, &limiter, "p", 3.0);
        assert_eq!((first.allowed, first.limit, first.remaining), (true, Some(5), Some(2)));
        assert!(change(Change::Reset));
        assert_eq!(take(engine, &limiter, "p", 1.0).remaining, Some(4), "an override stays");
        engine.pass(Duration::from_secs(61));
        assert_eq!(take(engine, &limiter, "p", 1.0).limit, Some(2), "it has ended");
        assert!(change(Change::Override { limit: f64::INFINITY, seconds: None }));
        engine.pass(Duration::from_secs(86_400 * 365));
        let free = take(engine, &limiter, "p", 1_000_000.0);
        assert_eq!((free.allowed, free.limit, free.remaining), (true, None, None));
        assert!(change(Change::Override { limit: 0.0, seconds: None }));
        let none = take(engine, &limiter, "p", 1.0);
        assert_eq!((none.allowed, none.limit, none.retry_after_ms), (false, Some(0), None));
        assert!(change(Change::Restore) && !change(Change::Restore));
        let other = Check { limit: Some(7.0), ..check("p", "other", 1.0) };
        assert_eq!(engine.run(limiter.take(&other, How::Take, None)).unwrap().remaining, Some(6));
        assert!(limiter.change("free", "id", Change::Block(1.0), None).is_err());
        assert!(limiter.change("none", "id", Change::Unblock, None).is_err());
    });
}

#[test]
fn a_block_refuses_everything_and_keeps_what_was_counted() {
    Engine::each(|engine| {
        let limiter = limiter(vec![policy("p", Algorithm::Calendar(Period::Year), 5.0)]);
        take(engine, &limiter, "p", 2.0);
        let change = |change| engine.run(limiter.change("p", "id", change, None)).unwrap();
        assert!(change(Change::Block(60.0)));
        assert!(change(Change::Block(1.0)), "it does not shorten a block");
        let refused = take(engine, &limiter, "p", 1.0);
        assert_eq!((refused.allowed, refused.remaining), (false, Some(0)));
        assert!((59_000..=60_000).contains(&refused.retry_after_ms.unwrap()), "{refused:?}");
        engine.pass(Duration::from_secs(60));
        assert_eq!(take(engine, &limiter, "p", 1.0).remaining, Some(2));
        assert!(change(Change::Block(60.0)) && change(Change::Unblock) && !change(Change::Unblock));
        assert_eq!(take(engine, &limiter, "p", 1.0).remaining, Some(1));
        assert!(change(Change::BlockAfresh(60.0)));
        assert!(!take(engine, &limiter, "p", 1.0).allowed);
        engine.pass(Duration::from_secs(60));
        assert_eq!(take(engine, &limiter, "p", 1.0).remaining, Some(4), "nothing is counted any more");
    });
}

#[test]
fn a_calendar_follows_its_time_zone() {
    Engine::each(|engine| {
        for zone in ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"] {
            let options = PolicyOptions {
                name: "p".into(),
                algorithm: Algorithm::Calendar(Period::Day),
                limit: 1.0,
                time_zone: Some(zone.into()),
                shadow: false,
            };
            let limiter = limiter(vec![Policy::new(options).unwrap()]);
            let check = check("p", zone, 1.0);
            let first = engine.run(limiter.take(&check, How::Take, None)).unwrap();
            let reset = jiff::Timestamp::from_millisecond(first.reset_ms.unwrap()).unwrap().in_tz(zone).unwrap();
            assert_eq!(reset.start_of_day().unwrap(), reset, "midnight there");
            assert!(!engine.run(limiter.take(&check, How::Take, None)).unwrap().allowed);
            engine.pass(Duration::from_millis(first.reset_after_ms as u64));
            assert!(engine.run(limiter.take(&check, How::Take, None)).unwrap().allowed, "a new day");
            // Long after the bounds that are known.
            engine.pass(Duration::from_secs(86_400 * 30));
            assert!(engine.run(limiter.take(&check, How::Take, None)).unwrap().allowed);
        }
    });
}

#[test]
fn a_shadow_refuses_nothing() {
    Engine::each(|engine| {
        let options =
            PolicyOptions { name: "shadow".into(), algorithm: GCRA, limit: 1.0, time_zone: None, shadow: true };
        let limiter = limiter(vec![Policy::new(options).unwrap(), policy("p", GCRA, 3.0)]);
        let shadow = |result: &LimitResult| (result.allowed, result.shadow_denied);
        assert_eq!(shadow(&take(engine, &limiter, "shadow", 1.0)), (true, false));
        assert_eq!(shadow(&take(engine, &limiter, "shadow", 1.0)), (true, true));
        let both = [check("shadow", "id", 1.0), check("p", "id", 2.0)];
        let results = take_all(engine, &limiter, &both);
        assert!(results.allowed);
        assert_eq!(results.each.iter().map(shadow).collect::<Vec<_>>(), [(true, true), (true, false)]);
        assert_eq!(results.each[1].remaining, Some(1), "it was charged");
        assert!(!take_all(engine, &limiter, &both).allowed);
    });
}

#[test]
fn a_huge_limit_is_exact() {
    Engine::each(|engine| {
        let per_day = Algorithm::Gcra { per: 86_400.0, burst: None, strict: false };
        let limiter = limiter(vec![policy("p", per_day, 1e6), policy("most", per_day, 2f64.powi(53) - 1.0)]);
        assert!(take(engine, &limiter, "p", 1e6).allowed);
        let refused = take(engine, &limiter, "p", 1.0);
        // In ticks of ten milliseconds.
        assert!(!refused.allowed && refused.retry_after_ms.unwrap() <= 97, "{refused:?}");
        engine.pass(Duration::from_millis(86_400));
        let left = engine.run(limiter.take(&check("p", "id", 0.0), How::Peek, None)).unwrap().remaining.unwrap();
        assert!((1000..=1100).contains(&left), "{left}");
        assert!(take(engine, &limiter, "most", 2f64.powi(53) - 1.0).allowed);
        assert!(!take(engine, &limiter, "most", 2f64.powi(53) - 1.0).allowed);
    });
}

#[test]
fn what_was_counted_stays_when_a_policy_changes_even_while_both_versions_run() {
    Engine::each(|engine| {
        let strict = Algorithm::Gcra { per: 60.0, burst: Some(5.0), strict: true };
        let algorithms = [
            Algorithm::FixedWindow(60.0),
            Algorithm::SlidingWindow(60.0),
            Algorithm::Gcra { per: 60.0, burst: None, strict: false },
            strict,
            Algorithm::Calendar(Period::Year),
            Algorithm::Calendar(Period::Day),
            Algorithm::FixedWindow(6.0),
            Algorithm::SlidingWindow(6.0),
        ];
        for (old, one) in algorithms.iter().enumerate() {
            for (new, other) in algorithms.iter().enumerate().filter(|(new, _)| *new != old) {
                let id = format!("{old} {new}");
                let versions = [one, other].map(|algorithm| limiter(vec![policy("p", *algorithm, 5.0)]));
                let take = |version: usize| {
                    engine.run(versions[version].take(&check("p", &id, 1.0), How::Take, None)).unwrap()
                };
                let allowed = (0..40).filter(|n| take(n % 2).allowed).count();
                assert_eq!(allowed, 5, "{id}");
                let longest = if new == 4 { 366 } else { 1 } * 86_400_000;
                assert!(take(1).reset_after_ms <= longest, "{id}: {}", take(1).reset_after_ms);
            }
        }
    });
}

#[test]
fn a_lower_limit_and_the_end_of_an_override_lock_out_for_a_burst_at_most() {
    Engine::each(|engine| {
        let slow = Algorithm::Gcra { per: 300.0, burst: None, strict: false };
        let (low, high) = (limiter(vec![policy("p", slow, 5.0)]), limiter(vec![policy("p", slow, 1000.0)]));
        let change = |change| engine.run(low.change("p", "id", change, None)).unwrap();
        take(engine, &high, "p", 600.0);
        let refused = take(engine, &low, "p", 1.0);
        assert!(!refused.allowed && refused.retry_after_ms.unwrap() <= 60_000, "{refused:?}");
        change(Change::Reset);
        change(Change::Override { limit: 1000.0, seconds: Some(10.0) });
        assert!(take(engine, &low, "p", 600.0).allowed);
        change(Change::Restore);
        let refused = take(engine, &low, "p", 1.0);
        assert!(!refused.allowed && refused.retry_after_ms.unwrap() <= 60_000, "{refused:?}");
        let left = engine.raw(&["PTTL", "rate_limit:{rate_limit:id}:p"]).unwrap().int().unwrap();
        assert!(left >= refused.retry_after_ms.unwrap() - 1, "it is stored for as long as it counts: {left}");
        // A refusal by an override lasts no longer than that.
        change(Change::Reset);
        change(Change::Override { limit: 0.0, seconds: Some(1.0) });
        let refused = take(engine, &low, "p", 1.0);
        assert!(!refused.allowed && refused.retry_after_ms.unwrap() <= 1000, "{refused:?}");
    });
}

#[test]
fn a_turn_that_is_given_back_is_not_given_to_two() {
    Engine::each(|engine| {
        let once = Algorithm::Gcra { per: 1.0, burst: None, strict: false };
        let limiter = limiter(vec![policy("p", once, 1.0)]);
        let reserve =
            || engine.run(limiter.take(&check("p", "id", 1.0), How::ReserveWithin(60_000_000), None)).unwrap();
        let turns: Vec<_> = (0..6).map(|_| reserve()).collect();
        // The first ones leave; those behind them have their turns.
        for turn in &turns[1..4] {
            engine.run(limiter.settle("p", "id", turn.charge.as_ref().unwrap(), 0.0, None)).unwrap();
        }
        let next = reserve();
        assert!(next.retry_after_ms > turns[5].retry_after_ms, "{next:?} is behind {:?}", turns[5]);
        // The last one leaves, and its turn is free.
        engine.run(limiter.settle("p", "id", next.charge.as_ref().unwrap(), 0.0, None)).unwrap();
        let again = reserve();
        assert!(again.retry_after_ms.unwrap().abs_diff(next.retry_after_ms.unwrap()) <= 1000, "{again:?}");
    });
}

#[test]
fn a_refund_gives_back_no_more_than_still_counts() {
    Engine::each(|engine| {
        let limiter = limiter(vec![policy("p", Algorithm::Gcra { per: 5.0, burst: None, strict: false }, 5.0)]);
        let reserve =
            |cost| engine.run(limiter.take(&check("p", "id", cost), How::Reserve, None)).unwrap().charge.unwrap();
        let refund = |charge: &str| engine.run(limiter.settle("p", "id", charge, 0.0, None)).unwrap();
        let (first, second) = (reserve(3.0), reserve(2.0));
        assert!(refund(&first));
        engine.pass(Duration::from_secs(2));
        assert!(take(engine, &limiter, "p", 5.0).allowed);
        assert!(!refund(&second), "it has drained");
        assert!(!take(engine, &limiter, "p", 1.0).allowed);
        engine.pass(Duration::from_secs(10));
        let old = reserve(5.0);
        engine.run(limiter.change("p", "id", Change::Reset, None)).unwrap();
        engine.pass(Duration::from_millis(1));
        assert!(take(engine, &limiter, "p", 5.0).allowed);
        assert!(!refund(&old), "it was reset");
        assert!(!take(engine, &limiter, "p", 1.0).allowed);
    });
}

#[test]
fn a_debt_of_many_bursts_counts() {
    Engine::each(|engine| {
        let daily = Algorithm::Gcra { per: 86_400.0, burst: None, strict: false };
        let limiter = limiter(vec![policy("p", daily, 100_000.0)]);
        let reserved = engine.run(limiter.take(&check("p", "id", 1.0), How::Reserve, None)).unwrap();
        engine.run(limiter.settle("p", "id", &reserved.charge.unwrap(), 500_000.0, None)).unwrap();
        let refused = take(engine, &limiter, "p", 1.0);
        assert!((345_000_000..346_000_000).contains(&refused.retry_after_ms.unwrap()), "four days: {refused:?}");
        let big = Check { limit: Some(500_000.0), ..check("p", "other", 100_000.0) };
        let reserved = engine.run(limiter.take(&big, How::Reserve, None)).unwrap();
        assert!(engine.run(limiter.settle("p", "other", &reserved.charge.unwrap(), 100.0, None)).unwrap());
        let peek = Check { cost: 0.0, ..big };
        let left = engine.run(limiter.take(&peek, How::Peek, None)).unwrap().remaining.unwrap();
        assert!((499_890..=499_910).contains(&left), "{left}");
    });
}

#[test]
fn every_entry_expires() {
    Engine::each(|engine| {
        let limiter = several();
        for name in ["second", "day", "user"] {
            let result = engine.run(limiter.take(&check(name, "id", 1.0), How::Reserve, None)).unwrap();
            let key = format!("rate_limit:{{rate_limit:id}}:{name}");
            let left = engine.raw(&["PTTL", &key]).unwrap().int().unwrap();
            assert!(left > result.reset_after_ms - 1000 && left <= result.reset_after_ms + 1, "{name}: {left}");
            assert!(engine.run(limiter.settle(name, "id", &result.charge.unwrap(), 0.0, None)).unwrap());
            assert_eq!(engine.raw(&["EXISTS", &key]).unwrap().int().unwrap(), 0, "nothing is left of {name}");
        }
    });
}
