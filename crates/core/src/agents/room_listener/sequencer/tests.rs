use super::*;

/// A history `first..=last` that keeps the messages named here; a letter behind a number makes it another message.
fn history(first: u64, last: u64, stored: &[&str]) -> History {
    let stored = stored.iter().map(|text| (digits(text), Bytes::copy_from_slice(text.as_bytes())));
    History { last: Some(last), first, messages: stored.collect(), more: false }
}

/// The same, with more messages stored than were read.
fn part(first: u64, last: u64, stored: &[&str]) -> History {
    History { more: true, ..history(first, last, stored) }
}

fn digits(text: &str) -> u64 {
    text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn nothing() -> History {
    History::default()
}

/// Everything that is delivered until something has to be asked or heard: `1 [2] 3 [?]`, then `?7` for a question.
fn rest(sequencer: &mut Sequencer) -> String {
    let mut said = Vec::new();
    loop {
        match sequencer.next() {
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
        sequencer.delivered();
    }
}

fn receive(sequencer: &mut Sequencer, text: &str) -> bool {
    sequencer.receive(1000, digits(text), Bytes::copy_from_slice(text.as_bytes()))
}

/// One who has got everything up to 5.
fn at_5() -> Sequencer {
    let mut sequencer = Sequencer::new(Some(3));
    sequencer.learn(history(1, 5, &["3", "4", "5"]), 0, None);
    assert_eq!(rest(&mut sequencer), "4 5");
    sequencer
}

#[test]
fn from_now_on() {
    let mut sequencer = Sequencer::new(None);
    assert_eq!(rest(&mut sequencer), format!("?{}", u64::MAX));
    sequencer.learn(history(1, 5, &[]), 0, None);
    assert!(receive(&mut sequencer, "6") && receive(&mut sequencer, "7"));
    assert_eq!(rest(&mut sequencer), "6 7");
}

#[test]
fn from_a_number_on() {
    let mut sequencer = Sequencer::new(Some(3));
    assert_eq!(rest(&mut sequencer), "?2");
    sequencer.learn(history(1, 5, &["3", "4", "5"]), 0, None);
    assert_eq!(rest(&mut sequencer), "4 5");
    let mut sequencer = Sequencer::new(Some(3));
    sequencer.learn(history(1, 9, &["7", "8", "9"]), 0, None);
    assert_eq!(rest(&mut sequencer), "[3] 7 8 9");
    let mut sequencer = Sequencer::new(Some(3));
    sequencer.learn(history(1, 9, &[]), 0, None);
    assert_eq!(rest(&mut sequencer), "[6]", "all are over");
    let mut sequencer = Sequencer::new(Some(3));
    sequencer.learn(history(1, 3, &["3"]), 0, None);
    assert_eq!(rest(&mut sequencer), "");
}

#[test]
fn from_the_start_on() {
    let mut sequencer = Sequencer::new(Some(0));
    assert_eq!(rest(&mut sequencer), "?0");
    sequencer.learn(history(1, 9, &["8", "9"]), 0, None);
    assert_eq!(rest(&mut sequencer), "8 9", "what was over before is no gap");
    let mut sequencer = Sequencer::new(Some(0));
    sequencer.learn(nothing(), 0, None);
    assert_eq!(rest(&mut sequencer), "");
    assert!(!receive(&mut sequencer, "500"));
    assert_eq!(rest(&mut sequencer), "?0");
    sequencer.learn(history(499, 500, &["499", "500"]), 1001, Some(500));
    assert_eq!(rest(&mut sequencer), "499", "what was sent since is");
    assert!(receive(&mut sequencer, "500"));
    assert_eq!(rest(&mut sequencer), "500");
}

#[test]
fn a_first_message_that_is_over_already_is_a_gap() {
    let mut sequencer = Sequencer::new(None);
    sequencer.learn(nothing(), 0, None);
    assert!(!receive(&mut sequencer, "500"));
    sequencer.learn(history(490, 500, &["498", "499", "500"]), 1001, Some(500));
    assert_eq!(rest(&mut sequencer), "[8] 498 499");
}

#[test]
fn an_unknown_number_is_a_gap() {
    let mut sequencer = Sequencer::new(Some(70));
    sequencer.learn(history(1, 5, &["4", "5"]), 0, None);
    assert_eq!(rest(&mut sequencer), "[?]");
    assert!(receive(&mut sequencer, "6"));
    assert_eq!(rest(&mut sequencer), "6");
    let mut sequencer = Sequencer::new(Some(70));
    sequencer.learn(nothing(), 0, None);
    assert_eq!(rest(&mut sequencer), "[?]");
    let mut sequencer = Sequencer::new(Some(70));
    sequencer.learn(history(500, 501, &["500", "501"]), 0, None);
    assert_eq!(rest(&mut sequencer), "[?] 500 501");
}

#[test]
fn what_comes_twice_is_delivered_once() {
    let mut sequencer = at_5();
    assert!(
        receive(&mut sequencer, "4")
            && receive(&mut sequencer, "5")
            && receive(&mut sequencer, "6")
            && receive(&mut sequencer, "6")
    );
    assert_eq!(rest(&mut sequencer), "6");
}

#[test]
fn what_was_heard_before_the_history_was_read_is_in_it() {
    let mut sequencer = Sequencer::new(None);
    sequencer.learn(history(1, 5, &[]), 1001, None);
    assert!(receive(&mut sequencer, "5"));
    assert_eq!(rest(&mut sequencer), "", "at a position before 1001");
}

#[test]
fn a_hole_is_filled_from_the_history() {
    let mut sequencer = at_5();
    assert!(!receive(&mut sequencer, "9"));
    assert_eq!(rest(&mut sequencer), "?4");
    sequencer.learn(history(1, 9, &["5", "6", "7", "8", "9"]), 1001, Some(9));
    assert_eq!(rest(&mut sequencer), "6 7 8");
    assert!(receive(&mut sequencer, "9"));
    assert_eq!(rest(&mut sequencer), "9");
}

#[test]
fn what_waits_to_be_heard_is_not_missing() {
    let mut sequencer = at_5();
    sequencer.lost();
    assert_eq!(rest(&mut sequencer), "?4");
    // A slow one: the history begins long behind what it will hear next.
    sequencer.learn(history(1, 5000, &["4999", "5000"]), 1001, Some(6));
    assert_eq!(rest(&mut sequencer), "");
    assert!(receive(&mut sequencer, "6"));
    let mut sequencer = at_5();
    sequencer.lost();
    sequencer.learn(history(1, 5000, &["4999", "5000"]), 1001, Some(8));
    assert_eq!(rest(&mut sequencer), "[2]");
    assert!(receive(&mut sequencer, "8"));
    assert_eq!(rest(&mut sequencer), "8");
}

#[test]
fn a_history_is_read_in_parts() {
    let mut sequencer = at_5();
    sequencer.lost();
    sequencer.learn(part(1, 9, &["5", "6", "7"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "6 7 ?6");
    sequencer.learn(history(1, 9, &["7", "9"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "[1] 9");
    sequencer.lost();
    sequencer.learn(history(1, 12, &["9"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "[3]", "what is not read the second time is not there");
}

#[test]
fn numbers_assigned_again_are_read_in_parts_too() {
    let mut sequencer = at_5();
    assert!(receive(&mut sequencer, "5b"));
    assert_eq!(rest(&mut sequencer), "?4");
    sequencer.learn(history(1, 5, &["5b"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "?0");
    sequencer.learn(part(1, 7, &["4", "5"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "[?] ?4", "all of this part is known, and there is more");
    sequencer.learn(history(1, 7, &["5", "6", "7"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "6 7");
}

#[test]
fn a_store_that_has_lost_all_is_a_gap() {
    let mut sequencer = at_5();
    sequencer.lost();
    sequencer.learn(nothing(), 1001, None);
    assert_eq!(rest(&mut sequencer), "[?]");
    assert!(!receive(&mut sequencer, "500"));
    sequencer.learn(history(500, 500, &["500"]), 1001, Some(500));
    assert!(receive(&mut sequencer, "500"));
    assert_eq!(rest(&mut sequencer), "500", "all once");
    sequencer.lost();
    sequencer.learn(history(900, 902, &["900", "901", "902"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "[?] 900 901 902");
    assert!(!receive(&mut sequencer, "905"));
    sequencer.learn(nothing(), 1001, Some(905));
    assert_eq!(rest(&mut sequencer), "[?]", "lost between hearing and asking");
    assert!(receive(&mut sequencer, "905"));
}

#[test]
fn a_numbering_that_continues_is_a_gap_for_listeners_that_have_seen_less() {
    let (mut all, mut less) = (at_5(), at_5());
    assert!(receive(&mut all, "6"));
    assert_eq!(rest(&mut all), "6");
    for sequencer in [&mut all, &mut less] {
        sequencer.lost();
        // The store had lost 6, and learned from the sender of 7 that it had existed.
        sequencer.learn(history(7, 7, &["4", "5", "7"]), 1001, None);
    }
    assert_eq!(rest(&mut all), "7");
    assert_eq!(rest(&mut less), "[?] 7");
}

#[test]
fn numbers_assigned_again_are_reported_and_delivered() {
    let mut sequencer = at_5();
    sequencer.lost();
    sequencer.learn(history(1, 6, &["4b", "5b", "6b"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "?0");
    sequencer.learn(history(1, 6, &["3", "4b", "5b", "6b"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "[?] 3 4b 5b 6b", "3 was not delivered here");
    let mut sequencer = at_5();
    assert!(receive(&mut sequencer, "5b"));
    assert_eq!(rest(&mut sequencer), "?4");
    sequencer.learn(history(1, 5, &["5b"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "?0");
    sequencer.learn(history(1, 5, &["3", "4", "5b"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "[?] 5b");
    sequencer.lost();
    sequencer.learn(history(1, 4, &["4"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "?0");
    sequencer.learn(history(1, 4, &["3", "4"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "[?]", "it has seen all that there is");
    assert!(receive(&mut sequencer, "5c"));
    assert_eq!(rest(&mut sequencer), "5c");
}

#[test]
fn an_old_message_is_not_a_number_assigned_again() {
    let mut sequencer = at_5();
    assert!(receive(&mut sequencer, "2"));
    assert_eq!(rest(&mut sequencer), "?4");
    sequencer.learn(history(1, 5, &["5"]), 1001, None);
    assert_eq!(rest(&mut sequencer), "");
}
