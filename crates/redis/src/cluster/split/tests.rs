use cinnabar_port::{effect::positive_count, error::Done};

use super::*;

const FIRSTS: [u16; 3] = [0, 5461, 10_923];

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn request(name: &'static str, words: &[&str], keys: Keys) -> Request {
    let mut request = Request::with_keys(name, words.iter().map(|word| bytes(word)).collect(), 0);
    request.keys = keys;
    request
}

fn keyed(name: &'static str, keys: &[&str]) -> Request {
    request(name, keys, Keys::leading(keys.len()))
}

fn cut(request: Request) -> Result<(Vec<Part>, Join)> {
    split(request, || FIRSTS.to_vec())
}

fn slots(parts: &[Part]) -> Vec<Option<u16>> {
    parts.iter().map(|part| part.slot).collect()
}

fn text(words: &[&str]) -> Reply {
    Reply::Array(words.iter().map(|word| Reply::Bulk(bytes(word))).collect())
}

fn lost() -> Error {
    Error::new(Kind::NotSent, "nothing was sent")
}

#[test]
fn a_request_of_one_slot_stays_whole() {
    for whole in [keyed("GET", &["a"]), keyed("DEL", &["{a}1", "{a}2"]), keyed("MGET", &["{a}1", "{a}2"])] {
        let count = whole.args.len();
        let (parts, join) = cut(whole).unwrap();
        assert_eq!(slots(&parts), [Some(slot_of(b"a"))]);
        assert_eq!(parts[0].request.args.len(), count);
        assert_eq!(join.join(vec![Ok(Reply::Int(2))], &Effect::ALWAYS).unwrap(), Reply::Int(2));
    }
}

#[test]
fn values_come_back_in_the_order_of_their_keys() {
    let (parts, join) = cut(keyed("MGET", &["a", "b", "{a}2", "b"])).unwrap();
    let asked: Vec<Vec<&[u8]>> =
        parts.iter().map(|part| part.request.args.iter().map(|key| &key[..]).collect()).collect();
    assert_eq!(asked, [vec![&b"a"[..], b"{a}2"], vec![b"b", b"b"]]);
    assert_eq!(slots(&parts), [Some(slot_of(b"a")), Some(slot_of(b"b"))]);
    let joined = join.join(vec![Ok(text(&["A", "A2"])), Ok(text(&["B", "B"]))], &Effect::None).unwrap();
    assert_eq!(joined, text(&["A", "B", "A2", "B"]));
}

#[test]
fn a_node_that_returns_too_few_values_shifts_none() {
    let (_, join) = cut(keyed("MGET", &["a", "b"])).unwrap();
    let error = join.join(vec![Ok(text(&[])), Ok(text(&["B"]))], &Effect::None).unwrap_err();
    assert_eq!(error.kind, Kind::InvalidData);
}

#[test]
fn counts_are_added() {
    for name in ["DEL", "UNLINK", "EXISTS", "TOUCH"] {
        let (parts, join) = cut(keyed(name, &["a", "b", "c"])).unwrap();
        assert_eq!(parts.len(), 3);
        assert_eq!(
            join.join([1, 0, 1].map(|count| Ok(Reply::Int(count))).into(), &Effect::ALWAYS).unwrap(),
            Reply::Int(2)
        );
    }
}

#[test]
fn commands_for_all_nodes_are_sent_to_every_node() {
    let asks = |name| cut(request(name, &[], Keys::NONE)).unwrap();
    for name in ["DBSIZE", "KEYS", "FLUSHALL", "FLUSHDB"] {
        assert_eq!(slots(&asks(name).0), FIRSTS.map(Some), "{name}");
    }
    let numbers = || [1, 2, 3].map(|count| Ok(Reply::Int(count))).to_vec();
    assert_eq!(asks("DBSIZE").1.join(numbers(), &Effect::None).unwrap(), Reply::Int(6));
    let lists = vec![Ok(text(&["a"])), Ok(text(&[])), Ok(text(&["b", "c"]))];
    assert_eq!(asks("KEYS").1.join(lists, &Effect::None).unwrap(), text(&["a", "b", "c"]));
    assert_eq!(asks("FLUSHALL").1.join(vec![Ok(Reply::text("OK")); 3], &Effect::ALWAYS).unwrap(), Reply::text("OK"));
}

