use cinnabar_port::{Replies, Reply};

use super::{
    metadata::{Metadata, Record},
    *,
};

const KNOWN: &str = "0102030405060708 - 0";

fn sessions() -> Sessions {
    Sessions::new(Options::default()).unwrap()
}

fn reply<T>(call: Call<T>, replies: Vec<Result<Reply>>) -> Result<Step<T>> {
    assert_eq!(call.requests.len(), replies.len(), "a reply for each request");
    (call.read)(Replies(replies.into_iter().collect()))
}

fn next<T>(call: Call<T>, replies: Vec<Reply>) -> Call<T> {
    match reply(call, replies.into_iter().map(Ok).collect()).unwrap() {
        Step::Next(call) => call,
        Step::Done(_) => panic!("one more round is needed"),
    }
}

fn done<T>(call: Call<T>, replies: Vec<Reply>) -> Result<T> {
    match reply(call, replies.into_iter().map(Ok).collect())? {
        Step::Done(result) => Ok(result),
        Step::Next(_) => panic!("no more rounds are needed"),
    }
}

fn names<T>(call: &Call<T>) -> Vec<&str> {
    call.requests.iter().map(Request::name).collect()
}

fn keys<T>(call: &Call<T>) -> Vec<String> {
    call.requests.iter().map(|request| String::from_utf8(request.args[0].to_vec()).unwrap()).collect()
}

fn last_args<T>(call: &Call<T>) -> Vec<String> {
    let args = &call.requests.last().unwrap().args;
    args.iter().map(|arg| String::from_utf8(arg.to_vec()).unwrap()).collect()
}

fn text(text: impl AsRef<str>) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(text.as_ref().as_bytes()))
}

/// A session of `u` whose epoch is `KNOWN`, with a ttl in seconds.
fn encoded(json: &str, seconds: u64) -> String {
    let metadata = Metadata {
        of: Contents::Session,
        ttl: Duration::from_secs(seconds),
        owner: Some(group::Epoch([1, 2, 3, 4, 5, 6, 7, 8])),
        group_epochs: Vec::new(),
        extra: None,
    };
    String::from_utf8(metadata.append_to(json.as_bytes()).to_vec()).unwrap()
}

/// A call that reads `session:a` first, after it has read that session and its epoch.
fn found<T>(call: Call<T>, value: &str) -> Call<T> {
    assert_eq!(keys(&call), ["session:a"]);
    let call = next(call, vec![text(value)]);
    assert_eq!(keys(&call), ["session:a", "session:{session:user:u}:epoch"]);
    next(call, vec![text(value), text(KNOWN)])
}

#[test]
fn a_session_is_indexed_and_then_stored() {
    let data = r#"{"role":"admin","n":9007199254740993}"#;
    let sessions = sessions();
    let call = sessions.create("u", "2026-01-02T03:04:05.678Z", data, Create::default()).unwrap();
    assert_eq!(names(&call), ["session/index_add.lua"]);
    let call = next(call, vec![text(KNOWN)]);
    assert_eq!(names(&call), ["SET"]);
    let args = last_args(&call);
    let json = r#"{"userId":"u","createdAt":"2026-01-02T03:04:05.678Z","role":"admin","n":9007199254740993}"#;
    assert_eq!(args[1..], [&encoded(json, 86_400), "PX", "86400000", "NX"]);
    let id = done(call, vec![text("OK")]).unwrap();
    assert_eq!((id.len(), format!("session:{id}")), (48, args[0].clone()));

    // The manager that created it knows its epochs and reads it in one round.
    let call = sessions.get(&id).unwrap();
    assert_eq!(keys(&call), [&args[0], "session:{session:user:u}:epoch"]);
    assert_eq!(done(call, vec![text(&args[1]), text(KNOWN)]).unwrap().unwrap(), json);
}

/// A manager that has created a session of `u` when the user's epoch was `KNOWN`.
fn with_known_epoch() -> Sessions {
    let sessions = sessions();
    let call = next(sessions.create("u", "t", "{}", Create::default()).unwrap(), vec![text(KNOWN)]);
    done(call, vec![text("OK")]).unwrap();
    sessions
}

