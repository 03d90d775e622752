//! Commands that run as one transaction.

use super::Request;

/// The commands of one transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// In order.
    pub requests: Vec<Request>,
    /// Whether any of them needs a dedicated connection.
    pub apart: bool,
}
