use std::time::Duration;

use cinnabar_core::features::lock::{Attempt, Locks, Options};

use crate::run::{Dice, Engine};

fn locks() -> Locks {
    Locks::new(Options::default()).unwrap()
}

#[test]
fn one_of_many_callers_acquires_it() {
    let (engine, locks, mut dice) = (Engine::new(), locks(), Dice(2));
    for _ in 0..50 {
        let calls = (0..20).map(|_| locks.acquire("res", 30.0).unwrap()).collect();
        let tokens: Vec<_> = engine.race(calls, &mut dice).into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(tokens.len(), 1);
        assert_eq!(engine.text("lock:res"), Some(tokens[0].clone()));
        assert!(engine.run(locks.release("res", &tokens[0])).unwrap());
    }
}

#[test]
fn only_the_holder_extends_and_releases() {
    let (engine, locks) = (Engine::new(), locks());
    let first = engine.run(locks.acquire("res", 10.0)).unwrap().unwrap();
    assert!(!engine.run(locks.release("res", "another token")).unwrap());
    assert!(!engine.run(locks.extend("res", "", 60.0)).unwrap());
    assert!(engine.run(locks.extend("res", &first, 60.0)).unwrap());
    assert!(engine.left("lock:res") > 50_000);

    engine.advance(Duration::from_secs(61));
    let second = engine.run(locks.acquire("res", 10.0)).unwrap().unwrap();
    assert!(!engine.run(locks.extend("res", &first, 60.0)).unwrap(), "the first holder was too late");
    assert!(!engine.run(locks.release("res", &first)).unwrap());
    assert!(engine.run(locks.release("res", &second)).unwrap());
    assert!(!engine.run(locks.extend("res", &second, 60.0)).unwrap(), "a lock that is free stays free");
    assert_eq!(engine.text("lock:res"), None);
}

#[test]
fn fencing_tokens_grow_and_an_acquisition_may_be_repeated() {
    let (engine, locks, ttl) = (Engine::new(), locks(), Duration::from_secs(10));
    let acquire = |token: &str| engine.run(locks.acquire_fenced("res", token, ttl)).unwrap();
    let first = acquire("a").unwrap();
    assert_eq!(acquire("a"), Some(first), "its reply may have been lost");
    assert_eq!(acquire("b"), None);
    engine.advance(Duration::from_secs(11));
    let second = acquire("b").unwrap();
    assert!(second > first);
    assert!(!engine.run(locks.release("res", "a")).unwrap());
    assert!(engine.run(locks.release("res", "b")).unwrap());
    assert!(acquire("c").unwrap() > second);
}

#[test]
fn a_waiting_caller_is_entered_until_it_has_the_lock_or_leaves() {
    let (engine, locks, ttl) = (Engine::new(), locks(), Duration::from_secs(10));
    let attempt = |token: &str| engine.run(locks.attempt("res", token, ttl)).unwrap();
    let waiting = || engine.run(locks.info("res")).unwrap().waiting;
    assert!(matches!(attempt("a"), Attempt::Acquired(_)));
    assert!(matches!(attempt("b"), Attempt::Held(left) if left <= ttl && left > ttl / 2));
    assert!(matches!(attempt("c"), Attempt::Held(_)));
    assert_eq!(waiting(), 2);
    engine.run(locks.stop_waiting("res", "b")).unwrap();
    assert_eq!(waiting(), 1);
    assert!(engine.run(locks.release("res", "a")).unwrap());
    assert!(matches!(attempt("c"), Attempt::Acquired(_)));
    assert_eq!(waiting(), 0);
    assert!(matches!(attempt("d"), Attempt::Held(_)));
    engine.advance(Duration::from_secs(31));
    assert_eq!(waiting(), 0, "the entry of a dead process expires");
}
