//! The state of an engine as known locally, without sending anything.

use std::time::{Duration, SystemTime};

use crate::error::Error;

/// The state of an engine at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// The topology of its servers.
    pub topology: Topology,
    /// Whether a connection is available.
    pub connected: bool,
    /// The last error of a server or of a connection to it, and when it occurred.
    pub last_error: Option<(Error, SystemTime)>,
    /// How often it reconnected.
    pub reconnects: u64,
    /// Whether the user lacks permission to publish or subscribe.
    pub muted: bool,
    /// Its servers; none for the embedded engine.
    pub servers: Vec<ServerStatus>,
}

impl Status {
    /// The status of an engine before the first call.
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

    /// Returns the sums over all servers.
    pub fn pool(&self) -> PoolStatus {
        self.servers.iter().fold(PoolStatus::default(), |sum, server| PoolStatus {
            size: sum.size + server.pool.size,
            available: sum.available + server.pool.available,
            pending: sum.pending + server.pool.pending,
        })
    }

    /// Returns the combined status of all breakers: open if all are, closed if all are, otherwise half-open.
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
    /// A primary that the sentinels report.
    Sentinel,
    /// Primaries that share the slots.
    Cluster,
}

/// The state of one server at one moment.
#[derive(Debug, Clone)]
pub struct ServerStatus {
    /// Host and port, or `unix:` and the path of a socket.
    pub target: String,
    /// Its role in replication.
    pub role: Role,
    /// Whether it has a connection.
    pub connected: bool,
    /// Its connections.
    pub pool: PoolStatus,
    /// Its circuit breaker.
    pub breaker: BreakerStatus,
}

/// The role of a server in replication.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Accepts writes.
    Primary,
    /// Copies a primary.
    Replica,
    /// Not known yet.
    #[default]
    Unknown,
}

/// The connections to one server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Open connections.
    pub size: u32,
    /// Idle connections.
    pub available: u32,
    /// Calls that wait to be sent.
    pub pending: u64,
}

/// The state of a circuit breaker at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BreakerStatus {
    /// Closed, half-open or open.
    pub state: BreakerState,
    /// Calls within its window.
    pub calls: u64,
    /// Failed calls within its window.
    pub failed: u64,
    /// Slow calls within its window.
    pub slow: u64,
    /// Time until the next probe is allowed, while calls are rejected.
    pub retry_in: Option<Duration>,
}

/// The states of a circuit breaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are allowed.
    #[default]
    Closed,
    /// One probe is allowed, whose outcome decides.
    HalfOpen,
    /// Calls are rejected.
    Open,
}
