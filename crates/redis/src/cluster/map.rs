//! The slot map, as returned by a node.

use std::collections::HashSet;

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};

use crate::{redirection::address, settings::Address, slot::SLOTS};

/// Twice the maximum that Redis recommends.
const MOST_NODES: usize = 2000;

/// A range of slots and the primary that owns them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub first: u16,
    pub last: u16,
    pub primary: Address,
    /// Whether it has a replica that could take over.
    pub followed: bool,
}

/// Parses the reply of `asked` to `CLUSTER SLOTS`. A node without a known host is assumed to be at the host of `asked`.
///
/// # Errors
/// `E_INVALID_DATA` for anything else, and `E_UNAVAILABLE` if no slot has an owner.
pub fn read(reply: Reply, asked: &Address) -> Result<Vec<Run>> {
    let runs = reply.array()?;
    if runs.len() > SLOTS {
        return Err(strange("more ranges than slots"));
    }
    let runs: Vec<Run> = runs.into_iter().map(|run| read_run(run, asked)).collect::<Result<_>>()?;
    let slots: usize = runs.iter().map(|run| usize::from(run.last.saturating_sub(run.first)) + 1).sum();
    let nodes: HashSet<&Address> = runs.iter().map(|run| &run.primary).collect();
    if slots > SLOTS {
        return Err(strange("slots owned by several nodes"));
    }
    if nodes.len() > MOST_NODES {
        return Err(strange("more nodes than any cluster has"));
    }
    if runs.is_empty() {
        return Err(Error::new(
            Kind::Unavailable,
            format!("{asked} knows no slot owners; has the cluster been created?"),
        ));
    }
    Ok(runs)
}

fn read_run(run: Reply, asked: &Address) -> Result<Run> {
    let mut parts = run.array()?.into_iter();
    let mut next = || parts.next().ok_or_else(|| strange("a range of slots without a node"));
    let (first, last) = (slot(next()?)?, slot(next()?)?);
    // The primary comes first, then its replicas; later servers add more about each.
    let mut node = next()?.array()?.into_iter();
    let host = node.next().unwrap_or(Reply::Nil).bulk()?.unwrap_or_default();
    let port = node.next().ok_or_else(|| strange("a node without a port"))?.int()?;
    let port = u16::try_from(port).map_err(|_| strange("an invalid port"))?;
    let primary = address(&String::from_utf8_lossy(&host), port, asked).ok_or_else(|| strange("an invalid host"))?;
    Ok(Run { first, last, primary, followed: parts.next().is_some() })
}

fn slot(reply: Reply) -> Result<u16> {
    let slot = reply.int()?;
    u16::try_from(slot).ok().filter(|slot| usize::from(*slot) < SLOTS).ok_or_else(|| strange("an invalid slot"))
}

fn strange(what: &str) -> Error {
    Error::new(Kind::InvalidData, format!("the server sent an invalid slot map: it has {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.into(), port }
    }

    fn node(host: Reply, port: i64) -> Reply {
        Reply::Array(vec![host, Reply::Int(port), Reply::text("id"), Reply::Array(Vec::new())])
    }

    fn run(first: i64, last: i64, nodes: Vec<Reply>) -> Reply {
        Reply::Array([Reply::Int(first), Reply::Int(last)].into_iter().chain(nodes).collect())
    }

    #[test]
    fn a_map_names_the_primary_of_each_run() {
        let reply = Reply::Array(vec![
            run(0, 99, vec![node(Reply::text("10.0.0.1"), 1), node(Reply::text("10.0.0.9"), 9)]),
            run(100, 16_383, vec![node(Reply::text(""), 2)]),
        ]);
        let wanted = vec![
            Run { first: 0, last: 99, primary: at("10.0.0.1", 1), followed: true },
            Run { first: 100, last: 16_383, primary: at("seed", 2), followed: false },
        ];
        assert_eq!(read(reply, &at("seed", 7)).unwrap(), wanted);
    }

    #[test]
    fn a_node_without_a_name_is_where_it_was_reached() {
        for host in [Reply::Nil, Reply::text(""), Reply::text("?")] {
            let runs = read(Reply::Array(vec![run(5, 5, vec![node(host, 2)])]), &at("seed", 7)).unwrap();
            assert_eq!(runs[0].primary, at("seed", 2));
        }
    }

    #[test]
    fn an_invalid_map_is_an_error() {
        let reads = |reply| read(reply, &at("seed", 7)).map_err(|error| error.kind);
        assert_eq!(reads(Reply::Array(Vec::new())), Err(Kind::Unavailable));
        for strange in [
            Reply::Int(1),
            Reply::Array(vec![Reply::Int(1)]),
            Reply::Array(vec![run(0, 16_384, vec![node(Reply::text("h"), 1)])]),
            Reply::Array(vec![run(-1, 5, vec![node(Reply::text("h"), 1)])]),
            Reply::Array(vec![run(0, 5, vec![])]),
            Reply::Array(vec![run(0, 5, vec![node(Reply::text("h"), 70_000)])]),
            Reply::Array(vec![run(0, 5, vec![node(Reply::text("a host\r\n"), 1)])]),
            Reply::Array(vec![
                run(0, 9, vec![node(Reply::text("h"), 1)]),
                run(0, 16_383, vec![node(Reply::text("g"), 1)]),
            ]),
            Reply::Array(vec![run(0, 16_383, vec![node(Reply::text("h"), 1)]); 20_000]),
            Reply::Array((0..2001).map(|n| run(n, n, vec![node(Reply::text("h"), n + 1)])).collect()),
        ] {
            assert_eq!(reads(strange), Err(Kind::InvalidData));
        }
    }
}
