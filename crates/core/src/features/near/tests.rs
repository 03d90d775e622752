use std::time::Duration;

use cinnabar_port::{
    Call, Replies, Reply, Request, Step,
    error::{Error, Kind},
};

use super::*;

const BOUND: Duration = Duration::from_millis(500);
const KIND: NearKind = NearKind(1);

fn near() -> NearAt {
    let near = Arc::new(Near::new(Prefix::new("api:").unwrap(), 1 << 20, BOUND, false));
    near.trust(None);
    NearAt { near, now: at(0), is_confirmed: false, is_missing: false }
}

fn at(ms: u64) -> Moment {
    Moment { steady: Duration::from_millis(1000 + ms), wall: Duration::from_millis(1_700_000_000_000 + ms) }
}

fn key(name: &str) -> Bytes {
    format!("api:{name}").into()
}

/// Reads a value twice, after which it is near.
fn keep(near: &NearAt, key: &Bytes, json: &'static str, epoch_keys: &[Bytes]) {
    near.note(key);
    let reading = near.begin(key, &[]).expect("is watched");
    near.keep(key, &reading, entry(&Bytes::from_static(json.as_bytes()), Duration::from_secs(1), epoch_keys));
}

fn entry<'a>(json: &'a Bytes, ttl: Duration, epoch_keys: &'a [Bytes]) -> NewEntry<'a> {
    NewEntry { kind: KIND, json, ttl, life: None, epoch_keys }
}

fn found(near: &NearAt, key: &Bytes) -> Option<Bytes> {
    near.find(key, KIND).map(|entry| entry.json.clone())
}

#[test]
fn a_value_is_kept_when_it_is_read_again_and_until_its_ttl_ends() {
    let mut near = near();
    let key = key("a");
    assert!(near.begin(&key, &[]).is_none(), "it was not read before");
    keep(&near, &key, "1", &[]);
    assert_eq!(found(&near, &key).as_deref(), Some(&b"1"[..]));
    near.now = at(999);
    assert!(found(&near, &key).is_some());
    near.now = at(1000);
    assert!(found(&near, &key).is_none());
}

#[test]
fn a_change_removes_a_value_and_what_was_being_read_meanwhile() {
    let near = near();
    let (key, epoch) = (key("a"), Bytes::from_static(b"api:{api:tag:t}:mark"));
    keep(&near, &key, "1", &[]);
    near.near.changed(&key);
    assert!(found(&near, &key).is_none());
    let begin = || near.begin(&key, &[]).unwrap();
    let end = |reading, epochs: &[Bytes]| {
        near.keep(&key, &reading, entry(&Bytes::from_static(b"1"), BOUND, epochs));
        found(&near, &key).is_some()
    };
    let reading = begin();
    near.near.changed(&key);
    assert!(!end(reading, &[]), "the key changed");
    let reading = begin();
    near.near.changed_all();
    assert!(!end(reading, &[]), "everything changed");
    let reading = begin();
    near.near.changed(&epoch);
    assert!(!end(reading, std::slice::from_ref(&epoch)), "a tag changed");
    let expecting = || near.begin(&key, std::slice::from_ref(&epoch)).unwrap();
    let reading = expecting();
    near.near.changed(&epoch);
    assert!(!end(reading, std::slice::from_ref(&epoch)), "a tag changed that was expected");
    let reading = expecting();
    near.near.changed(&Bytes::from_static(b"api:{api:tag:other}:mark"));
    assert!(end(reading, std::slice::from_ref(&epoch)), "another tag changed");
    near.near.changed(&key);
    assert!(end(begin(), std::slice::from_ref(&epoch)));
    near.near.changed(&Bytes::from_static(b"api:{api:tag:other}:mark"));
    assert!(found(&near, &key).is_some(), "another tag");
    near.near.changed(&epoch);
    assert!(found(&near, &key).is_none());
}

