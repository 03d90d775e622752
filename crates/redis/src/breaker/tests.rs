mod random;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const OK: Outcomes = Outcomes { ok: 1, failed: 0, slow: 0 };
const FAILED: Outcomes = Outcomes { ok: 0, failed: 1, slow: 0 };
const SLOW: Outcomes = Outcomes { ok: 1, failed: 0, slow: 1 };

/// A clock that tests advance.
struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self::with(BreakerSettings::default())
    }

    fn with(settings: BreakerSettings) -> Self {
        Self { breaker: Breaker::new(settings.validated().unwrap()), now: Instant::now() }
    }

    fn admission(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    #[track_caller]
    fn admit(&self) -> Admission {
        self.breaker.admit(self.now).unwrap()
    }

    #[track_caller]
    fn refused_for(&self) -> Duration {
        self.breaker.admit(self.now).unwrap_err().retry_in
    }

    fn record(&self, admission: Admission, outcomes: Outcomes) {
        self.breaker.record(admission, outcomes, self.now);
    }

    #[track_caller]
    fn calls(&self, count: u32, outcomes: Outcomes) {
        for _ in 0..count {
            self.record(self.admit(), outcomes);
        }
    }

    fn status(&self) -> BreakerStatus {
        self.breaker.snapshot(self.now)
    }

    #[track_caller]
    fn is(&self, state: BreakerState) {
        assert_eq!(self.status().state, state);
    }

    /// Creates a breaker that has just opened.
    fn opened() -> Self {
        let bench = Self::new();
        bench.calls(20, FAILED);
        bench.is(BreakerState::Open);
        bench
    }
}

#[test]
fn few_calls_never_open_it() {
    let bench = Bench::new();
    bench.calls(19, FAILED);
    bench.is(BreakerState::Closed);
    bench.calls(1, FAILED);
    bench.is(BreakerState::Open);
}

#[test]
fn half_of_the_calls_failing_open_it_and_less_does_not() {
    let bench = Bench::new();
    bench.calls(51, OK);
    bench.calls(50, FAILED);
    bench.is(BreakerState::Closed);
    let status = bench.status();
    assert_eq!((status.calls, status.failed, status.slow, status.retry_in), (101, 50, 0, None));
    bench.calls(1, FAILED);
    bench.is(BreakerState::Open);
}

#[test]
fn rounds_count_call_by_call() {
    let bench = Bench::new();
    bench.calls(1, Outcomes { ok: 10, failed: 9, slow: 0 });
    bench.is(BreakerState::Closed);
    bench.calls(1, Outcomes { ok: 1, failed: 2, slow: 0 });
    let status = bench.status();
    assert_eq!((status.state, status.calls, status.failed), (BreakerState::Open, 22, 11));
}

#[test]
fn four_of_five_calls_being_slow_open_it_and_less_does_not() {
    let bench = Bench::new();
    bench.calls(6, OK);
    bench.calls(23, SLOW);
    bench.is(BreakerState::Closed);
    bench.calls(1, SLOW);
    let status = bench.status();
    assert_eq!((status.state, status.calls, status.failed, status.slow), (BreakerState::Open, 30, 0, 24));
}

#[test]
fn a_good_call_never_opens_it() {
    // Ten calls fail in an outage too short to open it; the volume is reached by the good ones after it.
    let bench = Bench::new();
    bench.calls(10, FAILED);
    bench.calls(10, OK);
    bench.is(BreakerState::Closed);
}

#[test]
fn the_window_slides() {
    let mut bench = Bench::new();
    bench.calls(19, FAILED);
    bench.admission(9 * SECOND - MS);
    assert_eq!(bench.status().failed, 19, "nine tenths of the window are always remembered");
    bench.admission(SECOND + MS);
    assert_eq!(bench.status(), BreakerStatus::default());
    bench.calls(19, FAILED);
    bench.is(BreakerState::Closed);
}

#[test]
fn the_window_rolls() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.calls(4, OK);
        bench.calls(3, FAILED);
        bench.admission(SECOND);
        assert!(bench.status().calls <= 70, "{:?}", bench.status());
    }
    bench.is(BreakerState::Closed);
    // A long silence, over many turns of the ring, leaves nothing behind.
    bench.admission(12_345 * SECOND);
    assert_eq!(bench.status().calls, 0);
}

#[test]
fn an_older_time_is_counted_as_the_latest() {
    let mut bench = Bench::new();
    bench.admission(100 * SECOND).calls(5, FAILED);
    bench.admission(5 * SECOND).calls(5, FAILED);
    let (late, admission) = (bench.now - 4 * SECOND, bench.admit());
    bench.breaker.record(admission, FAILED, late);
    assert_eq!(bench.breaker.snapshot(late).failed, 11);
    assert_eq!(bench.status().failed, 11);
}

