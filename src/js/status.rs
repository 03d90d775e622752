//! `Service.status()`: the status of an engine as a plain object.

use cinnabar_core::output::Output;
use cinnabar_port::{BreakerState, PoolStatus, Role, ServerStatus, Status, Topology};

use super::time::iso;

/// `{ topology, connected, pool, breaker, lastError, reconnects, muted, nodes }`.
pub fn output(status: &Status) -> Output {
    let breaker = status.breaker();
    let breaker = Output::Object(vec![
        ("state".into(), state(breaker.state)),
        ("calls".into(), number(breaker.calls)),
        ("failed".into(), number(breaker.failed)),
        ("slow".into(), number(breaker.slow)),
        (
            "retryInMs".into(),
            breaker.retry_in.map_or(Output::Null, |wait| Output::Number((wait.as_secs_f64() * 1000.0).ceil())),
        ),
    ]);
    let last_error = status.last_error.as_ref().map_or(Output::Null, |(error, at)| {
        Output::Object(vec![
            ("code".into(), Output::word(error.kind.code())),
            ("message".into(), Output::text(error.message().to_owned())),
            ("at".into(), Output::text(iso(*at))),
        ])
    });
    Output::Object(vec![
        ("topology".into(), Output::word(topology(status.topology))),
        ("connected".into(), Output::Bool(status.connected)),
        ("pool".into(), pool(status.pool())),
        ("breaker".into(), breaker),
        ("lastError".into(), last_error),
        ("reconnects".into(), number(status.reconnects)),
        ("muted".into(), Output::Bool(status.muted)),
        ("nodes".into(), Output::List(status.servers.iter().map(node).collect())),
    ])
}

fn node(server: &ServerStatus) -> Output {
    let (host, port) = match server.target.rsplit_once(':') {
        Some((host, port)) if !server.target.starts_with("unix:") => (host, port.parse::<u16>().ok()),
        _ => (server.target.as_str(), None),
    };
    // An IPv6 address is in brackets before its port, but not on its own.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Output::Object(vec![
        ("host".into(), Output::text(host.to_owned())),
        ("port".into(), port.map_or(Output::Null, |port| Output::Number(port.into()))),
        (
            "role".into(),
            Output::word(match server.role {
                Role::Primary => "primary",
                Role::Replica => "replica",
                Role::Unknown => "unknown",
            }),
        ),
        ("connected".into(), Output::Bool(server.connected)),
        ("breaker".into(), state(server.breaker.state)),
        ("pool".into(), pool(server.pool)),
    ])
}

fn pool(pool: PoolStatus) -> Output {
    Output::Object(vec![
        ("size".into(), Output::Number(pool.size.into())),
        ("available".into(), Output::Number(pool.available.into())),
        ("pending".into(), number(pool.pending)),
    ])
}

fn state(state: BreakerState) -> Output {
    Output::word(match state {
        BreakerState::Closed => "closed",
        BreakerState::HalfOpen => "half-open",
        BreakerState::Open => "open",
    })
}

fn topology(topology: Topology) -> &'static str {
    match topology {
        Topology::Memory => "memory",
        Topology::Single => "single",
        Topology::Sentinel => "sentinel",
        Topology::Cluster => "cluster",
    }
}

fn number(count: u64) -> Output {
    Output::Number(count as f64)
}
