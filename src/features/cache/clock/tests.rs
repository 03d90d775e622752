use super::*;

fn changes(pairs: &[(&str, u64)]) -> Reply {
    let text = |text: String| Reply::Bulk(Bytes::from(text));
    Reply::Array(pairs.iter().flat_map(|(name, score)| [text((*name).into()), text(score.to_string())]).collect())
}

fn moment(epoch: u64, seq: u64) -> Reply {
    Reply::Array(vec![Reply::Bulk(epoch.to_string().into()), Reply::Bulk(seq.to_string().into())])
}

fn tags(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).into()).collect()
}

#[test]
fn an_entry_is_valid_until_one_of_its_tags_moves() {
    let clock = Clock::default();
    clock.begin(moment(9, 3)).unwrap();
    let stamp = clock.now().unwrap();
    assert_eq!(clock.judge(stamp, &tags(&["a", "b"])), Verdict::Valid);
    assert!(clock.learn(changes(&[("b", 4), (NUMBER, 4), (EPOCH, 9)])).unwrap());
    assert_eq!(clock.judge(stamp, &tags(&["a", "b"])), Verdict::Invalid);
    assert_eq!(clock.judge(stamp, &tags(&["a"])), Verdict::Valid);
    assert_eq!(clock.judge(clock.now().unwrap(), &tags(&["b"])), Verdict::Valid);
}

#[test]
fn another_epoch_is_another_clock() {
    let clock = Clock::default();
    clock.begin(moment(9, 3)).unwrap();
    let stamp = clock.now().unwrap();
    assert!(!clock.learn(changes(&[(EPOCH, 10)])).unwrap());
    clock.begin(moment(10, 0)).unwrap();
    assert_eq!(clock.judge(stamp, &tags(&["a"])), Verdict::Invalid);
}

#[test]
fn a_lost_clock_invalidates_everything() {
    let clock = Clock::default();
    clock.begin(moment(9, 3)).unwrap();
    let stamp = clock.now().unwrap();
    assert!(clock.learn(changes(&[])).unwrap());
    assert_eq!(clock.judge(stamp, &tags(&["a"])), Verdict::Invalid);
    assert_eq!(clock.now(), None);
}

#[test]
fn what_is_older_than_the_mirror_is_asked_for() {
    let clock = Clock::default();
    clock.begin(moment(9, 30)).unwrap();
    let old = Stamp { epoch: 9, seq: 5 };
    assert_eq!(clock.judge(old, &tags(&["a"])), Verdict::Ask);
    let score = |score: u64| Reply::Bulk(score.to_string().into());
    let answer = |floor: Reply, tag: Reply| Reply::Array(vec![score(9), floor, tag]);
    assert!(Clock::confirm(old, answer(Reply::Nil, Reply::Nil)).unwrap());
    assert!(Clock::confirm(old, answer(Reply::Nil, score(5))).unwrap());
    assert!(!Clock::confirm(old, answer(Reply::Nil, score(6))).unwrap());
    assert!(!Clock::confirm(old, answer(score(6), Reply::Nil)).unwrap(), "tags up to the floor are forgotten");
}
