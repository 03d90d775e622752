use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;

use super::*;
use crate::plan::Wire;

fn reads(keys: &[&str]) -> Wire {
    Wire::Get(keys.iter().map(|key| Bytes::copy_from_slice(key.as_bytes())).collect())
}

/// Trips of requests on these keys.
macro_rules! trips {
    ($lanes:ident: $($name:ident = [$($key:literal),*]),+ $(,)?) => {
        $(
            let wire = reads(&[$($key),*]);
            let trip = Trip::new(&$lanes, &wire);
            let $name = [Errand { wire: &wire, trip: &trip }];
        )+
    };
}

#[test]
fn a_later_call_goes_behind_an_earlier_one_and_others_anywhere() {
    let lanes = Lanes::new();
    trips!(lanes: first = ["k"], second = ["k"], third = ["k"], other = ["o"], both = ["k", "o"]);
    let hold = lanes.enter(1, &first).unwrap();
    assert!(lanes.enter(2, &second).is_none(), "the first is on its way over another connection");
    let also = lanes.enter(1, &second).unwrap();
    let elsewhere = lanes.enter(2, &other).unwrap();
    assert!(!lanes.is_quiet(1));

    lanes.park(&both, Turn::New);
    let party = lanes.gather(&both);
    assert_eq!(lanes.way(&party, &both), Way::Wait, "its keys are on two connections");
    assert!(lanes.enter(1, &third).is_none(), "somebody waits for the key");
    drop(elsewhere);
    assert_eq!(lanes.way(&party, &both), Way::Over(1));
    assert!(lanes.depart(2, &party, &both).is_none());
    let last = lanes.depart(1, &party, &both).unwrap();
    assert!(lanes.is_free());
    drop((hold, also, last));
    drop(lanes.enter(2, &third).unwrap());
    assert!(lanes.is_quiet(3));
}

#[test]
fn what_is_sent_again_keeps_its_place() {
    let lanes = Lanes::new();
    trips!(lanes: first = ["k"], second = ["k"], third = ["k"], fourth = ["k"]);
    let (one, two) = (lanes.enter(1, &first).unwrap(), lanes.enter(1, &second).unwrap());
    // New ones wait, whichever came back sooner.
    lanes.park(&third, Turn::New);
    lanes.park(&second, Turn::Again);
    drop(two);
    lanes.park(&first, Turn::Again);
    let (a, b, c) = (lanes.gather(&first), lanes.gather(&second), lanes.gather(&third));
    assert_eq!(lanes.way(&a, &first), Way::Wait, "it has not landed");
    drop(one);
    assert_eq!(
        [lanes.way(&a, &first), lanes.way(&b, &second), lanes.way(&c, &third)],
        [Way::Any, Way::Wait, Way::Wait]
    );
    let again = lanes.depart(2, &a, &first).unwrap();
    assert_eq!(lanes.way(&b, &second), Way::Wait, "what is sent again waits for what is on its way");
    drop(again);
    drop(lanes.depart(2, &b, &second).unwrap());
    assert_eq!(lanes.way(&c, &third), Way::Any);
    third[0].trip.leave();
    assert!(lanes.enter(3, &fourth).is_some());
}

#[test]
fn what_was_done_meanwhile_is_done_once_more_or_has_overtaken() {
    let lanes = Lanes::new();
    trips!(lanes: first = ["k"], read = ["k"], write = ["k"], earlier = ["o"]);
    let holds = [lanes.enter(1, &first), lanes.enter(1, &read), lanes.enter(1, &write), lanes.enter(1, &earlier)];
    assert_eq!(lanes.done(read[0].trip, true), Done::InTurn, "nothing is sent again");
    lanes.park(&first, Turn::Again);
    assert_eq!(lanes.done(earlier[0].trip, true), Done::InTurn, "another key");
    assert_eq!(lanes.done(read[0].trip, true), Done::OnceMore);
    assert!(read[0].trip.waits() && !first[0].trip.is_overtaken());
    assert_eq!(lanes.done(write[0].trip, false), Done::Overtook, "it is never done twice");
    assert!(first[0].trip.is_overtaken() && read[0].trip.is_overtaken());
    drop(holds);
    first[0].trip.leave();
    read[0].trip.leave();
    assert!(lanes.is_free() && !lanes.has_returned());
}

