//! How many sessions a user may have at once.

use std::{collections::HashSet, time::Duration};

use cinnabar_core::features::session::{Create, Options, PerUser, Sessions, WhenFull};
use cinnabar_port::{Call, Replies, Reply, Request, Step, error::Kind};

use crate::run::{Dice, Engine};

fn limited(most: usize, when_full: WhenFull) -> Sessions {
    Sessions::new(Options { per_user: Some(PerUser { most, when_full }), ..Options::default() }).unwrap()
}

fn with_token() -> Create {
    Create { token: true, ..Create::default() }
}

fn is_valid(engine: &Engine, sessions: &Sessions, id: &str) -> bool {
    engine.run(sessions.get(id)).unwrap().is_some()
}

/// Signs in at this second; returns the token and which devices ended.
fn sign_in(engine: &Engine, sessions: &Sessions, second: usize) -> Result<(String, Vec<String>), Kind> {
    let created_at = format!("2026-01-02T00:00:{second:02}.000Z");
    let data = format!("{{\"device\":\"d{second}\"}}");
    let created = engine.run(sessions.create_and_end("u", &created_at, &data, with_token()));
    let created = created.map_err(|error| error.kind)?.ok_or(Kind::Conflict)?;
    let device = |json: &[u8]| {
        String::from_utf8_lossy(json).split("\"d").nth(2).unwrap_or_default().trim_matches(['"', '}']).to_owned()
    };
    Ok((created.id, created.ended.iter().map(|session| device(&session.json)).collect()))
}

#[test]
fn the_oldest_session_ends() {
    let (engine, sessions) = (Engine::new(), limited(2, WhenFull::EndOldest));
    let (first, _) = sign_in(&engine, &sessions, 1).unwrap();
    let (second, ended) = sign_in(&engine, &sessions, 2).unwrap();
    assert!(ended.is_empty());
    engine.advance(Duration::from_secs(60));
    assert!(engine.run(sessions.touch(&first)).unwrap(), "which does not make it younger");
    let (third, ended) = sign_in(&engine, &sessions, 3).unwrap();
    assert_eq!(ended.len(), 1);
    let valid = [&first, &second, &third].map(|token| is_valid(&engine, &sessions, token));
    assert_eq!(valid, [false, true, true]);
    assert_eq!(engine.run(sessions.list("u", false)).unwrap().len(), 2);
}

#[test]
fn the_idle_session_ends() {
    let (engine, sessions) = (Engine::new(), limited(2, WhenFull::EndIdle));
    let (first, _) = sign_in(&engine, &sessions, 1).unwrap();
    let (second, _) = sign_in(&engine, &sessions, 2).unwrap();
    engine.advance(Duration::from_secs(60));
    assert!(engine.run(sessions.touch(&first)).unwrap());
    let (third, ended) = sign_in(&engine, &sessions, 3).unwrap();
    assert_eq!(ended.len(), 1);
    let valid = [&first, &second, &third].map(|token| is_valid(&engine, &sessions, token));
    assert_eq!(valid, [true, false, true]);
}

#[test]
fn one_session_too_many_is_rejected_until_another_ends() {
    let (engine, sessions) = (Engine::new(), limited(2, WhenFull::Reject));
    let (first, _) = sign_in(&engine, &sessions, 1).unwrap();
    let (second, _) = sign_in(&engine, &sessions, 2).unwrap();
    assert_eq!(sign_in(&engine, &sessions, 3), Err(Kind::TooManySessions));
    let rotated = engine.run(sessions.rotate(&second, 10.0)).unwrap().unwrap();
    assert_eq!(sign_in(&engine, &sessions, 4), Err(Kind::TooManySessions), "a rotated one counts once");
    assert_eq!(engine.run(sessions.destroy(&first)).unwrap(), 1);
    engine.advance(Duration::from_secs(11));
    let (third, _) = sign_in(&engine, &sessions, 5).unwrap();
    assert!(is_valid(&engine, &sessions, &rotated) && is_valid(&engine, &sessions, &third));
    assert_eq!(engine.run(sessions.invalidate_user("u")).unwrap(), 2);
    engine.advance(Duration::from_secs(11));
    sign_in(&engine, &sessions, 6).unwrap();
    sign_in(&engine, &sessions, 7).unwrap();
    assert_eq!(sign_in(&engine, &sessions, 8), Err(Kind::TooManySessions));
}

