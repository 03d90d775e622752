use std::time::Duration;

use cinnabar_core::features::lock::{Locks, Options};

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