#[test]
fn what_had_no_effect_is_sent_again_whatever_was_done_since() {
    let lanes = Lanes::new();
    trips!(lanes: first = ["k"], read = ["k"], write = ["k"], last = ["k"]);
    let holds = [lanes.enter(1, &first), lanes.enter(1, &read), lanes.enter(1, &write), lanes.enter(1, &last)];
    lanes.park(&first, Turn::Due);
    assert_eq!(lanes.done(write[0].trip, false), Done::InTurn, "it has overtaken nobody");
    assert_eq!(lanes.done(read[0].trip, true), Done::OnceMore);
    assert_eq!(lanes.done(last[0].trip, false), Done::Overtook, "the read is not repeated behind it");
    assert!(!first[0].trip.is_overtaken() && read[0].trip.is_overtaken());
    drop(holds);
    let party = lanes.gather(&first);
    assert_eq!(lanes.way(&party, &first), Way::Any);
}

#[test]
fn a_round_is_parted_by_where_each_may_go_and_keeps_its_order() {
    let lanes = Lanes::new();
    trips!(lanes: slow = ["slow"], other = ["other"]);
    let _holds = [lanes.enter(2, &slow), lanes.enter(3, &other)];
    let keys = |all: &[&str]| Trip::new(&lanes, &reads(all)).keys().into();
    let all: Vec<Keys> =
        [&["a"][..], &["slow"], &["b"], &["slow", "b"], &["b"], &["slow", "other"], &["c", "b"], &["c"]]
            .into_iter()
            .map(keys)
            .collect();
    let groups = lanes.groups(1, all.into_iter()).unwrap();
    // `b` was free at first; once it goes with `slow`, what comes behind it goes there too. The rest is last.
    assert_eq!(groups, [0, 1, 0, 1, 1, REST, 1, 1]);
    assert!(lanes.groups(1, [keys(&["a"])].into_iter()).is_none());
}

#[tokio::test]
async fn whoever_waits_is_woken() {
    let lanes = Lanes::new();
    trips!(lanes: first = ["k"], second = ["k"], third = ["k"]);
    let hold = lanes.enter(1, &first).unwrap();
    lanes.park(&second, Turn::New);
    lanes.park(&third, Turn::New);
    let (b, c) = (lanes.gather(&second), lanes.gather(&third));
    let soon = || Instant::now() + Duration::from_secs(5);
    drop(hold);
    assert!(b.changed(soon()).await);
    let hold = lanes.depart(2, &b, &second).unwrap();
    assert!(c.changed(soon()).await, "the one before has gone");
    assert_eq!(lanes.way(&c, &third), Way::Over(2));
    drop((hold, b));
}

#[tokio::test]
async fn whoever_has_overtaken_a_call_does_not_wait_for_one_that_was_abandoned() {
    let lanes = Lanes::new();
    trips!(lanes: first = ["k"], write = ["k"]);
    let _holds = [lanes.enter(1, &first), lanes.enter(1, &write)];
    lanes.park(&first, Turn::Again);
    assert_eq!(lanes.done(write[0].trip, false), Done::Overtook);
    let later = Instant::now() + Duration::from_secs(60);
    let told = lanes.passed(write[0].trip, write[0].trip.place(), later);
    let both = async { tokio::join!(told, async { first[0].trip.leave() }) };
    assert!(timeout(Duration::from_secs(5), both).await.is_ok(), "it left without having looked");
}

#[tokio::test]
async fn a_call_that_was_overtaken_wakes_nobody_else() {
    async fn is_ready(mut future: Pin<&mut impl Future>) -> bool {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }
    let lanes = Lanes::new();
    trips!(lanes: mine = ["k"], other = ["o"], write = ["o"], last = ["k"]);
    let _holds = [lanes.enter(1, &mine), lanes.enter(1, &other), lanes.enter(1, &write), lanes.enter(1, &last)];
    lanes.park(&mine, Turn::Again);
    lanes.park(&other, Turn::Again);
    let mut overtaken = pin!(lanes.overtaken(|| mine[0].trip.is_overtaken()));
    assert!(!is_ready(overtaken.as_mut()).await);
    assert_eq!(lanes.done(write[0].trip, false), Done::Overtook);
    assert!(!is_ready(overtaken.as_mut()).await, "another was overtaken");
    assert_eq!(lanes.done(last[0].trip, false), Done::Overtook);
    assert!(is_ready(overtaken.as_mut()).await);
}