#[test]
fn an_open_breaker_rejects_calls_with_the_remaining_time() {
    let mut bench = Bench::opened();
    assert_eq!(bench.refused_for(), 30 * SECOND);
    bench.admission(12 * SECOND);
    assert_eq!(bench.refused_for(), 18 * SECOND);
    assert_eq!(bench.status().retry_in, Some(18 * SECOND));
    bench.admission(18 * SECOND - MS);
    assert_eq!(bench.refused_for(), MS);
    bench.admission(MS);
    assert_eq!(bench.status().retry_in, None);
    assert!(bench.admit().is_probe());
}

#[test]
fn one_probe_at_a_time_goes_through() {
    let mut bench = Bench::opened();
    bench.admission(30 * SECOND);
    let probe = bench.admit();
    bench.is(BreakerState::HalfOpen);
    assert_eq!(bench.refused_for(), 5 * SECOND);
    bench.admission(SECOND);
    assert_eq!(bench.refused_for(), 4 * SECOND);
    bench.record(probe, OK);
    let status = bench.status();
    assert_eq!(status, BreakerStatus::default(), "closed, and the outage does not count any more");
    bench.calls(19, FAILED);
    bench.is(BreakerState::Closed);
}

#[test]
fn a_failed_probe_opens_it_again_for_the_whole_time() {
    let mut bench = Bench::opened();
    bench.admission(30 * SECOND);
    let probe = bench.admit();
    bench.admission(SECOND).record(probe, FAILED);
    assert_eq!(bench.refused_for(), 30 * SECOND);
}

#[test]
fn a_slow_probe_has_not_helped() {
    let mut bench = Bench::opened();
    bench.admission(30 * SECOND);
    bench.record(bench.admit(), SLOW);
    bench.is(BreakerState::Open);
}

#[test]
fn a_probe_of_many_calls_is_decided_by_the_rates() {
    for (outcomes, state) in [
        (Outcomes { ok: 6, failed: 4, slow: 4 }, BreakerState::Closed),
        (Outcomes { ok: 5, failed: 5, slow: 0 }, BreakerState::Open),
    ] {
        let mut bench = Bench::opened();
        bench.admission(30 * SECOND);
        bench.record(bench.admit(), outcomes);
        bench.is(state);
    }
}

#[test]
fn a_probe_that_its_caller_ended_makes_room_for_the_next() {
    let mut bench = Bench::opened();
    bench.admission(30 * SECOND);
    bench.record(bench.admit(), Outcomes::default());
    bench.is(BreakerState::HalfOpen);
    let next = bench.admit();
    assert!(next.is_probe());
    bench.record(next, OK);
    bench.is(BreakerState::Closed);
}

#[test]
fn a_probe_that_hangs_has_failed_when_its_time_is_over() {
    let mut bench = Bench::opened();
    bench.admission(30 * SECOND);
    let hung = bench.admit();
    bench.admission(5 * SECOND - MS);
    assert_eq!(bench.refused_for(), MS);
    bench.admission(MS);
    assert_eq!(bench.refused_for(), 30 * SECOND);
    bench.record(hung, OK);
    bench.is(BreakerState::Open);
    bench.admission(30 * SECOND);
    bench.record(bench.admit(), OK);
    bench.is(BreakerState::Closed);
}

#[test]
fn a_probe_that_is_never_recorded_does_not_wedge_it() {
    let mut bench = Bench::opened();
    bench.admission(30 * SECOND);
    drop(bench.admit());
    // The state is not read until both times are over, counted from when the probe was sent.
    bench.admission(35 * SECOND);
    let next = bench.admit();
    assert!(next.is_probe());
    bench.record(next, OK);
    drop(bench.admit());
    bench.is(BreakerState::Closed);
}

#[test]
fn a_late_reply_from_before_it_opened_changes_nothing() {
    let mut bench = Bench::new();
    let (first, second, third) = (bench.admit(), bench.admit(), bench.admit());
    bench.calls(20, FAILED);
    let open = bench.status();
    bench.record(first, OK);
    assert_eq!(bench.status(), open);
    bench.admission(30 * SECOND);
    let probe = bench.admit();
    bench.record(second, OK);
    bench.is(BreakerState::HalfOpen);
    assert_eq!(bench.refused_for(), 5 * SECOND, "it is not the reply to the probe");
    bench.record(third, FAILED);
    bench.is(BreakerState::HalfOpen);
    bench.record(probe, OK);
    bench.is(BreakerState::Closed);
}

