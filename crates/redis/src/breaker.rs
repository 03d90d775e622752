//! A circuit breaker: rejects calls to a server that keeps failing, and admits one at a time to check whether it has recovered.
//!
//! It reads no clock: callers pass the current time.

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

/// The permission to send a round of calls; their outcomes are recorded with it.
///
/// A lost admission does no harm: a probe that is never recorded counts as failed after its timeout.
#[derive(Debug)]
#[must_use = "the outcomes of the calls must be recorded"]
pub struct Admission {
    /// A record counts only while the breaker has the generation in which the admission was given.
    generation: u64,
    probe: bool,
}

impl Admission {
    /// Whether these calls decide if the server has recovered.
    pub fn is_probe(&self) -> bool {
        self.probe
    }
}

/// The calls were not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The time until the next probe is admitted or, while one is in flight, until it times out. Never zero.
    pub retry_in: Duration,
}

/// The outcomes of the calls of a round, without those that say nothing about the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Calls that got a reply, error replies included.
    pub ok: u32,
    /// Calls that got no reply.
    pub failed: u32,
    /// Calls of both kinds that took too long.
    pub slow: u32,
}

impl Outcomes {
    /// Counts a call with this outcome that took this long.
    pub fn count<T>(&mut self, outcome: &Result<T, Error>, took: Duration, settings: &BreakerSettings) {
        let counted = match outcome {
            Ok(_) => &mut self.ok,
            // An error reply: the code shows whether the server works. Reads must not be rejected because of writes.
            Err(error) if error.code().is_some_and(|code| !code.policy().is_failure) => &mut self.ok,
            Err(error) => match error.kind {
                Kind::Timeout | Kind::Unavailable | Kind::MaybeApplied | Kind::NotSent => &mut self.failed,
                // Ended on this side: it is unknown how the server would have replied.
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
    /// The state that `unreported_change` last returned.
    reported: BreakerState,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open {
        since: Instant,
    },
    HalfOpen {
        /// When the probe in flight was admitted.
        probe: Option<Instant>,
    },
}

impl Breaker {
    /// Creates a closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        let window = Window::new(settings.window);
        let inner = Inner { state: State::Closed, generation: 0, window, reported: BreakerState::Closed };
        Self { settings, inner: Mutex::new(inner) }
    }

    /// Returns its settings.
    pub fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// Whether a round may be sent now.
    ///
    /// # Errors
    /// If not, with the time until the next attempt.
    pub fn admit(&self, now: Instant) -> Result<Admission, Refused> {
        if !self.settings.enabled {
            return Ok(Admission { generation: 0, probe: false });
        }
        let mut inner = self.inner(now);
        if let State::Closed = inner.state {
            return Ok(Admission { generation: inner.generation, probe: false });
        }
        if let Some(retry_in) = inner.retry_in(&self.settings, now) {
            return Err(Refused { retry_in });
        }
        inner.become_state(State::HalfOpen { probe: Some(now) });
        Ok(Admission { generation: inner.generation, probe: true })
    }

    /// Records the outcomes of the calls of this admission.
    pub fn record(&self, admission: Admission, outcomes: Outcomes, now: Instant) {
        if !self.settings.enabled {
            return;
        }
        let mut inner = self.inner(now);
        if admission.generation != inner.generation {
            // Sent before the state changed, so it says nothing about the current state of the server.
            return;
        }
        match inner.state {
            State::Closed => {
                inner.window.add(outcomes, now);
                if self.is_too_much(&inner, outcomes, now) {
                    inner.become_state(State::Open { since: now });
                }
            }
            // An open breaker admits no call.
            State::Open { .. } => {}
            State::HalfOpen { .. } => {
                let (failed, slow, calls) = (u64::from(outcomes.failed), u64::from(outcomes.slow), outcomes.calls());
                if calls == 0 {
                    // All were ended on this side, which says nothing about the server: the next call may be the probe.
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

    /// Records that a new connection was established: a recovered server must not be blocked for the whole `open_for`.
    pub fn reconnected(&self, now: Instant) {
        let mut inner = self.inner(now);
        if let State::Open { .. } = inner.state {
            inner.become_state(State::HalfOpen { probe: None });
        }
    }

    /// Returns the current state.
    pub fn snapshot(&self, now: Instant) -> BreakerStatus {
        let inner = self.inner(now);
        let retry_in = inner.retry_in(&self.settings, now);
        let (calls, failed, slow) = inner.window.sums(now);
        BreakerStatus { state: inner.state.name(), calls, failed, slow, retry_in }
    }

    /// Returns the state if it differs from the one returned last, so that each change is reported once.
    pub fn unreported_change(&self, now: Instant) -> Option<BreakerState> {
        let mut inner = self.inner(now);
        let state = inner.state.name();
        (std::mem::replace(&mut inner.reported, state) != state).then_some(state)
    }

    /// Whether too many calls failed or were slow. Only such a call can open it: the first good replies after an outage must not.
    fn is_too_much(&self, inner: &Inner, outcomes: Outcomes, now: Instant) -> bool {
        if outcomes.failed == 0 && outcomes.slow == 0 {
            return false;
        }
        let (calls, failed, slow) = inner.window.sums(now);
        calls >= u64::from(self.settings.volume)
            && (outcomes.failed > 0 && self.settings.error_rate.is_reached(failed, calls)
                || outcomes.slow > 0 && self.settings.slow_rate.is_reached(slow, calls))
    }

    /// The state, after the transitions that only depend on time.
    fn inner(&self, now: Instant) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock();
        if let State::HalfOpen { probe: Some(begun) } = inner.state
            && now.saturating_duration_since(begun) >= self.settings.probe_timeout
        {
            // It failed when it timed out, not when the state was read.
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
    /// Admissions given before are no longer valid.
    fn become_state(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }

    /// How long calls will still be rejected; `None` if the next one is admitted.
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
