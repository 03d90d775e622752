//! One acquired lock: until when it is certain, and when it is renewed next. Reads no clock, so that its races can be tested.

use std::time::Duration;

use tokio::time::Instant;

/// How often a lock is renewed during its life.
const RENEWALS: u32 = 3;
/// The part of its life before the end at which a lock that could not be renewed counts as lost,
const MARGIN: u32 = 10;
/// at most.
const MAX_MARGIN: Duration = Duration::from_secs(2);
/// A failed renewal is retried after this part of the life.
const AGAIN: u32 = 20;

/// What is known of a lock that was acquired.
#[derive(Debug)]
pub struct LockState {
    phase: Phase,
    /// For how long it is extended each time.
    life: Duration,
    /// When its life ends if it is not renewed, counted from before the request,
    expires: Instant,
    /// and from when on it counts as lost.
    lost_at: Instant,
    /// Its life is not extended beyond this.
    hold_until: Instant,
    next_renewal: Instant,
    renewing: bool,
    heartbeat: Option<Heartbeat>,
    /// How many extensions by the caller are in flight, during which it is not renewed: a renewal could shorten what they extend.
    extending: usize,
    /// How many releases by the token are in flight, whose result decides whether it was lost,
    releasing: usize,
    /// and whether a renewal has found meanwhile that the lock is not held.
    missing: bool,
}

/// What its holder has to send, so that it is renewed.
#[derive(Debug)]
struct Heartbeat {
    interval: Duration,
    last: Instant,
    /// Whether a renewal was due after the interval: it is not renewed until the next one.
    is_missing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Held,
    Released,
    Lost,
}

impl LockState {
    /// A lock that was requested at `requested` for `life`, and may be renewed until `hold_until`. With a heartbeat it is renewed only if the last one
    /// is no older than that.
    pub fn new(requested: Instant, life: Duration, hold_until: Instant, heartbeat: Option<Duration>) -> Self {
        let mut lock = Self {
            phase: Phase::Held,
            life,
            expires: requested,
            lost_at: requested,
            hold_until,
            next_renewal: requested,
            renewing: false,
            heartbeat: heartbeat.map(|interval| Heartbeat { interval, last: requested, is_missing: false }),
            extending: 0,
            releasing: 0,
            missing: false,
        };
        lock.grant(requested, life);
        lock
    }

    fn grant(&mut self, requested: Instant, ttl: Duration) {
        self.expires = requested + ttl;
        self.lost_at = self.expires - (self.life / MARGIN).min(MAX_MARGIN).min(ttl);
        self.next_renewal = requested + self.life.min(ttl) / RENEWALS;
    }

    /// Whether no other caller can have it yet.
    pub fn is_valid(&self, now: Instant) -> bool {
        self.phase == Phase::Held && self.releasing == 0 && now < self.lost_at
    }

    /// Whether its life may be over.
    pub fn is_expired(&self, now: Instant) -> bool {
        now >= self.expires
    }

    /// Whether it was released, or has been lost.
    pub fn is_over(&self) -> bool {
        self.phase != Phase::Held
    }

    /// Whether it has been lost.
    pub fn is_lost(&self) -> bool {
        self.phase == Phase::Lost
    }

    /// The remaining life.
    pub fn left(&self, now: Instant) -> Duration {
        self.expires.saturating_duration_since(now)
    }

    /// Declares it lost; returns whether it was held until now.
    pub fn lose(&mut self) -> bool {
        let was_held = self.phase == Phase::Held;
        if was_held {
            self.phase = Phase::Lost;
        }
        was_held
    }

    /// Declares it lost if its time has come; returns whether it was held until now.
    pub fn lose_if_late(&mut self, now: Instant) -> bool {
        now >= self.lost_at && self.releasing == 0 && self.lose()
    }

    /// Declares it lost although it was released: the store has found that it was not held. Returns whether it was not known to be lost.
    pub fn lose_at_release(&mut self) -> bool {
        std::mem::replace(&mut self.phase, Phase::Lost) != Phase::Lost
    }

    /// Its caller releases it, so it is not renewed any more.
    pub fn release(&mut self) {
        if self.phase == Phase::Held {
            self.phase = Phase::Released;
        }
    }

