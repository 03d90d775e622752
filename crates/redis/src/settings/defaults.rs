//! What settings are if neither an option nor the environment says otherwise.

use std::time::Duration;

/// The host.
pub const HOST: &str = "localhost";
/// The port.
pub const PORT: u16 = 6379;
/// The database.
pub const DATABASE: u8 = 0;
/// Most connections to one server.
pub const POOL_SIZE: u32 = 10;
/// How long a call may take.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt to connect may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call waits for a connection, unless its timeout is shorter.
pub const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// How often an idempotent call is sent again after a lost connection.
pub const RETRY_ATTEMPTS: u32 = 3;
/// The first backoff before reconnecting, unless the longest is shorter.
pub const RECONNECT_FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest backoff before reconnecting, unless the first is longer.
pub const RECONNECT_LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Most calls that wait for a server.
pub const MAX_QUEUED_CALLS: usize = 50_000;
/// Most bytes that wait for a server.
pub const MAX_QUEUED_BYTES: usize = 64 << 20;
/// After being idle for this long, a connection is checked with a PING.
pub const KEEPALIVE: Duration = Duration::from_secs(10);
/// The limit of the embedded engine's memory.
pub const MAX_BYTES: usize = 256 << 20;
