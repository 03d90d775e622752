use super::*;

/// A history `first..=last` that keeps the messages named here; a letter behind a number makes it another message.
fn history(first: u64, last: u64, kept: &[&str]) -> History {
    let kept = kept.iter().map(|text| (digits(text), Bytes::copy_from_slice(text.as_bytes())));
    History { last: Some(last), first, messages: kept.collect(), more: false }
}

/// The same, with more messages stored than were read.
fn part(first: u64, last: u64, kept: &[&str]) -> History {
    History { more: true, ..history(first, last, kept) }
}

fn digits(text: &str) -> u64 {
    text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn nothing() -> History {
    History::default()
}

/// Everything that is delivered until something has to be asked or heard: `1 [2] 3 [?]`, then `?7` for a question.
fn rest(order: &mut Sequencer) -> String {
    let mut said = Vec::new();
    loop {
        match order.next() {
            Next::Message(number, text) => {
                assert_eq!(number, digits(std::str::from_utf8(&text).unwrap()));
                said.push(String::from_utf8(text.to_vec()).unwrap());
            }
            Next::Gap(Some(missed)) => said.push(format!("[{missed}]")),
            Next::Gap(None) => said.push("[?]".into()),
            Next::History(since) => {
                said.push(format!("?{since}"));
                return said.join(" ");
            }
            Next::Live => return said.join(" "),
        }
        order.delivered();
    }
}

fn hear(order: &mut Sequencer, text: &str) -> bool {
    order.hear(1000, digits(text), Bytes::copy_from_slice(text.as_bytes()))
}

/// One who has got everything up to 5.
fn at_5() -> Sequencer {
    let mut order = Sequencer::new(Some(3));
    order.learn(history(1, 5, &["3", "4", "5"]), 0, None);
    assert_eq!(rest(&mut order), "4 5");
    order
}

#[test]
fn from_now_on() {
    let mut order = Sequencer::new(None);
    assert_eq!(rest(&mut order), format!("?{}", u64::MAX));
    order.learn(history(1, 5, &[]), 0, None);
    assert!(hear(&mut order, "6") && hear(&mut order, "7"));
    assert_eq!(rest(&mut order), "6 7");
}

#[test]
fn from_a_number_on() {
    let mut order = Sequencer::new(Some(3));
    assert_eq!(rest(&mut order), "?2");
    order.learn(history(1, 5, &["3", "4", "5"]), 0, None);
    assert_eq!(rest(&mut order), "4 5");
    let mut order = Sequencer::new(Some(3));
    order.learn(history(1, 9, &["7", "8", "9"]), 0, None);
    assert_eq!(rest(&mut order), "[3] 7 8 9");
    let mut order = Sequencer::new(Some(3));
    order.learn(history(1, 9, &[]), 0, None);
    assert_eq!(rest(&mut order), "[6]", "all are over");
    let mut order = Sequencer::new(Some(3));
    order.learn(history(1, 3, &["3"]), 0, None);
    assert_eq!(rest(&mut order), "");
}

#[test]
fn from_the_start_on() {
    let mut order = Sequencer::new(Some(0));
    assert_eq!(rest(&mut order), "?0");
    order.learn(history(1, 9, &["8", "9"]), 0, None);
    assert_eq!(rest(&mut order), "8 9", "what was over before is no gap");
    let mut order = Sequencer::new(Some(0));
    order.learn(nothing(), 0, None);
    assert_eq!(rest(&mut order), "");
    assert!(!hear(&mut order, "500"));
    assert_eq!(rest(&mut order), "?0");
    order.learn(history(499, 500, &["499", "500"]), 1001, Some(500));
    assert_eq!(rest(&mut order), "499", "what was sent since is");
    assert!(hear(&mut order, "500"));
    assert_eq!(rest(&mut order), "500");
}

#[test]
fn a_first_message_that_is_over_already_is_a_gap() {
    let mut order = Sequencer::new(None);
    order.learn(nothing(), 0, None);
    assert!(!hear(&mut order, "500"));
    order.learn(history(490, 500, &["498", "499", "500"]), 1001, Some(500));
    assert_eq!(rest(&mut order), "[8] 498 499");
}

#[test]
fn a_number_that_nobody_knows_is_a_gap() {
    let mut order = Sequencer::new(Some(70));
    order.learn(history(1, 5, &["4", "5"]), 0, None);
    assert_eq!(rest(&mut order), "[?]");
    assert!(hear(&mut order, "6"));
    assert_eq!(rest(&mut order), "6");
    let mut order = Sequencer::new(Some(70));
    order.learn(nothing(), 0, None);
    assert_eq!(rest(&mut order), "[?]");
    let mut order = Sequencer::new(Some(70));
    order.learn(history(500, 501, &["500", "501"]), 0, None);
    assert_eq!(rest(&mut order), "[?] 500 501");
}

#[test]
fn what_comes_twice_is_delivered_once() {
    let mut order = at_5();
    assert!(hear(&mut order, "4") && hear(&mut order, "5") && hear(&mut order, "6") && hear(&mut order, "6"));
    assert_eq!(rest(&mut order), "6");
}

#[test]
fn what_was_heard_before_the_history_was_read_is_in_it() {
    let mut order = Sequencer::new(None);
    order.learn(history(1, 5, &[]), 1001, None);
    assert!(hear(&mut order, "5"));
    assert_eq!(rest(&mut order), "", "at a place before 1001");
}

#[test]
fn a_hole_is_filled_from_the_history() {
    let mut order = at_5();
    assert!(!hear(&mut order, "9"));
    assert_eq!(rest(&mut order), "?4");
    order.learn(history(1, 9, &["5", "6", "7", "8", "9"]), 1001, Some(9));
    assert_eq!(rest(&mut order), "6 7 8");
    assert!(hear(&mut order, "9"));
    assert_eq!(rest(&mut order), "9");
}

#[test]
fn what_waits_to_be_heard_is_not_missing() {
    let mut order = at_5();
    order.lost();
    assert_eq!(rest(&mut order), "?4");
    // A slow one: the history begins long behind what it will hear next.
    order.learn(history(1, 5000, &["4999", "5000"]), 1001, Some(6));
    assert_eq!(rest(&mut order), "");
    assert!(hear(&mut order, "6"));
    let mut order = at_5();
    order.lost();
    order.learn(history(1, 5000, &["4999", "5000"]), 1001, Some(8));
    assert_eq!(rest(&mut order), "[2]");
    assert!(hear(&mut order, "8"));
    assert_eq!(rest(&mut order), "8");
}

#[test]
fn a_history_is_read_in_parts() {
    let mut order = at_5();
    order.lost();
    order.learn(part(1, 9, &["5", "6", "7"]), 1001, None);
    assert_eq!(rest(&mut order), "6 7 ?6");
    order.learn(history(1, 9, &["7", "9"]), 1001, None);
    assert_eq!(rest(&mut order), "[1] 9");
    order.lost();
    order.learn(history(1, 12, &["9"]), 1001, None);
    assert_eq!(rest(&mut order), "[3]", "what is not read the second time is not there");
}

#[test]
fn numbers_that_are_given_once_more_are_read_in_parts_too() {
    let mut order = at_5();
    assert!(hear(&mut order, "5b"));
    assert_eq!(rest(&mut order), "?4");
    order.learn(history(1, 5, &["5b"]), 1001, None);
    assert_eq!(rest(&mut order), "?0");
    order.learn(part(1, 7, &["4", "5"]), 1001, None);
    assert_eq!(rest(&mut order), "[?] ?4", "all of this part is known, and there is more");
    order.learn(history(1, 7, &["5", "6", "7"]), 1001, None);
    assert_eq!(rest(&mut order), "6 7");
}

#[test]
fn a_store_that_has_lost_all_is_a_gap() {
    let mut order = at_5();
    order.lost();
    order.learn(nothing(), 1001, None);
    assert_eq!(rest(&mut order), "[?]");
    assert!(!hear(&mut order, "500"));
    order.learn(history(500, 500, &["500"]), 1001, Some(500));
    assert!(hear(&mut order, "500"));
    assert_eq!(rest(&mut order), "500", "told once");
    order.lost();
    order.learn(history(900, 902, &["900", "901", "902"]), 1001, None);
    assert_eq!(rest(&mut order), "[?] 900 901 902");
    assert!(!hear(&mut order, "905"));
    order.learn(nothing(), 1001, Some(905));
    assert_eq!(rest(&mut order), "[?]", "lost between hearing and asking");
    assert!(hear(&mut order, "905"));
}

#[test]
fn a_numbering_that_goes_on_behind_what_was_seen_tells_who_has_seen_less() {
    let (mut all, mut less) = (at_5(), at_5());
    assert!(hear(&mut all, "6"));
    assert_eq!(rest(&mut all), "6");
    for order in [&mut all, &mut less] {
        order.lost();
        // The store had forgotten 6, and was told by the sender of 7 that it had been there.
        order.learn(history(7, 7, &["4", "5", "7"]), 1001, None);
    }
    assert_eq!(rest(&mut all), "7");
    assert_eq!(rest(&mut less), "[?] 7");
}

#[test]
fn numbers_that_are_given_once_more_are_told_and_delivered() {
    let mut order = at_5();
    order.lost();
    order.learn(history(1, 6, &["4b", "5b", "6b"]), 1001, None);
    assert_eq!(rest(&mut order), "?0");
    order.learn(history(1, 6, &["3", "4b", "5b", "6b"]), 1001, None);
    assert_eq!(rest(&mut order), "[?] 3 4b 5b 6b", "3 was not delivered here");
    let mut order = at_5();
    assert!(hear(&mut order, "5b"));
    assert_eq!(rest(&mut order), "?4");
    order.learn(history(1, 5, &["5b"]), 1001, None);
    assert_eq!(rest(&mut order), "?0");
    order.learn(history(1, 5, &["3", "4", "5b"]), 1001, None);
    assert_eq!(rest(&mut order), "[?] 5b");
    order.lost();
    order.learn(history(1, 4, &["4"]), 1001, None);
    assert_eq!(rest(&mut order), "?0");
    order.learn(history(1, 4, &["3", "4"]), 1001, None);
    assert_eq!(rest(&mut order), "[?]", "it has seen all that there is");
    assert!(hear(&mut order, "5c"));
    assert_eq!(rest(&mut order), "5c");
}

#[test]
fn what_looks_like_given_once_more_may_be_old() {
    let mut order = at_5();
    assert!(hear(&mut order, "2"));
    assert_eq!(rest(&mut order), "?4");
    order.learn(history(1, 5, &["5"]), 1001, None);
    assert_eq!(rest(&mut order), "");
}
