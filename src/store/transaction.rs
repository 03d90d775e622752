//! Commands that run as one, with nothing of anybody's in between.

use super::Request;

/// The commands of one transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// In their order.
    pub requests: Vec<Request>,
    /// Whether any of them must not share a connection.
    pub apart: bool,
}
