//! What a limiter returns without a server.

use std::time::Duration;

use super::*;
use cinnabar_port::{Replies, Step, error::Kind};

fn limiter(on_unavailable: OnUnavailable) -> Limiter {
    over(on_unavailable, local())
}

fn over(on_unavailable: OnUnavailable, local: Arc<LocalStore>) -> Limiter {
    let options =
        Options { prefix: None, on_unavailable: Some(on_unavailable), database: 0, policies: Vec::new(), local };
    Limiter::new(options).unwrap()
}

fn check(limiter: &Limiter, id: &str, limit: f64, window_seconds: f64) -> Result<Call<LimitResult>> {
    limiter.check(id, limit, window_seconds, OnUnavailable::Allow, None)
}

fn result<T>(call: Call<T>, reply: Result<Reply>) -> Result<T> {
    match (call.read)(Replies([reply].into_iter().collect()))? {
        Step::Done(result) => Ok(result),
        Step::Next(_) => panic!("one round is enough"),
    }
}

#[test]
fn invalid_arguments_are_rejected() {
    let limiter = limiter(OnUnavailable::Allow);
    for limit in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 2f64.powi(53) + 2.0] {
        assert_eq!(check(&limiter, "a", limit, 1.0).err().map(|e| e.kind), Some(Kind::InvalidArgument), "{limit}");
    }
    for window in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(check(&limiter, "a", 1.0, window).err().map(|e| e.kind), Some(Kind::InvalidArgument), "{window}");
    }
    assert!(
        check(&limiter, "", 1.0, 1.0).is_ok() && limiter.check_key("a\0", 1.0, 1.0, None).is_ok(),
        "any text is a valid id"
    );
}

#[test]
fn on_unavailable_decides_while_the_server_is_unavailable() {
    let down = || Err(Error::new(Kind::Unavailable, "no server"));
    let check = |option| result(self::check(&limiter(option), "a", 3.0, 1.0).unwrap(), down());
    let allowed = check(OnUnavailable::Allow).unwrap();
    assert_eq!((allowed.allowed, allowed.remaining, allowed.reset_ms), (true, Some(3), None));
    assert_eq!(allowed.source, Source::Fallback);
    assert_eq!(allowed.retry_after_ms, Some(0));
    let denied = check(OnUnavailable::Deny).unwrap();
    assert_eq!((denied.allowed, denied.retry_after_ms), (false, Some(1000)));
    assert_eq!(check(OnUnavailable::Throw).unwrap_err().kind, Kind::Unavailable);
}

#[test]
fn other_errors_are_never_replaced_by_a_fallback() {
    let wrong = Err(Error::from_server("WRONGTYPE Operation against a key holding the wrong kind of value"));
    for option in [OnUnavailable::Allow, OnUnavailable::Deny, OnUnavailable::Local] {
        let error = result(check(&limiter(option), "a", 3.0, 1.0).unwrap(), wrong.clone()).unwrap_err();
        assert_eq!(error.kind, Kind::WrongType);
    }
}

#[test]
fn a_server_without_memory_is_treated_as_unavailable() {
    let full = || Err(Error::from_server("OOM command not allowed when used memory > 'maxmemory'."));
    let check = |option| result(self::check(&limiter(option), "a", 3.0, 1.0).unwrap(), full());
    assert!(check(OnUnavailable::Allow).unwrap().allowed);
    assert!(!check(OnUnavailable::Deny).unwrap().allowed);
    assert_eq!(check(OnUnavailable::Local).unwrap().source, Source::Local);
    assert_eq!(check(OnUnavailable::Throw).unwrap_err().kind, Kind::OutOfMemory);
}

fn local() -> Arc<LocalStore> {
    Arc::new(LocalStore::new(1 << 20))
}

/// A limiter that counts locally, with its store.
fn counting() -> (Arc<LocalStore>, Limiter) {
    let local = local();
    (local.clone(), over(OnUnavailable::Local, local))
}

fn check_locally(limiter: &Limiter, id: &str) -> LimitResult {
    result(check(limiter, id, 2.0, 60.0).unwrap(), Err(Error::new(Kind::Timeout, "late"))).unwrap()
}

#[test]
fn the_local_counter_works_like_the_servers() {
    let (local, limiter) = counting();
    let first = check_locally(&limiter, "a");
    assert_eq!((first.allowed, first.remaining, first.source), (true, Some(1), Source::Local));
    assert!(first.reset_ms.is_some());
    assert_eq!(check_locally(&limiter, "a").remaining, Some(0));
    let refused = check_locally(&limiter, "a");
    assert_eq!((refused.allowed, refused.remaining, refused.reset_ms), (false, Some(0), first.reset_ms));
    assert!(refused.retry_after_ms.is_some_and(|wait| (1..=60_000).contains(&wait)), "{refused:?}");
    assert!(check_locally(&limiter, "b").allowed, "each id has its own counter");
    local.advance(Duration::from_secs(60));
    assert_eq!(check_locally(&limiter, "a").remaining, Some(1));
}

