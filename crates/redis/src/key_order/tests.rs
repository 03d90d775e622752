use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;

use super::*;
use crate::plan::OutgoingCommand;

fn reads(keys: &[&str]) -> OutgoingCommand {
    OutgoingCommand::Get(keys.iter().map(|key| Bytes::copy_from_slice(key.as_bytes())).collect())
}

/// Creates trackers of requests on these keys.
macro_rules! trackers {
    ($key_order:ident: $($name:ident = [$($key:literal),*]),+ $(,)?) => {
        $(
            let command = reads(&[$($key),*]);
            let tracker = Tracker::new(&$key_order, &command);
            let $name = [Tracked { command: &command, tracker: &tracker }];
        )+
    };
}

#[test]
fn a_later_call_goes_behind_an_earlier_one_and_others_anywhere() {
    let key_order = KeyOrder::new();
    trackers!(key_order: first = ["k"], second = ["k"], third = ["k"], other = ["o"], both = ["k", "o"]);
    let hold = key_order.enter(1, &first).unwrap();
    assert!(key_order.enter(2, &second).is_none(), "the first is on its route over another connection");
    let also = key_order.enter(1, &second).unwrap();
    let elsewhere = key_order.enter(2, &other).unwrap();
    assert!(!key_order.is_quiet(1));

    key_order.enqueue(&both, WaitReason::New);
    let group = key_order.wait_together(&both);
    assert_eq!(key_order.route(&group, &both), Route::Wait, "its keys are on two connections");
    assert!(key_order.enter(1, &third).is_none(), "a call waits for the key");
    drop(elsewhere);
    assert_eq!(key_order.route(&group, &both), Route::Over(1));
    assert!(key_order.start(2, &group, &both).is_none());
    let last = key_order.start(1, &group, &both).unwrap();
    assert!(key_order.is_free());
    drop((hold, also, last));
    drop(key_order.enter(2, &third).unwrap());
    assert!(key_order.is_quiet(3));
}

#[test]
fn a_retried_call_keeps_its_position() {
    let key_order = KeyOrder::new();
    trackers!(key_order: first = ["k"], second = ["k"], third = ["k"], fourth = ["k"]);
    let (one, two) = (key_order.enter(1, &first).unwrap(), key_order.enter(1, &second).unwrap());
    // New calls wait, no matter which returned first.
    key_order.enqueue(&third, WaitReason::New);
    key_order.enqueue(&second, WaitReason::Again);
    drop(two);
    key_order.enqueue(&first, WaitReason::Again);
    let (a, b, c) =
        (key_order.wait_together(&first), key_order.wait_together(&second), key_order.wait_together(&third));
    assert_eq!(key_order.route(&a, &first), Route::Wait, "it has not landed");
    drop(one);
    assert_eq!(
        [key_order.route(&a, &first), key_order.route(&b, &second), key_order.route(&c, &third)],
        [Route::Any, Route::Wait, Route::Wait]
    );
    let again = key_order.start(2, &a, &first).unwrap();
    assert_eq!(key_order.route(&b, &second), Route::Wait, "what is sent again waits for what is on its route");
    drop(again);
    drop(key_order.start(2, &b, &second).unwrap());
    assert_eq!(key_order.route(&c, &third), Route::Any);
    third[0].tracker.leave();
    assert!(key_order.enter(3, &fourth).is_some());
}

#[test]
fn a_later_call_is_executed_again_or_has_overtaken() {
    let key_order = KeyOrder::new();
    trackers!(key_order: first = ["k"], read = ["k"], write = ["k"], earlier = ["o"]);
    let holds = [
        key_order.enter(1, &first),
        key_order.enter(1, &read),
        key_order.enter(1, &write),
        key_order.enter(1, &earlier),
    ];
    assert_eq!(key_order.done(read[0].tracker, true), Done::InTurn, "nothing is sent again");
    key_order.enqueue(&first, WaitReason::Again);
    assert_eq!(key_order.done(earlier[0].tracker, true), Done::InTurn, "another key");
    assert_eq!(key_order.done(read[0].tracker, true), Done::OnceMore);
    assert!(read[0].tracker.waits() && !first[0].tracker.is_overtaken());
    assert_eq!(key_order.done(write[0].tracker, false), Done::Overtook, "it is never done twice");
    assert!(first[0].tracker.is_overtaken() && read[0].tracker.is_overtaken());
    drop(holds);
    first[0].tracker.leave();
    read[0].tracker.leave();
    assert!(key_order.is_free() && !key_order.has_returned());
}

