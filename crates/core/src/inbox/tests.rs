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

fn note(text: &str) -> Note {
    Note { text: text.to_owned().into(), about: About::Known }
}

fn offer(inbox: &Inbox, texts: &str) -> Vec<Offered> {
    texts.split_whitespace().map(|text| inbox.offer(note(text))).collect()
}

/// All that waits: texts, `[n]` or `[?]` for gaps, `.` for an end, `!` for an end with an error.
fn rest(inbox: &Inbox) -> String {
    let taken = inbox.take(usize::MAX, usize::MAX).0.into_iter().map(|taken| match taken {
        Taken::Note(note) => String::from_utf8_lossy(&note.text).into_owned(),
        Taken::Gap(Some(missed)) => format!("[{missed}]"),
        Taken::Gap(None) => "[?]".to_owned(),
        Taken::End(None) => ".".to_owned(),
        Taken::End(Some(error)) => format!("!{}", error.kind.code()),
    });
    taken.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_oldest_go_and_a_gap_stands_in_their_place() {
    let (inbox, _) = inbox(3, 100, Overflow::DropOldest);
    offer(&inbox, "a b c d e");
    assert_eq!(rest(&inbox), "[2] c d e");
    offer(&inbox, "f g");
    assert_eq!(rest(&inbox), "f g", "told once");
}

#[test]
fn bytes_are_bounded_too_but_one_alone_is_never_too_much() {
    let (inbox, _) = inbox(100, 4, Overflow::DropOldest);
    offer(&inbox, "aa bb cc");
    assert_eq!(rest(&inbox), "[1] bb cc");
    offer(&inbox, "aa toolarge");
    assert_eq!(rest(&inbox), "[1] toolarge");
    offer(&inbox, "toolarge a");
    assert_eq!(rest(&inbox), "[1] a");
    let named = |name: &'static str| Note { text: Bytes::new(), about: About::Name(name.into()) };
    assert_eq!([inbox.offer(named("abc")), inbox.offer(named("de"))], [Offered::Kept; 2]);
    assert_eq!(inbox.take(9, 9).0.len(), 2, "a name has bytes: a gap and the second");
}

#[test]
fn gaps_keep_their_place_and_do_not_pile_up() {
    let (inbox, _) = inbox(2, 100, Overflow::DropOldest);
    inbox.miss(None);
    offer(&inbox, "a");
    inbox.miss(Some(2));
    inbox.miss(Some(0));
    inbox.miss(Some(3));
    offer(&inbox, "b");
    (0..1000).for_each(|_| inbox.miss(None));
    inbox.miss(Some(1));
    assert_eq!(rest(&inbox), "[?] a [5] b [?]");
    offer(&inbox, "a");
    inbox.miss(Some(5));
    offer(&inbox, "b");
    inbox.miss(None);
    offer(&inbox, "c d");
    assert_eq!(rest(&inbox), "[7] [?] c d", "what stood between dropped ones is not forgotten");
}

#[test]
fn one_that_may_not_overflow_ends_behind_what_waited() {
    let (inbox, woken) = inbox(2, 100, Overflow::End);
    assert_eq!(offer(&inbox, "a b c d"), [Offered::Kept, Offered::Kept, Offered::Ended, Offered::Ended]);
    assert!(inbox.is_ended());
    inbox.miss(Some(1));
    inbox.end(None);
    assert_eq!(rest(&inbox), "a b !E_BACKPRESSURE");
    assert_eq!(rest(&inbox), "", "told once");
    assert_eq!(woken.load(Ordering::Relaxed), 1);
}

#[test]
fn one_that_refuses_says_so_and_is_drained() {
    let (inbox, _) = inbox(2, 100, Overflow::Refuse);
    assert_eq!(offer(&inbox, "a b c"), [Offered::Kept, Offered::Kept, Offered::Refused]);
    assert_eq!(rest(&inbox), "a b");
    assert_eq!(offer(&inbox, "a b c"), [Offered::Kept, Offered::Kept, Offered::Refused]);
    inbox.clear();
    assert_eq!(rest(&inbox), "");
}

#[tokio::test]
async fn whoever_waits_for_room_hears_of_it() {
    let (inbox, _) = inbox(2, 100, Overflow::Refuse);
    inbox.drained().await;
    let number = |number| Note { text: Bytes::new(), about: About::Number(number) };
    inbox.offer(number(7));
    inbox.offer(number(8));
    let inbox = Arc::new(inbox);
    let other = inbox.clone();
    let waiting = tokio::spawn(async move { other.drained().await });
    tokio::task::yield_now().await;
    assert_eq!((inbox.take(1, 9).0.len(), inbox.last_number()), (1, Some(7)));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!((inbox.take(1, 9).0.len(), inbox.last_number()), (1, Some(8)));
    waiting.await.unwrap();
}

#[test]
fn its_reader_is_woken_once_until_it_has_taken_everything() {
    let (inbox, woken) = inbox(9, 100, Overflow::DropOldest);
    let woken = || woken.load(Ordering::Relaxed);
    offer(&inbox, "a b c");
    let (taken, more) = inbox.take(2, 100);
    assert_eq!((taken.len(), more, woken()), (2, true, 1));
    offer(&inbox, "d");
    assert_eq!((inbox.take(100, 1).0.len(), woken()), (1, 1), "by bytes, and at least one");
    assert_eq!((rest(&inbox).as_str(), woken()), ("d", 1));
    inbox.miss(None);
    assert_eq!((rest(&inbox).as_str(), woken()), ("[?]", 2));
    inbox.end(None);
    assert_eq!((rest(&inbox).as_str(), woken()), (".", 3));
}

#[test]
fn what_is_closed_holds_nothing_and_takes_nothing() {
    let (inbox, woken) = inbox(9, 100, Overflow::DropOldest);
    offer(&inbox, "a b c");
    inbox.close();
    assert_eq!(offer(&inbox, "d"), [Offered::Ended]);
    inbox.miss(None);
    inbox.end(None);
    assert_eq!((rest(&inbox).as_str(), woken.load(Ordering::Relaxed)), ("", 1));
}

#[test]
fn a_note_does_not_hold_what_was_read_along_with_it() {
    let (inbox, _) = inbox(9, 1 << 20, Overflow::DropOldest);
    let read = Bytes::from(vec![b'x'; 64 << 10]);
    inbox.offer(Note { text: read.slice(..10), about: About::Name(read.slice(..3)) });
    inbox.offer(Note { text: read.slice(..32 << 10), about: About::Known });
    assert!(read.is_unique(), "short ones, and all that wait behind another");
}
