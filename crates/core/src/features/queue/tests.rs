use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{job::StoredOptions, *};

fn job() -> NewJob {
    NewJob::new("n", "{}")
}

#[test]
fn default_options_take_no_memory() {
    assert_eq!(job().options().unwrap(), "");
    let keyed = NewJob { id: Some("a".into()), delay: Some(Duration::from_secs(1)), ..job() };
    assert_eq!(keyed.options().unwrap(), "");
    let dedup = Some(Dedup { id: "k\n".into(), ttl: Some(Duration::from_secs(1)) });
    let all = NewJob { priority: -1, group: Some("g".into()), dedup, keep: false, attempts: 1, ..job() };
    assert_eq!(all.options().unwrap(), "-1\ng\nk%0A\n1000\nn\n1;e;1000;3600000;0.2;1800000");
}

#[test]
fn events_are_read_up_to_an_invalid_one() {
    let message = b"added\na%20b\n0\n4\nm\na\nretrying\nx\n2 70\n-\nactive\ny\n3\n0\nwho\nz\n0\n0\nactive\ny\n3\n0\n";
    let what: Vec<_> = events(message).into_iter().map(|event| (event.id, event.what)).collect();
    let retrying = EventKind::Retrying { attempt: 2, delay: Duration::from_millis(70), error: None };
    assert_eq!(
        what,
        [
            ("a b".into(), EventKind::Added { name: "m\na\n".into() }),
            ("x".into(), retrying),
            ("y".into(), EventKind::Active { attempt: 3 }),
        ]
    );
    for cut in 0..message.len() {
        let _ = events(&message[..cut]);
    }
    assert!(events(b"").is_empty() && events(b"added\na\n0\n99999999999999999999\n").is_empty());
}

#[test]
fn generated_ids_are_unique() {
    let queues = [Queue::new("q", Options::default()).unwrap(), Queue::new("q", Options::default()).unwrap()];
    let id = |at: usize| {
        let call = queues[at % 2].add(job()).unwrap();
        let request = &call.requests[0];
        request.args[request.touched().unwrap().count()].clone()
    };
    let ids: std::collections::HashSet<Bytes> = (0..1000).map(id).collect();
    assert_eq!(ids.len(), 1000);
}

#[test]
fn jobs_are_added_in_as_few_runs_as_the_bounds_allow() {
    let queue = Queue::new("q", Options::default()).unwrap();
    let runs = |jobs: Vec<NewJob>| queue.add_many(jobs).unwrap().requests.len();
    assert_eq!(runs(Vec::new()), 0);
    assert_eq!(runs(vec![job(); 500]), 1);
    assert_eq!(runs(vec![job(); 501]), 2);
    assert_eq!(runs(vec![NewJob::new("n", "x".repeat(300_000)); 7]), 3);
}

proptest! {
    #[test]
    fn stored_options_are_read_back(
        attempts in 1_u32.., priority in -500..=500, group in proptest::option::of("[^\\x00]{1,40}"),
        delay in 0_u64..1 << 38, longest in 0_u64..1 << 38, jitter in 0.0..=1.0, fixed: bool, timeout in 1_u64..1 << 38,
    ) {
        let kind = if fixed { BackoffKind::Fixed } else { BackoffKind::Exponential };
        let millis = Duration::from_millis;
        let backoff = Backoff { kind, delay: millis(delay), longest: millis(longest), jitter };
        let timeout = millis(timeout);
        let given = NewJob { attempts, priority, group: group.clone(), backoff, timeout, ..job() };
        let read = StoredOptions::read(Some(given.options().unwrap().as_bytes()));
        prop_assert_eq!(read, StoredOptions { priority, group, attempts, backoff, timeout });
    }

    #[test]
    fn foreign_data_is_read_without_a_panic(given in ".*", message in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = StoredOptions::read(Some(given.as_bytes()));
        let _ = events(&message);
    }
}