#[test]
fn a_partly_applied_call_is_not_reported_as_not_applied() {
    let fails = |replies, effect| {
        let (_, join) = cut(keyed("DEL", &["a", "b"])).unwrap();
        join.join(replies, &effect).unwrap_err()
    };
    let count = || Effect::Count(positive_count);
    let error = fails(vec![Ok(Reply::Int(1)), Err(lost())], count());
    assert_eq!((error.kind, error.done()), (Kind::MaybeApplied, Some(&Done::Count(1))));
    assert_eq!(fails(vec![Err(lost()), Ok(Reply::Int(1))], count()).kind, Kind::MaybeApplied);
    assert_eq!(fails(vec![Ok(Reply::Int(0)), Err(lost())], count()).kind, Kind::NotSent);
    assert_eq!(fails(vec![Err(lost()), Err(lost())], count()).kind, Kind::NotSent);
    assert_eq!(fails(vec![Ok(Reply::Int(1)), Err(lost())], Effect::None).kind, Kind::NotSent);
    let refused = || Err(Error::from_server("NOPERM no"));
    assert_eq!(fails(vec![Ok(Reply::Int(1)), refused()], count()).kind, Kind::MaybeApplied);
    assert_eq!(fails(vec![refused(), refused()], count()).kind, Kind::Auth);
}

#[test]
fn a_page_comes_from_one_node_and_the_cursor_leads_on() {
    let scan = |cursor: &str| cut(request("SCAN", &[cursor, "COUNT", "5"], Keys::NONE)).unwrap();
    let step = |cursor: &'static str| vec![Ok(Reply::Array(vec![Reply::text(cursor), text(&["k"])]))];
    let (mut cursor, mut asked) = (String::from("0"), Vec::new());
    loop {
        let (parts, join) = scan(&cursor);
        asked.push((parts[0].slot.unwrap(), parts[0].request.args[0].clone()));
        let inner = if asked.len() % 2 == 1 { "17" } else { "0" };
        let [next, keys] = join.join(step(inner), &Effect::None).unwrap().tuple().unwrap();
        assert_eq!(keys, text(&["k"]));
        cursor = String::from_utf8(next.bulk().unwrap().unwrap().to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
    }
    let wanted: Vec<_> = FIRSTS.iter().flat_map(|first| [(*first, bytes("0")), (*first, bytes("17"))]).collect();
    assert_eq!(asked, wanted);
    assert_eq!(slots(&scan("nonsense").0), [None], "the server says what is wrong with it");
}

#[test]
fn a_command_over_two_slots_is_rejected_with_advice() {
    let pairs = Keys::at(0, 2, 2);
    for refused in [request("MSET", &["a", "1", "b", "2"], pairs), keyed("SINTER", &["a", "b"])] {
        let error = cut(refused).unwrap_err();
        assert_eq!(error.kind, Kind::Unsupported);
        for part in [&slot_of(b"a").to_string(), &slot_of(b"b").to_string(), "{a}:x"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
    assert_eq!(slots(&cut(request("MSET", &["{a}1", "1", "{a}2", "2"], pairs)).unwrap().0), [Some(slot_of(b"a"))]);
}

#[test]
fn unknown_keys_are_guessed_at_their_common_positions() {
    let goes = |name, words: &[&str]| slots(&cut(request(name, words, Keys::Unknown)).unwrap().0)[0];
    assert_eq!(goes("STRLEN", &["a"]), Some(slot_of(b"a")));
    assert_eq!(goes("EVAL", &["return 1", "1", "a"]), Some(slot_of(b"a")));
    assert_eq!(goes("EVAL", &["return 1", "0", "a"]), None);
    assert_eq!(goes("PUBLISH", &["a", "b"]), None);
    assert_eq!(goes("TIME", &[]), None);
    assert_eq!(slots(&cut(request("INFO", &["server"], Keys::NONE)).unwrap().0), [None]);
}
