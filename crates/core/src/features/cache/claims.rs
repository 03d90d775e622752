//! Claims: which process loads a key, so that the others wait for its value instead of loading it too.
//!
//! A claim only saves work. Whether a loaded value may be stored is decided by its lease (`epochs.rs`), with or without a claim.

use std::time::Duration;

use bytes::Bytes;
use cinnabar_port::{Call, Merge, Reply, Request, script};

use super::Cache;
use crate::{features::ttl, keys};

script!(CLAIM = "cache/claim.lua", keys: 1, args: 3);
script!(RENEW_CLAIM = "cache/renew_claim.lua", keys: 1, args: 2);
script!(END_CLAIM = "cache/end_claim.lua", keys: 1, args: 2);

/// What a process may do that wants to load a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It has the claim, and loads.
    Won,
    /// Another process loads: its token, to wait for.
    Taken(String),
    /// The process for which it has waited has got no value.
    Failed,
}

impl Cache {
    /// Claims the load of a key; `waited_for` is the token of the claim for which the caller has waited, if any.
    pub fn claim(&self, name: &str, token: &str, ttl: Duration, waited_for: &str) -> Call<Claim> {
        let own = token.to_owned();
        let args = [self.claim_key(name), token.to_owned().into(), ttl::millis(ttl), waited_for.to_owned().into()];
        let claim = Request::script(&CLAIM, args).merging(Merge::Script).idempotent().without_effect();
        Call::new(claim, move |reply| {
            let holder = String::from_utf8_lossy(&reply.bulk()?.unwrap_or_default()).into_owned();
            Ok(match holder {
                holder if holder == own => Claim::Won,
                holder if holder.starts_with("failed:") => Claim::Failed,
                holder => Claim::Taken(holder),
            })
        })
    }

    /// Renews a claim. Returns false if another process may have it.
    pub fn renew_claim(&self, name: &str, token: &str, ttl: Duration) -> Call<bool> {
        let args = [self.claim_key(name), token.to_owned().into(), ttl::millis(ttl)];
        let renew = Request::script(&RENEW_CLAIM, args).merging(Merge::Script).idempotent().without_effect();
        Call::new(renew, Reply::flag)
    }

    /// Ends a claim after its load; `failed` if that has produced no value.
    pub fn end_claim(&self, name: &str, token: &str, failed: bool) -> Call<()> {
        let failed = Bytes::from_static(if failed { b"1" } else { b"0" });
        let args = [self.claim_key(name), token.to_owned().into(), failed];
        Call::new(Request::script(&END_CLAIM, args).merging(Merge::Script).idempotent().without_effect(), |_| Ok(()))
    }

    fn claim_key(&self, name: &str) -> Bytes {
        keys::cache_claim(&self.0.prefix, name)
    }
}
