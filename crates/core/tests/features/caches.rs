use std::time::Duration;

use bytes::Bytes;
use cinnabar_core::features::cache::{Cache, EntryOptions, Lease, LoadOptions, LoadStart, OnUnavailable, Options};
use cinnabar_port::{
    Call, Replies, Reply, Step,
    error::{Error, Kind, Result},
};

use crate::run::{Dice, Engine};

fn cache() -> Cache {
    Cache::new(Options::default()).unwrap()
}

fn tagged(tags: &[&str]) -> EntryOptions {
    EntryOptions { tags: tags.iter().map(|tag| (*tag).into()).collect(), ..EntryOptions::default() }
}

/// Options of a load that may take a minute.
fn load_options(tags: &[&str]) -> LoadOptions {
    LoadOptions { entry: tagged(tags), max_duration: Duration::from_secs(60), ..LoadOptions::default() }
}

fn lease(found: LoadStart) -> Lease {
    found.lease.unwrap()
}

/// The epoch of a lease, without the number of the load.
fn epoch(lease: &Lease) -> &str {
    lease.id.split_once(':').unwrap().0
}

fn get(engine: &Engine, cache: &Cache, name: &str) -> Option<String> {
    engine.run(Ok(cache.get(name, None))).unwrap().map(|json| String::from_utf8(json.to_vec()).unwrap())
}

fn set(engine: &Engine, cache: &Cache, name: &str, json: &str, keep: EntryOptions) {
    engine.run(cache.set(name, json.into(), keep)).unwrap();
}

