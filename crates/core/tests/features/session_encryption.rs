//! Sessions and validated users that are encrypted in the store.

use std::sync::Arc;

use cinnabar_core::features::session::{Create, Options, PerUser, Sessions, WhenFull, hash};
use cinnabar_core::key_ring::KeyRing;
use cinnabar_port::error::Kind;

use crate::run::Engine;

const DATA: &str = r#"{"name":"Grace Hopper","cart":[1,2,3]}"#;

/// A ring of keys by their ids.
fn ring(ids: &[&str], accepts_plain: bool) -> Option<Arc<KeyRing>> {
    let keys = ids.iter().map(|id| ((*id).to_owned(), [id.as_bytes()[0]; 32]));
    Some(Arc::new(KeyRing::new(keys, accepts_plain).unwrap()))
}

fn with(encryption: Option<Arc<KeyRing>>) -> Sessions {
    Sessions::new(Options { encryption, ..Options::default() }).unwrap()
}

fn create(engine: &Engine, sessions: &Sessions, options: Create) -> String {
    engine.run(sessions.create("ada", "2026-01-02", DATA, options)).unwrap()
}

fn token() -> Create {
    Create { token: true, tags: vec!["org".into()], ..Create::default() }
}

fn key(id: &str) -> String {
    if id.starts_with("cst_") { format!("session:{}", hash(id)) } else { format!("session:{id}") }
}

fn raw(engine: &Engine, id: &str) -> Vec<u8> {
    engine.raw(&["GET", &key(id)]).bulk().unwrap().unwrap().to_vec()
}

fn put(engine: &Engine, id: &str, value: &[u8]) {
    let parts = [b"SET".as_slice(), key(id).as_bytes(), value].map(bytes::Bytes::copy_from_slice);
    let [_, key, value] = parts;
    engine.execute(vec![cinnabar_port::Request::keyed("SET", [key, value])]).remove(0).unwrap();
}

fn get(engine: &Engine, sessions: &Sessions, id: &str) -> Option<String> {
    engine.run(sessions.get(id)).unwrap().map(|json| String::from_utf8(json.to_vec()).unwrap())
}

