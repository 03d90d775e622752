use std::future::pending;

use bytes::Bytes;
use cinnabar_port::{effect::positive_count, error::Done};

use super::*;

fn store() -> Store {
    Store::over(Engine::Memory(cinnabar_memory::Engine::new(1 << 20).unwrap()))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn ping(read: impl FnOnce(Reply) -> Result<Bytes> + Send + 'static) -> Call<Bytes> {
    Call::new(Request::command("PING", []), read)
}

#[tokio::test]
async fn a_panic_is_the_error_of_its_own_call() {
    let calls = vec![
        (ping(|_| panic!("of this reader")), "panics"),
        (ping(|reply| Ok(reply.bulk()?.unwrap_or_default())), "succeeds"),
    ];
    let mut seen = Vec::new();
    store().run(calls, soon(), |done| seen.extend(done)).await;
    seen.sort_by_key(|(_, tag)| *tag);
    let error = seen[0].0.clone().unwrap_err();
    assert_eq!(error.kind, Kind::Internal);
    assert!(error.message().contains("of this reader"), "{error}");
    assert_eq!(seen[1].0.as_deref().unwrap(), b"PONG");
}

#[tokio::test]
async fn a_call_of_one_round_does_not_wait_for_one_of_two() {
    let two = Call::round([Request::command("PING", [])], |_| Ok(Step::Next(ping(|_| Ok(Bytes::from_static(b"2"))))));
    let calls = vec![(two, "two"), (ping(|_| Ok(Bytes::from_static(b"1"))), "one")];
    let mut order = Vec::new();
    store().run(calls, soon(), |done| order.extend(done.into_iter().map(|(_, tag)| tag))).await;
    assert_eq!(order, ["one", "two"]);
}

#[tokio::test]
async fn a_deferred_call_keeps_its_position() {
    let set = |value: &'static str| {
        Call::deferred(move || {
            let request = Request::keyed("SET", [Bytes::from_static(b"k"), Bytes::from_static(value.as_bytes())]);
            Ok(Call::new(request, |reply| Ok(reply.bulk()?.unwrap_or_default())))
        })
    };
    let get = Call::new(Request::get(Bytes::from_static(b"k")), |reply| Ok(reply.bulk()?.unwrap_or_default()));
    let refused = Call::deferred(|| Err(Error::argument("no")));
    let mut seen = Vec::new();
    store().run(vec![(set("1"), 0), (get, 1), (refused, 2), (set("2"), 3)], soon(), |done| seen.extend(done)).await;
    seen.sort_by_key(|(_, tag)| *tag);
    assert_eq!(seen[1].0.as_deref().unwrap(), b"1");
    assert_eq!(seen[2].0.clone().unwrap_err().kind, Kind::InvalidArgument);
}

#[tokio::test]
async fn joined_calls_return_their_results_in_order() {
    let two = Call::round([Request::command("PING", [])], |_| Ok(Step::Next(ping(|_| Ok(Bytes::from_static(b"2"))))));
    let calls = vec![two, ping(|_| Ok(Bytes::from_static(b"1"))), Call::ready(Bytes::from_static(b"0"))];
    assert_eq!(store().call(Call::join_all(calls), soon()).await.unwrap(), ["2", "1", "0"]);
}

#[tokio::test]
async fn an_engine_that_never_replies_is_cut_off_after_the_deadline() {
    let start = Instant::now();
    let ended = within_deadline(pending(), 1, start + Duration::from_millis(5), pin!(pending())).await;
    assert!(matches!(ended, Err(Cutoff::Deadline)));
    assert!(start.elapsed() >= Duration::from_millis(5) + GRACE);
    let cut = tokio::time::sleep(Duration::from_millis(10));
    let ended = within_deadline(pending(), 1, start + Duration::from_secs(60), pin!(cut)).await;
    assert!(matches!(ended, Err(Cutoff::Closed)));
}

#[tokio::test]
async fn a_panic_of_an_engine_is_the_error_of_its_requests() {
    let execution = async {
        tokio::task::yield_now().await;
        panic!("of this engine")
    };
    let replies = within_deadline(execution, 2, soon(), pin!(pending())).await.ok().unwrap();
    assert_eq!(replies.len(), 2);
    assert!(replies.iter().all(|reply| reply.as_ref().is_err_and(|error| error.kind == Kind::Internal)));
}

