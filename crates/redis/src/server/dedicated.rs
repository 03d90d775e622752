//! Commands that must not share a connection: each gets a dedicated one, which is closed after the call.

use std::time::Duration;

use cinnabar_port::{
    Reply, Request, Verb,
    error::{Error, Kind, Result},
};
use tokio::time::{Instant, timeout_at};

use super::{Server, exchange};
use crate::{connection::Connection, plan::OutgoingCommand};

/// The most dedicated connections at a time; further commands wait. The server limits its clients too, and others need some.
pub const MAX_CONNECTIONS: usize = 256;

/// Closes the connection when dropped. The server notices and stops what it was doing for the call.
struct Own(Connection);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.end(Error::new(Kind::Closed, "the call that used this connection has ended"));
    }
}

impl Server {
    pub(super) async fn send_dedicated(
        &self,
        command: &OutgoingCommand,
        asking: bool,
        deadline: Instant,
    ) -> Result<Reply> {
        let limit_reached = || {
            let message = format!(
                "the limit of {MAX_CONNECTIONS} dedicated connections to {} is reached, and none became free in time",
                self.name
            );
            Error::new(Kind::NotSent, message)
        };
        let _permit = timeout_at(deadline, self.dedicated_permits.acquire()).await.map_err(|_| limit_reached())?;
        let until = deadline.min(Instant::now() + self.settings.connect_wait);
        let late = |_| Err(Error::new(Kind::Unavailable, format!("no connection to {} in time", self.name)));
        let member = timeout_at(until, self.pool.make()).await.unwrap_or_else(late)?;
        let _own = Own(member.connection.clone());
        let command = &with_timeout_within(command, deadline.saturating_duration_since(Instant::now()));
        let replies = exchange::over_dedicated(&member, command, asking, deadline).await;
        replies
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(Error::new(Kind::Internal, "a command was left without a reply")))
    }
}

/// The command with its blocking timeout cut to the time its caller has left.
fn with_timeout_within(command: &OutgoingCommand, left: Duration) -> OutgoingCommand {
    let mut command = command.clone();
    if let OutgoingCommand::One(Request { verb: Verb::Dedicated(command), args, .. }) = &mut command
        && let Some(wait) = command.blocking
    {
        wait.shorten_to(left, args);
    }
    command
}
