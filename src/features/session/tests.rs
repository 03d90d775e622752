use super::*;
use crate::store::Replies;

fn sessions() -> Sessions {
    Sessions::new(Options::default()).unwrap()
}

fn feed<T>(call: Call<T>, replies: Vec<Result<Reply>>) -> Result<Step<T>> {
    assert_eq!(call.requests.len(), replies.len(), "a reply for each request");
    (call.read)(Replies(replies.into_iter().collect()))
}

fn next<T>(call: Call<T>, replies: Vec<Reply>) -> Call<T> {
    match feed(call, replies.into_iter().map(Ok).collect()).unwrap() {
        Step::Next(call) => call,
        Step::Done(_) => panic!("one more round is needed"),
    }
}

fn done<T>(call: Call<T>, replies: Vec<Reply>) -> Result<T> {
    match feed(call, replies.into_iter().map(Ok).collect())? {
        Step::Done(answer) => Ok(answer),
        Step::Next(_) => panic!("no more rounds are needed"),
    }
}

fn names<T>(call: &Call<T>) -> Vec<&str> {
    call.requests.iter().map(Request::name).collect()
}

fn last_args<T>(call: &Call<T>) -> Vec<String> {
    let args = &call.requests.last().unwrap().args;
    args.iter().map(|arg| String::from_utf8(arg.to_vec()).unwrap()).collect()
}

#[test]
fn a_session_is_listed_then_stored_in_one_round() {
    let data = r#"{"role":"admin","n":9007199254740993}"#;
    let call = sessions().create("u1", "2026-01-02T03:04:05.678Z", data, Create::default()).unwrap();
    assert_eq!(names(&call), ["session/index_add.lua", "SET"]);
    let args = last_args(&call);
    assert_eq!(args[0].len(), "session:".len() + 48);
    let json = r#"{"userId":"u1","createdAt":"2026-01-02T03:04:05.678Z","role":"admin","n":9007199254740993}"#;
    assert_eq!(args[1..], [json, "PX", "86400000", "NX"]);
    assert_eq!(format!("session:{}", done(call, vec![Reply::Int(1), Reply::text("OK")]).unwrap()), args[0]);
}