    /// The ttl to renew it with, if that is due. `renewed` must follow.
    pub fn begin_renewal(&mut self, now: Instant) -> Option<Duration> {
        if self.is_over() || self.renewing || !self.is_renewable() || now < self.next_renewal {
            return None;
        }
        if let Some(heartbeat) = self.heartbeat.as_mut().filter(|heartbeat| now > heartbeat.last + heartbeat.interval) {
            heartbeat.is_missing = true;
            return None;
        }
        let ttl = self.life.min(self.hold_until.saturating_duration_since(now));
        self.renewing = !ttl.is_zero();
        self.renewing.then_some(ttl)
    }

    /// Records the result of a renewal that was sent at `requested`: whether the store extended it, `None` if that is unknown.
    /// Returns whether the lock was lost by it.
    pub fn renewed(&mut self, requested: Instant, ttl: Duration, result: Option<bool>, now: Instant) -> bool {
        self.renewing = false;
        match result {
            Some(true) => self.grant(requested, ttl),
            Some(false) if self.releasing > 0 => self.missing = true,
            Some(false) => return self.lose(),
            None => self.next_renewal = now + self.life / AGAIN,
        }
        false
    }

    /// A heartbeat of its holder.
    pub fn beat(&mut self, now: Instant) {
        if let Some(heartbeat) = &mut self.heartbeat {
            (heartbeat.last, heartbeat.is_missing) = (now, false);
        }
    }

    /// Its caller releases it by its token: it is neither renewed nor lost until `end_release_in_doubt` is called.
    pub fn begin_release_in_doubt(&mut self) {
        self.releasing += 1;
    }

    /// Records the result of that release: whether the store released it, `None` if that is unknown. Returns whether the lock was lost.
    pub fn end_release_in_doubt(&mut self, result: Option<bool>) -> bool {
        self.releasing = self.releasing.saturating_sub(1);
        match result {
            Some(true) => self.release(),
            Some(false) => return self.lose(),
            None => return self.releasing == 0 && self.missing && self.lose(),
        }
        false
    }

    /// Its caller extends it from now on, so it is not renewed until `extended` is called.
    pub fn begin_extension(&mut self) {
        self.extending += 1;
    }

    /// Records the result of the caller's extension, as `renewed` does. The new ttl becomes its life, and may be longer than it was to be
    /// held.
    pub fn extended(&mut self, requested: Instant, ttl: Duration, result: Option<bool>) -> bool {
        self.extending = self.extending.saturating_sub(1);
        match result {
            Some(true) => {
                self.life = ttl;
                self.hold_until = self.hold_until.max(requested + ttl);
                self.grant(requested, ttl);
            }
            Some(false) if self.releasing > 0 => self.missing = true,
            Some(false) => return self.lose(),
            // The store may have shortened it.
            None if requested + ttl < self.expires => self.grant(requested, ttl),
            None => {}
        }
        false
    }

    /// When something is to be done about it next.
    pub fn next_event(&self) -> Option<Instant> {
        if self.is_over() || self.releasing > 0 {
            return None;
        }
        let renews = !self.renewing && self.is_renewable();
        Some(if renews { self.next_renewal.min(self.lost_at) } else { self.lost_at })
    }

