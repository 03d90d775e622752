use std::time::Duration;

use cinnabar_core::features::room::{Options, Rooms};

use crate::run::Engine;

fn rooms() -> Rooms {
    Rooms::new(Options::default()).unwrap()
}

fn text(bytes: bytes::Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn users_are_added_and_removed() {
    let (engine, rooms) = (Engine::new(), rooms());
    engine.run(rooms.add_user("x", "u1", r#"{"name":"Ann","tags":[]}"#, "2026-01-02")).unwrap();
    engine.raw(&["HSET", "room:x:users", "u2", "no JSON"]);
    let users = r#"{"u1":{"name":"Ann","tags":[],"joinedAt":"2026-01-02"},"u2":{"error":"Invalid data"}}"#;
    assert_eq!(text(engine.run(rooms.users("x")).unwrap()), users);
    assert_eq!(engine.run(rooms.remove_user("x", "u2")).unwrap().0, 1);
    assert_eq!(engine.run(rooms.remove_user("x", "u2")).unwrap().0, 0);
    engine.assert_all_have_a_ttl();
    engine.advance(Duration::from_secs(86_401));
    assert_eq!(text(engine.run(rooms.users("x")).unwrap()), "{}");
}

#[test]
fn the_newest_hundred_messages_are_retained() {
    let (engine, rooms) = (Engine::new(), rooms());
    assert_eq!(text(engine.run(rooms.recent("x", 10.0)).unwrap()), "[]");
    for n in 0..150 {
        engine.run(rooms.store_message("x", &format!("{{\"n\":{n}}}"), "t")).unwrap();
    }
    let newest = r#"[{"n":149,"timestamp":"t"},{"n":148,"timestamp":"t"}]"#;
    assert_eq!(text(engine.run(rooms.recent("x", 2.0)).unwrap()), newest);
    assert_eq!(text(engine.run(rooms.recent("x", 1e9)).unwrap()).matches("\"n\"").count(), 100);
    assert_eq!(engine.raw(&["LLEN", "room:x:messages"]).int().unwrap(), 100);
    engine.assert_all_have_a_ttl();
}
