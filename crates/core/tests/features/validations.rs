use std::time::Duration;

use cinnabar_core::features::session::{Create, Lookup, Options, Sessions, hash};
use cinnabar_port::Step;

use crate::run::{Dice, Engine};

const JSON: &str = r#"{"id":7,"role":"admin"}"#;

fn sessions() -> Sessions {
    Sessions::new(Options::default()).unwrap()
}

fn lookup(engine: &Engine, sessions: &Sessions, token: &str) -> Lookup {
    engine.run(sessions.lookup(token, false)).unwrap()
}

fn fill(engine: &Engine, sessions: &Sessions, found: &Lookup) -> bool {
    engine.run(sessions.fill(&found.hash, &found.stamp, JSON, &["7".into()], 300.0)).unwrap()
}

#[test]
fn a_loaded_user_is_found_until_its_ttl_or_a_drop() {
    let (engine, sessions) = (Engine::new(), sessions());
    let look = || lookup(&engine, &sessions, "token");
    let missed = look();
    assert_eq!(missed.user, None);
    assert!(fill(&engine, &sessions, &missed), "the first one is stored");
    let text = engine.text(&format!("session:{}", missed.hash)).unwrap();
    assert_eq!(text.trim_end(), JSON);
    assert_eq!(look().user.as_deref(), Some(JSON.as_bytes()));
    engine.advance(Duration::from_secs(301));
    let missed = look();
    assert_eq!(missed.user, None);

    assert!(fill(&engine, &sessions, &missed));
    assert_eq!(engine.run(sessions.invalidate_user("7")).unwrap(), 1);
    assert_eq!(look().user, None);
    assert!(fill(&engine, &sessions, &look()));
    assert_eq!(engine.run(sessions.invalidate_token(&missed.hash)).unwrap(), 1);
    assert_eq!(engine.run(sessions.invalidate_token(&missed.hash)).unwrap(), 0);
    assert_eq!(look().user, None);
    engine.assert_all_have_a_ttl();
    let stats = sessions.stats();
    assert_eq!((stats.hits, stats.misses, stats.errors), (1, 5, 0));
}

#[test]
fn a_user_loaded_before_a_drop_is_never_cached_after_it() {
    let (engine, sessions) = (Engine::new(), sessions());
    let old = lookup(&engine, &sessions, "token");
    assert_eq!(engine.run(sessions.invalidate_user("7")).unwrap(), 0);
    assert!(!fill(&engine, &sessions, &old));
    assert_eq!(lookup(&engine, &sessions, "token").user, None);
    let new = lookup(&engine, &sessions, "token");
    assert_ne!(new.stamp, old.stamp, "these two must not share a load");
    assert!(fill(&engine, &sessions, &new));

    engine.run(sessions.invalidate_token(&new.hash)).unwrap();
    let old = lookup(&engine, &sessions, "token");
    engine.run(sessions.invalidate_token(&new.hash)).unwrap();
    assert!(!fill(&engine, &sessions, &old));
    let new = lookup(&engine, &sessions, "token");
    assert_ne!(new.stamp, old.stamp);
    assert!(fill(&engine, &sessions, &new));
}

#[test]
fn the_invalidation_of_another_user_costs_at_most_one_load() {
    let (engine, sessions) = (Engine::new(), sessions());
    let old = lookup(&engine, &sessions, "token");
    engine.run(sessions.invalidate_user("8")).unwrap();
    assert!(!fill(&engine, &sessions, &old), "it may have been this user");
    for _ in 0..3 {
        let old = lookup(&engine, &sessions, "token");
        engine.run(sessions.invalidate_user("8")).unwrap();
        assert!(fill(&engine, &sessions, &old), "now it is known to be another user");
        engine.run(sessions.invalidate_token(&old.hash)).unwrap();
    }
}

