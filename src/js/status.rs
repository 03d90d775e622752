//! `Service.status()`: how an engine is, as plain objects.

use cinnabar_core::answer::Answer;
use cinnabar_port::{BreakerState, PoolStatus, Role, ServerStatus, Status, Topology};

use super::time::iso;

/// `{ topology, connected, pool, breaker, lastError, reconnects, muted, nodes }`.
pub fn answer(status: &Status) -> Answer {
    let breaker = status.breaker();
    let breaker = Answer::Object(vec![
        ("state".into(), state(breaker.state)),
        ("calls".into(), number(breaker.calls)),
        ("failed".into(), number(breaker.failed)),
        ("slow".into(), number(breaker.slow)),
        (
            "retryInMs".into(),
            breaker.retry_in.map_or(Answer::Null, |wait| Answer::Number((wait.as_secs_f64() * 1000.0).ceil())),
        ),
    ]);
    let last_error = status.last_error.as_ref().map_or(Answer::Null, |(error, at)| {
        Answer::Object(vec![
            ("code".into(), Answer::word(error.kind.code())),
            ("message".into(), Answer::text(error.message().to_owned())),
            ("at".into(), Answer::text(iso(*at))),
        ])
    });
    Answer::Object(vec![
        ("topology".into(), Answer::word(topology(status.topology))),
        ("connected".into(), Answer::Bool(status.connected)),
        ("pool".into(), pool(status.pool())),
        ("breaker".into(), breaker),
        ("lastError".into(), last_error),
        ("reconnects".into(), number(status.reconnects)),
        ("muted".into(), Answer::Bool(status.muted)),
        ("nodes".into(), Answer::List(status.servers.iter().map(node).collect())),
    ])
}

fn node(server: &ServerStatus) -> Answer {
    let (host, port) = match server.target.rsplit_once(':') {
        Some((host, port)) if !server.target.starts_with("unix:") => (host, port.parse::<u16>().ok()),
        _ => (server.target.as_str(), None),
    };
    // An IPv6 address is in brackets before its port, but not on its own.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Answer::Object(vec![
        ("host".into(), Answer::text(host.to_owned())),
        ("port".into(), port.map_or(Answer::Null, |port| Answer::Number(port.into()))),
        (
            "role".into(),
            Answer::word(match server.role {
                Role::Primary => "primary",
                Role::Replica => "replica",
                Role::Unknown => "unknown",
            }),
        ),
        ("connected".into(), Answer::Bool(server.connected)),
        ("breaker".into(), state(server.breaker.state)),
        ("pool".into(), pool(server.pool)),
    ])
}

fn pool(pool: PoolStatus) -> Answer {
    Answer::Object(vec![
        ("size".into(), Answer::Number(pool.size.into())),
        ("available".into(), Answer::Number(pool.available.into())),
        ("pending".into(), number(pool.pending)),
    ])
}

fn state(state: BreakerState) -> Answer {
    Answer::word(match state {
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

fn number(count: u64) -> Answer {
    Answer::Number(count as f64)
}
