//! Redirections to other nodes, in errors of a cluster.

use cinnabar_port::error::{Error, ServerCode};

use super::{
    settings::{Address, is_host},
    slot::SLOTS,
};

/// A redirection to another node.
#[derive(Debug, PartialEq, Eq)]
pub enum Redirection {
    /// The slot has moved there.
    Moved(u16, Address),
    /// The slot is being migrated, and this key has already moved there.
    Ask(Address),
}

/// The redirection in `MOVED 3999 127.0.0.1:6381` or `ASK 3999 127.0.0.1:6381`, received from `asked`.
pub fn redirection(error: &Error, asked: &Address) -> Option<Redirection> {
    let mut words = error.message().split(' ').skip(1);
    let (slot, endpoint) = (words.next()?, words.next()?);
    let (host, port) = endpoint.rsplit_once(':')?;
    let to = address(host, port.parse().ok().filter(|port| *port != 0)?, asked)?;
    let slot = slot.parse().ok().filter(|slot| usize::from(*slot) < SLOTS)?;
    match error.code()? {
        ServerCode::Moved => Some(Redirection::Moved(slot, to)),
        ServerCode::Ask => Some(Redirection::Ask(to)),
        _ => None,
    }
}

/// Whether an error redirects to some node, no matter which node sent it.
pub fn is_redirection(error: &Error) -> bool {
    redirection(error, &Address { host: String::new(), port: 0 }).is_some()
}

/// The slot that has moved according to an error, even if the error names no valid node.
pub fn moved_slot(error: &Error) -> Option<u16> {
    error.has_code(ServerCode::Moved).then(|| error.message().split(' ').nth(1)?.parse().ok())?
}

/// A node's address, from the host that another node reported.
pub fn address(host: &str, port: u16, asked: &Address) -> Option<Address> {
    if host.is_empty() || host == "?" {
        return Some(Address { host: asked.host.clone(), port });
    }
    // Anything else would be resolved as a name and shown in errors.
    is_host(host).then(|| Address { host: host.into(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.into(), port }
    }

    #[test]
    fn a_redirection_names_slot_and_node() {
        let read = |text: &'static str| redirection(&Error::from_server(text), &at("here", 1));
        assert_eq!(read("MOVED 3999 10.0.0.2:6381"), Some(Redirection::Moved(3999, at("10.0.0.2", 6381))));
        assert_eq!(read("ASK 5 ::1:7000"), Some(Redirection::Ask(at("::1", 7000))));
        assert_eq!(read("MOVED 5 :7000"), Some(Redirection::Moved(5, at("here", 7000))));
        for text in [
            "MOVED",
            "MOVED 5",
            "MOVED 99999 a:1",
            "ERR 5 a:1",
            "ASK 5 a",
            "ASK 5 a:",
            "ASK 5 a:0",
            "MOVED 5 session id:1",
        ] {
            assert_eq!(read(text), None, "{text}");
            assert!(!is_redirection(&Error::from_server(text)), "{text}");
        }
    }
}
