//! The credentials of the client.

use std::{
    fmt,
    future::Future,
    hash::{Hash, Hasher},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cinnabar_port::error::Result;

use super::Secret;

/// User and password of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// The same at every connection.
    Fixed {
        /// The ACL user; `default` if absent.
        username: Option<String>,
        /// Never printed. Without user and password, AUTH is not sent.
        password: Option<Secret>,
    },
    /// Queried for every connection, so that a password may change without a restart.
    Provider(Provider),
}

/// A pending result of a provider.
pub type Asked = Pin<Box<dyn Future<Output = Result<(Option<String>, Secret)>> + Send>>;

/// Provides credentials. Two providers are equal only if one is a clone of the other: it is unknown whether two functions always
/// return the same, so services with functions of their own do not share connections.
#[derive(Clone)]
pub struct Provider {
    id: u64,
    ask: Arc<dyn Fn() -> Asked + Send + Sync>,
}

impl Provider {
    /// Creates a provider, which is not equal to any other.
    pub fn new(ask: impl Fn() -> Asked + Send + Sync + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), ask: Arc::new(ask) }
    }

    /// Returns user and password for one connection. It may never return, so the caller needs a deadline.
    ///
    /// # Errors
    /// `E_AUTH` if it returns no valid credentials.
    pub async fn ask(&self) -> Result<(Option<String>, Secret)> {
        (self.ask)().await
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Provider {}

impl Hash for Provider {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.id)
    }
}
