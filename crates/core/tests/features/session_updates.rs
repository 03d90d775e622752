//! Updates that remove fields and set ttls, and the names of sessions.

use std::{collections::HashSet, time::Duration};

use cinnabar_core::features::session::{Create, Options, Sessions, UpdateOptions};

use crate::run::{Dice, Engine};

fn sessions(options: Options) -> Sessions {
    Sessions::new(options).unwrap()
}

fn with_ttl(ttl: f64) -> UpdateOptions {
    UpdateOptions { ttl: Some(ttl), ..UpdateOptions::default() }
}

fn without(names: &[&str]) -> UpdateOptions {
    UpdateOptions { remove: names.iter().map(|name| name.to_string()).collect(), ..UpdateOptions::default() }
}

#[test]
fn a_ttl_of_an_update_is_that_of_later_renewals() {
    let near = |engine: &Engine, id: &str, seconds: i64| {
        let left = engine.left(&format!("session:{id}"));
        assert!((seconds * 1000 - 2_000..=seconds * 1000).contains(&left), "{id} has {left} ms, not {seconds} s");
    };
    let tagged = || Create { tags: vec!["t".into()], ttl: Some(60.0), ..Create::default() };
    for kind in 0..5 {
        let (engine, sessions) = (Engine::new(), sessions(Options::default()));
        let id = match kind {
            0 => engine.run(sessions.create("u", "2026-01-02", "{}", tagged())).unwrap(),
            1 => {
                engine.run(sessions.store("mine", r#"{"a":1}"#, 3600.0)).unwrap();
                "mine".to_owned()
            }
            2 => {
                engine.run(sessions.store("mine", r#"{"userId":"u"}"#, 60.0)).unwrap();
                "mine".to_owned()
            }
            // Another program's.
            _ => {
                let json = if kind == 3 { r#"{"a":1}"# } else { r#"{"userId":"u"}"# };
                engine.raw(&["SET", "session:foreign", json, "EX", "60"]);
                "foreign".to_owned()
            }
        };
        for ttl in [7200, 30] {
            assert!(engine.run(sessions.update_with(&id, r#"{"b":1}"#, with_ttl(ttl as f64))).unwrap(), "{kind}");
            near(&engine, &id, ttl);
            engine.advance(Duration::from_secs(20));
            assert!(engine.run(sessions.touch(&id)).unwrap());
            near(&engine, &id, ttl);
            engine.advance(Duration::from_secs(20));
            assert!(engine.run(sessions.update(&id, r#"{"c":1}"#)).unwrap());
            near(&engine, &id, ttl);
        }
        assert!(engine.run(sessions.touch_to(&id, 500.0)).unwrap());
        near(&engine, &id, 500);
        assert!(engine.run(sessions.touch(&id)).unwrap());
        near(&engine, &id, 30);
        engine.advance(Duration::from_secs(100));
        assert!(!engine.run(sessions.update_with(&id, "{}", with_ttl(9.0))).unwrap());
        assert!(!engine.run(sessions.touch_to(&id, 9.0)).unwrap());
        engine.assert_all_have_a_ttl();
    }
}

#[test]
fn an_index_lasts_as_long_as_the_ttl_of_an_update() {
    let (engine, sessions) = (Engine::new(), sessions(Options { ttl: Some(60.0), ..Options::default() }));
    let id = engine.run(sessions.create("u", "2026-01-02", "{}", Create::default())).unwrap();
    assert!(engine.run(sessions.update_with(&id, "{}", with_ttl(7200.0))).unwrap());
    engine.advance(Duration::from_secs(7000));
    assert_eq!(engine.run(sessions.list("u", false)).unwrap().len(), 1);
    assert_eq!(engine.run(sessions.invalidate_user("u")).unwrap(), 1);
    assert_eq!(engine.run(sessions.get(&id)).unwrap(), None);
}

#[test]
fn no_ttl_of_an_update_exceeds_the_absolute_one() {
    let options = Options { ttl: Some(60.0), absolute_ttl: Some(100.0), ..Options::default() };
    let (engine, sessions) = (Engine::new(), sessions(options));
    let id = engine.run(sessions.create("u", "2026-01-02", "{}", Create::default())).unwrap();
    assert!(engine.run(sessions.update_with(&id, "{}", with_ttl(7200.0))).unwrap());
    assert!(engine.run(sessions.touch_to(&id, 7200.0)).unwrap());
    engine.advance(Duration::from_secs(99));
    assert!(engine.run(sessions.get(&id)).unwrap().is_some());
    engine.advance(Duration::from_secs(1));
    assert!(engine.run(sessions.get(&id)).unwrap().is_none());
}

#[test]
fn an_update_removes_fields() {
    let (engine, sessions) = (Engine::new(), sessions(Options::default()));
    let data = r#"{"cart":[1],"keep":1.10e2,"__proto__":1}"#;
    let id = engine.run(sessions.create("u", "2026-01-02", data, Create::default())).unwrap();
    let remove = without(&["cart", "missing", "__proto__"]);
    assert!(engine.run(sessions.update_with(&id, r#"{"b":2}"#, remove)).unwrap());
    let json = engine.run(sessions.get(&id)).unwrap().unwrap();
    assert_eq!(&json[..], br#"{"userId":"u","createdAt":"2026-01-02","keep":1.10e2,"b":2}"#);
    for (changes, remove) in [("{}", "userId"), ("{}", "createdAt"), (r#"{"a":1}"#, "a"), (r#"{"\u0061":1}"#, "a")] {
        let error = sessions.update_with(&id, changes, without(&[remove])).err().unwrap();
        assert_eq!(error.kind.code(), "E_INVALID_ARGUMENT", "{changes} {remove}");
    }
}

#[test]
fn concurrent_updates_that_set_and_remove_fields_are_all_applied() {
    let mut dice = Dice(11);
    for _ in 0..200 {
        let (engine, sessions) = (Engine::new(), sessions(Options::default()));
        let data = r#"{"a":1,"b":1,"c":1,"d":1}"#;
        let id = engine.run(sessions.create("u", "2026-01-02", data, Create::default())).unwrap();
        let both = UpdateOptions { ttl: Some(777.0), ..without(&["d"]) };
        let calls = vec![
            sessions.update_with(&id, "{}", without(&["a"])).unwrap(),
            sessions.update_with(&id, r#"{"b":2}"#, with_ttl(777.0)).unwrap(),
            sessions.update(&id, r#"{"e":1}"#).unwrap(),
            sessions.update_with(&id, r#"{"userId":"v"}"#, both).unwrap(),
        ];
        assert!(engine.race(calls, &mut dice).into_iter().all(|result| result.unwrap()));
        let json = engine.run(sessions.get(&id)).unwrap().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let wanted = serde_json::json!({ "userId": "v", "createdAt": "2026-01-02", "b": 2, "c": 1, "e": 1 });
        assert_eq!(json, wanted);
        engine.run(sessions.touch(&id)).unwrap();
        let left = engine.left(&format!("session:{id}"));
        assert!((770_000..=777_000).contains(&left), "{left}");
        assert_eq!(engine.run(sessions.list("v", false)).unwrap().len(), 1);
    }
}

fn all(engine: &Engine, sessions: &Sessions) -> (HashSet<String>, usize) {
    let (mut ids, mut hashes, mut cursor) = (HashSet::new(), HashSet::new(), "0".to_owned());
    loop {
        let names = engine.run(Ok(sessions.scan(cursor))).unwrap();
        ids.extend(names.ids);
        hashes.extend(names.hashes);
        cursor = names.cursor;
        if cursor == "0" {
            return (ids, hashes.len());
        }
    }
}

#[test]
fn all_sessions_are_found_and_nothing_else() {
    for prefix in ["session:", "a*[b]\\?:", ""] {
        let of = |hashed| sessions(Options { prefix: Some(prefix.into()), hashed, ..Options::default() });
        let (engine, plain, hashed) = (Engine::new(), of(false), of(true));
        let tagged = || Create { tags: vec!["t".into()], ..Create::default() };
        let mut wanted: HashSet<String> =
            (0..1500).map(|_| engine.run(plain.create("u", "2026-01-02", "{}", tagged())).unwrap()).collect();
        let hash = "f".repeat(64);
        for id in ["{a}*%7B[", "cst_a", "ü\u{2028}", &hash] {
            engine.run(plain.store(id, "{}", 60.0)).unwrap();
            wanted.insert(id.to_owned());
        }
        // An id that does not follow from its key.
        engine.run(plain.store(&"x".repeat(600), "{}", 60.0)).unwrap();
        let tokens: Vec<_> =
            (0..3).map(|_| engine.run(hashed.create("u", "2026-01-02", "{}", tagged())).unwrap()).collect();
        let rotated = engine.run(hashed.rotate(&tokens[0], 10.0)).unwrap().unwrap();
        let found = engine.run(plain.lookup("validated", false)).unwrap();
        engine.run(plain.fill(&found.hash, &found.stamp, r#"{"id":"u"}"#, &["u".into()], 300.0)).unwrap();
        for name in ["e".repeat(64), "set".into(), format!("%sha256:{}", "e".repeat(64))] {
            engine.raw(&["SADD", &format!("{prefix}{name}"), "no session"]);
        }
        assert_eq!(all(&engine, &plain), (wanted.clone(), 4), "{prefix}");
        assert_eq!(all(&engine, &hashed), (HashSet::new(), 3), "{prefix}");

        let key_of = |sessions: &Sessions, id: &str| String::from_utf8(sessions.key_of(id).unwrap().to_vec()).unwrap();
        for id in &wanted {
            let key = key_of(&plain, id);
            assert!(engine.text(&key).is_some(), "{id}");
            assert_eq!(plain.id_of(&key), (*id != hash).then(|| id.clone()), "{id}");
            assert_eq!(hashed.id_of(&key), None);
        }
        for sessions in [&plain, &hashed] {
            let key = key_of(sessions, &rotated);
            assert!(engine.text(&key).is_some());
            assert_eq!(sessions.id_of(&key), None);
        }
        for key in ["", "x", &format!("{prefix}{{a}}:load"), &format!("{prefix}%sha256:{hash}"), prefix] {
            let own = prefix.is_empty() && key == "x";
            assert_eq!(plain.id_of(key).is_some(), own, "{key}");
        }
    }
}