#[test]
fn values_are_trusted_for_a_while_after_the_last_news_and_not_after_a_doubt() {
    let mut near = near();
    let key = key("a");
    near.near.trust(Some(at(0)));
    keep(&near, &key, "1", &[]);
    near.now = at(500);
    assert!(found(&near, &key).is_some());
    near.now = at(501);
    assert!(found(&near, &key).is_none());
    near.is_confirmed = true;
    assert!(found(&near, &key).is_some(), "it was confirmed");
    near.is_confirmed = false;
    near.near.trust(Some(at(400)));
    assert!(found(&near, &key).is_some(), "there is news");
    // Suspended: only the wall clock shows that time has passed.
    near.now.wall += Duration::from_secs(60);
    assert!(found(&near, &key).is_none());
    near.now = at(400);
    near.near.distrust();
    near.near.trust(Some(at(400)));
    assert!(found(&near, &key).is_none(), "changes may have been missed");
    near.near.distrust();
    assert!(near.begin(&key, &[]).is_none(), "nothing is kept");
}

#[test]
fn a_strict_one_needs_a_confirmation() {
    let mut near = near();
    near.near = Arc::new(Near::new(Prefix::new("api:").unwrap(), 1 << 20, BOUND, true));
    near.near.trust(Some(at(0)));
    let key = key("a");
    keep(&near, &key, "1", &[]);
    assert!(found(&near, &key).is_none());
    near.is_confirmed = true;
    assert!(found(&near, &key).is_some());
}

#[test]
fn it_takes_no_more_memory_than_it_may() {
    let near = near();
    for number in 0..20_000 {
        keep(&near, &key(&number.to_string()), "\"some value of thirty-two bytes..\"", &[]);
    }
    let (weight, most) = (near.near.entries.weight(), 1 << 20);
    assert!(weight <= most && weight > most * 8 / 10, "{weight} of {most} bytes");
}

#[test]
fn javascript_sees_each_change_in_a_word() {
    let near = near();
    let (key, epoch) = (key("a"), Bytes::from_static(b"api:{api:tag:t}:mark"));
    keep(&near, &key, "1", std::slice::from_ref(&epoch));
    let copy = near.copy(&key, KIND).unwrap();
    let word = |position: usize| f64::from_bits(near.near.words().as_slice()[position].load(Ordering::Relaxed)) as u64;
    assert_eq!((word(copy.cell.0), word(2), Some(word(3))), (copy.cell.1, copy.generation, copy.tag_changes));
    near.near.changed(&epoch);
    assert_ne!(Some(word(3)), copy.tag_changes);
    near.near.changed(&key);
    assert_ne!(word(copy.cell.0), copy.cell.1);
    near.near.changed_all();
    assert_ne!(word(2), copy.generation);
}

#[test]
fn a_value_of_another_kind_is_not_found() {
    let near = near();
    let key = key("a");
    keep(&near, &key, "1", &[]);
    assert!(near.find(&key, NearKind(2)).is_none() && near.copy(&key, NearKind(2)).is_none());
    assert!(found(&near, &key).is_some(), "it is still there for others");
}

#[test]
fn a_watched_call_changes_the_keys_of_its_writes_before_and_after() {
    let near = near();
    let [read, written, next] = ["read", "written", "next"].map(key);
    let is_near = |key: &Bytes| found(&near, key).is_some();
    let keep_all = || [&read, &written, &next].into_iter().for_each(|key| keep(&near, key, "1", &[]));
    keep_all();
    let set = |key: &Bytes| Request::keyed("SET", [key.clone(), Bytes::from_static(b"2")]);
    let then = Call::new(set(&next), |_| Ok(()));
    let call = Call::round([Request::get(read.clone()), set(&written)], move |_| Ok(Step::Next(then)));
    let call = watched(Nears::from_iter([near.near.clone()]), call);
    assert!(is_near(&read) && !is_near(&written) && is_near(&next), "it is sent");
    keep_all();
    let replies = || Replies([Ok(Reply::Nil), Ok(Reply::Int(1))].into_iter().collect());
    let Ok(Step::Next(call)) = (call.read)(replies()) else { panic!("there is another round") };
    assert!(is_near(&read) && !is_near(&written) && !is_near(&next), "its reply is there, and the next is sent");
    keep_all();
    let failed = Replies([Err(Error::new(Kind::Unavailable, "lost"))].into_iter().collect());
    assert!((call.read)(failed).is_err());
    assert!(is_near(&written) && !is_near(&next), "it may have been done");
}
