//! Limiters for tests. A store that is unavailable fails them.

use std::sync::Arc;

use cinnabar_core::{
    features::limit::{Algorithm, Check, Limiter, OnUnavailable, Options, Policy, PolicyOptions},
    store::LocalStore,
};

pub fn policy(name: &str, algorithm: Algorithm, limit: f64) -> Policy {
    Policy::new(PolicyOptions { name: name.into(), algorithm, limit, time_zone: None, shadow: false }).unwrap()
}

pub fn limiter(policies: Vec<Policy>) -> Arc<Limiter> {
    let local = Arc::new(LocalStore::new(1 << 20));
    let on_unavailable = Some(OnUnavailable::Throw);
    Arc::new(Limiter::new(Options { prefix: None, on_unavailable, database: 0, policies, local }).unwrap())
}

/// A limiter with one policy, `p`.
pub fn limiter_of(algorithm: Algorithm, limit: f64) -> Arc<Limiter> {
    limiter(vec![policy("p", algorithm, limit)])
}

pub fn check(policy: &str, id: &str, cost: f64) -> Check {
    Check { policy: policy.into(), id: id.into(), cost, limit: None }
}