#[test]
fn a_hit_counted_by_the_server_is_not_counted_locally() {
    let (_, limiter) = counting();
    let counted = Reply::Array(vec![Reply::Int(1), Reply::Int(5), Reply::Int(3)]);
    let checked = result(check(&limiter, "a", 2.0, 60.0).unwrap(), Ok(counted)).unwrap();
    assert_eq!((checked.source, checked.reset_ms), (Source::Store, Some(5)));
    assert_eq!(check_locally(&limiter, "a").remaining, Some(1));
}

#[test]
fn a_reset_resets_the_local_counter_too() {
    let (_, limiter) = counting();
    for reply in [Ok(Reply::Int(0)), Err(Error::new(Kind::Unavailable, "away"))] {
        check_locally(&limiter, "a");
        check_locally(&limiter, "a");
        assert!(!check_locally(&limiter, "a").allowed);
        assert_eq!(result(limiter.reset("a", None), reply.clone()).is_ok(), reply.is_ok());
        assert_eq!(check_locally(&limiter, "a").remaining, Some(1));
        result(limiter.reset("a", None), Ok(Reply::Int(0))).unwrap();
    }
}

#[test]
fn local_counters_are_bounded_in_memory() {
    let local = Arc::new(LocalStore::new(64 << 10));
    let limiter = over(OnUnavailable::Local, local.clone());
    for n in 0..1000 {
        assert!(check_locally(&limiter, &format!("id {n}")).allowed);
        // The most recently used counter is evicted last.
        check_locally(&limiter, "busy");
        assert!(local.used_bytes() <= 64 << 10);
    }
    assert!(!check_locally(&limiter, "busy").allowed);
}

/// A check of two identifiers, in a cluster: the first is refused, the server of the second is down.
fn refused_beside_an_outage(on_unavailable: OnUnavailable, kind: Kind) -> Result<Results> {
    let options = PolicyOptions {
        name: "p".into(),
        algorithm: Algorithm::FixedWindow(60.0),
        limit: 1.0,
        time_zone: None,
        shadow: false,
    };
    let policies = vec![Policy::new(options).unwrap()];
    let on_unavailable = Some(on_unavailable);
    let limiter = Arc::new(
        Limiter::new(Options { prefix: None, on_unavailable, database: 0, policies, local: local() }).unwrap(),
    );
    let check = |id: &str| Check { policy: "p".into(), id: id.into(), cost: 1.0, limit: None };
    let call = limiter.take_all(&[check("a"), check("b")]).unwrap();
    let replies = |all: Vec<Result<Reply>>| Replies(all.into_iter().collect());
    let other_slots = Err(Error::new(Kind::Unsupported, "keys in other slots"));
    let Step::Next(call) = (call.read)(replies(vec![other_slots]))? else { panic!("one by one") };
    let refusal = [0, 0, 5_000_000, 5_000_000, 1_000_000, -1].map(Reply::Int).to_vec();
    let refused = Ok(Reply::Array(vec![Reply::Array(refusal)]));
    let step = (call.read)(replies(vec![refused, Err(Error::new(kind, "down"))]))?;
    let Step::Done(results) = step else { panic!("there is nothing to refund") };
    Ok(results)
}

#[test]
fn a_refusal_counts_while_a_server_of_the_others_is_down() {
    for (otherwise, allowed) in
        [(OnUnavailable::Allow, true), (OnUnavailable::Local, true), (OnUnavailable::Deny, false)]
    {
        let results = refused_beside_an_outage(otherwise, Kind::Unavailable).unwrap();
        let [refused, unknown] = &results.each[..] else { panic!("both") };
        assert_eq!((results.allowed, refused.allowed, refused.source), (false, false, Source::Store));
        assert_eq!(refused.retry_after_ms, Some(5000));
        assert_eq!((unknown.allowed, unknown.source), (allowed, Source::Fallback));
    }
    let rejected = refused_beside_an_outage(OnUnavailable::Throw, Kind::Unavailable).unwrap_err();
    assert_eq!(rejected.kind, Kind::Unavailable);
    let rejected = refused_beside_an_outage(OnUnavailable::Allow, Kind::WrongType).unwrap_err();
    assert_eq!(rejected.kind, Kind::WrongType);
}
