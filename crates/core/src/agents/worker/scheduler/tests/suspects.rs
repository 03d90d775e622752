//! Jobs that run exclusively, and workers that yield to them.

use super::*;

impl Fixture {
    /// The take that is due.
    fn asked(&mut self) -> TakeRequest {
        self.scheduler.round(self.now).unwrap().take.unwrap()
    }

    /// Replies to it.
    fn reply(&mut self, asked: TakeRequest, taken: Taken) {
        self.land(RoundResult { taken: Some((asked, taken)), ..RoundResult::default() });
    }
}

fn yielding() -> Taken {
    Taken { yielding: true, next_in: Some(Duration::from_millis(200)), ..Taken::default() }
}

#[test]
fn a_suspect_runs_exclusively() {
    let mut fixture = fixture(3);
    fixture.take(&["a"]);
    let (a, _) = fixture.begin().unwrap();
    fixture.after(1100);
    let first = fixture.asked();
    assert!(!first.idle && first.count > 0 && first.yielding.is_none());
    let mut token = first.token.clone();
    fixture.reply(first, yielding());
    for _ in 0..5 {
        fixture.after(200);
        let again = fixture.asked();
        assert_eq!(again.yielding.as_ref(), Some(&token), "a worker that yields says so");
        token.clone_from(&again.token);
        fixture.reply(again, yielding());
    }
    assert!(fixture.end(a));
    let asked = fixture.asked();
    assert!(asked.idle);
    fixture.reply(asked, taken(vec![Leased { exclusive: true, ..job("exclusive") }]));
    fixture.scheduler.wake(fixture.now);
    assert!(fixture.round().is_none(), "nothing is taken beside it");
    let (number, _) = fixture.begin().unwrap();
    fixture.after(1100);
    assert!(fixture.round().is_none(), "its start is stored");
    assert!(fixture.end(number));
    let asked = fixture.asked();
    assert!(asked.count > 0 && asked.yielding.is_none());
}

#[test]
fn a_worker_stops_yielding_when_it_is_no_longer_asked_to() {
    let mut fixture = fixture(3);
    fixture.take(&["a"]);
    fixture.begin().unwrap();
    fixture.after(1100);
    let asked = fixture.asked();
    fixture.reply(asked, yielding());
    fixture.after(200);
    let asked = fixture.asked();
    assert!(!asked.idle && asked.yielding.is_some() && asked.count > 0);
    fixture.reply(asked, taken(vec![job("b")]));
    assert_eq!(fixture.begin().unwrap().1, "b");
    fixture.after(1100);
    assert_eq!(fixture.asked().yielding, None);
}
