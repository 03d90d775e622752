//! Jobs that run alone, and workers that make way for them.

use super::*;

impl Play {
    /// The question that is due.
    fn asked(&mut self) -> Asked {
        self.desk.round(self.now).unwrap().take.unwrap()
    }

    /// It is answered by this.
    fn answer(&mut self, asked: Asked, taken: Taken) {
        self.land(Landing { taken: Some((asked, taken)), ..Landing::default() });
    }
}

fn makes_way() -> Taken {
    Taken { makes_way: true, next_in: Some(Duration::from_millis(200)), ..Taken::default() }
}

#[test]
fn a_suspect_runs_alone() {
    let mut play = play(3);
    play.take(&["a"]);
    let (a, _) = play.begin().unwrap();
    play.after(1100);
    let first = play.asked();
    assert!(!first.idle && first.count > 0 && first.makes_way.is_none());
    let mut told = first.token.clone();
    play.answer(first, makes_way());
    for _ in 0..5 {
        play.after(200);
        let again = play.asked();
        assert_eq!(again.makes_way.as_ref(), Some(&told), "whoever makes way says so");
        told.clone_from(&again.token);
        play.answer(again, makes_way());
    }
    assert!(play.end(a));
    let asked = play.asked();
    assert!(asked.idle);
    play.answer(asked, taken(vec![Leased { alone: true, ..job("alone") }]));
    play.desk.wake(play.now);
    assert!(play.round().is_none(), "nothing is taken beside it");
    let (number, _) = play.begin().unwrap();
    play.after(1100);
    assert!(play.round().is_none(), "the store knows that it has begun");
    assert!(play.end(number));
    let asked = play.asked();
    assert!(asked.count > 0 && asked.makes_way.is_none());
}

#[test]
fn whoever_made_way_goes_on_when_told_nothing_of_it() {
    let mut play = play(3);
    play.take(&["a"]);
    play.begin().unwrap();
    play.after(1100);
    let asked = play.asked();
    play.answer(asked, makes_way());
    play.after(200);
    let asked = play.asked();
    assert!(!asked.idle && asked.makes_way.is_some() && asked.count > 0);
    play.answer(asked, taken(vec![job("b")]));
    assert_eq!(play.begin().unwrap().1, "b");
    play.after(1100);
    assert_eq!(play.asked().makes_way, None);
}
