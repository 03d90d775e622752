//! The state of an engine as known locally, without sending anything.

use std::time::{Duration, SystemTime};

use crate::error::Error;

/// An engine at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// How its servers belong together.
    pub topology: Topology,
    /// Whether a connection is available.
    pub connected: bool,
    /// The last thing that went wrong with the server or the way to it, and when.
    pub last_error: Option<(Error, SystemTime)>,
    /// How often it reconnected.
    pub reconnects: u64,
    /// Whether the user lacks permission to publish or subscribe.
    pub muted: bool,
    /// Its servers; none for the embedded engine.
    pub servers: Vec<ServerStatus>,
}

impl Status {
    /// An engine that nobody has called yet.
    pub fn idle(topology: Topology) -> Self {
        Self {
            topology,
            connected: topology == Topology::Memory,
            last_error: None,
            reconnects: 0,
            muted: false,
            servers: Vec::new(),
        }
    }

    /// All connections together.
    pub fn pool(&self) -> PoolStatus {
        self.servers.iter().fold(PoolStatus::default(), |sum, server| PoolStatus {
            size: sum.size + server.pool.size,
            available: sum.available + server.pool.available,
            pending: sum.pending + server.pool.pending,
        })
    }

    /// All breakers together: open when every one is, closed when every one is, and half-open in between.
    pub fn breaker(&self) -> BreakerStatus {
        let states = || self.servers.iter().map(|server| server.breaker.state);
        let state = if states().all(|state| state == BreakerState::Closed) {
            BreakerState::Closed
        } else if states().all(|state| state == BreakerState::Open) {
            BreakerState::Open
        } else {
            BreakerState::HalfOpen
        };
        let all = BreakerStatus { state, ..BreakerStatus::default() };
        self.servers.iter().map(|server| server.breaker).fold(all, |all, one| BreakerStatus {
            state,
            calls: all.calls + one.calls,
            failed: all.failed + one.failed,
            slow: all.slow + one.slow,
            retry_in: [all.retry_in, one.retry_in].into_iter().flatten().min(),
        })
    }
}

/// The topology of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// The embedded engine.
    Memory,
    /// One server.
    Single,
    /// A primary that sentinels name.
    Sentinel,
    /// Slots spread over primaries.
    Cluster,
}

/// One server at one moment.
#[derive(Debug, Clone)]
pub struct ServerStatus {
    /// Host and port, or `unix:` and the path of a socket.
    pub target: String,
    /// What it is to its data.
    pub role: Role,
    /// Whether it has a connection.
    pub connected: bool,
    /// Its connections.
    pub pool: PoolStatus,
    /// Whether calls are let through to it.
    pub breaker: BreakerStatus,
}

/// What a server is to its data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It copies a primary.
    Replica,
    /// Nobody has asked.
    #[default]
    Unknown,
}

/// Connections to one server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// How many stand.
    pub size: u32,
    /// How many of them have nothing to do.
    pub available: u32,
    /// How many calls wait to be sent.
    pub pending: u64,
}

/// A circuit breaker at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BreakerStatus {
    /// What it does with calls.
    pub state: BreakerState,
    /// Calls within its window.
    pub calls: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them were slow.
    pub slow: u64,
    /// When the next probe is let through, if calls are refused.
    pub retry_in: Option<Duration>,
}

/// What a circuit breaker does with calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// Lets them through.
    #[default]
    Closed,
    /// Lets one through to see how it fares.
    HalfOpen,
    /// Refuses them.
    Open,
}
