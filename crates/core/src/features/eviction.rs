//! Detects servers that may evict keys without a ttl. There, a pending job can be lost unnoticed.

use bytes::Bytes;
use cinnabar_port::{Call, Request};

/// Returns the server's `maxmemory-policy` if it evicts such keys and `maxmemory` is set. In a cluster, it is that of one node.
pub fn policy() -> Call<Option<String>> {
    let request = Request::command("INFO", [Bytes::from_static(b"memory")]).reads();
    Call::new(request, |reply| Ok(read(&String::from_utf8_lossy(&reply.bulk()?.unwrap_or_default()))))
}

fn read(info: &str) -> Option<String> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let bounded = field("maxmemory").is_some_and(|bytes| bytes != "0");
    field("maxmemory_policy").filter(|policy| bounded && policy.starts_with("allkeys")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_limit_with_a_policy_for_all_keys_evicts_keys_without_a_ttl() {
        let info = |bytes: &str, policy: &str| {
            read(&format!("# Memory\r\nmaxmemory:{bytes}\r\nmaxmemory_human:1M\r\nmaxmemory_policy:{policy}\r\n"))
        };
        for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
            assert_eq!(info("1048576", policy).as_deref(), Some(policy));
            assert_eq!(info("0", policy), None);
        }
        for policy in ["noeviction", "volatile-lru", "volatile-ttl"] {
            assert_eq!(info("1048576", policy), None);
        }
        assert_eq!(read(""), None);
    }
}