#[test]
fn a_call_without_effect_is_sent_again_even_after_later_calls() {
    let key_order = KeyOrder::new();
    trackers!(key_order: first = ["k"], read = ["k"], write = ["k"], last = ["k"]);
    let holds =
        [key_order.enter(1, &first), key_order.enter(1, &read), key_order.enter(1, &write), key_order.enter(1, &last)];
    key_order.enqueue(&first, WaitReason::Due);
    assert_eq!(key_order.done(write[0].tracker, false), Done::InTurn, "it has overtaken no call");
    assert_eq!(key_order.done(read[0].tracker, true), Done::OnceMore);
    assert_eq!(key_order.done(last[0].tracker, false), Done::Overtook, "the read is not repeated behind it");
    assert!(!first[0].tracker.is_overtaken() && read[0].tracker.is_overtaken());
    drop(holds);
    let group = key_order.wait_together(&first);
    assert_eq!(key_order.route(&group, &first), Route::Any);
}

#[test]
fn a_round_is_divided_by_connection_and_stays_in_order() {
    let key_order = KeyOrder::new();
    trackers!(key_order: slow = ["slow"], other = ["other"]);
    let _holds = [key_order.enter(2, &slow), key_order.enter(3, &other)];
    let keys = |all: &[&str]| Tracker::new(&key_order, &reads(all)).keys().into();
    let all: Vec<Keys> =
        [&["a"][..], &["slow"], &["b"], &["slow", "b"], &["b"], &["slow", "other"], &["c", "b"], &["c"]]
            .into_iter()
            .map(keys)
            .collect();
    let groups = key_order.groups(1, all.into_iter()).unwrap();
    // `b` was free at first; once it is sent with `slow`, later calls on it are sent there too. The rest comes last.
    assert_eq!(groups, [0, 1, 0, 1, 1, LAST_GROUP, 1, 1]);
    assert!(key_order.groups(1, [keys(&["a"])].into_iter()).is_none());
}

#[tokio::test]
async fn waiting_calls_are_woken() {
    let key_order = KeyOrder::new();
    trackers!(key_order: first = ["k"], second = ["k"], third = ["k"]);
    let hold = key_order.enter(1, &first).unwrap();
    key_order.enqueue(&second, WaitReason::New);
    key_order.enqueue(&third, WaitReason::New);
    let (b, c) = (key_order.wait_together(&second), key_order.wait_together(&third));
    let soon = || Instant::now() + Duration::from_secs(5);
    drop(hold);
    assert!(b.changed(soon()).await);
    let hold = key_order.start(2, &b, &second).unwrap();
    assert!(c.changed(soon()).await, "the call before it has left");
    assert_eq!(key_order.route(&c, &third), Route::Over(2));
    drop((hold, b));
}

#[tokio::test]
async fn a_call_does_not_wait_for_an_abandoned_one_that_it_overtook() {
    let key_order = KeyOrder::new();
    trackers!(key_order: first = ["k"], write = ["k"]);
    let _holds = [key_order.enter(1, &first), key_order.enter(1, &write)];
    key_order.enqueue(&first, WaitReason::Again);
    assert_eq!(key_order.done(write[0].tracker, false), Done::Overtook);
    let later = Instant::now() + Duration::from_secs(60);
    let passed = key_order.passed(write[0].tracker, write[0].tracker.sequence(), later);
    let both = async { tokio::join!(passed, async { first[0].tracker.leave() }) };
    assert!(timeout(Duration::from_secs(5), both).await.is_ok(), "it left without having looked");
}

#[tokio::test]
async fn an_overtaken_call_wakes_no_other() {
    async fn is_ready(mut future: Pin<&mut impl Future>) -> bool {
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }
    let key_order = KeyOrder::new();
    trackers!(key_order: mine = ["k"], other = ["o"], write = ["o"], last = ["k"]);
    let _holds =
        [key_order.enter(1, &mine), key_order.enter(1, &other), key_order.enter(1, &write), key_order.enter(1, &last)];
    key_order.enqueue(&mine, WaitReason::Again);
    key_order.enqueue(&other, WaitReason::Again);
    let mut overtaken = pin!(key_order.overtaken(|| mine[0].tracker.is_overtaken()));
    assert!(!is_ready(overtaken.as_mut()).await);
    assert_eq!(key_order.done(write[0].tracker, false), Done::Overtook);
    assert!(!is_ready(overtaken.as_mut()).await, "another was overtaken");
    assert_eq!(key_order.done(last[0].tracker, false), Done::Overtook);
    assert!(is_ready(overtaken.as_mut()).await);
}
