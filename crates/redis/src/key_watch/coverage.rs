//! Up to which moment the changes of all watched servers are known.

use std::{sync::Arc, time::Instant};

use cinnabar_port::{KeyChange, KeyListener, error::Error};
use parking_lot::Mutex;

/// What is known of all servers. Clones are the same.
#[derive(Clone)]
pub struct Coverage(Arc<Shared>);

struct Shared {
    listener: KeyListener,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Reports of earlier watches do not count.
    generation: u64,
    /// Up to when the changes of each server are known.
    nodes: Vec<Option<Instant>>,
}

/// One of the servers.
pub struct Node {
    coverage: Coverage,
    generation: u64,
    index: usize,
}

impl Coverage {
    pub fn new(listener: KeyListener) -> Self {
        Self(Arc::new(Shared { listener, state: Mutex::default() }))
    }

    /// Begins anew with so many servers, of which nothing is known. Returns the generation.
    pub fn restart(&self, nodes: usize) -> u64 {
        let generation = {
            let mut state = self.0.state.lock();
            state.generation += 1;
            state.nodes = vec![None; nodes];
            state.generation
        };
        (self.0.listener)(KeyChange::Any);
        generation
    }

    pub fn node(&self, generation: u64, index: usize) -> Node {
        Node { coverage: self.clone(), generation, index }
    }
}

impl Node {
    /// From now on, all changes are reported.
    pub fn begun(&self) {
        self.report(KeyChange::Any);
    }

    /// Changes may be missed from now on.
    pub fn lost(&self) {
        self.set(None);
        self.report(KeyChange::Any);
    }

    /// The server does not report changes.
    pub fn refused(&self, error: Error) {
        self.report(KeyChange::Refused(error));
    }

    /// Keys have changed.
    pub fn changed(&self, change: KeyChange) {
        self.report(change);
    }

    /// Every change that was acknowledged before this moment has been reported.
    pub fn up_to(&self, moment: Instant) {
        if let Some(all) = self.set(Some(moment)) {
            self.report(KeyChange::UpTo(Some(all)));
        }
    }

    fn report(&self, change: KeyChange) {
        if self.coverage.0.state.lock().generation == self.generation {
            (self.coverage.0.listener)(change);
        }
    }

    /// Returns up to when the changes of all servers are known.
    fn set(&self, moment: Option<Instant>) -> Option<Instant> {
        let mut state = self.coverage.0.state.lock();
        if state.generation != self.generation {
            return None;
        }
        *state.nodes.get_mut(self.index)? = moment;
        state.nodes.iter().copied().min().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_slowest_server_counts_and_a_lost_one_ends_it() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener: KeyListener = {
            let heard = heard.clone();
            Arc::new(move |change| {
                heard.lock().push(match change {
                    KeyChange::UpTo(moment) => moment,
                    _ => None,
                });
            })
        };
        let coverage = Coverage::new(listener);
        let generation = coverage.restart(2);
        let [one, other] = [0, 1].map(|index| coverage.node(generation, index));
        let early = Instant::now();
        let late = early + Duration::from_secs(1);
        one.up_to(late);
        assert_eq!(*heard.lock(), [None], "nothing is known of the other");
        other.up_to(early);
        other.up_to(late);
        assert_eq!(heard.lock()[1..], [Some(early), Some(late)]);
        one.lost();
        other.up_to(late);
        assert_eq!(heard.lock().len(), 4, "one is lost");
        coverage.restart(1);
        one.up_to(late);
        assert_eq!(heard.lock().len(), 5, "of an earlier watch");
    }
}
