use std::time::Duration;

use cinnabar_core::features::cache::{Cache, EntryOptions, LoadOptions, LoadStart, Options};

use crate::run::Engine;

/// Fresh for 100 s, stale for 20 and in its grace for 30.
fn entry(tags: &[&str]) -> EntryOptions {
    EntryOptions {
        ttl: Some(100.0),
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
        stale_while_revalidate: Some(20.0),
        stale_if_error: Some(30.0),
        is_eager: false,
    }
}

fn load(tags: &[&str]) -> LoadOptions {
    LoadOptions { entry: entry(tags), max_duration: Duration::from_secs(60), ..LoadOptions::default() }
}

struct Fixture(Engine, Cache);

impl Fixture {
    fn new(options: Options) -> Self {
        Self(Engine::new(), Cache::new(options).unwrap())
    }

    fn set(&self, name: &str, entry: EntryOptions) {
        self.0.run(self.1.set(name, "1".into(), entry)).unwrap();
    }

    fn expire(&self, tag: &str) {
        self.0.run(Ok(self.1.expire_by_tag(tag))).unwrap();
    }

    fn advance(&self, seconds: u64) {
        self.0.advance(Duration::from_secs(seconds));
    }

    fn is_fresh(&self, name: &str) -> bool {
        self.0.run(Ok(self.1.get(name, None))).unwrap().is_some()
    }

    /// What a load finds.
    fn state(&self, name: &str) -> &'static str {
        match self.0.run(self.1.begin(name, load(&[]), None)).unwrap() {
            LoadStart { value: None, .. } => "miss",
            LoadStart { in_grace: true, .. } => "grace",
            LoadStart { stale: true, .. } => "stale",
            _ => "hit",
        }
    }
}

#[test]
fn an_expired_tag_makes_its_values_stale_for_their_own_time() {
    let it = Fixture::new(Options::default());
    it.set("a", entry(&["x", "y"]));
    it.set("other", entry(&["y"]));
    it.advance(1);
    it.expire("x");
    assert_eq!((it.state("a"), it.state("other")), ("stale", "hit"));
    assert!(!it.is_fresh("a"), "other reads do not find it");
    assert_eq!(it.0.run(Ok(it.1.ttl("a"))).unwrap(), None);
    it.advance(19);
    assert_eq!(it.state("a"), "stale");
    it.advance(2);
    assert_eq!(it.state("a"), "grace");
    it.advance(127);
    assert_eq!(it.state("a"), "grace", "as long as it is stored");
    it.advance(2);
    assert_eq!((it.state("a"), it.state("other")), ("miss", "miss"));
}

#[test]
fn a_value_is_stale_no_longer_than_without_it() {
    let it = Fixture::new(Options::default());
    it.set("a", entry(&["x"]));
    it.advance(115);
    it.expire("x");
    assert_eq!(it.state("a"), "stale");
    it.advance(6);
    assert_eq!(it.state("a"), "grace");
}

#[test]
fn a_value_that_cannot_be_stale_is_invalidated() {
    let it = Fixture::new(Options::default());
    it.set("a", EntryOptions { stale_while_revalidate: None, stale_if_error: None, ..entry(&["x"]) });
    it.set("b", EntryOptions { stale_while_revalidate: None, ..entry(&["x"]) });
    it.set("c", EntryOptions { stale_if_error: None, ..entry(&["x"]) });
    it.expire("x");
    assert_eq!((it.state("a"), it.state("b"), it.state("c")), ("miss", "grace", "stale"));
    it.advance(21);
    assert_eq!(it.state("c"), "miss");
}

#[test]
fn the_first_of_several_expiries_counts() {
    let it = Fixture::new(Options::default());
    it.set("a", entry(&["x"]));
    it.expire("x");
    it.advance(10);
    it.set("b", entry(&["x"]));
    it.expire("x");
    it.expire("x");
    assert_eq!((it.state("a"), it.state("b")), ("stale", "stale"));
    it.advance(9);
    assert_eq!(it.state("a"), "stale");
    it.advance(2);
    it.expire("x");
    assert_eq!((it.state("a"), it.state("b")), ("grace", "stale"));
    it.advance(10);
    assert_eq!(it.state("b"), "grace");
}

