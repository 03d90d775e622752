use std::{sync::Arc, time::Duration};

use cinnabar_core::{
    features::limit::{LimitResult, Limiter, OnUnavailable, Options},
    store::LocalStore,
};
use cinnabar_port::{
    Call,
    error::{Kind, Result},
};

use crate::run::{Dice, Engine};

fn limiter() -> Limiter {
    with_prefix(None)
}

fn with_prefix(prefix: Option<&str>) -> Limiter {
    let local = Arc::new(LocalStore::new(1 << 20));
    let prefix = prefix.map(str::to_owned);
    Limiter::new(Options { prefix, on_unavailable: None, database: 0, policies: Vec::new(), local }).unwrap()
}

fn check(limiter: &Limiter, id: &str, limit: f64, window_seconds: f64) -> Result<Call<LimitResult>> {
    limiter.check(id, limit, window_seconds, OnUnavailable::Throw, None)
}

#[test]
fn exactly_the_limit_is_allowed() {
    let (engine, limiter) = (Engine::new(), limiter());
    let calls = (0..1000).map(|_| check(&limiter, "ip", 100.0, 60.0).unwrap()).collect();
    let results: Vec<_> = engine.race(calls, &mut Dice(1)).into_iter().map(Result::unwrap).collect();
    assert_eq!(results.iter().filter(|result| result.allowed).count(), 100);
    let mut left: Vec<_> = results.iter().filter(|result| result.allowed).map(|result| result.remaining).collect();
    left.sort_unstable();
    assert_eq!(left, (0..100).map(Some).collect::<Vec<_>>());
    assert!(results.iter().all(|result| result.reset_ms.is_some()));
    assert_eq!(engine.text("rate_limit:ip").as_deref(), Some("100"));
}

#[test]
fn a_rejected_hit_is_not_counted_and_a_window_ends() {
    let (engine, limiter) = (Engine::new(), limiter());
    let check = || engine.run(self::check(&limiter, "ip", 2.0, 60.0)).unwrap();
    let first = check();
    engine.advance(Duration::from_secs(20));
    check();
    let before = engine.left("rate_limit:ip");
    let refused = check();
    assert!(!refused.allowed && refused.remaining == Some(0));
    assert_eq!(first.reset_ms, refused.reset_ms, "the window does not move");
    assert!((39_000..=before).contains(&engine.left("rate_limit:ip")));
    assert_eq!(engine.text("rate_limit:ip").as_deref(), Some("2"));
    engine.advance(Duration::from_millis(40_001));
    assert!(check().allowed);
    assert_eq!(engine.run(Ok(limiter.reset("ip", None))).unwrap(), 1);
    assert_eq!(engine.run(Ok(limiter.reset("ip", None))).unwrap(), 0);
    assert_eq!(check().remaining, Some(1));
}

#[test]
fn every_counter_has_a_ttl() {
    let (engine, limiter) = (Engine::new(), limiter());
    engine.raw(&["SET", "rate_limit:ip", "7"]);
    let refused = engine.run(check(&limiter, "ip", 5.0, 60.0)).unwrap();
    assert!(!refused.allowed);
    engine.assert_all_have_a_ttl();
    engine.advance(Duration::from_secs(61));
    assert!(engine.run(check(&limiter, "ip", 5.0, 60.0)).unwrap().allowed);
    assert!(engine.run(check(&limiter, "sub", 1.0, 0.0001)).unwrap().allowed);
    engine.assert_all_have_a_ttl();
}

#[test]
fn a_key_of_another_type_is_unchanged() {
    let (engine, limiter) = (Engine::new(), limiter());
    for text in ["abc", "1e3", "1.5", "inf", " 1", ""] {
        engine.raw(&["SET", "rate_limit:ip", text, "EX", "60"]);
        let error = engine.run(check(&limiter, "ip", 5.0, 60.0)).unwrap_err();
        assert_eq!(error.kind, Kind::Server, "{text:?}: {error}");
        assert_eq!(engine.text("rate_limit:ip").as_deref(), Some(text));
    }
    engine.raw(&["DEL", "rate_limit:ip"]);
    engine.raw(&["RPUSH", "rate_limit:ip", "a"]);
    let error = engine.run(check(&limiter, "ip", 5.0, 60.0)).unwrap_err();
    assert_eq!(error.kind, Kind::WrongType, "{error}");
}

#[test]
fn a_verbatim_key_is_used_unchanged() {
    let (engine, limiter) = (Engine::new(), limiter());
    let key = "ratelimit:10.0.0.1:/login".to_owned();
    assert!(engine.run(limiter.check_key(&key, 1.0, 60.0, None)).unwrap().allowed);
    assert!(!engine.run(limiter.check_key(&key, 1.0, 60.0, None)).unwrap().allowed);
    assert_eq!(engine.text(&key).as_deref(), Some("1"));
}

#[test]
fn a_route_key_is_the_same_key_for_every_method() {
    let engine = Engine::new();
    let own = with_prefix(Some("app:"));
    let (given, prefixed) = ("ratelimit:::1:/users/%7Bid%7D", "app:ratelimit:::1:/users/%7Bid%7D");
    for (limiter, ids, key) in [(limiter(), vec![given], given), (own, vec![prefixed, given], prefixed)] {
        for id in ids {
            assert!(engine.run(check(&limiter, id, 9.0, 60.0)).unwrap().allowed);
            assert!(engine.run(limiter.check_key(key, 9.0, 60.0, None)).unwrap().allowed);
            assert_eq!(engine.text(key).as_deref(), Some("2"));
            assert_eq!(engine.run(Ok(limiter.reset(id, None))).unwrap(), 1);
        }
    }
    engine.assert_all_have_a_ttl();
}
