use proptest::prelude::*;

use super::*;
use crate::settings::Rate;

#[derive(Debug, Clone)]
enum Action {
    Wait(u64),
    Admit,
    /// One of the admissions in flight, by its index.
    Record(prop::sample::Index, Outcomes),
    Lose(prop::sample::Index),
    Reconnect,
    Read,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let outcomes = prop_oneof![3 => Just(OK), 4 => Just(FAILED), 1 => Just(SLOW), 1 => Just(Outcomes::default())];
    let action = prop_oneof![
        4 => (0..400_u64).prop_map(Action::Wait),
        12 => Just(Action::Admit),
        12 => (any::<prop::sample::Index>(), outcomes).prop_map(|(at, outcomes)| Action::Record(at, outcomes)),
        1 => any::<prop::sample::Index>().prop_map(Action::Lose),
        1 => Just(Action::Reconnect),
        2 => Just(Action::Read),
    ];
    prop::collection::vec(action, 1..400)
}

/// A model of what must hold, from observations only.
#[derive(Default)]
struct Witness {
    /// The probe in flight, and when it was sent.
    probe: Option<Instant>,
    /// Since when calls are rejected; a new connection ends that.
    opened: Option<Instant>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn whatever_happens(actions in actions()) {
        let settings = BreakerSettings {
            volume: 5,
            window: 1000 * MS,
            open_for: 700 * MS,
            probe_timeout: 300 * MS,
            error_rate: Rate::new("errorRate", 0.5).unwrap(),
            ..BreakerSettings::default()
        };
        let mut bench = Bench::with(settings);
        let mut seen = Witness::default();
        let mut out: Vec<(Admission, Instant)> = Vec::new();
        for action in actions {
            let before = bench.status();
            match action {
                Action::Wait(ms) => {
                    bench.admission(ms as u32 * MS);
                }
                Action::Admit => match bench.breaker.admit(bench.now) {
                    Ok(admission) => {
                        prop_assert_eq!(admission.is_probe(), before.state != BreakerState::Closed);
                        prop_assert_eq!(before.retry_in, None, "it had said that it refuses");
                        if admission.is_probe() {
                            let alone = seen.probe.is_none_or(|begun| bench.now - begun >= settings.probe_timeout);
                            prop_assert!(alone, "two probes at once");
                            seen.probe = Some(bench.now);
                        }
                        if let Some(opened) = seen.opened.take() {
                            prop_assert!(bench.now - opened >= settings.open_for, "let through before its time");
                        }
                        out.push((admission, bench.now));
                    }
                    Err(Refused { retry_in }) => {
                        prop_assert_ne!(before.state, BreakerState::Closed);
                        prop_assert_eq!(before.retry_in, Some(retry_in));
                        prop_assert!(retry_in > Duration::ZERO && retry_in <= settings.open_for);
                    }
                },
                Action::Record(at, outcomes) if !out.is_empty() => {
                    let (admission, begun) = out.swap_remove(at.index(out.len()));
                    let current = admission.generation == bench.breaker.inner.lock().generation;
                    let probe = admission.is_probe();
                    bench.record(admission, outcomes);
                    let after = bench.status();
                    if probe && seen.probe == Some(begun) && bench.now - begun < settings.probe_timeout {
                        seen.probe = None;
                    }
                    if !current {
                        prop_assert_eq!(after, before, "a late record changed something");
                    }
                    if after.state == BreakerState::Open && before.state != BreakerState::Open {
                        prop_assert!(outcomes.failed + outcomes.slow > 0, "a good call opened it");
                        prop_assert!(before.state == BreakerState::HalfOpen || after.calls >= u64::from(settings.volume));
                        seen.opened = Some(bench.now);
                    }
                    if after.state == BreakerState::Closed && before.state != BreakerState::Closed {
                        prop_assert!(probe && outcomes == OK, "closed by something else than a good probe");
                    }
                }
                Action::Lose(at) if !out.is_empty() => {
                    drop(out.swap_remove(at.index(out.len())));
                }
                Action::Reconnect => {
                    bench.breaker.reconnected(bench.now);
                    seen.opened = None;
                    prop_assert_ne!(bench.status().state, BreakerState::Open);
                }
                Action::Record(..) | Action::Lose(_) | Action::Read => {}
            }
            let status = bench.status();
            prop_assert!(status.failed <= status.calls && status.slow <= status.calls, "{:?}", status);
match status.state {
                BreakerState::Closed => prop_assert_eq!(status.retry_in, None),
                BreakerState::Open => prop_assert!(status.retry_in.is_some()),
                BreakerState::HalfOpen => {}
            }
        }
        // Even if calls are lost or hang: after both times it admits a call, and a good one closes it.
        bench.admission(settings.probe_timeout + settings.open_for);
        let admission = bench.admit();
        bench.record(admission, OK);
        bench.is(BreakerState::Closed);
    }
}