#[test]
fn very_many_expiries_are_never_later_than_they_were() {
    let it = Fixture::new(Options::default());
    it.set("never expired before", entry(&["x"]));
    for _ in 0..5 {
        it.advance(1);
        it.expire("x");
    }
    it.set("expired before", entry(&["x"]));
    for _ in 0..100 {
        it.expire("x");
    }
    it.set("last", entry(&["x"]));
    it.expire("x");
    assert!(it.0.text("api:{api:tag:x}:mark").unwrap().len() < 300, "the times are bounded");
    let states = || ["never expired before", "expired before", "last"].map(|name| it.state(name));
    assert_eq!(states(), ["stale"; 3]);
    it.advance(17);
    assert_eq!(states(), ["grace", "stale", "stale"]);
    it.advance(4);
    assert_eq!(states(), ["grace"; 3]);
}

#[test]
fn a_load_that_began_before_is_expired_and_a_later_one_is_not() {
    let it = Fixture::new(Options::default());
    let fill = |name: &str, lease| it.0.run(it.1.fill(name, "1".into(), lease, entry(&["x"]))).unwrap();
    let lease = |name: &str| it.0.run(it.1.open(name, load(&["x"]))).unwrap();
    let before = lease("a");
    it.expire("x");
    let after = lease("b");
    assert!(fill("a", before) && fill("b", after));
    assert_eq!((it.state("a"), it.state("b")), ("stale", "hit"));
    it.0.run(Ok(it.1.invalidate_by_tag("x"))).unwrap();
    assert_eq!((it.state("a"), it.state("b")), ("miss", "miss"));
    it.0.assert_all_have_a_ttl();
}

#[test]
fn two_expiries_in_one_millisecond_differ() {
    let it = Fixture::new(Options::default());
    it.set("a", entry(&["x"]));
    for _ in 0..3 {
        it.set("b", entry(&["x"]));
        assert_eq!(it.state("b"), "hit");
        it.expire("x");
        assert_eq!(it.state("b"), "stale");
    }
}

#[test]
fn a_tag_without_values_has_no_epoch_to_expire() {
    let it = Fixture::new(Options::default());
    it.expire("x");
    assert_eq!(it.0.raw(&["DBSIZE"]).int().unwrap(), 0);
    it.set("a", entry(&["x"]));
    it.0.raw(&["SET", "api:{api:tag:x}:mark", "!of another program"]);
    it.expire("x");
    assert_eq!(it.0.text("api:{api:tag:x}:mark").as_deref(), Some("!of another program"));
    assert_eq!(it.state("a"), "miss");
}

#[test]
fn a_clearable_cache_is_cleared_by_one_key() {
    let it = Fixture::new(Options { clearable: true, ..Options::default() });
    for n in 0..100 {
        it.set(&format!("k{n}"), EntryOptions::default());
    }
    it.set("tagged", entry(&["x"]));
    let lease = it.0.run(it.1.open("loaded", load(&["x"]))).unwrap();
    assert!(it.is_fresh("k5") && it.is_fresh("tagged"));
    assert_eq!(it.1.clear().unwrap().requests.len(), 1);
    it.0.run(it.1.clear()).unwrap();
    assert_eq!((it.state("k5"), it.state("tagged")), ("miss", "miss"));
    it.0.run(it.1.fill("loaded", "1".into(), lease, entry(&["x"]))).unwrap();
    assert_eq!(it.state("loaded"), "miss", "a load that began before");
    let lease = it.0.run(it.1.open("loaded", load(&["x"]))).unwrap();
    it.0.run(it.1.fill("loaded", "1".into(), lease, entry(&["x"]))).unwrap();
    it.set("k5", EntryOptions::default());
    assert_eq!((it.state("loaded"), it.state("k5")), ("hit", "hit"));
    it.expire("x");
    assert_eq!(it.state("loaded"), "stale", "its own epoch is not that of all");
    it.0.assert_all_have_a_ttl();
}