#[test]
fn a_late_failure_after_it_closed_changes_nothing() {
    let mut bench = Bench::new();
    let late: Vec<_> = (0..50).map(|_| bench.admit()).collect();
    bench.calls(20, FAILED);
    bench.admission(30 * SECOND);
    bench.record(bench.admit(), OK);
    for admission in late {
        bench.record(admission, FAILED);
    }
    assert_eq!(bench.status(), BreakerStatus::default());
}

#[test]
fn a_late_probe_does_not_speak_for_the_next() {
    let mut bench = Bench::opened();
    bench.admission(30 * SECOND);
    let hung = bench.admit();
    bench.admission(35 * SECOND);
    let probe = bench.admit();
    bench.record(hung, FAILED);
    bench.is(BreakerState::HalfOpen);
    bench.record(probe, OK);
    bench.is(BreakerState::Closed);
}

#[test]
fn flapping_costs_one_call_each_time() {
    let mut bench = Bench::opened();
    for _ in 0..50 {
        bench.admission(30 * SECOND);
        let probe = bench.admit();
        for _ in 0..10 {
            bench.refused_for();
        }
        bench.record(probe, FAILED);
        for _ in 0..29 {
            bench.admission(SECOND).refused_for();
        }
        bench.admission(SECOND);
        bench.record(bench.admit(), OK);
        // It responds again, and fails immediately.
        bench.calls(20, FAILED);
        bench.is(BreakerState::Open);
    }
}

#[test]
fn a_new_connection_is_tried_at_once() {
    let mut bench = Bench::opened();
    bench.admission(SECOND);
    bench.breaker.reconnected(bench.now);
    bench.is(BreakerState::HalfOpen);
    let probe = bench.admit();
    assert!(probe.is_probe());
    // A second connection of the pool is no reason for a second probe.
    bench.breaker.reconnected(bench.now);
    bench.refused_for();
    bench.record(probe, FAILED);
    assert_eq!(bench.refused_for(), 30 * SECOND);
    bench.breaker.reconnected(bench.now);
    bench.record(bench.admit(), OK);
    bench.is(BreakerState::Closed);
}

#[test]
fn a_new_connection_does_not_clear_the_window_of_a_closed_one() {
    // A server that accepts connections and drops them must open it nevertheless.
    let bench = Bench::new();
    for _ in 0..20 {
        bench.calls(1, FAILED);
        bench.breaker.reconnected(bench.now);
    }
    bench.is(BreakerState::HalfOpen);
}

#[test]
fn a_disabled_one_lets_all_through() {
    let bench = Bench::with(BreakerSettings::disabled());
    bench.calls(1000, FAILED);
    assert_eq!(bench.status(), BreakerStatus::default());
    assert!(!bench.admit().is_probe());
}

#[test]
fn each_change_is_reported_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.breaker.unreported_change(bench.now), None);
    bench.calls(20, FAILED);
    assert_eq!(bench.breaker.unreported_change(bench.now), Some(BreakerState::Open));
    assert_eq!(bench.breaker.unreported_change(bench.now), None);
    bench.admission(30 * SECOND);
    let probe = bench.admit();
    assert_eq!(bench.breaker.unreported_change(bench.now), Some(BreakerState::HalfOpen));
    bench.record(probe, OK);
    assert_eq!(bench.breaker.unreported_change(bench.now), Some(BreakerState::Closed));
    assert_eq!(bench.breaker.unreported_change(bench.now), None);
}

#[test]
fn only_outcomes_that_depend_on_the_server_are_counted() {
    let settings = BreakerSettings::default();
    let mut outcomes = Outcomes::default();
    for kind in Kind::ALL {
        outcomes.count::<()>(&Err(Error::new(*kind, "")), MS, &settings);
    }
    assert_eq!(outcomes.failed, 4);
    assert_eq!(outcomes.ok as usize, Kind::ALL.len() - 4 - 3);
    assert_eq!(outcomes.slow, 0);
    let mut outcomes = Outcomes::default();
    outcomes.count(&Ok(()), settings.slow_call, &settings);
    outcomes.count::<()>(&Err(Error::new(Kind::Timeout, "")), settings.slow_call, &settings);
    outcomes.count::<()>(&Err(Error::new(Kind::Aborted, "")), settings.slow_call, &settings);
    assert_eq!(outcomes, Outcomes { ok: 1, failed: 1, slow: 2 });
}