#[test]
fn data_overrides_as_a_spread_does() {
    let data = r#"{"a":1,"userId":"u2"}"#;
    let call = sessions().create("u1", "t", data, Create::default()).unwrap();
    assert_eq!(call.requests[0].args[0], "session:{session:user:u2}:sessions");
    assert_eq!(last_args(&call)[1], r#"{"userId":"u2","createdAt":"t","a":1}"#);
}

#[test]
fn an_id_that_is_taken_lists_nothing() {
    let options = || Create { id: Some("mine".into()), tags: vec!["t".into()], ttl: Some(60.0) };
    let call = sessions().create("u", "t", "{}", options()).unwrap();
    assert_eq!(names(&call), ["EXISTS"]);
    assert_eq!(done(call, vec![Reply::Int(1)]).unwrap_err().kind, Kind::Conflict);

    let call = sessions().create("u", "t", "{}", options()).unwrap();
    let call = next(call, vec![Reply::Int(0)]);
    assert_eq!(names(&call), ["session/index_add.lua", "session/index_add.lua", "session/create.lua"]);
    assert_eq!(last_args(&call)[4..], ["60000 [\"t\"]", "120000"]);
    let none = done(call, vec![Reply::Int(1), Reply::Int(1), Reply::Int(0)]);
    assert_eq!(none.unwrap_err().kind, Kind::Conflict);
}

#[test]
fn an_update_is_replayed_on_what_it_finds() {
    let call = sessions().update("a", r#"{"mine":1}"#).unwrap();
    assert_eq!(names(&call), ["GET", "GET"]);
    let call = next(call, vec![Reply::text(r#"{"userId":"u","l":[],"n":9007199254740993}"#), Reply::Nil]);
    assert_eq!(last_args(&call)[2], r#"{"userId":"u","l":[],"n":9007199254740993,"mine":1}"#);

    let fresh = r#"{"userId":"u","l":[],"n":9007199254740993,"theirs":2}"#;
    let call = next(call, vec![Reply::text(fresh)]);
    let args = last_args(&call);
    assert_eq!(args[1], fresh);
    assert_eq!(args[2], r#"{"userId":"u","l":[],"n":9007199254740993,"theirs":2,"mine":1}"#);
    assert_eq!(args[3..], ["86400000", "86390000"], "a life that began ten seconds ago is not renewed");
    assert!(done(call, vec![Reply::Int(1)]).unwrap());
}

#[test]
fn a_renewed_life_is_listed_first() {
    let call = sessions().update("a", r#"{"n":1}"#).unwrap();
    let call = next(call, vec![Reply::text(r#"{"userId":"u"}"#), Reply::Nil]);
    assert_eq!(names(&call), ["session/cas.lua"]);
    let call = next(call, vec![Reply::Int(0)]);
    assert_eq!(names(&call), ["session/index_add.lua", "session/cas.lua"]);
    assert_eq!(last_args(&call)[4], "0");
    assert!(done(call, vec![Reply::Int(1), Reply::Int(1)]).unwrap());
}

#[test]
fn a_session_that_moves_to_another_user_is_listed_as_theirs() {
    let call = sessions().update("a", r#"{"userId":"b"}"#).unwrap();
    let call = next(call, vec![Reply::text(r#"{"userId":"u"}"#), Reply::Nil]);
    assert_eq!(names(&call), ["session/index_add.lua", "session/cas.lua"]);
    assert_eq!(call.requests[0].args[0], "session:{session:user:b}:sessions");
}

#[test]
fn an_update_of_a_destroyed_session_is_refused() {
    let call = sessions().update("a", "{}").unwrap();
    assert!(!done(call, vec![Reply::Nil, Reply::Nil]).unwrap());
    let call = next(sessions().update("a", "{}").unwrap(), vec![Reply::text("{}"), Reply::Nil]);
    assert_eq!(names(&call), ["session/cas.lua"]);
    assert!(!done(call, vec![Reply::Nil]).unwrap());
}

#[test]
fn an_update_of_something_else_leaves_it() {
    let call = sessions().update("a", "{}").unwrap();
    assert_eq!(done(call, vec![Reply::text("[1]"), Reply::Nil]).unwrap_err().kind, Kind::InvalidData);
}

#[test]
fn an_update_does_not_go_on_for_ever() {
    let mut call = next(sessions().update("a", "{}").unwrap(), vec![Reply::text("{}"), Reply::Nil]);
    for _ in 0..10_000 {
        match feed(call, vec![Ok(Reply::text("{}"))]) {
            Ok(Step::Next(again)) => call = again,
            Ok(Step::Done(_)) => panic!("others were faster"),
            Err(error) => return assert_eq!(error.kind, Kind::Conflict),
        }
    }
    panic!("it went on");
}

#[test]
fn a_session_with_a_life_of_its_own_gets_that_one() {
    let own = Reply::text("60000 [\"t\"]");
    let call = next(sessions().update("a", "{}").unwrap(), vec![Reply::text("{}"), own.clone()]);
    assert_eq!(last_args(&call)[3..], ["60000", "59400"]);
    let call = next(call, vec![Reply::Int(0)]);
    assert_eq!(names(&call), ["session/index_add.lua", "PEXPIRE", "session/cas.lua"]);
    assert_eq!(last_args(&call)[3], "60000");
    let call = next(sessions().touch("a").unwrap(), vec![Reply::text("{}"), own.clone()]);
    assert_eq!(last_args(&call), ["session:a", "60000"]);
    let call = next(sessions().extend("a", 3600.0).unwrap(), vec![Reply::text("{}"), own]);
    assert_eq!(last_args(&call), ["session:a", "3600000"]);
}

#[test]
fn what_was_dropped_after_the_look_up_is_not_cached() {
    let fill = || {
        let call = sessions().fill("h", 1000, r#"{"id":7}"#, 300.0).unwrap();
        assert_eq!(call.requests[0].args[0], "session:{session:user:7}:sessions");
        next(call, vec![Reply::Int(1), Reply::text("OK")])
    };
    assert!(done(fill(), vec![Reply::Nil]).unwrap());
    assert!(done(fill(), vec![Reply::text("999")]).unwrap());
    let call = next(fill(), vec![Reply::text("1000")]);
    assert_eq!((names(&call), last_args(&call)), (vec!["DEL"], vec!["session:h".to_owned()]));
    assert!(!done(call, vec![Reply::Int(1)]).unwrap());
}

#[test]
fn look_ups_are_counted() {
    let sessions = sessions();
    let look = || sessions.lookup("token").unwrap();
    let time = || Reply::Array(vec![Reply::text("2"), Reply::text("3")]);
    let hash = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
    let found = done(look(), vec![Reply::text("{}"), time()]).unwrap();
    assert_eq!(found, Lookup { hash: hash.into(), user: Some("{}".into()), stamp: 2_000_003 });
    assert_eq!(done(look(), vec![Reply::Nil, time()]).unwrap().user, None);
    assert!(feed(look(), vec![Err(Error::new(Kind::Unavailable, "down")), Ok(time())]).is_err());
    assert_eq!(sessions.stats(), Stats { hits: 1, misses: 1, errors: 1 });
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let sessions = sessions();
    let create = |user: &str, data: &str, ttl| sessions.create(user, "t", data, Create { ttl, ..Create::default() });
    assert!(
        create("", "{}", None).is_err() && create("u", "[]", None).is_err() && create("u", "{}", Some(0.0)).is_err()
    );
    assert!(create("a\0b", "{}", None).is_err() && create("u", r#"{"userId":"a\u0000"}"#, None).is_err());
    assert!(sessions.get("").is_err() && sessions.destroy("").is_err() && sessions.update("a", "1").is_err());
    assert!(sessions.extend("a", f64::NAN).is_err() && sessions.store("a", "{}", -1.0).is_err());
    assert!(sessions.fill("h", 0, "{", 1.0).is_err() && sessions.lookup("").is_err());
    assert!(Sessions::new(Options { ttl: Some(f64::INFINITY), ..Options::default() }).is_err());
}
