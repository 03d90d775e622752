//! Sessions of which the store knows only the hash of the token.

use std::sync::Arc;

use cinnabar_core::features::session::{Create, Options, Sessions, hash, public_id};
use cinnabar_core::key_ring::KeyRing;
use cinnabar_port::{Call, Step, error::Kind};

use crate::run::{Dice, Engine};

fn plain() -> Sessions {
    Sessions::new(Options::default()).unwrap()
}

fn hashed() -> Sessions {
    Sessions::new(Options { hashed: true, ..Options::default() }).unwrap()
}

fn encrypted() -> Sessions {
    let encryption = KeyRing::new([("k1".to_owned(), [7; 32])], false).unwrap();
    Sessions::new(Options { encryption: Some(Arc::new(encryption)), ..Options::default() }).unwrap()
}

fn is_valid(engine: &Engine, sessions: &Sessions, id: &str) -> bool {
    engine.run(sessions.get(id)).unwrap().is_some()
}

fn with_token() -> Create {
    Create { token: true, tags: vec!["t".into()], ..Create::default() }
}

#[test]
fn a_token_works_like_an_id_for_every_call() {
    let (engine, sessions) = (Engine::new(), plain());
    let token = engine.run(sessions.create("u", "2026-01-02", r#"{"a":1}"#, with_token())).unwrap();
    assert!(token.starts_with("cst_") && token.len() == 68, "{token}");

    assert!(is_valid(&engine, &hashed(), &token), "another process, which only accepts tokens");
    assert!(engine.run(sessions.update(&token, r#"{"b":2}"#)).unwrap());
    let json = engine.run(sessions.get(&token)).unwrap().unwrap();
    assert_eq!(&json[..], br#"{"userId":"u","createdAt":"2026-01-02","a":1,"b":2}"#);
    assert!(engine.run(sessions.touch(&token)).unwrap());
    assert!(engine.run(sessions.extend(&token, 60.0)).unwrap());
    let listed = engine.run(sessions.list("u", true)).unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].is_hashed && listed[0].id == hash(&token) && listed[0].ttl_ms <= 60_000);
    assert_eq!(engine.run(sessions.destroy(&token)).unwrap(), 1);
    assert!(!is_valid(&engine, &sessions, &token));
    assert!(engine.run(sessions.list("u", false)).unwrap().is_empty());
}

#[test]
fn what_is_stored_gives_no_access() {
    let engine = Engine::new();
    let token = engine.run(plain().create("u", "2026-01-02", r#"{"a":1}"#, with_token())).unwrap();
    let stored = hash(&token);
    // Where tokens are hashed, a stored hash is a chosen id like any other, and leads to another key.
    for (sessions, created) in [(plain(), Err(Kind::Conflict)), (hashed(), Ok(stored.clone()))] {
        assert!(!is_valid(&engine, &sessions, &stored));
        assert!(!engine.run(sessions.update(&stored, r#"{"b":2}"#)).unwrap());
        assert!(!engine.run(sessions.touch(&stored)).unwrap());
        assert!(!engine.run(sessions.extend(&stored, 60.0)).unwrap());
        assert_eq!(engine.run(sessions.destroy(&stored)).unwrap(), 0);
        let create = Create { id: Some(stored.clone()), ..Create::default() };
        let result = engine.run(sessions.create("thief", "2026-01-02", "{}", create));
        assert_eq!(result.map_err(|error| error.kind), created);
    }
    assert!(is_valid(&engine, &plain(), &token), "it is still there");
    let key = format!("session:{stored}");
    let value = String::from_utf8(engine.raw(&["GET", &key]).bulk().unwrap().unwrap().to_vec()).unwrap();
    assert!(value.starts_with(r#"{"userId":"u""#) && !value.contains(&token));
}

#[test]
fn sessions_with_ids_are_unknown_where_tokens_are_hashed() {
    let engine = Engine::new();
    let id = engine.run(plain().create("u", "2026-01-02", "{}", Create::default())).unwrap();
    let token = engine.run(hashed().create("u", "2026-01-02", "{}", Create::default())).unwrap();
    assert!(token.starts_with("cst_"));
    assert!(is_valid(&engine, &plain(), &id) && !is_valid(&engine, &hashed(), &id));
    assert!(is_valid(&engine, &plain(), &token) && is_valid(&engine, &hashed(), &token));
    assert_eq!(engine.run(plain().list("u", false)).unwrap().len(), 2);
}

#[test]
fn signing_out_ends_sessions_of_every_kind() {
    let (engine, sessions) = (Engine::new(), plain());
    let create = |options| engine.run(sessions.create("u", "2026-01-02", "{}", options)).unwrap();
    let (id, token, other) = (create(Create::default()), create(with_token()), create(with_token()));
    let listed = engine.run(sessions.list("u", false)).unwrap();
    let public = listed.iter().find(|session| session.id == hash(&other)).unwrap().public_id.clone();
    assert_ne!(public, public_id(&hash(&other)), "what is stored as a key says nothing of it");
    assert_eq!(engine.run(sessions.destroy_of("u", public)).unwrap(), 1);
    assert!(!is_valid(&engine, &sessions, &other) && is_valid(&engine, &sessions, &token));
    assert_eq!(engine.run(sessions.destroy_by_tag("t")).unwrap(), 1);
    assert!(!is_valid(&engine, &sessions, &token) && is_valid(&engine, &sessions, &id));
    let token = create(with_token());
    assert_eq!(engine.run(sessions.invalidate_user("u")).unwrap(), 2);
    assert!(!is_valid(&engine, &sessions, &token) && !is_valid(&engine, &sessions, &id));
}

fn rotated(engine: &Engine, sessions: &Sessions, token: &str, grace: f64) -> Option<String> {
    engine.run(sessions.rotate(token, grace)).unwrap()
}

#[test]
fn a_rotated_session_keeps_its_data_and_its_public_id() {
    let (engine, sessions) = (Engine::new(), plain());
    let token = engine.run(sessions.create("u", "2026-01-02", r#"{"n":9007199254740993}"#, with_token())).unwrap();
    let public = engine.run(sessions.list("u", false)).unwrap().remove(0).public_id;
    let next = rotated(&engine, &sessions, &token, 10.0).unwrap();
    assert_ne!(next, token);
    let expected = &br#"{"userId":"u","createdAt":"2026-01-02","n":9007199254740993}"#[..];
    for token in [&token, &next] {
        assert_eq!(engine.run(sessions.get(token)).unwrap().unwrap(), expected);
    }
    assert_eq!(rotated(&engine, &sessions, &token, 10.0).unwrap(), next, "there is one successor");
    assert!(engine.run(sessions.update(&token, r#"{"a":1}"#)).unwrap(), "a request that is late still works");
    let listed = engine.run(sessions.list("u", false)).unwrap();
    assert_eq!((listed.len(), &listed[0].public_id, &listed[0].id), (1, &public, &hash(&next)));

    engine.advance(std::time::Duration::from_secs(11));
    assert!(!is_valid(&engine, &sessions, &token) && is_valid(&engine, &sessions, &next));
    assert_eq!(engine.run(sessions.destroy_of("u", public)).unwrap(), 1);
    assert!(!is_valid(&engine, &sessions, &next));
}

#[test]
fn without_grace_the_old_token_can_only_sign_out() {
    let (engine, sessions) = (Engine::new(), plain());
    let token = engine.run(sessions.create("u", "2026-01-02", "{}", with_token())).unwrap();
    let next = rotated(&engine, &sessions, &token, 0.0).unwrap();
    assert!(!is_valid(&engine, &sessions, &token) && is_valid(&engine, &sessions, &next));
    assert!(!engine.run(sessions.update(&token, r#"{"a":1}"#)).unwrap());
    assert_eq!(rotated(&engine, &sessions, &token, 10.0), None);
    assert_eq!(engine.run(sessions.destroy(&token)).unwrap(), 1);
    assert!(!is_valid(&engine, &sessions, &next));
}

#[test]
fn only_tokens_can_be_rotated() {
    let (engine, sessions) = (Engine::new(), plain());
    let id = engine.run(sessions.create("u", "2026-01-02", "{}", Create::default())).unwrap();
    assert_eq!(sessions.rotate(&id, 10.0).err().unwrap().kind, Kind::Unsupported);
    assert_eq!(rotated(&engine, &sessions, &format!("cst_{}", "0".repeat(64)), 10.0), None);
    assert_eq!(sessions.rotate(&format!("cst_{}", "0".repeat(64)), -1.0).err().unwrap().kind, Kind::InvalidArgument);
}

#[test]
fn of_thirty_two_rotations_one_wins_and_all_get_its_token() {
    let mut dice = Dice(17);
    for _ in 0..50 {
        let (engine, sessions) = (Engine::new(), plain());
        let token = engine.run(sessions.create("u", "2026-01-02", "{}", with_token())).unwrap();
        let calls = (0..32).map(|_| sessions.rotate(&token, 10.0).unwrap()).collect();
        let tokens: Vec<_> = engine.race(calls, &mut dice).into_iter().map(|token| token.unwrap().unwrap()).collect();
        assert!(tokens.iter().all(|other| *other == tokens[0]), "{tokens:?}");
        assert!(is_valid(&engine, &sessions, &tokens[0]));
        assert_eq!(engine.run(sessions.list("u", false)).unwrap().len(), 1, "no copy is left");
    }
}

#[test]
fn a_session_whose_new_token_is_rotated_at_once_does_not_end() {
    let (engine, sessions) = (Engine::new(), plain());
    let token = engine.run(sessions.create("u", "2026-01-02", "{}", with_token())).unwrap();
    let mut rotation = sessions.rotate(&token, 10.0).unwrap();
    // Other requests are led to the new token before the rotation has returned.
    let next = loop {
        let Step::Next(rest) = engine.step(rotation).unwrap() else { panic!("it has returned") };
        rotation = rest;
        let opened = engine.run(sessions.open(&token, None, None)).unwrap().unwrap();
        if let Some(next) = opened.successor {
            break next;
        }
    };
    let newest = rotated(&engine, &sessions, &next, 10.0).unwrap();
    assert_eq!(engine.run(Ok(rotation)).unwrap(), Some(newest.clone()));
    for token in [&*token, &*next, &*newest] {
        assert!(is_valid(&engine, &sessions, token));
    }
    assert_eq!(engine.run(sessions.list("u", false)).unwrap().len(), 1);
}

/// What a call in a race did.
#[derive(Debug, PartialEq)]
enum Did {
    Rotated(Option<String>),
    Updated(bool),
    Ended(i64),
}

#[test]
fn nothing_is_lost_or_comes_back_when_rotations_race_with_everything() {
    let mut dice = Dice(23);
    let mut outcomes = (0, 0);
    for turn in 0..400 {
        let (engine, sessions) = (Engine::new(), if turn % 5 == 0 { encrypted() } else { plain() });
        let token = engine.run(sessions.create("u", "2026-01-02", "{}", with_token())).unwrap();
        let public = engine.run(sessions.list("u", false)).unwrap().remove(0).public_id;
        let mut calls: Vec<Call<Did>> = (0..3)
            .map(|n| {
                sessions.rotate(&token, if n == 0 && turn % 3 == 0 { 0.0 } else { 10.0 }).unwrap().map(Did::Rotated)
            })
            .collect();
        calls.extend((0..3).map(|n| sessions.update(&token, &format!("{{\"f{n}\":{n}}}")).unwrap().map(Did::Updated)));
        let ends = turn % 2 == 0;
        if ends {
            let end = match turn % 4 {
                0 => sessions.destroy(&token),
                _ if turn % 8 == 2 => sessions.destroy_of("u", public.clone()),
                _ => sessions.invalidate_user("u"),
            };
            calls.push(end.unwrap().map(Did::Ended));
        }
        let done: Vec<_> = engine.race(calls, &mut dice).into_iter().map(Result::unwrap).collect();
        let tokens = done.iter().filter_map(|did| if let Did::Rotated(token) = did { token.as_ref() } else { None });
        let all: Vec<_> = tokens.chain([&token]).collect();
        let json = all.iter().find_map(|token| engine.run(sessions.get(token)).unwrap());
        if ends {
            assert_eq!(json, None, "turn {turn}: {done:?}");
            assert!(engine.run(sessions.list("u", false)).unwrap().is_empty(), "turn {turn}");
            outcomes.0 += 1;
        } else {
            let json = String::from_utf8(json.unwrap().to_vec()).unwrap();
            for (n, did) in done[3..6].iter().enumerate() {
                assert_eq!(
                    json.contains(&format!("\"f{n}\":{n}")),
                    *did == Did::Updated(true),
                    "turn {turn}: {json} {done:?}"
                );
            }
            outcomes.1 += 1;
        }
    }
    assert_eq!(outcomes, (200, 200));
}