    fn is_renewable(&self) -> bool {
        let is_alive = self.heartbeat.as_ref().is_none_or(|heartbeat| !heartbeat.is_missing);
        self.extending == 0 && self.releasing == 0 && self.expires < self.hold_until && is_alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lock(life: u32, hold: u32) -> (LockState, Instant) {
        let start = Instant::now();
        (LockState::new(start, SECOND * life, start + SECOND * hold, None), start)
    }

    #[test]
    fn it_is_renewed_at_a_third_of_its_life_until_its_longest_time() {
        let (mut lock, start) = lock(30, 60);
        assert_eq!(lock.begin_renewal(start + SECOND * 9), None);
        let mut renewals = Vec::new();
        while let Some(at) = lock.next_event().filter(|at| lock.is_valid(*at)) {
            let ttl = lock.begin_renewal(at).unwrap();
            assert!(!lock.renewed(at, ttl, Some(true), at));
            renewals.push(((at - start).as_secs(), ttl.as_secs()));
        }
        assert_eq!(renewals, [(10, 30), (20, 30), (30, 30)]);
        assert!(lock.is_valid(start + SECOND * 57) && !lock.is_valid(start + SECOND * 58), "2 s before the end");
        assert!(lock.lose_if_late(start + SECOND * 58) && lock.next_event().is_none());
    }

    #[test]
    fn what_cannot_be_renewed_is_lost_before_its_life_ends() {
        let (mut lock, start) = lock(10, 3600);
        let mut now = start;
        while !lock.lose_if_late(now) {
            if let Some(ttl) = lock.begin_renewal(now) {
                assert!(!lock.renewed(now, ttl, None, now));
            }
            now = lock.next_event().unwrap();
        }
        assert_eq!(now - start, SECOND * 9);
        assert!(!lock.is_valid(now) && !lock.is_expired(now));
        assert!(lock.begin_renewal(now).is_none() && !lock.lose());
    }

    #[test]
    fn a_renewal_that_finds_another_holder_ends_it() {
        let (mut lock, start) = lock(10, 3600);
        let ttl = lock.begin_renewal(start + SECOND * 4).unwrap();
        assert_eq!(lock.next_event(), Some(start + SECOND * 9), "one renewal at a time");
        assert!(lock.renewed(start + SECOND * 4, ttl, Some(false), start + SECOND * 4));
        assert!(lock.is_lost() && !lock.is_valid(start + SECOND * 5));
    }

    #[test]
    fn an_extension_sets_the_life_and_is_not_crossed_by_a_renewal() {
        let (mut lock, start) = lock(10, 20);
        lock.begin_extension();
        assert_eq!(lock.begin_renewal(start + SECOND * 5), None);
        assert!(!lock.extended(start + SECOND * 5, SECOND * 60, Some(true)));
        assert_eq!(lock.left(start + SECOND * 5), SECOND * 60);
        assert_eq!(lock.begin_renewal(start + SECOND * 50), None, "it was to be held for 20 s only");
        lock.begin_extension();
        assert!(!lock.extended(start + SECOND * 6, SECOND * 3, None));
        assert_eq!(lock.left(start + SECOND * 6), SECOND * 3, "it may have been shortened");
    }

    #[test]
    fn while_a_release_is_in_flight_only_its_result_decides() {
        let in_doubt = || {
            let (mut lock, start) = lock(10, 3600);
            let ttl = lock.begin_renewal(start + SECOND * 4).unwrap();
            lock.begin_release_in_doubt();
            assert!(!lock.renewed(start + SECOND * 4, ttl, Some(false), start + SECOND * 4));
            assert!(!lock.lose_if_late(start + SECOND * 9) && !lock.is_valid(start + SECOND * 9));
            assert!(lock.next_event().is_none() && lock.begin_renewal(start + SECOND * 8).is_none());
            lock
        };
        let mut lock = in_doubt();
        assert!(!lock.end_release_in_doubt(Some(true)) && lock.is_over() && !lock.is_lost());
        let mut lock = in_doubt();
        assert!(lock.end_release_in_doubt(Some(false)) && lock.is_lost());
        let mut lock = in_doubt();
        assert!(lock.end_release_in_doubt(None) && lock.is_lost());
    }

    #[test]
    fn a_lock_without_heartbeats_is_not_renewed_until_the_next_one() {
        let start = Instant::now();
        let mut lock = LockState::new(start, SECOND * 30, start + SECOND * 3600, Some(SECOND * 5));
        lock.beat(start + SECOND * 8);
        let ttl = lock.begin_renewal(start + SECOND * 10).unwrap();
        assert!(!lock.renewed(start + SECOND * 10, ttl, Some(true), start + SECOND * 10));
        assert_eq!(lock.begin_renewal(start + SECOND * 20), None, "the last one is 12 s old");
        assert_eq!(lock.next_event(), Some(start + SECOND * 38), "it is lost 2 s before its end");
        lock.beat(start + SECOND * 21);
        assert_eq!(lock.next_event(), Some(start + SECOND * 20));
        assert_eq!(lock.begin_renewal(start + SECOND * 21), Some(SECOND * 30));
    }

    #[test]
    fn nothing_follows_a_release() {
        let (mut lock, start) = lock(10, 20);
        lock.release();
        assert!(lock.next_event().is_none() && lock.begin_renewal(start + SECOND * 5).is_none());
        assert!(!lock.lose_if_late(start + SECOND * 30) && !lock.is_lost() && !lock.is_valid(start));
        assert!(lock.lose_at_release() && !lock.lose_at_release());
    }
}