#[test]
fn a_plain_value_is_plain_json() {
    let (engine, cache) = (Engine::new(), cache());
    set(&engine, &cache, "a", r#"{"n":9007199254740993}"#, EntryOptions::default());
    assert_eq!(engine.text("api:a").as_deref(), Some(r#"{"n":9007199254740993}"#));
    assert_eq!(get(&engine, &cache, "a").as_deref(), Some(r#"{"n":9007199254740993}"#));
    engine.advance(Duration::from_secs(301));
    assert_eq!(get(&engine, &cache, "a"), None);
}

#[test]
fn a_tag_invalidates_only_its_entries() {
    let (engine, here, there) = (Engine::new(), cache(), cache());
    set(&engine, &here, "a", "1", tagged(&["x", "y"]));
    set(&engine, &here, "b", "2", tagged(&["y"]));
    set(&engine, &here, "c", "3", EntryOptions::default());
    assert_eq!(get(&engine, &there, "a").as_deref(), Some("1"), "another process reads its first tagged entry");
    let before = engine.text("api:a");
    engine.run(Ok(there.invalidate_by_tag("x"))).unwrap();
    assert_eq!(engine.text("api:a"), before, "entries are unchanged");
    for cache in [&here, &there] {
        assert_eq!(get(&engine, cache, "a"), None);
        assert_eq!(get(&engine, cache, "b").as_deref(), Some("2"));
        assert_eq!(get(&engine, cache, "c").as_deref(), Some("3"));
    }
    set(&engine, &there, "a", "4", tagged(&["x"]));
    assert_eq!(get(&engine, &here, "a").as_deref(), Some("4"), "a value set after an invalidation is valid");
    engine.assert_all_have_a_ttl();
}

#[test]
fn a_new_process_sees_earlier_invalidations() {
    let (engine, early) = (Engine::new(), cache());
    set(&engine, &early, "old", "1", tagged(&["x"]));
    set(&engine, &early, "gone", "1", tagged(&["y"]));
    engine.run(Ok(early.invalidate_by_tag("y"))).unwrap();
    let late = cache();
    assert_eq!(get(&engine, &late, "gone"), None);
    assert_eq!(get(&engine, &late, "old").as_deref(), Some("1"));
}

#[test]
fn a_lost_epoch_makes_every_entry_with_that_tag_a_miss() {
    let (engine, cache) = (Engine::new(), cache());
    set(&engine, &cache, "a", "1", tagged(&["x"]));
    set(&engine, &cache, "c", "3", tagged(&["y"]));
    assert_eq!(get(&engine, &cache, "a").as_deref(), Some("1"));
    engine.raw(&["DEL", "api:{api:tag:x}:mark"]);
    assert_eq!(get(&engine, &cache, "a"), None);
    set(&engine, &cache, "b", "2", tagged(&["x"]));
    assert_eq!(get(&engine, &cache, "b").as_deref(), Some("2"));
    assert_eq!(get(&engine, &cache, "a"), None, "a new epoch does not make old entries valid");
    assert_eq!(get(&engine, &cache, "c").as_deref(), Some("3"));
    engine.advance(Duration::from_secs(299));
    assert_eq!(get(&engine, &cache, "b").as_deref(), Some("2"), "an epoch has at least the ttl of its entries");
}

#[test]
fn an_entry_of_an_earlier_version_is_a_miss() {
    let (engine, cache) = (Engine::new(), cache());
    engine.raw(&["SET", "api:a", "\u{1}{\"at\":{\"e\":5,\"n\":1},\"tags\":[\"x\"]}\n1", "EX", "60"]);
    assert_eq!(get(&engine, &cache, "a"), None);
}

#[test]
fn invalidating_an_unused_tag_creates_no_key() {
    let (engine, cache) = (Engine::new(), cache());
    for n in 0..100 {
        engine.run(Ok(cache.invalidate_by_tag(&format!("user:{n}")))).unwrap();
    }
    assert_eq!(engine.raw(&["DBSIZE"]).int().unwrap(), 0);
}

#[test]
fn only_reads_of_tagged_values_read_epochs() {
    let (engine, cache) = (Engine::new(), cache());
    set(&engine, &cache, "plain", "1", EntryOptions::default());
    set(&engine, &cache, "tagged", "2", tagged(&["x", "y"]));
    get(&engine, &cache, "tagged");
    assert_eq!(cache.get("plain", None).requests.len(), 1);
    assert_eq!(cache.get("tagged", None).requests.len(), 3, "in one round, once its tags are known");
    set(&engine, &cache, "tagged", "3", EntryOptions::default());
    assert_eq!(get(&engine, &cache, "tagged").as_deref(), Some("3"));
    assert_eq!(cache.get("tagged", None).requests.len(), 1);
}

#[test]
fn a_load_that_started_before_an_invalidation_never_fills_the_cache() {
    let (engine, here, there) = (Engine::new(), cache(), cache());
    let found = engine.run(here.begin("a", load_options(&["x"]), None)).unwrap();
    assert_eq!(found.value, None);
    engine.run(Ok(there.invalidate_by_tag("x"))).unwrap();
    engine.run(here.fill("a", "\"old\"".into(), lease(found), tagged(&["x"]))).unwrap();
    assert_eq!((get(&engine, &here, "a"), get(&engine, &there, "a")), (None, None));
    let found = engine.run(here.begin("a", load_options(&["x"]), None)).unwrap();
    engine.run(here.fill("a", "\"new\"".into(), lease(found), tagged(&["x"]))).unwrap();
    assert_eq!(get(&engine, &there, "a").as_deref(), Some("\"new\""));
}

#[test]
fn a_write_or_removal_in_any_process_cancels_loads() {
    type Change = fn(&Engine, &Cache);
    let changes: [(Change, Option<&str>); 5] = [
        (|engine, there| drop(engine.run(Ok(there.invalidate("user:1")))), None),
        (|engine, there| drop(engine.run(there.invalidate_by_pattern("user:*"))), None),
        (|engine, there| set(engine, there, "user:1", "2", EntryOptions::default()), Some("2")),
        (|engine, there| set(engine, there, "user:1", "2", tagged(&["x"])), Some("2")),
        (|engine, _| drop(engine.raw(&["DEL", "api:{api:user:1}:load"])), None),
    ];
    for (change, left) in changes {
        let (engine, here, there) = (Engine::new(), cache(), cache());
        let found = lease(engine.run(here.begin("user:1", load_options(&[]), None)).unwrap());
        let another = lease(engine.run(there.begin("user:1", load_options(&[]), None)).unwrap());
        assert_eq!(epoch(&found), epoch(&another), "concurrent loads share a lease");
        change(&engine, &there);
        assert!(!engine.run(here.fill("user:1", "1".into(), found.clone(), EntryOptions::default())).unwrap());
        assert_eq!(get(&engine, &here, "user:1").as_deref(), left);
        let later = engine.run(here.open("user:1", load_options(&[]))).unwrap();
        assert_ne!(epoch(&found), epoch(&later));
        engine.run(Ok(here.release("user:1", found.id))).unwrap();
        assert!(
            engine.run(here.fill("user:1", "3".into(), later, EntryOptions::default())).unwrap(),
            "of another load"
        );
        assert_eq!(engine.text("api:user:1").as_deref(), Some("3"));
        engine.assert_all_have_a_ttl();
        engine.advance(Duration::from_secs(1));
        assert_eq!(engine.text("api:{api:user:1}:load"), None);
    }
}

#[test]
fn a_load_never_replaces_the_value_of_one_that_started_later() {
    let begin = |engine: &Engine, cache: &Cache| lease(engine.run(cache.begin("a", load_options(&[]), None)).unwrap());
    let fill = |engine: &Engine, cache: &Cache, json: &str, lease| {
        engine.run(cache.fill("a", json.into(), lease, EntryOptions::default())).unwrap()
    };
    // Of three loads that start in the order of their numbers, every order in which they may end.
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (engine, here, there) = (Engine::new(), cache(), cache());
        let leases = [begin(&engine, &here), begin(&engine, &there), begin(&engine, &here)];
        let mut last = None;
        for load in order {
            let stored = fill(&engine, &there, &load.to_string(), leases[load].clone());
            assert_eq!(stored, last.is_none_or(|last| load > last), "{load} of {order:?}");
            last = last.max(Some(load));
            assert_eq!(get(&engine, &here, "a"), last.map(|last| last.to_string()), "{order:?}");
            // Longer than the lease lives after its last load has stored its value.
            engine.advance(Duration::from_millis(1500));
        }
        engine.assert_all_have_a_ttl();
    }
    // A lease released by a load without a value may still be needed by a later load.
    let (engine, here, there) = (Engine::new(), cache(), cache());
    let (first, second) = (begin(&engine, &here), begin(&engine, &there));
    engine.run(Ok(here.release("a", first.id))).unwrap();
    assert!(fill(&engine, &there, "2", second));
}

#[test]
fn a_pattern_counts_values_and_leaves_other_companions() {
    let (engine, cache) = (Engine::new(), cache());
    set(&engine, &cache, "a", "1", tagged(&["x"]));
    engine.run(cache.begin("b", load_options(&[]), None)).unwrap();
    assert_eq!(engine.run(cache.invalidate_by_pattern("*")).unwrap(), 1);
    assert_eq!(engine.text("api:{api:b}:load"), None);
    let nowhere = Cache::new(Options { prefix: Some(String::new()), ..Options::default() }).unwrap();
    assert_eq!(nowhere.invalidate_by_pattern("*").err().map(|error| error.kind), Some(Kind::InvalidArgument));
}

#[test]
fn an_entry_is_stale_in_the_last_part_of_its_ttl() {
    let (engine, cache) = (Engine::new(), cache());
    let keep = EntryOptions { ttl: Some(10.0), stale_while_revalidate: Some(5.0), ..EntryOptions::default() };
    set(&engine, &cache, "a", "1", keep);
    let begin = || engine.run(cache.begin("a", load_options(&[]), None)).unwrap();
    assert!(!begin().stale && begin().value.is_some());
    engine.advance(Duration::from_secs(11));
    assert!(begin().stale && begin().value.is_some() && cache.stats().stale_hits > 0);
    assert_eq!(get(&engine, &cache, "a"), None, "a plain read loads no fresh value");
    engine.advance(Duration::from_secs(5));
    assert_eq!(begin().value, None);
}

#[test]
fn a_pattern_removes_matching_entries() {
    let (engine, cache) = (Engine::new(), cache());
    for name in ["user:1", "user:2", "user", "post:1", "user:*", "user:{x}"] {
        set(&engine, &cache, name, "1", EntryOptions::default());
    }
    for n in 0..3000 {
        set(&engine, &cache, &format!("many:{n}"), "1", EntryOptions::default());
    }
    assert_eq!(engine.run(cache.invalidate_by_pattern("user:\\*")).unwrap(), 1);
    assert_eq!(engine.run(cache.invalidate_by_pattern("user:*")).unwrap(), 3);
    assert_eq!(engine.run(cache.invalidate_by_pattern("many:*")).unwrap(), 3000);
    assert!(get(&engine, &cache, "user").is_some() && get(&engine, &cache, "post:1").is_some());
}

/// A concurrent operation.
enum Doing {
    Begin,
    Fill,
    Invalidate,
    Get(u64),
}

/// A source that counts up, an invalidation after each change, and loads and reads that race all of it: a read that began
/// after an invalidation had finished never returns a value that was loaded before it.
#[test]
fn no_read_is_older_than_the_last_finished_invalidation() {
    for seed in 0..200 {
        race(&mut Dice(seed));
    }
}

fn race(dice: &mut Dice) {
    let engine = Engine::new();
    let processes = [cache(), cache(), cache()];
    let (mut source, mut finished) = (0_u64, 0_u64);
    // Each operation that has begun: its process, its kind, the value when it started, its next round.
    let mut operations: Vec<(usize, Doing, u64, Operation)> = Vec::new();
    for _ in 0..300 {
        if operations.len() < 6 {
            let who = dice.below(3);
            let cache = &processes[who];
            operations.push(match dice.below(4) {
                0 => {
                    source += 1;
                    let drop = match dice.below(3) {
                        0 => cache.invalidate_by_tag("x"),
                        1 => cache.invalidate("a").map(|_| ()),
                        _ => cache.invalidate_by_pattern("a*").unwrap().map(|_| ()),
                    };
                    (who, Doing::Invalidate, source, Operation::Done(drop))
                }
                1 | 2 => (who, Doing::Get(finished), 0, Operation::Read(cache.get("a", None))),
                _ => (who, Doing::Begin, 0, Operation::Begin(cache.begin("a", load_options(&["x"]), None).unwrap())),
            });
        }
        let (who, doing, value, operation) = operations.swap_remove(dice.below(operations.len()));
        match (doing, operation) {
            (Doing::Invalidate, Operation::Done(call)) => match engine.step(call).unwrap() {
                Step::Next(call) => operations.push((who, Doing::Invalidate, value, Operation::Done(call))),
                Step::Done(()) => finished = finished.max(value),
            },
            (Doing::Get(before), Operation::Read(call)) => match engine.step(call).unwrap() {
                Step::Next(call) => operations.push((who, Doing::Get(before), 0, Operation::Read(call))),
                Step::Done(Some(json)) => {
                    let read: u64 = std::str::from_utf8(&json).unwrap().parse().unwrap();
                    assert!(read >= before, "read {read} after {before} was declared invalid");
                }
                Step::Done(None) => {}
            },
            (Doing::Begin, Operation::Begin(call)) => match engine.step(call).unwrap() {
                Step::Next(call) => operations.push((who, Doing::Begin, 0, Operation::Begin(call))),
                Step::Done(found) => {
                    // The load itself: the current value of the source.
                    let Some(lease) = found.lease else { continue };
                    let fill = processes[who].fill("a", source.to_string(), lease, tagged(&["x"]));
                    operations.push((who, Doing::Fill, source, Operation::Fill(fill.unwrap())));
                }
            },
            (Doing::Fill, Operation::Fill(call)) => match engine.step(call).unwrap() {
                Step::Next(call) => operations.push((who, Doing::Fill, value, Operation::Fill(call))),
                Step::Done(_) => {}
            },
            _ => unreachable!("an operation keeps its kind"),
        }
    }
}

enum Operation {
    Done(Call<()>),
    Read(Call<Option<Bytes>>),
    Begin(Call<LoadStart>),
    Fill(Call<bool>),
}

#[test]
fn several_entries_are_read_in_order() -> Result<()> {
    let (engine, cache) = (Engine::new(), cache());
    let entries = [("a", "1", EntryOptions::default()), ("b", "2", tagged(&["x"]))];
    engine.run(cache.set_many(entries.map(|(name, json, keep)| (name.into(), json.into(), keep)).into()))?;
    let names = ["b", "nope", "a"].map(String::from);
    let values = engine.run(Ok(cache.get_many(&names, None)))?;
    assert_eq!(values, [Some("2".into()), None, Some("1".into())]);
    assert_eq!(cache.stats().hits, 2);
    Ok(())
}

fn lost() -> Result<Reply> {
    Err(Error::new(Kind::Timeout, "no reply"))
}

#[test]
fn values_of_one_server_are_returned_although_another_is_unavailable() {
    let reply = || Replies([Ok(Reply::text("1")), lost()].into_iter().collect());
    let names = ["here", "away"].map(String::from);
    let cache = cache();
    let Step::Done(values) = (cache.get_many(&names, None).read)(reply()).unwrap() else { panic!("one round") };
    assert_eq!(values, [Some("1".into()), None]);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.errors), (1, 0, 1));
    let loud = Cache::new(Options { on_unavailable: OnUnavailable::Throw, ..Options::default() }).unwrap();
    assert_eq!((loud.get_many(&names, None).read)(reply()).err().map(|error| error.kind), Some(Kind::Timeout));
}

#[test]
fn a_server_lost_between_two_rounds_is_one_error_and_a_miss() {
    let (engine, writer) = (Engine::new(), cache());
    set(&engine, &writer, "a", "1", tagged(&["x"]));
    // The first read of a tagged entry takes two rounds.
    let lose_second = |call: Call<_>| match engine.step(call).unwrap() {
        Step::Next(next) => (next.read)(Replies(next.requests.iter().map(|_| lost()).collect())),
        Step::Done(_) => panic!("two rounds"),
    };
    let reader = cache();
    assert!(matches!(lose_second(reader.get("a", None)), Ok(Step::Done(None))));
    let stats = reader.stats();
    assert_eq!((stats.hits, stats.misses, stats.errors), (0, 0, 1));
    // A second round also distinguishes stale entries from fresh ones. A load must get the error of an unavailable server.
    let (keep, loader) = (EntryOptions { stale_while_revalidate: Some(60.0), ..EntryOptions::default() }, cache());
    set(&engine, &writer, "b", "2", keep);
    let Step::Next(next) = engine.step(loader.begin("b", load_options(&[]), None).unwrap()).unwrap() else {
        panic!("two rounds")
    };
    let result = (next.read)(Replies(next.requests.iter().map(|_| lost()).collect()));
    assert_eq!(result.err().map(|error| error.kind), Some(Kind::Timeout));
    assert_eq!(loader.stats().errors, 1);
}

#[test]
fn an_unreadable_entry_is_an_error_and_no_miss() {
    let (engine, cache) = (Engine::new(), cache());
    set(&engine, &cache, "a", "1", tagged(&["x"]));
    let Step::Next(next) = engine.step(self::cache().get("a", None)).unwrap() else { panic!("two rounds") };
    let wrong = || Err(Error::from_server("WRONGTYPE Operation against a key holding the wrong kind of value"));
    let result = (next.read)(Replies(next.requests.iter().map(|_| wrong()).collect()));
    assert_eq!(result.err().map(|error| error.kind), Some(Kind::WrongType));
}
