//! The connection for messages that every server of an engine delivers.

use std::{sync::Arc, time::Duration};

use cinnabar_port::error::{Error, Kind};
use tokio::time::{Instant, sleep};

use super::{
    message_connection::{Instruction, Instructions, MessageConnection},
    registry::Registry,
};
use crate::{backoff, dial::Dialler, settings::Settings, source::Source};

/// After this many connections in a row that ended immediately, subscribers do not wait for the next one.
const MANY: u32 = 3;

/// The task that maintains the connection.
pub struct Connector {
    pub settings: Arc<Settings>,
    pub dialler: Arc<Dialler>,
    pub source: Source,
    pub registry: Arc<Registry>,
}

impl Connector {
    /// Connects and listens, and reconnects, until there are no subscribers.
    pub async fn run(self, mut instructions: Instructions) {
        let mut failures = 0;
        loop {
            // The listeners that were rejected may have unsubscribed.
            while self.registry.is_empty() {
                if instructions.recv().await.is_none() {
                    return;
                }
            }
            let dialled = self.source.dial(&self.dialler).await;
            match dialled.and_then(|(endpoint, link)| Ok((endpoint, link.into_stream()?))) {
                Ok((endpoint, stream)) => {
                    let since = Instant::now();
                    let mut connection = MessageConnection::new(stream, &self.registry, None);
                    let needed = tokio::select! {
                        needed = connection.listen(self.registry.topics(), &mut instructions, &self.settings) => needed,
                        // Messages are published on another server now, even if the old one still responds.
                        () = self.source.moved_from(&endpoint) => Some(()),
                    };
                    if needed.is_none() {
                        return;
                    }
                    // A connection that ended immediately, without any message, counts as failed.
                    let was_of_use = connection.has_received() || since.elapsed() >= backoff::STABLE_AFTER;
                    drop(connection);
                    failures = if was_of_use { 0 } else { failures + 1 };
                    // Jitter: other clients lost it at the same moment and must not reconnect at the same moment.
                    let wait = backoff::before_reconnecting(&self.settings, failures.max(1) - 1);
                    if failures < MANY {
                        sleep(wait).await;
                    } else {
                        let why = "the server closes every connection for messages right after it is established";
                        self.fail_all(&Error::new(Kind::Unavailable, why));
                        let error = Error::new(Kind::Unavailable, why);
                        if self.refuse(&mut instructions, &error, wait).await.is_none() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    self.fail_all(&error);
                    if self
                        .refuse(&mut instructions, &error, backoff::before_reconnecting(&self.settings, failures))
                        .await
                        .is_none()
                    {
                        return;
                    }
                    failures += 1;
                }
            }
        }
    }

    fn fail_all(&self, error: &Error) {
        self.registry.topics().iter().for_each(|topic| self.registry.fail(topic, error));
    }

    /// Fails new subscriptions during the backoff before the next attempt.
    async fn refuse(&self, instructions: &mut Instructions, error: &Error, wait: Duration) -> Option<()> {
        let pause = sleep(wait);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return Some(()),
                instruction = instructions.recv() => if let Instruction::Subscribe(topic) = instruction? {
                    self.registry.fail(&topic, error);
                },
            }
        }
    }
}
