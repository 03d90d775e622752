//! Commands that share a connection with nobody: each has one of its own, which ends with it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Manner, Server, flight};
use crate::{
    error::{Error, Kind, Result},
    store::{Reply, Request, Verb, plan::Wire, redis::connection::Connection},
};

/// So many at a time; the next ones wait in line. A server has a bound of its own, which others need too.
pub const MOST: usize = 256;

/// A connection that ends with whoever uses it: a server that is told so stops what it does for them.
struct Own(Connection);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.end(Error::new(Kind::Closed, "the call that had this connection is over"));
    }
}

impl Server {
    pub(super) async fn send_apart(&self, wire: &Wire, asking: bool, deadline: Instant) -> Result<Reply> {
        let in_line = || {
            let message = format!("{MOST} commands have connections of their own to {} already", self.name);
            Error::new(Kind::NotSent, message)
        };
        let _place = timeout_at(deadline, self.apart.acquire()).await.map_err(|_| in_line())?;
        let until = deadline.min(Instant::now() + self.settings.connect_wait);
        let late = |_| Err(Error::new(Kind::Unavailable, format!("no connection to {} in time", self.name)));
        let member = timeout_at(until, self.pool.make()).await.unwrap_or_else(late)?;
        let _own = Own(member.connection.clone());
        let wire = &fitted(wire, deadline.saturating_duration_since(Instant::now()));
        let replies = flight::alone(&member, wire, Manner { whole: true, asking }, deadline).await;
        replies
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(Error::new(Kind::Internal, "a command was left without a reply")))
    }
}

/// The same command with a wait that ends before its caller's time does.
fn fitted(wire: &Wire, left: Duration) -> Wire {
    let mut wire = wire.clone();
    if let Wire::One(Request { verb: Verb::Apart(apart), args, .. }) = &mut wire
        && let Some(wait) = apart.wait
    {
        wait.end_within(left, args);
    }
    wire
}