#[test]
fn a_drop_cancels_loads_in_flight_whatever_keys_are_lost() {
    let (engine, mut dice) = (Engine::new(), Dice(7));
    let mut kept = 0;
    for round in 0..400 {
        let sessions = sessions();
        let tokens: Vec<_> = (0..4).map(|n| format!("token{n}")).collect();
        let looked: Vec<_> = tokens.iter().map(|token| lookup(&engine, &sessions, token)).collect();
        let mut calls: Vec<_> = looked
            .iter()
            .map(|look| sessions.fill(&look.hash, &look.stamp, JSON, &["7".into()], 300.0).unwrap().map(drop))
            .collect();
        let user = dice.below(2) == 0;
        if user {
            calls.push(sessions.invalidate_user("7").unwrap().map(drop));
        } else {
            calls.extend(tokens.iter().map(|token| sessions.invalidate_token(&hash(token)).unwrap().map(drop)));
        }
        if round % 2 == 0 {
            lose(&engine, &mut dice);
        }
        while !calls.is_empty() {
            let call = calls.swap_remove(dice.below(calls.len()));
            if let Step::Next(next) = engine.step(call).unwrap() {
                calls.push(next);
            }
            if round % 2 == 0 {
                lose(&engine, &mut dice);
            }
        }
        for token in &tokens {
            let found = lookup(&engine, &sessions, token);
            assert_eq!(found.user, None, "loaded before the drop, found after it: round {round}, user: {user}");
            kept += usize::from(fill(&engine, &sessions, &found));
            if dice.below(2) == 0 {
                engine.run(sessions.invalidate_token(&found.hash)).unwrap();
            }
        }
        engine.run(sessions.invalidate_user("7")).unwrap();
    }
    assert!(kept > 1000, "{kept} were kept");
}

/// Loses a random key that is not a session.
fn lose(engine: &Engine, dice: &mut Dice) {
    let keys = engine.raw(&["KEYS", "*"]).array().unwrap();
    if keys.is_empty() {
        return;
    }
    let key = keys[dice.below(keys.len())].clone().bulk().unwrap().unwrap();
    let key = String::from_utf8(key.to_vec()).unwrap();
    if key.contains('{') && dice.below(3) == 0 {
        engine.raw(&["DEL", &key]);
    }
}

#[test]
fn sessions_and_tokens_are_never_confused() {
    let (engine, sessions) = (Engine::new(), sessions());
    let missed = lookup(&engine, &sessions, "token");
    assert!(fill(&engine, &sessions, &missed));
    let hash = missed.hash;
    assert_eq!(engine.run(sessions.get(&hash)).unwrap(), None);
    assert!(!engine.run(sessions.update(&hash, "{}")).unwrap() && !engine.run(sessions.touch(&hash)).unwrap());
    assert!(!engine.run(sessions.extend(&hash, 60.0)).unwrap());
    assert_eq!(engine.run(sessions.destroy(&hash)).unwrap(), 0);
    assert!(engine.run(sessions.list("7", false)).unwrap().is_empty());
    assert!(lookup(&engine, &sessions, "token").user.is_some());

    let id = engine.run(sessions.create("7", "t", "{}", Create::default())).unwrap();
    assert_eq!(lookup(&engine, &sessions, &id).user, None);
    assert_eq!(engine.run(sessions.list("7", false)).unwrap().len(), 1);
    assert_eq!(engine.run(sessions.invalidate_user("7")).unwrap(), 2);

    // A session under the hash of a token is not the user of the token, and is not overwritten.
    engine.run(sessions.store(&hash, r#"{"id":1}"#, 60.0)).unwrap();
    let missed = lookup(&engine, &sessions, "token");
    assert_eq!(missed.user, None);
    assert!(!fill(&engine, &sessions, &missed));
    assert_eq!(engine.run(sessions.invalidate_token(&hash)).unwrap(), 0);
    assert_eq!(engine.run(sessions.get(&hash)).unwrap().unwrap(), r#"{"id":1}"#);
}
