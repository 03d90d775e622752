//! How much may be in flight to one server: calls, and the bytes of their keys and arguments.

use std::sync::atomic::{AtomicUsize, Ordering};

use cinnabar_port::{
    Request,
    error::{Error, Kind},
};

use crate::{plan::OutgoingCommand, settings::Settings};

/// The load in flight.
#[derive(Default)]
pub struct Permits {
    calls: AtomicUsize,
    bytes: AtomicUsize,
}

/// Calls and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub calls: usize,
    pub bytes: usize,
}

/// How many requests fit into the queue, in order, and the load with them.
#[derive(Debug, PartialEq, Eq)]
pub struct Fit {
    pub count: usize,
    more: Load,
    load: Load,
}

impl Permits {
    /// How many of these requests the limits allow; at least one if the queue is empty.
    pub fn fitting(&self, requests: impl Iterator<Item = Load>, settings: &Settings) -> Fit {
        let queued = Load { calls: self.calls.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) };
        let mut fit = Fit { count: 0, more: Load::default(), load: queued };
        for request in requests {
            let load = fit.load.and(request);
            let fits = load.calls <= settings.max_queued_calls && load.bytes <= settings.max_queued_bytes;
            if !fits && fit.load.calls > 0 {
                break;
            }
            fit = Fit { count: fit.count + 1, more: fit.more.and(request), load };
        }
        fit
    }

    /// Reserves queue space for as many of these requests as fit.
    pub fn enter(&self, requests: impl Iterator<Item = Load>, settings: &Settings) -> Permit<'_> {
        let fit = self.fitting(requests, settings);
        self.calls.fetch_add(fit.more.calls, Ordering::Relaxed);
        self.bytes.fetch_add(fit.more.bytes, Ordering::Relaxed);
        Permit { permits: self, fit }
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Returns the load of a request.
    pub fn of(request: &Request) -> Self {
        Self { calls: 1, bytes: request.bytes() }
    }

    /// Returns the load of the calls that are sent as one command.
    pub fn of_command(command: &OutgoingCommand) -> Self {
        Self { calls: command.calls(), bytes: command.bytes() }
    }

    fn and(self, more: Self) -> Self {
        Self { calls: self.calls + more.calls, bytes: self.bytes + more.bytes }
    }
}

impl Fit {
    /// The error for the requests that do not fit.
    pub fn full(&self, settings: &Settings) -> Error {
        let message = format!(
            "too many calls are queued: {} calls with {} bytes (maxQueuedCalls = {}, maxQueuedBytes = {}); nothing was sent",
            self.load.calls, self.load.bytes, settings.max_queued_calls, settings.max_queued_bytes
        );
        Error::new(Kind::Backpressure, message)
    }
}

/// The queue space reserved for requests until this is dropped.
pub struct Permit<'a> {
    permits: &'a Permits,
    pub fit: Fit,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.permits.calls.fetch_sub(self.fit.more.calls, Ordering::Relaxed);
        self.permits.bytes.fetch_sub(self.fit.more.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Options};

    fn settings() -> Settings {
        let mut settings = Settings::resolve(Options::default(), &Environment(Default::default())).unwrap().settings;
        (settings.max_queued_calls, settings.max_queued_bytes) = (10, 100);
        settings
    }

    fn loads(all: &[(usize, usize)]) -> impl Iterator<Item = Load> {
        all.iter().map(|&(calls, bytes)| Load { calls, bytes })
    }

    #[test]
    fn as_many_fit_as_the_limits_allow_with_what_is_in_flight() {
        let (permits, settings) = (Permits::default(), settings());
        let count = |all: &[(usize, usize)]| permits.fitting(loads(all), &settings).count;
        assert_eq!(count(&[(1, 1); 11]), 10);
        assert_eq!(count(&[(1, 30); 4]), 3);
        assert_eq!(count(&[(4, 1), (6, 1), (1, 1)]), 2);
        assert_eq!(count(&[(11, 101), (1, 1)]), 1, "one larger than the limits is sent alone");
        let permit = permits.enter(loads(&[(1, 10); 7]), &settings);
        assert_eq!(permit.fit.count, 7);
        assert_eq!(count(&[(1, 1); 11]), 3);
        assert_eq!(count(&[(1, 31)]), 0);
        assert_eq!(count(&[(11, 1)]), 0, "but not beside others");
        let error = permits.fitting(loads(&[(1, 20), (1, 20)]), &settings).full(&settings);
        assert_eq!(error.kind, Kind::Backpressure);
        assert!(error.message().starts_with("too many calls are queued: 8 calls with 90 bytes"), "{error}");
        drop(permit);
        assert_eq!((permits.calls(), count(&[(1, 1); 11])), (0, 10));
    }
}