#[test]
fn sessions_of_other_users_are_never_touched() {
    let (engine, sessions) = (Engine::new(), limited(1, WhenFull::EndOldest));
    let (moved, _) = sign_in(&engine, &sessions, 1).unwrap();
    assert!(engine.run(sessions.update(&moved, r#"{"userId":"other"}"#)).unwrap());
    let (own, ended) = sign_in(&engine, &sessions, 2).unwrap();
    assert!(ended.is_empty());
    assert!(is_valid(&engine, &sessions, &moved) && is_valid(&engine, &sessions, &own));
    let chosen = || Create { id: Some("chosen".into()), ..Create::default() };
    engine.run(sessions.create("v", "t", "{}", chosen())).unwrap();
    assert_eq!(engine.run(sessions.create("w", "t", "{}", chosen())).unwrap_err().kind, Kind::Conflict);
    assert!(is_valid(&engine, &sessions, "chosen"));
}

#[test]
fn there_are_never_more_however_many_sign_in_at_once() {
    let mut dice = Dice(41);
    let mut rejected = 0;
    for turn in 0..600 {
        let most = 1 + turn % 3;
        let when_full = [WhenFull::EndOldest, WhenFull::EndIdle, WhenFull::Reject][turn / 3 % 3];
        let (engine, sessions) = (Engine::new(), limited(most, when_full));
        let before: Vec<_> = (0..turn % 4).filter_map(|second| sign_in(&engine, &sessions, second).ok()).collect();
        let mut flying: Vec<_> = (0..5)
            .map(|n| (n, sessions.create("u", &format!("2026-01-02T00:01:{n:02}"), "{}", with_token()).unwrap()))
            .collect();
        let mut tokens: HashSet<String> = before.into_iter().map(|(token, _)| token).collect();
        // After each round, the tokens that were returned so far.
        while !flying.is_empty() {
            let (n, call) = flying.swap_remove(dice.below(flying.len()));
            match engine.step(call) {
                Ok(Step::Next(next)) => flying.push((n, next)),
                Ok(Step::Done(token)) => {
                    tokens.insert(token);
                }
                Err(error) => {
                    assert!(matches!(error.kind, Kind::Conflict | Kind::TooManySessions), "{error}");
                    rejected += 1;
                }
            }
            let valid = tokens.iter().filter(|token| is_valid(&engine, &sessions, token)).count();
            assert!(valid <= most, "turn {turn}: {valid} of {most}");
        }
        let valid = tokens.iter().filter(|token| is_valid(&engine, &sessions, token)).count();
        assert!(valid >= 1, "turn {turn}: one is signed in");
        assert!(engine.run(sessions.list("u", false)).unwrap().len() <= most, "turn {turn}");
    }
    assert!(rejected > 100, "{rejected}");
}

/// What a call in a race returned.
enum Did {
    SignedIn(Option<String>),
    Rotated(Option<String>),
}

#[test]
fn rotations_keep_the_limit_and_end_no_other_session() {
    let mut dice = Dice(53);
    for turn in 0..600 {
        let most = 2 + turn % 2;
        let (engine, sessions) = (Engine::new(), limited(most, WhenFull::EndOldest));
        let before: Vec<_> = (0..most).map(|second| sign_in(&engine, &sessions, second).unwrap().0).collect();
        let sign_ins = turn % 3;
        let mut flying: Vec<Call<Did>> = before
            .iter()
            .map(|token| sessions.rotate(token, if turn % 5 == 0 { 0.0 } else { 10.0 }).unwrap().map(Did::Rotated))
            .collect();
        flying.extend((0..sign_ins).map(|n| {
            let call = sessions.create_and_end("u", &format!("2026-01-02T00:01:{n:02}"), "{}", with_token()).unwrap();
            call.map(|created| Did::SignedIn(created.map(|created| created.id)))
        }));
        let (mut tokens, mut rotated, mut signed_in) = (before.clone(), 0, 0);
        while !flying.is_empty() {
            let call = flying.swap_remove(dice.below(flying.len()));
            match engine.step(call) {
                Ok(Step::Next(next)) => flying.push(next),
                Ok(Step::Done(Did::Rotated(token))) => {
                    rotated += usize::from(token.is_some());
                    tokens.extend(token);
                }
                Ok(Step::Done(Did::SignedIn(token))) => {
                    signed_in += usize::from(token.is_some());
                    tokens.extend(token);
                }
                Err(error) => assert_eq!(error.kind, Kind::Conflict, "turn {turn}: {error}"),
            }
        }
        let listed = engine.run(sessions.list("u", false)).unwrap();
        assert!(listed.len() <= most, "turn {turn}: {} of {most}", listed.len());
        engine.advance(Duration::from_secs(11));
        let valid = tokens.iter().collect::<HashSet<_>>().into_iter();
        let valid = valid.filter(|token| is_valid(&engine, &sessions, token)).count();
        assert_eq!(valid, listed.len(), "turn {turn}: what is valid is listed");
        if sign_ins == 0 {
            assert_eq!((rotated, valid), (most, most), "turn {turn}");
        }
        assert!(valid >= signed_in.min(most), "turn {turn}");
        assert_eq!(valid, most, "turn {turn}: no more ended than had to");
    }
}

/// A call whose requests reach the nodes of a cluster one by one, in any order.
struct Scattered<T> {
    call: Call<T>,
    requests: Vec<(usize, Request)>,
    replies: Vec<Option<cinnabar_port::error::Result<Reply>>>,
}

impl<T> Scattered<T> {
    fn new(mut call: Call<T>) -> Self {
        let requests: Vec<_> = std::mem::take(&mut call.requests).into_iter().enumerate().collect();
        Self { call, replies: requests.iter().map(|_| None).collect(), requests }
    }

    /// Runs one request, and what follows if it was the last of its round.
    fn step(mut self, engine: &Engine, dice: &mut Dice) -> Result<Self, cinnabar_port::error::Result<T>> {
        if !self.requests.is_empty() {
            let (at, request) = self.requests.swap_remove(dice.below(self.requests.len()));
            self.replies[at] = engine.execute(vec![request]).pop();
            if !self.requests.is_empty() {
                return Ok(self);
            }
        }
        match (self.call.read)(Replies(self.replies.into_iter().flatten().collect())) {
            Ok(Step::Next(next)) => Ok(Self::new(next)),
            Ok(Step::Done(result)) => Err(Ok(result)),
            Err(error) => Err(Err(error)),
        }
    }
}

#[test]
fn in_a_cluster_too_what_is_valid_is_listed_after_rotations_and_sign_ins() {
    let mut dice = Dice(59);
    for turn in 0..600 {
        let (engine, sessions) = (Engine::new(), limited(2, WhenFull::EndOldest));
        let mut tokens: Vec<_> = (0..2).map(|second| sign_in(&engine, &sessions, second).unwrap().0).collect();
        let rotation = sessions.rotate(&tokens[turn % 2], 10.0).unwrap().map(Did::Rotated);
        let mut flying = vec![Scattered::new(rotation)];
        for n in 0..2 {
            let call = sessions.create_and_end("u", &format!("2026-01-02T00:01:{n:02}"), "{}", with_token()).unwrap();
            flying.push(Scattered::new(call.map(|created| Did::SignedIn(created.map(|created| created.id)))));
        }
        while !flying.is_empty() {
            let call = flying.swap_remove(dice.below(flying.len()));
            match call.step(&engine, &mut dice) {
                Ok(next) => flying.push(next),
                Err(Ok(Did::Rotated(token) | Did::SignedIn(token))) => tokens.extend(token),
                Err(Err(error)) => assert_eq!(error.kind, Kind::Conflict, "turn {turn}: {error}"),
            }
        }
        let listed = engine.run(sessions.list("u", false)).unwrap();
        let public_ids: HashSet<_> = listed.iter().map(|session| &session.public_id).collect();
        engine.advance(Duration::from_secs(11));
        let valid = tokens.iter().collect::<HashSet<_>>().into_iter();
        let valid = valid.filter(|token| is_valid(&engine, &sessions, token)).count();
        assert_eq!((valid, public_ids.len()), (2, 2), "turn {turn}");
    }
}
