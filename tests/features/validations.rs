use std::time::Duration;

use cinnabar::features::session::{Options, Sessions};

use crate::run::{Dice, Engine};

const JSON: &str = r#"{"id":7,"role":"admin"}"#;

fn sessions() -> Sessions {
    Sessions::new(Options::default()).unwrap()
}

#[test]
fn a_loaded_user_is_found_until_its_time_or_the_user_is_over() {
    let (engine, sessions) = (Engine::new(), sessions());
    let look = || engine.run(sessions.lookup("token")).unwrap();
    let missed = look();
    assert_eq!(missed.user, None);
    assert!(engine.run(sessions.fill(&missed.hash, missed.stamp, JSON, 300.0)).unwrap());
    assert_eq!(engine.text(&format!("session:{}", missed.hash)).as_deref(), Some(JSON));
    assert_eq!(look().user.as_deref(), Some(JSON.as_bytes()));
    engine.advance(Duration::from_secs(301));
    let missed = look();
    assert_eq!(missed.user, None);

    assert!(engine.run(sessions.fill(&missed.hash, missed.stamp, JSON, 300.0)).unwrap());
    assert_eq!(engine.run(sessions.invalidate_user("7")).unwrap(), 1);
    assert_eq!(look().user, None);
    engine.assert_all_end();
    let stats = sessions.stats();
    assert_eq!((stats.hits, stats.misses, stats.errors), (1, 3, 0));
}

#[test]
fn what_was_loaded_before_a_drop_is_never_cached_after_it() {
    let (engine, sessions) = (Engine::new(), sessions());
    let old = engine.run(sessions.lookup("token")).unwrap();
    assert_eq!(engine.run(sessions.invalidate_user("7")).unwrap(), 0);
    assert!(!engine.run(sessions.fill(&old.hash, old.stamp, JSON, 300.0)).unwrap());
    assert_eq!(engine.run(sessions.lookup("token")).unwrap().user, None);

    engine.advance(Duration::from_millis(1));
    let new = engine.run(sessions.lookup("token")).unwrap();
    assert!(engine.run(sessions.fill(&new.hash, new.stamp, JSON, 300.0)).unwrap());
    assert!(engine.run(sessions.lookup("token")).unwrap().user.is_some());
}

#[test]
fn a_drop_wins_over_whatever_is_under_way() {
    let (engine, sessions, mut dice) = (Engine::new(), sessions(), Dice(7));
    for _ in 0..300 {
        let tokens: Vec<_> = (0..4).map(|n| format!("token{n}")).collect();
        let looked: Vec<_> = tokens.iter().map(|token| engine.run(sessions.lookup(token)).unwrap()).collect();
        let fills = looked.iter().map(|look| sessions.fill(&look.hash, look.stamp, JSON, 300.0).unwrap().map(drop));
        let mut calls: Vec<_> = fills.collect();
        calls.push(sessions.invalidate_user("7").unwrap().map(drop));
        for answer in engine.race(calls, &mut dice) {
            answer.unwrap();
        }
        for token in &tokens {
            assert_eq!(
                engine.run(sessions.lookup(token)).unwrap().user,
                None,
                "loaded before the drop, found after it"
            );
        }
        engine.advance(Duration::from_millis(1));
    }
}
