//! A circuit breaker: refuses calls to a server that keeps failing, and lets one at a time through to see whether it is back.
//!
//! It reads no clock: whoever asks says what time it is.

mod window;

use std::time::Duration;

use cinnabar_port::{
    BreakerState, BreakerStatus,
    error::{Error, Kind},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use self::window::Window;
use crate::settings::BreakerSettings;

/// The breaker of one server.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    inner: Mutex<Inner>,
}

/// The permission to send a round of calls; what became of them is recorded with it.
///
/// One that is lost does no harm: a probe that nobody records counts as failed when its time is over.
#[derive(Debug)]
#[must_use = "what became of the calls must be recorded"]
pub struct Pass {
    /// A record means something only while what it was given for still is.
    generation: u64,
    probe: bool,
}

impl Pass {
    /// Whether these calls decide if the server is back.
    pub fn is_probe(&self) -> bool {
        self.probe
    }
}

/// No permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// When the next probe may go or, while one is under way, until when it must have ended. Never zero.
    pub retry_in: Duration,
}

/// What became of the calls of a round. Those whose end says nothing about the server are not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were answered, an answer that says no included.
    pub ok: u32,
    /// How many were not.
    pub failed: u32,
    /// How many of either took too long.
    pub slow: u32,
}

impl Tally {
    /// Counts a call that ended so after `took`.
    pub fn count<T>(&mut self, outcome: &Result<T, Error>, took: Duration, settings: &BreakerSettings) {
        let counted = match outcome {
            Ok(_) => &mut self.ok,
            // An error reply: the code tells whether the server works. Reads must not be rejected because of writes.
            Err(error) if error.code().is_some_and(|code| !code.policy().is_failure) => &mut self.ok,
            Err(error) => match error.kind {
                Kind::Timeout | Kind::Unavailable | Kind::MaybeApplied | Kind::NotSent => &mut self.failed,
                // Ended on this side: nobody knows what the server would have said.
                Kind::Backpressure | Kind::Aborted | Kind::Closed => return,
                _ => &mut self.ok,
            },
        };
        *counted = counted.saturating_add(1);
        self.slow = self.slow.saturating_add(u32::from(took >= settings.slow_call));
    }

    fn calls(self) -> u64 {
        u64::from(self.ok) + u64::from(self.failed)
    }
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Counts changes of state and probes.
    generation: u64,
    window: Window,
    /// The state that `news` last told.
    told: BreakerState,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open {
        since: Instant,
    },
    HalfOpen {
        /// When the probe that is under way was let through.
        probe: Option<Instant>,
    },
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        let window = Window::new(settings.window);
        let inner = Inner { state: State::Closed, generation: 0, window, told: BreakerState::Closed };
        Self { settings, inner: Mutex::new(inner) }
    }

    /// Its settings.
    pub fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// Whether a round may be sent now.
    ///
    /// # Errors
    /// Not before a time that it names.
    pub fn admit(&self, now: Instant) -> Result<Pass, Refused> {
        if !self.settings.enabled {
            return Ok(Pass { generation: 0, probe: false });
        }
        let mut inner = self.inner(now);
        if let State::Closed = inner.state {
            return Ok(Pass { generation: inner.generation, probe: false });
        }
        if let Some(retry_in) = inner.retry_in(&self.settings, now) {
            return Err(Refused { retry_in });
        }
        inner.become_state(State::HalfOpen { probe: Some(now) });
        Ok(Pass { generation: inner.generation, probe: true })
    }

    /// Says what became of the calls that this pass let through.
    pub fn record(&self, pass: Pass, tally: Tally, now: Instant) {
        if !self.settings.enabled {
            return;
        }
        let mut inner = self.inner(now);
        if pass.generation != inner.generation {
            // Sent before the state changed: what it says about the server is no longer news.
            return;
        }
        match inner.state {
            State::Closed => {
                inner.window.add(tally, now);
                if self.is_too_much(&inner, tally, now) {
                    inner.become_state(State::Open { since: now });
                }
            }
            // No call has a pass of an open breaker.
            State::Open { .. } => {}
            State::HalfOpen { .. } => {
                let (failed, slow, calls) = (u64::from(tally.failed), u64::from(tally.slow), tally.calls());
                if calls == 0 {
                    // All were ended on this side, which tells nothing: the next call may be the probe.
                    inner.become_state(State::HalfOpen { probe: None });
                } else if self.settings.error_rate.is_reached(failed, calls)
                    || self.settings.slow_rate.is_reached(slow, calls)
                {
                    inner.become_state(State::Open { since: now });
                } else {
                    inner.window.clear();
                    inner.become_state(State::Closed);
                }
            }
        }
    }

    /// Says that a new connection was made: a server that came back must not stay cut off until the time is over.
    pub fn reconnected(&self, now: Instant) {
        let mut inner = self.inner(now);
        if let State::Open { .. } = inner.state {
            inner.become_state(State::HalfOpen { probe: None });
        }
    }

    /// How it is.
    pub fn snapshot(&self, now: Instant) -> BreakerStatus {
        let inner = self.inner(now);
        let retry_in = inner.retry_in(&self.settings, now);
        let (calls, failed, slow) = inner.window.sums(now);
        BreakerStatus { state: inner.state.name(), calls, failed, slow, retry_in }
    }

    /// Its state, if it is another one than this told last: each change is told once.
    pub fn news(&self, now: Instant) -> Option<BreakerState> {
        let mut inner = self.inner(now);
        let state = inner.state.name();
        (std::mem::replace(&mut inner.told, state) != state).then_some(state)
    }

    /// Only a call that failed or was slow can open it: after an outage, the first good answers must not.
    fn is_too_much(&self, inner: &Inner, tally: Tally, now: Instant) -> bool {
        if tally.failed == 0 && tally.slow == 0 {
            return false;
        }
        let (calls, failed, slow) = inner.window.sums(now);
        calls >= u64::from(self.settings.volume)
            && (tally.failed > 0 && self.settings.error_rate.is_reached(failed, calls)
                || tally.slow > 0 && self.settings.slow_rate.is_reached(slow, calls))
    }

    /// What it is now, after what time alone has changed.
    fn inner(&self, now: Instant) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock();
        if let State::HalfOpen { probe: Some(begun) } = inner.state
            && now.saturating_duration_since(begun) >= self.settings.probe_timeout
        {
            // Failed when its time was over, not when somebody looked.
            inner.become_state(State::Open { since: begun + self.settings.probe_timeout });
        }
        if let State::Open { since } = inner.state
            && now.saturating_duration_since(since) >= self.settings.open_for
        {
            inner.become_state(State::HalfOpen { probe: None });
        }
        inner
    }
}

impl Inner {
    /// Every pass given before means nothing from here on.
    fn become_state(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }

    /// How long calls are refused for; `None` when the next one is let through.
    fn retry_in(&self, settings: &BreakerSettings, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed | State::HalfOpen { probe: None } => None,
            State::Open { since } => Some(settings.open_for - now.saturating_duration_since(since)),
            State::HalfOpen { probe: Some(begun) } => {
                Some(settings.probe_timeout - now.saturating_duration_since(begun))
            }
        }
    }
}

impl State {
    fn name(self) -> BreakerState {
        match self {
            Self::Closed => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests;
