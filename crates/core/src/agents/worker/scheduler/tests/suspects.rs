//! Jobs that run exclusive, and workers that make way for them.

use super::*;

impl Fixture {
    /// The question that is due.
    fn asked(&mut self) -> TakeRequest {
        self.scheduler.round(self.now).unwrap().take.unwrap()
    }

    /// It is answered by this.
    fn answer(&mut self, asked: TakeRequest, taken: Taken) {
        self.land(RoundResult { taken: Some((asked, taken)), ..RoundResult::default() });
    }
}

fn yielding() -> Taken {
    Taken { yielding: true, next_in: Some(Duration::from_millis(200)), ..Taken::default() }
}

#[test]
fn a_suspect_runs_alone() {
    let mut fixture = fixture(3);
    fixture.take(&["a"]);
    let (a, _) = fixture.begin().unwrap();
    fixture.after(1100);
    let first = fixture.asked();
    assert!(!first.idle && first.count > 0 && first.yielding.is_none());
    let mut told = first.token.clone();
    fixture.answer(first, yielding());
    for _ in 0..5 {
        fixture.after(200);
        let again = fixture.asked();
        assert_eq!(again.yielding.as_ref(), Some(&told), "whoever makes way says so");
        told.clone_from(&again.token);
        fixture.answer(again, yielding());
    }
    assert!(fixture.end(a));
    let asked = fixture.asked();
    assert!(asked.idle);
    fixture.answer(asked, taken(vec![Leased { exclusive: true, ..job("exclusive") }]));
    fixture.scheduler.wake(fixture.now);
    assert!(fixture.round().is_none(), "nothing is taken beside it");
    let (number, _) = fixture.begin().unwrap();
    fixture.after(1100);
    assert!(fixture.round().is_none(), "the store knows that it has begun");
    assert!(fixture.end(number));
    let asked = fixture.asked();
    assert!(asked.count > 0 && asked.yielding.is_none());
}

#[test]
fn whoever_made_way_goes_on_when_told_nothing_of_it() {
    let mut fixture = fixture(3);
    fixture.take(&["a"]);
    fixture.begin().unwrap();
    fixture.after(1100);
    let asked = fixture.asked();
    fixture.answer(asked, yielding());
    fixture.after(200);
    let asked = fixture.asked();
    assert!(!asked.idle && asked.yielding.is_some() && asked.count > 0);
    fixture.answer(asked, taken(vec![job("b")]));
    assert_eq!(fixture.begin().unwrap().1, "b");
    fixture.after(1100);
    assert_eq!(fixture.asked().yielding, None);
}
