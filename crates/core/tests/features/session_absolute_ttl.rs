//! Sessions that end at some time even if they are in use.

use std::time::Duration;

use cinnabar_core::features::session::{Create, Options, Sessions};

use crate::run::Engine;

const HOUR: u64 = 3600;

/// Sessions with a ttl of an hour that end after eight.
fn sessions(rolling: bool) -> Sessions {
    let options = Options { ttl: Some(3600.0), absolute_ttl: Some(8.0 * 3600.0), rolling, ..Options::default() };
    Sessions::new(options).unwrap()
}

fn is_valid(engine: &Engine, sessions: &Sessions, id: &str) -> bool {
    engine.run(sessions.get(id)).unwrap().is_some()
}

fn create(engine: &Engine, sessions: &Sessions, options: Create) -> String {
    engine.run(sessions.create("u", "2026-01-02", "{}", options)).unwrap()
}

fn ttl_seconds(engine: &Engine, sessions: &Sessions) -> u64 {
    let listed = engine.run(sessions.list("u", true)).unwrap();
    (listed[0].ttl_ms as u64).div_ceil(1000)
}

#[test]
fn a_session_in_use_ends_at_its_absolute_ttl() {
    let with_token = || Create { token: true, ..Create::default() };
    let chosen = || Create { id: Some("mine".into()), ..Create::default() };
    for (turn, options) in [Create::default(), with_token(), chosen()].into_iter().enumerate() {
        for rolling in [false, true] {
            let (engine, sessions) = (Engine::new(), sessions(rolling));
            // The second of a user is written in one round.
            create(&engine, &sessions, Create { ttl: Some(1.0), ..Create::default() });
            engine.advance(Duration::from_secs(10));
            let mut id = create(&engine, &sessions, Create { id: options.id.clone(), tags: Vec::new(), ..options });
            for half_hour in 1..16 {
                engine.advance(Duration::from_secs(HOUR / 2));
                assert!(is_valid(&engine, &sessions, &id), "{turn} {rolling} after {half_hour} half hours");
                match half_hour % 4 {
                    0 => assert!(engine.run(sessions.update(&id, &format!("{{\"n\":{half_hour}}}"))).unwrap()),
                    1 => assert!(engine.run(sessions.touch(&id)).unwrap()),
                    2 if turn == 1 => id = engine.run(sessions.rotate(&id, 0.0)).unwrap().unwrap(),
                    2 => assert!(engine.run(sessions.extend(&id, 3600.0)).unwrap()),
                    _ => assert!(engine.run(sessions.update(&id, r#"{"userId":"u"}"#)).unwrap()),
                }
            }
            assert!(engine.run(sessions.extend(&id, 1e9)).unwrap());
            assert_eq!(ttl_seconds(&engine, &sessions), HOUR / 2);
            assert!(engine.run(sessions.update(&id, r#"{"last":1}"#)).unwrap());
            engine.advance(Duration::from_secs(HOUR / 2 - 1));
            assert!(is_valid(&engine, &sessions, &id), "{turn} {rolling}");
            engine.advance(Duration::from_secs(1));
            assert!(!is_valid(&engine, &sessions, &id), "{turn} {rolling}");
            assert!(!engine.run(sessions.touch(&id)).unwrap());
        }
    }
}

#[test]
fn a_session_that_is_not_used_ends_at_its_ttl() {
    let (engine, sessions) = (Engine::new(), sessions(true));
    let id = create(&engine, &sessions, Create::default());
    engine.advance(Duration::from_secs(HOUR));
    assert!(!is_valid(&engine, &sessions, &id));
}

#[test]
fn a_stored_session_ends_too_and_none_outlives_a_short_absolute_ttl() {
    let engine = Engine::new();
    let short = Sessions::new(Options { absolute_ttl: Some(60.0), ..Options::default() }).unwrap();
    engine.run(short.store("plain", r#"{"a":1}"#, 3600.0)).unwrap();
    engine.run(short.store("owned", r#"{"userId":"u"}"#, 3600.0)).unwrap();
    let created = create(&engine, &short, Create::default());
    engine.advance(Duration::from_secs(59));
    for id in ["plain", "owned", &created] {
        assert!(is_valid(&engine, &short, id) && engine.run(short.touch(id)).unwrap(), "{id}");
    }
    engine.advance(Duration::from_secs(1));
    for id in ["plain", "owned", &created] {
        assert!(!is_valid(&engine, &short, id), "{id}");
    }
    assert!(Sessions::new(Options { absolute_ttl: Some(0.0), ..Options::default() }).is_err());
}

#[test]
fn another_manager_keeps_the_end_that_a_session_was_given() {
    let (engine, plain) = (Engine::new(), Sessions::new(Options::default()).unwrap());
    let id = create(&engine, &sessions(false), Create::default());
    assert!(engine.run(plain.update(&id, r#"{"userId":"other"}"#)).unwrap());
    assert!(engine.run(plain.extend(&id, 1e9)).unwrap());
    engine.advance(Duration::from_secs(8 * HOUR));
    assert!(!is_valid(&engine, &plain, &id));
}
