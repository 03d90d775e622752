use std::{collections::HashSet, time::Duration};

use cinnabar_core::features::session::{Create, Options, Sessions, public_id};
use cinnabar_port::{Call, Step, error::Kind};

use crate::run::{Dice, Engine};

const USER: &str = "session:{session:user:u}:sessions";
const EPOCH: &str = "session:{session:user:u}:epoch";

fn sessions() -> Sessions {
    Sessions::new(Options::default()).unwrap()
}

fn own(ttl: f64, tags: &[&str]) -> Create {
    Create { ttl: Some(ttl), tags: tags.iter().map(|tag| tag.to_string()).collect(), ..Create::default() }
}

fn create(engine: &Engine, sessions: &Sessions, options: Create) -> String {
    engine.run(sessions.create("u", "2026-01-02", r#"{"l":[],"n":9007199254740993}"#, options)).unwrap()
}

fn ids(engine: &Engine, sessions: &Sessions, user: &str) -> Vec<String> {
    engine.run(sessions.list(user, false)).unwrap().into_iter().map(|session| session.id).collect()
}

fn is_valid(engine: &Engine, sessions: &Sessions, id: &str) -> bool {
    engine.run(sessions.get(id)).unwrap().is_some()
}

fn listed(engine: &Engine, index: &str) -> HashSet<String> {
    let ids = engine.raw(&["ZRANGE", index, "0", "-1"]).array().unwrap().into_iter();
    ids.map(|id| String::from_utf8(id.bulk().unwrap().unwrap().to_vec()).unwrap()).collect()
}

/// A writer that increments its own field again and again.
struct Writer {
    field: String,
    count: u32,
    update: Option<Call<bool>>,
}

#[test]
fn eight_writers_lose_nothing() {
    let (engine, sessions, mut dice) = (Engine::new(), sessions(), Dice(3));
    let id = create(&engine, &sessions, Create::default());
    let mut writers: Vec<_> = (0..8).map(|n| Writer { field: format!("w{n}"), count: 0, update: None }).collect();
    let mut most = 0;
    while !writers.is_empty() {
        let at = dice.below(writers.len());
        let writer = &mut writers[at];
        let call = match writer.update.take() {
            Some(call) => call,
            None => {
                let json = String::from_utf8(engine.run(sessions.get(&id)).unwrap().unwrap().to_vec()).unwrap();
                let before = format!("\"{}\":{}", writer.field, writer.count);
                assert!(writer.count == 0 || json.contains(&before), "{before} was lost: {json}");
                sessions.update(&id, &format!("{{\"{}\":{}}}", writer.field, writer.count + 1)).unwrap()
            }
        };
        match engine.step(call).unwrap() {
            Step::Next(next) => writer.update = Some(next),
            Step::Done(updated) => {
                assert!(updated);
                writer.count += 1;
                most = most.max(writer.count);
                if writer.count == 100 {
                    writers.swap_remove(at);
                }
            }
        }
    }
    let json = engine.text(&format!("session:{id}")).unwrap();
    assert!(json.starts_with(r#"{"userId":"u","createdAt":"2026-01-02","l":[],"n":9007199254740993,"w"#), "{json}");
    assert_eq!((json.matches(":100").count(), most), (8, 100), "{json}");
}

#[test]
fn a_destroyed_session_never_comes_back() {
    let (engine, sessions, mut dice) = (Engine::new(), sessions(), Dice(4));
    for _ in 0..300 {
        let id = create(&engine, &sessions, own(60.0, &["t"]));
        let calls = vec![
            sessions.update(&id, r#"{"a":1}"#).unwrap(),
            sessions.touch(&id).unwrap(),
            sessions.destroy(&id).unwrap().map(|count| count == 1),
            sessions.update(&id, r#"{"b":2}"#).unwrap(),
            sessions.extend(&id, 3600.0).unwrap(),
        ];
        let results = engine.race(calls, &mut dice);
        assert!(results.into_iter().nth(2).unwrap().unwrap(), "it existed");
        assert_eq!(engine.text(&format!("session:{id}")), None);
        assert!(!engine.run(sessions.update(&id, "{}")).unwrap());
        assert!(!engine.run(sessions.touch(&id)).unwrap() && !engine.run(sessions.extend(&id, 9.0)).unwrap());
        assert_eq!(engine.run(sessions.destroy(&id)).unwrap(), 0);
    }
    engine.assert_all_have_a_ttl();
}

#[test]
fn ttls_are_as_requested() {
    let (engine, sessions) = (Engine::new(), sessions());
    let near = |key: &str, seconds: i64| {
        let left = engine.left(key);
        assert!((seconds * 1000 - 5_000..=seconds * 1000).contains(&left), "{key} has {left} ms, not {seconds} s");
    };
    let plain = format!("session:{}", create(&engine, &sessions, Create::default()));
    near(&plain, 86_400);
    engine.advance(Duration::from_secs(1000));
    engine.run(sessions.update(&plain[8..], "{}")).unwrap();
    near(&plain, 86_400);
    engine.run(sessions.extend(&plain[8..], 3600.0)).unwrap();
    near(&plain, 3600);
    engine.run(sessions.touch(&plain[8..])).unwrap();
    near(&plain, 86_400);

    let own = format!("session:{}", create(&engine, &sessions, own(600.0, &[])));
    near(&own, 600);
    engine.advance(Duration::from_secs(500));
    engine.run(sessions.update(&own[8..], "{}")).unwrap();
    near(&own, 600);
    engine.run(sessions.extend(&own[8..], 7200.0)).unwrap();
    near(&own, 7200);
    engine.run(sessions.touch(&own[8..])).unwrap();
    near(&own, 600);

    engine.run(sessions.store("mine", r#"{"a":1}"#, 3600.0)).unwrap();
    near("session:mine", 3600);
    assert_eq!(engine.text("session:mine").as_deref(), Some(r#"{"a":1}"#));
    engine.run(sessions.update("mine", "{}")).unwrap();
    near("session:mine", 3600);
    for data in [r#"{"a":1}"#, r#"{"userId":"u"}"#] {
        engine.run(sessions.store("short", data, 60.0)).unwrap();
        engine.advance(Duration::from_secs(30));
        engine.run(sessions.touch("short")).unwrap();
        near("session:short", 60);
        engine.advance(Duration::from_secs(30));
        engine.run(sessions.update("short", "{}")).unwrap();
        near("session:short", 60);
    }
    engine.assert_all_have_a_ttl();
}

#[test]
fn the_index_has_all_valid_sessions_and_cleans_itself() {
    let (engine, sessions) = (Engine::new(), sessions());
    let (mut valid, short) = (HashSet::new(), create(&engine, &sessions, own(10.0, &["t"])));
    for _ in 0..20 {
        valid.insert(create(&engine, &sessions, own(1000.0, &["t"])));
    }
    let list = || ids(&engine, &sessions, "u").into_iter().collect::<HashSet<_>>();
    assert_eq!(list().len(), 21);
    engine.advance(Duration::from_secs(11));
    assert_eq!(list(), valid, "expired sessions are not listed");

    // However they are renewed, they stay listed until they expire.
    let ids: Vec<_> = valid.iter().cloned().collect();
    engine.advance(Duration::from_secs(900));
    for (n, id) in ids.iter().enumerate() {
        let renewed = match n % 3 {
            0 => engine.run(sessions.update(id, r#"{"a":1}"#)),
            1 => engine.run(sessions.touch(id)),
            _ => engine.run(sessions.extend(id, 2000.0)),
        };
        assert!(renewed.unwrap());
    }
    assert!(!listed(&engine, USER).contains(&short));
    engine.advance(Duration::from_secs(950));
    assert_eq!(list(), valid);
    engine.advance(Duration::from_secs(100));
    let extended: HashSet<_> = ids.iter().skip(2).step_by(3).cloned().collect();
    assert_eq!(list(), extended);
    assert_eq!(engine.run(sessions.destroy_by_tag("t")).unwrap(), extended.len() as i64);
    assert!(list().is_empty() && listed(&engine, USER).is_disjoint(&extended));
    engine.assert_all_have_a_ttl();
    engine.advance(Duration::from_secs(4000));
    assert_eq!(engine.raw(&["DBSIZE"]).int().unwrap(), 0);
}

#[test]
fn a_destroyed_session_leaves_nothing() {
    let (engine, sessions) = (Engine::new(), sessions());
    let id = create(&engine, &sessions, own(60.0, &["a", "b"]));
    assert_eq!(engine.run(sessions.destroy(&id)).unwrap(), 1);
    let left = engine.raw(&["KEYS", "*"]).array().unwrap();
    assert_eq!(left.len(), 3, "the epochs of a user and two tags");
    engine.assert_all_have_a_ttl();
}

#[test]
fn dropping_a_user_or_tag_drops_those_and_no_others() {
    let (engine, sessions) = (Engine::new(), sessions());
    for n in 0..600 {
        let tags = vec![format!("t{}", n % 2)];
        let user = format!("u{}", n % 3);
        engine.run(sessions.create(&user, "t", "{}", Create { tags, ..Create::default() })).unwrap();
    }
    assert_eq!(engine.run(sessions.destroy_by_tag("t0")).unwrap(), 300);
    assert_eq!(engine.run(sessions.destroy_by_tag("t0")).unwrap(), 0);
    assert_eq!(engine.run(sessions.invalidate_user("u1")).unwrap(), 100);
    assert_eq!(ids(&engine, &sessions, "u1").len(), 0);
    assert_eq!(ids(&engine, &sessions, "u2").len(), 100);
    assert_eq!(engine.run(sessions.invalidate_user("stranger")).unwrap(), 0);
    engine.assert_all_have_a_ttl();
}

#[test]
fn a_session_created_during_a_drop_is_listed_or_dropped() {
    let (engine, sessions, mut dice) = (Engine::new(), sessions(), Dice(5));
    for _ in 0..200 {
        let before: Vec<_> = (0..3).map(|_| create(&engine, &sessions, own(60.0, &["t"]))).collect();
        let mut calls: Vec<_> = (0..4)
            .map(|n| {
                let id = (n % 2 == 0).then(|| format!("chosen{n}"));
                sessions.create("u", "t", "{}", Create { id, ..own(60.0, &[]) }).unwrap().map(drop)
            })
            .collect();
        calls.push(sessions.invalidate_user("u").unwrap().map(drop));
        calls.push(sessions.destroy_by_tag("t").unwrap().map(drop));
        for result in engine.race(calls, &mut dice) {
            result.unwrap();
        }
        assert!(before.iter().all(|id| engine.text(&format!("session:{id}")).is_none()));
        let keys = engine.raw(&["KEYS", "session:[^{]*"]).array().unwrap().into_iter();
        let made = keys.map(|key| String::from_utf8(key.bulk().unwrap().unwrap()[8..].to_vec()).unwrap());
        let valid: Vec<_> = made.filter(|id| is_valid(&engine, &sessions, id)).collect();
        assert_eq!(ids(&engine, &sessions, "u").len(), valid.len(), "a valid session that is in no index");
        engine.run(sessions.invalidate_user("u")).unwrap();
        assert!(!valid.iter().any(|id| is_valid(&engine, &sessions, id)));
        engine.raw(&["FLUSHALL"]);
    }
}

#[test]
fn a_session_that_reuses_an_id_being_destroyed_is_listed() {
    let (engine, sessions, mut dice) = (Engine::new(), sessions(), Dice(8));
    let store = || sessions.store("mine", r#"{"userId":"u"}"#, 100.0).unwrap().map(drop);
    let mut survived = 0;
    for _ in 0..300 {
        engine.run(Ok(store())).unwrap();
        engine.advance(Duration::from_secs(40));
        let drops =
            [sessions.destroy("mine").unwrap(), sessions.invalidate_user("u").unwrap()].map(|call| call.map(drop));
        for result in engine.race(drops.into_iter().chain([store()]).collect(), &mut dice) {
            result.unwrap();
        }
        let valid = is_valid(&engine, &sessions, "mine");
        assert_eq!(ids(&engine, &sessions, "u").len(), usize::from(valid), "a valid session that is in no index");
        engine.run(sessions.invalidate_user("u")).unwrap();
        assert!(!is_valid(&engine, &sessions, "mine"));
        survived += usize::from(valid);
    }
    assert!((50..250).contains(&survived), "both outcomes of the race occur");
    assert!(listed(&engine, USER).is_empty());
}

#[test]
fn a_chosen_id_is_taken_once() {
    let (engine, sessions, mut dice) = (Engine::new(), sessions(), Dice(6));
    for _ in 0..50 {
        let options = || Create { id: Some("mine".into()), ..Create::default() };
        let calls = (0..5).map(|n| sessions.create(&format!("u{n}"), "t", "{}", options()).unwrap()).collect();
        let results = engine.race(calls, &mut dice);
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.into_iter().filter_map(Result::err).all(|error| error.kind == Kind::Conflict));
        assert_eq!(engine.run(sessions.destroy("mine")).unwrap(), 1);
    }
}

#[test]
fn a_rolling_session_is_renewed_by_reads() {
    let engine = Engine::new();
    let options = Options { rolling: true, ttl: Some(100.0), ..Options::default() };
    let sessions = Sessions::new(options).unwrap();
    let (plain, owned) = (create(&engine, &sessions, Create::default()), create(&engine, &sessions, own(50.0, &["t"])));
    for _ in 0..10 {
        engine.advance(Duration::from_secs(40));
        assert!(engine.run(sessions.get(&plain)).unwrap().is_some());
        assert!(engine.run(sessions.get(&owned)).unwrap().is_some());
    }
    assert_eq!(ids(&engine, &sessions, "u").len(), 2);
    engine.run(sessions.extend(&plain, 1000.0)).unwrap();
    engine.run(sessions.get(&plain)).unwrap();
    assert!(engine.left(&format!("session:{plain}")) > 900_000, "reading never shortens a ttl");
    engine.advance(Duration::from_secs(51));
    assert!(engine.run(sessions.get(&owned)).unwrap().is_none());
    assert_eq!(engine.run(sessions.destroy_by_tag("t")).unwrap(), 0);
}

#[test]
fn values_of_other_programs_are_unchanged() {
    let (engine, sessions) = (Engine::new(), sessions());
    engine.raw(&["SET", "session:a", "[1]"]);
    assert!(!engine.run(sessions.update("a", "{}")).unwrap(), "it is no session");
    assert_eq!(engine.text("session:a").as_deref(), Some("[1]"));
    assert!(!engine.run(sessions.touch("a")).unwrap());
    assert_eq!(engine.run(sessions.destroy("a")).unwrap(), 1);
}

#[test]
fn a_dropped_session_stays_dropped_whatever_keys_are_lost() {
    let (engine, mut dice) = (Engine::new(), Dice(9));
    let mut lost = 0;
    for round in 0..400 {
        // Other processes, which have no hints.
        let (sessions, others) = (sessions(), self::sessions());
        let id = create(&engine, &sessions, own(600.0, &["t"]));
        let chosen = format!("chosen{round}");
        let store = || sessions.store(&chosen, r#"{"userId":"u"}"#, 60.0);
        engine.run(store()).unwrap();
        let keys = engine.raw(&["KEYS", "*"]).array().unwrap();
        for key in keys {
            let key = String::from_utf8(key.bulk().unwrap().unwrap().to_vec()).unwrap();
            if key.contains('{') && dice.below(3) == 0 {
                engine.raw(&["DEL", &key]);
                lost += 1;
            }
        }
        if engine.text(EPOCH).is_none() {
            assert!(
                !is_valid(&engine, &others, &id) && !is_valid(&engine, &others, &chosen),
                "these could not be ended"
            );
        }
        let calls = vec![
            others.invalidate_user("u").unwrap().map(drop),
            sessions.update(&id, r#"{"a":1}"#).unwrap().map(drop),
            others.touch(&chosen).unwrap().map(drop),
            others.extend(&id, 600.0).unwrap().map(drop),
            sessions.get(&id).unwrap().map(drop),
        ];
        for result in engine.race(calls, &mut dice) {
            result.unwrap();
        }
        for id in [&id, &chosen] {
            assert!(!is_valid(&engine, &others, id) && !is_valid(&engine, &sessions, id), "round {round}");
            assert!(!engine.run(others.touch(id)).unwrap() && !engine.run(others.update(id, "{}")).unwrap());
        }
        assert!(ids(&engine, &others, "u").is_empty());
        // The id of an invalid session can be reused.
        let options = Create { id: Some(chosen.clone()), ..Create::default() };
        engine.run(others.create("u", "t", "{}", options)).unwrap();
        assert!(is_valid(&engine, &sessions, &chosen));
    }
    assert!(lost > 400, "{lost} keys were lost");
    engine.assert_all_have_a_ttl();
}

#[test]
fn a_session_belongs_to_the_user_that_it_names() {
    let (engine, sessions) = (Engine::new(), sessions());
    let id = create(&engine, &sessions, own(600.0, &["t"]));
    assert!(engine.run(sessions.update(&id, r#"{"userId":"v"}"#)).unwrap());
    assert!(ids(&engine, &sessions, "u").is_empty());
    assert_eq!(ids(&engine, &sessions, "v"), [id.as_str()]);
    assert_eq!(engine.run(sessions.invalidate_user("u")).unwrap(), 0);
    assert!(is_valid(&engine, &sessions, &id), "it belongs to another user");
    assert!(engine.run(sessions.update(&id, r#"{"userId":null}"#)).unwrap());
    assert!(ids(&engine, &sessions, "v").is_empty());
    engine.run(sessions.invalidate_user("v")).unwrap();
    assert!(is_valid(&engine, &sessions, &id), "it has no owner");
    assert_eq!(engine.run(sessions.destroy_by_tag("t")).unwrap(), 1, "it keeps its tags");

    for user in ["u", "v"] {
        engine.run(sessions.store("mine", &format!(r#"{{"userId":"{user}"}}"#), 60.0)).unwrap();
    }
    assert!(ids(&engine, &sessions, "u").is_empty());
    assert_eq!(engine.run(sessions.invalidate_user("u")).unwrap(), 0);
    assert!(is_valid(&engine, &sessions, "mine"));
    assert_eq!(engine.run(sessions.invalidate_user("v")).unwrap(), 1);
    assert!(!is_valid(&engine, &sessions, "mine"));
}

#[test]
fn a_session_has_a_public_id() {
    let (engine, sessions) = (Engine::new(), sessions());
    let id = create(&engine, &sessions, Create::default());
    let (name, wrong) = (public_id(&id), public_id("other"));
    assert!(name.len() == 32 && !name.contains(&id[..8]));
    assert_eq!(engine.run(sessions.destroy_of("v", name.clone())).unwrap(), 0);
    assert_eq!(engine.run(sessions.destroy_of("u", wrong)).unwrap(), 0);
    assert!(!is_valid(&engine, &sessions, &name));
    assert_eq!(engine.run(sessions.destroy_of("u", name)).unwrap(), 1);
    assert!(!is_valid(&engine, &sessions, &id));
}