#[test]
fn everything_works_as_without_encryption_and_no_data_is_stored() {
    for absolute_ttl in [None, Some(7200.0)] {
        let engine = Engine::new();
        let per_user = Some(PerUser { most: 3, when_full: WhenFull::EndOldest });
        let options = Options { encryption: ring(&["a"], false), absolute_ttl, per_user, ..Options::default() };
        let sessions = Sessions::new(options).unwrap();
        engine.run(sessions.store("mine", r#"{"userId":"ada","name":"Hopper"}"#, 60.0)).unwrap();
        engine.run(sessions.store("plain", r#"{"name":"Hopper"}"#, 3600.0)).unwrap();
        let chosen = Create { id: Some("chosen".into()), ..Create::default() };
        let (id, chosen) = (create(&engine, &sessions, token()), create(&engine, &sessions, chosen));
        for id in ["mine", "plain", &chosen, &id] {
            assert!(engine.run(sessions.update(id, r#"{"street":"Hopper Street"}"#)).unwrap(), "{id}");
            assert!(get(&engine, &sessions, id).unwrap().contains("Hopper Street"), "{id}");
            assert!(engine.run(sessions.touch(id)).unwrap() && engine.run(sessions.extend(id, 900.0)).unwrap());
        }
        assert!(engine.run(sessions.update("plain", r#"{"userId":"bob"}"#)).unwrap(), "it gets an owner");
        let rotated = engine.run(sessions.rotate(&id, 10.0)).unwrap().unwrap();
        assert!(get(&engine, &sessions, &rotated).unwrap().contains("Hopper"));
        assert_eq!(
            get(&engine, &sessions, &id),
            get(&engine, &sessions, &rotated),
            "for the other requests of the page"
        );
        let found = engine.run(sessions.lookup("t", false)).unwrap();
        let user = r#"{"name":"Hopper"}"#;
        assert!(engine.run(sessions.fill(&found.hash, &found.stamp, user, &["ada".into()], 60.0)).unwrap());
        assert_eq!(engine.run(sessions.lookup("t", false)).unwrap().user.as_deref(), Some(user.as_bytes()));
        for id in ["mine", "plain", &chosen, &rotated] {
            assert!(raw(&engine, id).windows(6).all(|window| window != b"Hopper"), "{id}");
        }
        let stored = engine.raw(&["GET", &format!("session:{}", hash("t"))]).bulk().unwrap().unwrap();
        assert!(stored.windows(6).all(|window| window != b"Hopper"));
        assert_eq!(engine.run(sessions.list("ada", true)).unwrap().len(), 3);
        assert_eq!(engine.run(sessions.destroy_by_tag("org")).unwrap(), 1);
        assert_eq!(engine.run(sessions.invalidate_user("ada")).unwrap(), 3, "with the validated user");
        assert_eq!(engine.run(sessions.destroy("plain")).unwrap(), 1);
        assert_eq!(sessions.stats().errors, 0);
    }
}

#[test]
fn a_value_of_which_any_byte_was_changed_is_no_session() {
    for (options, absolute_ttl) in [(token(), None), (Create::default(), None), (token(), Some(7200.0))] {
        let engine = Engine::new();
        let options_of = Options { encryption: ring(&["a", "b"], false), absolute_ttl, ..Options::default() };
        let sessions = Sessions::new(options_of).unwrap();
        let id = create(&engine, &sessions, options);
        let value = raw(&engine, &id);
        // Except the time of its end, which the store fills in: 32 characters before the last four.
        let end = if absolute_ttl.is_some() { value.len() - 36..value.len() - 4 } else { 0..0 };
        for at in (0..value.len()).filter(|at| !end.contains(at)) {
            for other in [value[at] ^ 1, value[at] ^ 0x80, b' ', b'\t', b'b'] {
                if other == value[at] {
                    continue;
                }
                let mut changed = value.clone();
                changed[at] = other;
                put(&engine, &id, &changed);
                assert_eq!(get(&engine, &sessions, &id), None, "{at} of {}", value.len());
                assert!(!engine.run(sessions.update(&id, r#"{"a":1}"#)).unwrap());
            }
        }
        for cut in 0..value.len() {
            put(&engine, &id, &value[..cut]);
            assert_eq!(get(&engine, &sessions, &id), None, "{cut} of {}", value.len());
        }
        put(&engine, &id, &value);
        assert!(get(&engine, &sessions, &id).is_some());
    }
}

#[test]
fn a_value_that_was_moved_is_no_session() {
    let (engine, sessions) = (Engine::new(), with(ring(&["a"], false)));
    let other =
        Sessions::new(Options { prefix: Some("other:".into()), encryption: ring(&["a"], false), ..Options::default() });
    let [mine, stolen] = [(); 2].map(|()| create(&engine, &sessions, token()));
    let value = raw(&engine, &stolen);
    put(&engine, &mine, &value);
    assert_eq!(get(&engine, &sessions, &mine), None);
    assert!(get(&engine, &sessions, &stolen).is_some());
    put(&engine, "x", &value);
    assert_eq!(get(&engine, &sessions, "x"), None);
    let key = format!("other:{}", hash(&stolen)).into_bytes();
    engine.execute(vec![cinnabar_port::Request::keyed("SET", [key.into(), value.into()])]).remove(0).unwrap();
    assert_eq!(get(&engine, &other.unwrap(), &stolen), None, "under another prefix");
    assert_eq!(sessions.stats().errors, 2);
    assert!(sessions.has_unreadable());
    let refused = Create { id: Some("x".into()), ..Create::default() };
    let error = engine.run(sessions.create("ada", "t", "{}", refused)).unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "what cannot be read is not overwritten");
}

#[test]
fn keys_are_replaced_while_sessions_go_on() {
    let engine = Engine::new();
    let (old, both, new) = (with(ring(&["a"], false)), with(ring(&["b", "a"], false)), with(ring(&["b"], false)));
    let (id, idle) = (create(&engine, &old, token()), create(&engine, &old, token()));
    let session = get(&engine, &old, &id);
    assert!(session.is_some() && get(&engine, &both, &id) == session && get(&engine, &new, &id).is_none());
    assert!(raw(&engine, &id).starts_with(b"sealed1:a:"));
    assert!(engine.run(both.touch(&id)).unwrap());
    assert!(raw(&engine, &id).starts_with(b"sealed1:a:"), "renewing writes no value");
    assert!(engine.run(both.update(&id, "{}")).unwrap());
    assert!(raw(&engine, &id).starts_with(b"sealed1:b:"));
    assert!(get(&engine, &old, &id).is_none() && get(&engine, &new, &id) == session);
    let rotated = engine.run(both.rotate(&idle, 10.0)).unwrap().unwrap();
    assert!(raw(&engine, &rotated).starts_with(b"sealed1:b:") && get(&engine, &new, &rotated).is_some());
    let wrong = KeyRing::new([("b".to_owned(), [0; 32])], false).unwrap();
    assert!(get(&engine, &with(Some(Arc::new(wrong))), &id).is_none(), "another key with the same id");
}

#[test]
fn plain_values_are_accepted_only_where_that_was_asked_for() {
    let (engine, plain) = (Engine::new(), with(None));
    let (strict, lax) = (with(ring(&["a"], false)), with(ring(&["a"], true)));
    let (id, other) = (create(&engine, &plain, token()), create(&engine, &plain, Create::default()));
    engine.raw(&["SET", "session:forged", r#"{"userId":"admin"}"#]);
    for id in [id.as_str(), &other, "forged"] {
        assert_eq!(get(&engine, &strict, id), None);
        assert!(!engine.run(strict.update(id, "{}")).unwrap() && !engine.run(strict.touch(id)).unwrap());
        let session = get(&engine, &lax, id);
        assert!(session.is_some());
        assert!(engine.run(lax.update(id, "{}")).unwrap());
        assert!(raw(&engine, id).starts_with(b"sealed1:a:"), "{id}");
        assert!(get(&engine, &strict, id) == session && get(&engine, &lax, id) == session);
        assert_eq!(get(&engine, &plain, id), None, "a manager without keys does not return ciphertext");
    }
    assert!(plain.has_unreadable() && strict.stats().errors > 0);
}

#[test]
fn nothing_is_encrypted_twice_with_one_nonce() {
    let (engine, sessions) = (Engine::new(), with(ring(&["a"], false)));
    let id = create(&engine, &sessions, token());
    let nonce = || raw(&engine, &id)[b"sealed1:a:".len()..][..12].to_vec();
    let nonces: std::collections::HashSet<_> = (0..1000)
        .map(|_| {
            engine.run(sessions.update(&id, "{}")).unwrap();
            nonce()
        })
        .collect();
    assert_eq!(nonces.len(), 1000);
}

#[test]
fn a_wrong_ring_is_an_error_without_the_key() {
    const KEY: &str = "a secret of thirty-one bytes...";
    let ring = |keys: &[(&str, &str)]| {
        let keys = keys.iter().map(|(id, key)| ((*id).to_owned(), *key)).collect::<Vec<_>>();
        KeyRing::new(keys, false)
    };
    let long = "x".repeat(65);
    let good = "a secret of thirty-two bytes....";
    for (keys, wanted) in [
        (vec![], "encryption.keys must have at least one key"),
        (vec![("a", KEY)], "encryption.keys[0].key must be 32 bytes"),
        (vec![("a", good), ("a", good)], "encryption.keys[1].id is that of another key"),
        (vec![("a", good), ("", good)], "encryption.keys[1].id must be 1 to 64"),
        (vec![("a:b", good)], "encryption.keys[0].id must be 1 to 64"),
        (vec![(&long, good)], "encryption.keys[0].id must be 1 to 64"),
    ] {
        let error = ring(&keys).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidArgument);
        assert!(error.message().starts_with(wanted) && !error.message().contains("secret"), "{error}");
    }
    let text =
        format!("{:?}", Options { encryption: Some(Arc::new(ring(&[("k1", good)]).unwrap())), ..Options::default() });
    assert!(text.contains("k1") && !text.contains("secret") && !text.contains("97, 32"), "{text}");
}
