//! Who the client says it is.

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
        /// ACL user; Redis's `default` when absent.
        username: Option<String>,
        /// Never printed. Without user and password nothing is said at all.
        password: Option<Secret>,
    },
    /// Asked for at every connection, so that a password may change without a restart.
    Provider(Provider),
}

/// An answer on its way.
pub type Asked = Pin<Box<dyn Future<Output = Result<(Option<String>, Secret)>> + Send>>;

/// Where credentials come from. Two are the same only if one is a clone of the other: nobody can tell whether two functions
/// would always answer the same, so no two services with a function of their own share connections.
#[derive(Clone)]
pub struct Provider {
    id: u64,
    ask: Arc<dyn Fn() -> Asked + Send + Sync>,
}

impl Provider {
    /// A provider unlike any other.
    pub fn new(ask: impl Fn() -> Asked + Send + Sync + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), ask: Arc::new(ask) }
    }

    /// User and password for one connection. It may take for ever: the caller has a deadline.
    ///
    /// # Errors
    /// `E_AUTH` when there is no usable answer.
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
