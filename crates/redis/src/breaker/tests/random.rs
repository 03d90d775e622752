use proptest::prelude::*;

use super::*;
use crate::settings::Rate;

#[derive(Debug, Clone)]
enum Deed {
    Wait(u64),
    Admit,
    /// Of the passes that are out, the one at this place of them all.
    Record(prop::sample::Index, Tally),
    Lose(prop::sample::Index),
    Reconnect,
    Look,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let tally = prop_oneof![3 => Just(OK), 4 => Just(FAILED), 1 => Just(SLOW), 1 => Just(Tally::default())];
    let deed = prop_oneof![
        4 => (0..400_u64).prop_map(Deed::Wait),
        12 => Just(Deed::Admit),
        12 => (any::<prop::sample::Index>(), tally).prop_map(|(at, tally)| Deed::Record(at, tally)),
        1 => any::<prop::sample::Index>().prop_map(Deed::Lose),
        1 => Just(Deed::Reconnect),
        2 => Just(Deed::Look),
    ];
    prop::collection::vec(deed, 1..400)
}

/// What must hold whatever happens, by what was seen from outside alone.
#[derive(Default)]
struct Witness {
    /// The probe that is out, and when it went.
    probe: Option<Instant>,
    /// Since when calls are refused; a new connection ends it.
    opened: Option<Instant>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn whatever_happens(deeds in deeds()) {
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
        let mut out: Vec<(Pass, Instant)> = Vec::new();
        for deed in deeds {
            let before = bench.status();
            match deed {
                Deed::Wait(ms) => {
                    bench.pass(ms as u32 * MS);
                }
                Deed::Admit => match bench.breaker.admit(bench.now) {
                    Ok(pass) => {
                        prop_assert_eq!(pass.is_probe(), before.state != BreakerState::Closed);
                        prop_assert_eq!(before.retry_in, None, "it had said that it refuses");
                        if pass.is_probe() {
                            let alone = seen.probe.is_none_or(|begun| bench.now - begun >= settings.probe_timeout);
                            prop_assert!(alone, "two probes at once");
                            seen.probe = Some(bench.now);
                        }
                        if let Some(opened) = seen.opened.take() {
                            prop_assert!(bench.now - opened >= settings.open_for, "let through before its time");
                        }
                        out.push((pass, bench.now));
                    }
                    Err(Refused { retry_in }) => {
                        prop_assert_ne!(before.state, BreakerState::Closed);
                        prop_assert_eq!(before.retry_in, Some(retry_in));
                        prop_assert!(retry_in > Duration::ZERO && retry_in <= settings.open_for);
                    }
                },
                Deed::Record(at, tally) if !out.is_empty() => {
                    let (pass, begun) = out.swap_remove(at.index(out.len()));
                    let current = pass.generation == bench.breaker.inner.lock().generation;
                    let probe = pass.is_probe();
                    bench.record(pass, tally);
                    let after = bench.status();
                    if probe && seen.probe == Some(begun) && bench.now - begun < settings.probe_timeout {
                        seen.probe = None;
                    }
                    if !current {
                        prop_assert_eq!(after, before, "a late record changed something");
                    }
                    if after.state == BreakerState::Open && before.state != BreakerState::Open {
                        prop_assert!(tally.failed + tally.slow > 0, "a good call opened it");
                        prop_assert!(before.state == BreakerState::HalfOpen || after.calls >= u64::from(settings.volume));
                        seen.opened = Some(bench.now);
                    }
                    if after.state == BreakerState::Closed && before.state != BreakerState::Closed {
                        prop_assert!(probe && tally == OK, "closed by something else than a good probe");
                    }
                }
                Deed::Lose(at) if !out.is_empty() => {
                    drop(out.swap_remove(at.index(out.len())));
                }
                Deed::Reconnect => {
                    bench.breaker.reconnected(bench.now);
                    seen.opened = None;
                    prop_assert_ne!(bench.status().state, BreakerState::Open);
                }
                Deed::Record(..) | Deed::Lose(_) | Deed::Look => {}
            }
            let status = bench.status();
            prop_assert!(status.failed <= status.calls && status.slow <= status.calls, "{:?}", status);
match status.state {
                BreakerState::Closed => prop_assert_eq!(status.retry_in, None),
                BreakerState::Open => prop_assert!(status.retry_in.is_some()),
                BreakerState::HalfOpen => {}
            }
        }
        // Whatever is lost or hangs: after both times it lets a call through, and a good one closes it.
        bench.pass(settings.probe_timeout + settings.open_for);
        let pass = bench.admit();
        bench.record(pass, OK);
        bench.is(BreakerState::Closed);
    }
}