#[test]
fn any_other_cache_is_cleared_value_by_value() {
    let it = Fixture::new(Options::default());
    it.set("a", EntryOptions::default());
    it.set("b", entry(&["x"]));
    it.0.raw(&["SET", "foreign:a", "1"]);
    let lease = it.0.run(it.1.open("c", load(&[]))).unwrap();
    it.0.run(it.1.clear()).unwrap();
    assert!(!it.0.run(it.1.fill("c", "1".into(), lease, entry(&[]))).unwrap());
    assert_eq!((it.state("a"), it.state("b")), ("miss", "miss"));
    assert_eq!(it.0.text("foreign:a").as_deref(), Some("1"));
    let all = Cache::new(Options { prefix: Some(String::new()), ..Options::default() }).unwrap();
    assert!(all.clear().is_err(), "it has the whole database");
    let all = Cache::new(Options { prefix: Some(String::new()), clearable: true, ..Options::default() }).unwrap();
    assert!(all.clear().is_ok());
}

#[test]
fn a_mark_has_all_that_a_lease_needs() {
    for clearable in [false, true] {
        let it = Fixture::new(Options { clearable, ..Options::default() });
        let lease = it.0.run(it.1.open("a", load(&["x"]))).unwrap();
        assert_eq!(lease.all.is_some(), clearable);
        assert_eq!(cinnabar_core::features::cache::Lease::of_mark(&lease.mark(), lease.tag_epochs.clone()), lease);
    }
}

#[test]
fn names_are_found_by_parts() {
    let it = Fixture::new(Options::default());
    let long = "x".repeat(600);
    let names = ["", "a", "b{c}", "ü %", &long];
    for name in names {
        it.set(name, entry(&["x"]));
    }
    it.0.raw(&["SET", "foreign", "1"]);
    it.0.raw(&["RPUSH", "api:list", "1"]);
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let (next, names) = it.0.run(Ok(it.1.scan(cursor, 2))).unwrap();
        found.extend(names);
        cursor = next;
        if cursor == "0" {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ["", "a", "b{c}", "ü %"], "a long one is stored as a hash");
}

#[test]
fn an_eager_load_learns_how_long_a_value_is_and_was_fresh() {
    let it = Fixture::new(Options::default());
    it.set("plain", EntryOptions { ttl: Some(100.0), ..EntryOptions::default() });
    it.set("eager", EntryOptions { ttl: Some(100.0), is_eager: true, ..EntryOptions::default() });
    it.set("rich", EntryOptions { is_eager: true, ..entry(&["x"]) });
    it.advance(40);
    let begin = |name: &str| {
        let LoadStart { fresh, life, .. } =
            it.0.run(it.1.begin(name, LoadOptions { is_eager: true, ..load(&[]) }, None)).unwrap();
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64().round() as u64);
        (seconds(fresh), seconds(life))
    };
    assert_eq!(begin("plain"), (Some(60), None));
    assert_eq!((begin("eager"), begin("rich")), ((Some(60), Some(100)), (Some(60), Some(100))));
    assert_eq!(it.1.begin("plain", load(&[]), None).unwrap().requests.len(), 1, "others do not ask");
    assert_eq!(it.1.stats().hits, 3);
}

#[test]
fn a_clearable_cache_does_not_find_what_it_could_not_clear() {
    let it = Fixture::new(Options::default());
    it.set("plain", EntryOptions::default());
    it.set("tagged", entry(&["x"]));
    let clearable = Cache::new(Options { clearable: true, ..Options::default() }).unwrap();
    for name in ["plain", "tagged"] {
        assert_eq!(it.0.run(Ok(clearable.get(name, None))).unwrap(), None);
    }
    it.0.run(clearable.set("new", "1".into(), EntryOptions::default())).unwrap();
    assert!(it.is_fresh("new"), "the other cache reads what this one stores");
    it.0.run(clearable.clear()).unwrap();
    assert!(!it.is_fresh("new"));
}