#[test]
fn a_request_that_may_have_been_applied_is_reported_as_such() {
    for (end, changes, kind) in [
        (Cutoff::Deadline, false, Kind::Timeout),
        (Cutoff::Deadline, true, Kind::MaybeApplied),
        (Cutoff::Closed, false, Kind::Closed),
        (Cutoff::Closed, true, Kind::MaybeApplied),
    ] {
        assert_eq!(end.error(changes).kind, kind);
    }
}

/// A call with these rounds, each of which must succeed.
fn rounds(mut all: Vec<Vec<Request>>) -> Call<()> {
    let first = all.remove(0);
    Call::round(first, move |replies| {
        replies.all()?;
        Ok(if all.is_empty() { Step::Done(()) } else { Step::Next(rounds(all)) })
    })
}

fn set(key: &'static str) -> Request {
    Request::keyed("SET", [key, "v"].map(|text| Bytes::from_static(text.as_bytes()))).idempotent()
}

fn del(key: &'static str) -> Request {
    Request::keyed("DEL", [Bytes::from_static(key.as_bytes())]).with_effect(Effect::Count(positive_count))
}

/// Fails, because `a` is not a hash.
fn wrong() -> Request {
    Request::keyed("HGETALL", [Bytes::from_static(b"a")]).reads()
}

#[tokio::test]
async fn a_later_round_that_fails_does_not_undo_the_earlier_ones() {
    let store = store();
    let error_of = async |all| store.call(rounds(all), soon()).await.unwrap_err();
    store.call(rounds(vec![vec![set("a"), set("b")]]), soon()).await.unwrap();
    let error = error_of(vec![vec![set("b")], vec![wrong()]]).await;
    assert_eq!((error.kind, error.done()), (Kind::MaybeApplied, None));
    assert!(error.message().contains("WRONGTYPE"), "{error}");
    let error = error_of(vec![vec![wrong(), set("b")]]).await;
    assert_eq!(error.kind, Kind::MaybeApplied, "the same within one round");
    let error =
        error_of(vec![vec![del("b"), del("none")], vec![Request::get(Bytes::from_static(b"a"))], vec![wrong()]]).await;
    assert_eq!((error.kind, error.done()), (Kind::MaybeApplied, Some(&Done::Count(1))));
    // There was nothing to delete, and the other requests change nothing.
    let error = error_of(vec![vec![del("b"), set("mark").without_effect()], vec![wrong()]]).await;
    assert_eq!((error.kind, error.done()), (Kind::WrongType, None));
}

#[tokio::test]
async fn the_readers_own_error_applies_if_all_requests_succeeded() {
    let call = Call::new(set("k"), |_| Err::<(), _>(Error::new(Kind::Conflict, "taken")));
    assert_eq!(store().call(call, soon()).await.unwrap_err().kind, Kind::Conflict);
    let refused = |_| Err::<Step<()>, _>(Error::new(Kind::Conflict, "taken"));
    let call = Call::round([set("k")], move |_| Ok(Step::Next(Call::round([set("l")], refused))));
    assert_eq!(store().call(call, soon()).await.unwrap_err().kind, Kind::MaybeApplied, "after a round that wrote");
}

#[tokio::test]
async fn a_deadline_between_rounds_reports_whether_the_first_changed_something() {
    let two = |first: Request| Call::round([first], |_| Ok(Step::Next(ping(|reply| Ok(reply.bulk()?.unwrap())))));
    let set = Request::keyed("SET", [Bytes::from_static(b"k"), Bytes::from_static(b"v")]);
    let calls = vec![(two(set), 0), (two(Request::get(Bytes::from_static(b"k"))), 1)];
    let mut seen = Vec::new();
    store().run(calls, Instant::now(), |done| seen.extend(done)).await;
    seen.sort_by_key(|(_, tag)| *tag);
    let kinds: Vec<_> = seen.into_iter().map(|(result, _)| result.unwrap_err().kind).collect();
    assert_eq!(kinds, [Kind::MaybeApplied, Kind::NotSent]);
}

#[tokio::test]
async fn a_fallback_applies_between_two_rounds_too() {
    let two = |deadline: Instant| {
        Call::round([Request::command("PING", []).reads()], move |_| {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            Ok(Step::Next(ping(|reply| Ok(reply.bulk()?.unwrap_or_default()))))
        })
    };
    let deadline = || Instant::now() + Duration::from_millis(50);
    let until = deadline();
    assert_eq!(store().call(two(until), until).await.unwrap_err().kind, Kind::NotSent);
    let until = deadline();
    let call = two(until).or_fallback(|| Ok(Bytes::from_static(b"fallback")));
    assert_eq!(store().call(call, until).await.unwrap(), "fallback");
}