#[test]
fn with_a_known_epoch_a_session_is_created_in_one_round() {
    let call = with_known_epoch().create("u", "t", r#"{"a":1}"#, Create::default()).unwrap();
    assert_eq!(names(&call), ["session/index_add.lua", "SET"]);
    let args = last_args(&call);
    assert_eq!(args[1..], [&encoded(r#"{"userId":"u","createdAt":"t","a":1}"#, 86_400), "PX", "86400000", "NX"]);
    let id = done(call, vec![text(KNOWN), text("OK")]).unwrap();
    assert_eq!(format!("session:{id}"), args[0]);
}

#[test]
fn a_session_that_was_stored_with_an_old_epoch_is_stored_again() {
    let sessions = with_known_epoch();
    let call = sessions.create("u", "t", "{}", Create::default()).unwrap();
    let old = last_args(&call);
    let call = next(call, vec![text("1111111111111111 - 7"), text("OK")]);
    assert_eq!(names(&call), ["SET"]);
    let args = last_args(&call);
    assert_eq!((args.len(), &args[0]), (4, &old[0]), "the same id, whatever is there");
    let record = Record::read_as(&Bytes::from(args[1].clone()), |text, _, _| Some(text)).unwrap();
    assert_eq!(record.group_epochs[0].epoch, group::Epoch([0x11; 8]));
    done(call, vec![text("OK")]).unwrap();

    let call = sessions.create("u", "t", "{}", Create::default()).unwrap();
    assert_eq!(names(&call).len(), 2, "the new epoch is known from then on");
    done(call, vec![text("1111111111111111 - 7"), text("OK")]).unwrap();
}

#[test]
fn after_a_rejected_write_the_next_one_indexes_first() {
    let sessions = with_known_epoch();
    let call = sessions.create("u", "t", "{}", Create::default()).unwrap();
    let refused = Err(Error::new(Kind::OutOfMemory, "OOM"));
    assert_eq!(reply(call, vec![refused, Ok(text("OK"))]).err().unwrap().kind, Kind::OutOfMemory);
    assert_eq!(names(&sessions.create("u", "t", "{}", Create::default()).unwrap()), ["session/index_add.lua"]);
}

#[test]
fn a_session_that_was_read_before_is_read_in_one_round() {
    let (sessions, value) = (sessions(), encoded(r#"{"userId":"u"}"#, 60));
    let call = next(sessions.get("a").unwrap(), vec![text(&value)]);
    assert!(done(call, vec![text(&value), text(KNOWN)]).unwrap().is_some());
    let call = sessions.get("a").unwrap();
    assert_eq!(keys(&call), ["session:a", "session:{session:user:u}:epoch"]);
}

#[test]
fn the_first_argument_is_the_owner() {
    let data = r#"{"a":1,"userId":"admin","createdAt":"long ago"}"#;
    let call = sessions().create("u1", "t", data, Create::default()).unwrap();
    assert_eq!(call.requests[0].args[0], "session:{session:user:u1}:sessions");
    let call = next(call, vec![text(KNOWN)]);
    assert_eq!(last_args(&call)[1].trim_end(), r#"{"userId":"u1","createdAt":"t","a":1}"#);
}

#[test]
fn a_taken_id_is_not_indexed() {
    let options = || Create { id: Some("a".into()), tags: vec!["t".into()], ttl: Some(60.0), token: false };
    let create = || sessions().create("u", "t", "{}", options()).unwrap();
    let call = next(create(), vec![text(encoded(r#"{"userId":"u"}"#, 60))]);
    let taken = done(call, vec![text(encoded(r#"{"userId":"u"}"#, 60)), text(KNOWN)]);
    assert_eq!(taken.unwrap_err().kind, Kind::Conflict);

    let call = next(create(), vec![Reply::Nil]);
    assert_eq!(names(&call), ["session/index_add.lua", "session/index_add.lua"]);
    let call = next(call, vec![text(KNOWN), text(KNOWN)]);
    assert_eq!(names(&call), ["session/create.lua"]);
    assert_eq!(last_args(&call)[2..], ["60000", ""]);
    assert_eq!(done(call, vec![Reply::Int(0)]).unwrap_err().kind, Kind::Conflict);
}

#[test]
fn the_id_of_an_invalid_session_can_be_reused() {
    let options = Create { id: Some("a".into()), ..Create::default() };
    let call = sessions().create("u", "t", "{}", options).unwrap();
    let old = encoded(r#"{"userId":"u"}"#, 60);
    let call = next(call, vec![text(&old)]);
    let call = next(call, vec![text(&old), Reply::Nil]);
    let call = next(call, vec![text(KNOWN)]);
    assert_eq!(last_args(&call)[3], old);
}

#[test]
fn a_session_is_valid_while_its_groups_have_the_recorded_epochs() {
    let value = encoded(r#"{"userId":"u"}"#, 60);
    for (epoch, wanted) in [
        (text(KNOWN), true),
        (text("0102030405060708 3f:7 1700000000000"), true),
        (text("0102030405060709 - 0"), false),
        (text(""), false),
        (text("x"), false),
        (Reply::Nil, false),
    ] {
        let call = next(sessions().get("a").unwrap(), vec![text(&value)]);
        assert_eq!(done(call, vec![text(&value), epoch]).unwrap().is_some(), wanted);
    }
}

#[test]
fn a_value_that_changes_between_two_reads_is_read_again() {
    let (old, new) = (encoded(r#"{"userId":"u"}"#, 60), encoded(r#"{"userId":"u","n":1}"#, 60));
    let call = next(sessions().get("a").unwrap(), vec![text(&old)]);
    let call = next(call, vec![text(&new), text("0102030405060709 - 0")]);
    assert!(done(call, vec![text(&new), text(KNOWN)]).unwrap().is_some());
}

#[test]
fn a_value_of_another_program_is_valid_unless_its_user_was_dropped_since() {
    let count = |json: &str, known: Reply| {
        let call = next(sessions().get("a").unwrap(), vec![text(json)]);
        done(call, vec![text(json), known]).unwrap().is_some()
    };
    let plain = r#"{"userId":"u"}"#;
    assert!(count(plain, Reply::Nil) && count(plain, text(KNOWN)));
    assert!(!count(plain, text("0102030405060708 - 1700000000000")));
    let at = |time: &str| format!(r#"{{"userId":"u","createdAt":"{time}"}}"#);
    assert!(!count(&at("2023-11-14T22:13:20.000Z"), text("0102030405060708 - 1700000000000")));
    assert!(count(&at("2023-11-14T22:13:20.001Z"), text("0102030405060708 - 1700000000000")));
    assert!(done(sessions().get("a").unwrap(), vec![text(r#"{"user":"u"}"#)]).unwrap().is_some());
}

#[test]
fn an_update_is_replayed_on_a_concurrent_change() {
    let first = encoded(r#"{"userId":"u","l":[],"n":9007199254740993}"#, 86_400);
    let call = found(sessions().update("a", r#"{"mine":1}"#).unwrap(), &first);
    assert_eq!(last_args(&call)[2], encoded(r#"{"userId":"u","l":[],"n":9007199254740993,"mine":1}"#, 86_400));

    let fresh = encoded(r#"{"userId":"u","l":[],"n":9007199254740993,"theirs":2}"#, 86_400);
    let call = next(call, vec![text(&fresh)]);
    let args = last_args(&call);
    assert_eq!(args[1], fresh);
    assert_eq!(args[2], encoded(r#"{"userId":"u","l":[],"n":9007199254740993,"theirs":2,"mine":1}"#, 86_400));
    assert_eq!(args[3..], ["86400000", "86390000", ""], "a ttl that began ten seconds ago is not renewed");
    assert!(done(call, vec![Reply::Int(1)]).unwrap());
}

#[test]
fn the_indexes_are_renewed_before_the_ttl() {
    let call = found(sessions().update("a", r#"{"n":1}"#).unwrap(), &encoded(r#"{"userId":"u"}"#, 60));
    assert_eq!(names(&call), ["session/compare_and_set.lua"]);
    assert_eq!(last_args(&call)[3..], ["60000", "59400", ""], "the ttl that it was given");
    let call = next(call, vec![Reply::Int(0)]);
    assert_eq!(names(&call), ["session/index_renew.lua", "session/compare_and_set.lua"]);
    assert_eq!(last_args(&call)[4], "0");
    assert!(done(call, vec![text(KNOWN), Reply::Int(1)]).unwrap());
}

#[test]
fn a_session_with_a_new_owner_is_added_to_their_index() {
    let call = found(sessions().update("a", r#"{"userId":"b"}"#).unwrap(), &encoded(r#"{"userId":"u"}"#, 60));
    assert_eq!(keys(&call), ["session:{session:user:b}:sessions"]);
    let call = next(call, vec![text("ffffffffffffffff - 0")]);
    assert_eq!(names(&call), ["session/compare_and_set.lua"]);
    let value = Bytes::from(last_args(&call)[2].clone());
    let record = metadata::Record::read_as(&value, |text, _, _| Some(text)).unwrap();
    assert_eq!(record.owner(), Some(&Group::user("b".into())));
    assert_eq!(record.group_epochs[0].epoch, group::Epoch([255; 8]));
}

#[test]
fn an_update_of_a_destroyed_session_returns_false() {
    assert!(!done(sessions().update("a", "{}").unwrap(), vec![Reply::Nil]).unwrap());
    let call = next(sessions().update("a", "{}").unwrap(), vec![text("{}")]);
    assert_eq!(names(&call), ["session/compare_and_set.lua"]);
    assert!(!done(call, vec![Reply::Nil]).unwrap());
}

#[test]
fn an_update_never_changes_created_at() {
    let call = found(
        sessions().update("a", r#"{"createdAt":"now","b":1}"#).unwrap(),
        &encoded(r#"{"userId":"u","createdAt":"then"}"#, 60),
    );
    assert_eq!(last_args(&call)[2].trim_end(), r#"{"userId":"u","createdAt":"then","b":1}"#);
}

#[test]
fn an_update_of_another_kind_of_value_changes_nothing() {
    let update = || sessions().update("a", "{}").unwrap();
    assert!(!done(update(), vec![text("[1]")]).unwrap(), "it is no session");
    assert_eq!(done(update(), vec![text("[1")]).unwrap_err().kind, Kind::InvalidData);
}

#[test]
fn an_update_gives_up_after_many_conflicts() {
    let mut call = next(sessions().update("a", "{}").unwrap(), vec![text("{}")]);
    for _ in 0..10_000 {
        match reply(call, vec![Ok(text("{}"))]) {
            Ok(Step::Next(again)) => call = again,
            Ok(Step::Done(_)) => panic!("others were faster"),
            Err(error) => return assert_eq!(error.kind, Kind::Conflict),
        }
    }
    panic!("it went on");
}

#[test]
fn a_session_is_renewed_with_its_own_ttl() {
    let touch = || sessions().touch("a").unwrap();
    let with_ttl = |value: &str, left| Reply::Array(vec![text(value), Reply::Int(left), Reply::Int(1_800_000_000_000)]);
    let value = encoded(r#"{"userId":"u"}"#, 60);
    let call = next(touch(), vec![with_ttl(&value, 9)]);
    let call = next(call, vec![with_ttl(&value, 9), text(KNOWN)]);
    assert_eq!(names(&call), ["session/index_renew.lua", "PEXPIRE"]);
    assert_eq!(last_args(&call), ["session:a", "60000"]);
    // Dropped just before, so it is invalid, whatever its ttl.
    assert!(!done(call, vec![Reply::Nil, Reply::Int(1)]).unwrap());

    // The original ttl of these is unknown.
    let call = next(touch(), vec![with_ttl("{}", 9)]);
    assert_eq!(last_args(&call), ["session:a", "3600000"]);
    assert!(done(touch(), vec![with_ttl("{}", 7_200_000)]).unwrap());
    let call = next(touch(), vec![with_ttl(r#"{"userId":"u"}"#, 9)]);
    let call = next(call, vec![with_ttl(r#"{"userId":"u"}"#, 9), Reply::Nil]);
    assert_eq!(last_args(&call), ["session:a", "86400000"]);
}

#[test]
fn a_token_dropped_after_the_lookup_is_not_cached() {
    let fill = |known: &str| {
        let call = sessions().fill("h", "aa 3f:7", r#"{"id":7}"#, &["7".into()], 300.0).unwrap();
        assert_eq!(call.requests[0].args[0], "session:{session:user:7}:tokens");
        next(call, vec![text(known)])
    };
    // The epoch existed before the load started.
    for known in ["0102030405060708 3f:7 0", "0102030405060708 3f:6 0"] {
        let call = fill(known);
        assert_eq!(names(&call), ["session/store_token.lua"]);
        assert_eq!(last_args(&call)[..3], ["session:h", "session:{session:h}:load", "aa"]);
        assert!(done(call, vec![Reply::Int(1)]).unwrap());
    }
    // Otherwise it may have been created later, so no user at all may have been dropped since.
    for known in ["0102030405060708 3f:8 0", "0102030405060708 40:1 0", KNOWN] {
        let call = fill(known);
        assert_eq!(keys(&call), ["session:{session:}:invalidations"]);
        let call = next(call, vec![text("3f:7")]);
        assert_eq!(names(&call), ["session/record_count.lua", "session/store_token.lua"]);
        assert!(!done(call, vec![Reply::Int(1), Reply::Int(0)]).unwrap(), "the token was dropped");
        let call = next(fill(known), vec![text("3f:8")]);
        assert_eq!(names(&call), ["session/record_count.lua"]);
        assert!(!done(call, vec![Reply::Int(1)]).unwrap());
        let call = fill(known);
        assert!(matches!(reply(call, vec![Ok(Reply::Nil)]).unwrap(), Step::Next(call) if call.requests.is_empty()));
    }
}

#[test]
fn lookups_are_counted() {
    let sessions = sessions();
    let hash = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
    let metadata = Metadata {
        of: Contents::Token,
        ttl: Duration::from_secs(1),
        owner: None,
        group_epochs: Vec::new(),
        extra: None,
    };
    let session = Reply::Bulk(metadata.append_to(b"{}"));
    let found = done(sessions.lookup("token", false).unwrap(), vec![session]).unwrap();
    assert_eq!(found, Lookup { hash: hash.into(), user: Some("{}".into()), stamp: String::new() });
    // A session with that id is not a user.
    let call = next(sessions.lookup("token", false).unwrap(), vec![text("{}")]);
    let missed = done(call, vec![text("aa"), text("3f:7")]).unwrap();
    assert_eq!((missed.user, &*missed.stamp), (None, "aa 3f:7"));
    let replies = vec![Reply::Nil, text("aa"), text("3f:7")];
    assert_eq!(done(sessions.lookup("token", true).unwrap(), replies).unwrap().stamp, "aa 3f:7");
    assert!(reply(sessions.lookup("token", false).unwrap(), vec![Err(Error::new(Kind::Unavailable, "down"))]).is_err());
    assert_eq!(sessions.stats(), Stats { hits: 1, misses: 2, errors: 1, near_hits: 0 });
}

#[test]
fn invalid_arguments_are_rejected() {
    let sessions = sessions();
    let create = |user: &str, data: &str, ttl| sessions.create(user, "t", data, Create { ttl, ..Create::default() });
    assert!(
        create("", "{}", None).is_err() && create("u", "[]", None).is_err() && create("u", "{}", Some(0.0)).is_err()
    );
    assert!(create("a\0b", "{}", None).is_err());
    assert!(sessions.store("a", r#"{"userId":"a\u0000"}"#, 60.0).is_err());
    assert!(sessions.get("").is_err() && sessions.destroy("").is_err() && sessions.update("a", "1").is_err());
    assert!(sessions.extend("a", f64::NAN).is_err() && sessions.store("a", "{}", -1.0).is_err());
    assert!(sessions.fill("h", "", "{", &[], 1.0).is_err() && sessions.lookup("", false).is_err());
    assert!(Sessions::new(Options { ttl: Some(f64::INFINITY), ..Options::default() }).is_err());
}
