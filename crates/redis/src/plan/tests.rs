use cinnabar_port::Keys;

use super::*;

fn get(key: &'static str) -> Request {
    Request::get(Bytes::from_static(key.as_bytes()))
}

fn set(key: &'static str) -> Request {
    Request::keyed("SET", [Bytes::from_static(key.as_bytes()), Bytes::from_static(b"1")])
}

fn shape(batch: Vec<Request>) -> String {
    shape_of(batch, 100)
}

fn shape_of(batch: Vec<Request>, value_bytes: usize) -> String {
    let names = Plan::new(batch, value_bytes).commands.into_iter().map(|command| match command {
        OutgoingCommand::One(request) => request.name().to_owned(),
        OutgoingCommand::Get(keys) => format!("GET*{}", keys.len()),
        OutgoingCommand::Many(many) => format!("{}*{}", many.script.name, many.items()),
    });
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn reads_travel_together() {
    assert_eq!(shape(vec![get("a"), get("b"), get("a")]), "GET*3");
}

#[test]
fn a_read_never_overtakes_a_write_of_its_key() {
    assert_eq!(shape(vec![get("a"), set("b"), get("b")]), "GET*1 SET GET*1");
    assert_eq!(shape(vec![get("a"), set("b"), get("c")]), "GET*2 SET");
    assert_eq!(shape(vec![set("a"), get("a"), get("b")]), "SET GET*2");
}

#[test]
fn nothing_overtakes_a_command_of_unknown_keys() {
    let mut unknown = set("x");
    unknown.keys = Keys::Unknown;
    assert_eq!(shape(vec![get("a"), unknown, get("b")]), "GET*1 SET GET*1");
}

#[test]
fn a_group_has_a_bound() {
    let many = |count| (0..count).map(|_| get("a")).collect();
    assert_eq!(shape(many(300)), "GET*256 GET*44");
    assert_eq!(shape_of(many(10), 200 << 10), "GET*5 GET*5", "large values travel in smaller groups");
    assert_eq!(shape_of(many(2), 100 << 20), "GET*1 GET*1");
}

#[test]
fn each_request_gets_its_own_reply() {
    let plan = Plan::new(vec![get("a"), set("b"), get("c")], 0);
    let replies = vec![Ok(Reply::Array(vec![Reply::text("A"), Reply::text("C")])), Ok(Reply::text("OK"))];
    let replies = plan.scatter(Delivery::All(replies)).into_some();
    let replies: Vec<_> = replies.into_iter().map(|(_, reply)| reply.unwrap()).collect();
    assert_eq!(replies, vec![Reply::text("A"), Reply::text("OK"), Reply::text("C")]);
}

#[test]
fn keys_that_items_share_are_sent_once() {
    static ADD: Script = Script::new("add", "", 1, 1).same_keys();
    let add = |queue: &'static str, job: &'static str| {
        let keys = [queue, "ready", job].map(|key| Bytes::from_static(key.as_bytes())).to_vec();
        Request::script_with(&ADD, keys, [Bytes::from_static(b"x")]).merging(Merge::Script)
    };
    let batch = vec![add("q", "a"), add("r", "b"), add("q", "c"), add("r", "d")];
    let plan = Plan::new(batch, 0);
    let keys = plan.commands.iter().map(|command| match command {
        OutgoingCommand::Many(many) => many.keys.join(&b' '),
        _ => Vec::new(),
    });
    assert_eq!(keys.collect::<Vec<_>>(), [b"q ready a c", b"r ready b d"]);
    let both = |one, other| Ok(Reply::Array(vec![Reply::Int(1), Reply::text(one), Reply::Int(1), Reply::text(other)]));
    let replies = plan.scatter(Delivery::All(vec![both("A", "C"), both("B", "D")])).into_some();
    let replies: Vec<_> = replies.into_iter().map(|(_, reply)| reply.unwrap()).collect();
    assert_eq!(replies, ["A", "B", "C", "D"].map(Reply::text));
}

#[test]
fn available_replies_are_returned_to_their_requests() {
    let plan = Plan::new(vec![get("a"), set("b"), get("c")], 0);
    let some = plan.scatter(Delivery::Some(vec![(1, Ok(Reply::text("OK")))])).into_some();
    assert!(matches!(&some[..], [(1, Ok(reply))] if *reply == Reply::text("OK")));
    let rest = plan.scatter(Delivery::Some(vec![(0, Ok(Reply::Array(vec![Reply::text("A"), Reply::text("C")])))]));
    let rest: Vec<_> = rest.into_some().into_iter().map(|(at, reply)| (at, reply.unwrap())).collect();
    assert_eq!(rest, [(0, Reply::text("A")), (2, Reply::text("C"))]);
    let alone = Plan::new(vec![set("a"), set("b")], 0);
    let last = alone.scatter(Delivery::Some(vec![(1, Ok(Reply::Int(2)))])).into_some();
    assert!(matches!(last[..], [(1, Ok(Reply::Int(2)))]), "nothing was arranged, and the first is not there");
}
