use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

fn inbox(messages: usize, bytes: usize, overflow: Overflow) -> (Inbox, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    let wake = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    (Inbox::new(Bounds { messages, bytes, overflow }, wake), woken)
}

fn entry(text: &str) -> Entry {
    Entry { text: text.to_owned().into(), label: Label::None }
}

fn push_all(inbox: &Inbox, texts: &str) -> Vec<Pushed> {
    texts.split_whitespace().map(|text| inbox.push(entry(text))).collect()
}

/// All that is pending: texts, `[n]` or `[?]` for gaps, `.` for an end, `!` and a code for an end with an error.
fn take_all(inbox: &Inbox) -> String {
    let taken = inbox.take(usize::MAX, usize::MAX).0.into_iter().map(|taken| match taken {
        Taken::Entry(entry) => String::from_utf8_lossy(&entry.text).into_owned(),
        Taken::Gap(Some(missed)) => format!("[{missed}]"),
        Taken::Gap(None) => "[?]".to_owned(),
        Taken::End(None) => ".".to_owned(),
        Taken::End(Some(error)) => format!("!{}", error.kind.code()),
    });
    taken.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_oldest_entries_are_dropped_and_leave_a_gap() {
    let (inbox, _) = inbox(3, 100, Overflow::DropOldest);
    push_all(&inbox, "a b c d e");
    assert_eq!(take_all(&inbox), "[2] c d e");
    push_all(&inbox, "f g");
    assert_eq!(take_all(&inbox), "f g", "delivered once");
}

#[test]
fn bytes_are_bounded_but_a_single_entry_always_fits() {
    let (inbox, _) = inbox(100, 4, Overflow::DropOldest);
    push_all(&inbox, "aa bb cc");
    assert_eq!(take_all(&inbox), "[1] bb cc");
    push_all(&inbox, "aa toolarge");
    assert_eq!(take_all(&inbox), "[1] toolarge");
    push_all(&inbox, "toolarge a");
    assert_eq!(take_all(&inbox), "[1] a");
    let named = |name: &'static str| Entry { text: Bytes::new(), label: Label::Name(name.into()) };
    assert_eq!([inbox.push(named("abc")), inbox.push(named("de"))], [Pushed::Queued; 2]);
    assert_eq!(inbox.take(9, 9).0.len(), 2, "a name has bytes: a gap and the second");
}

#[test]
fn gaps_keep_their_position_and_are_merged() {
    let (inbox, _) = inbox(2, 100, Overflow::DropOldest);
    inbox.push_gap(None);
    push_all(&inbox, "a");
    inbox.push_gap(Some(2));
    inbox.push_gap(Some(0));
    inbox.push_gap(Some(3));
    push_all(&inbox, "b");
    (0..1000).for_each(|_| inbox.push_gap(None));
    inbox.push_gap(Some(1));
    assert_eq!(take_all(&inbox), "[?] a [5] b [?]");
    push_all(&inbox, "a");
    inbox.push_gap(Some(5));
    push_all(&inbox, "b");
    inbox.push_gap(None);
    push_all(&inbox, "c d");
    assert_eq!(take_all(&inbox), "[7] [?] c d", "gaps between dropped entries are counted");
}

#[test]
fn with_overflow_end_it_ends_after_the_pending_entries() {
    let (inbox, woken) = inbox(2, 100, Overflow::End);
    assert_eq!(push_all(&inbox, "a b c d"), [Pushed::Queued, Pushed::Queued, Pushed::Ended, Pushed::Ended]);
    assert!(inbox.is_ended());
    inbox.push_gap(Some(1));
    inbox.end(None);
    assert_eq!(take_all(&inbox), "a b !E_BACKPRESSURE");
    assert_eq!(take_all(&inbox), "", "delivered once");
    assert_eq!(woken.load(Ordering::Relaxed), 1);
}

#[test]
fn with_overflow_reject_it_accepts_again_once_drained() {
    let (inbox, _) = inbox(2, 100, Overflow::Reject);
    assert_eq!(push_all(&inbox, "a b c"), [Pushed::Queued, Pushed::Queued, Pushed::Full]);
    assert_eq!(take_all(&inbox), "a b");
    assert_eq!(push_all(&inbox, "a b c"), [Pushed::Queued, Pushed::Queued, Pushed::Full]);
}

#[tokio::test]
async fn drained_waits_until_everything_was_taken() {
    let (inbox, _) = inbox(2, 100, Overflow::Reject);
    inbox.drained().await;
    let number = |number| Entry { text: Bytes::new(), label: Label::Number(number) };
    inbox.push(number(7));
    inbox.push(number(8));
    let inbox = Arc::new(inbox);
    let other = inbox.clone();
    let waiting = tokio::spawn(async move { other.drained().await });
    tokio::task::yield_now().await;
    assert_eq!(inbox.take(1, 9).0.len(), 1);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(inbox.take(1, 9).0.len(), 1);
    waiting.await.unwrap();
}

#[test]
fn the_reader_is_woken_once_until_it_has_taken_everything() {
    let (inbox, woken) = inbox(9, 100, Overflow::DropOldest);
    let woken = || woken.load(Ordering::Relaxed);
    push_all(&inbox, "a b c");
    let (taken, more) = inbox.take(2, 100);
    assert_eq!((taken.len(), more, woken()), (2, true, 1));
    push_all(&inbox, "d");
    assert_eq!((inbox.take(100, 1).0.len(), woken()), (1, 1), "by bytes, and at least one");
    assert_eq!((take_all(&inbox).as_str(), woken()), ("d", 1));
    inbox.push_gap(None);
    assert_eq!((take_all(&inbox).as_str(), woken()), ("[?]", 2));
    inbox.end(None);
    assert_eq!((take_all(&inbox).as_str(), woken()), (".", 3));
}

#[test]
fn a_closed_inbox_is_empty_and_accepts_nothing() {
    let (inbox, woken) = inbox(9, 100, Overflow::DropOldest);
    push_all(&inbox, "a b c");
    inbox.close();
    assert_eq!(push_all(&inbox, "d"), [Pushed::Ended]);
    inbox.push_gap(None);
    inbox.end(None);
    assert_eq!((take_all(&inbox).as_str(), woken.load(Ordering::Relaxed)), ("", 1));
}

#[test]
fn an_entry_does_not_keep_the_read_buffer_alive() {
    let (inbox, _) = inbox(9, 1 << 20, Overflow::DropOldest);
    let read = Bytes::from(vec![b'x'; 64 << 10]);
    inbox.push(Entry { text: read.slice(..10), label: Label::Name(read.slice(..3)) });
    inbox.push(Entry { text: read.slice(..32 << 10), label: Label::None });
    assert!(read.is_unique(), "short ones and queued ones are copied");
}
