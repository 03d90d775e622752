//! The one connection for what every server of an engine tells.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    book::Book,
    line::{Line, Order, Orders},
};
use crate::{
    error::{Error, Kind},
    settings::Settings,
    store::redis::{dial::Dialler, pool, source::Source},
};

/// After so many connections in a row that have ended at once, nobody waits for the next.
const MANY: u32 = 3;

/// The task that keeps the connection.
pub struct Feed {
    pub settings: Arc<Settings>,
    pub dialler: Arc<Dialler>,
    pub source: Source,
    pub book: Arc<Book>,
}

impl Feed {
    /// Dials and listens, again and again, until nobody listens any more.
    pub async fn keep(self, mut orders: Orders) {
        let mut failures = 0;
        loop {
            match self.source.dial(&self.dialler).await {
                Ok((place, wire)) => {
                    let since = Instant::now();
                    let mut line = Line::new(wire, &self.book, None);
                    let needed = tokio::select! {
                        needed = line.listen(self.book.topics(), &mut orders, &self.settings) => needed,
                        // What is published goes elsewhere, although the former server still answers.
                        () = self.source.left(&place) => Some(()),
                    };
                    if needed.is_none() {
                        return;
                    }
                    // One that ends at once, and over which nothing came, was none.
                    let was_of_use = line.has_heard() || since.elapsed() >= pool::CALM;
                    drop(line);
                    failures = if was_of_use { 0 } else { failures + 1 };
                    // Whoever else lost it at this moment must not be back at the same one.
                    let wait = pool::wait(&self.settings, failures.max(1) - 1);
                    if failures < MANY {
                        sleep(wait).await;
                    } else {
                        let why = "the server ends each connection for messages soon after it was made";
                        self.fail_all(&Error::new(Kind::Unavailable, why));
                        let error = Error::new(Kind::Unavailable, why);
                        if self.refuse(&mut orders, &error, wait).await.is_none() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    self.fail_all(&error);
                    if self.refuse(&mut orders, &error, pool::wait(&self.settings, failures)).await.is_none() {
                        return;
                    }
                    failures += 1;
                }
            }
        }
    }

    fn fail_all(&self, error: &Error) {
        self.book.topics().iter().for_each(|topic| self.book.fail(topic, error));
    }

    /// Says no to whoever asks during the wait before the next attempt.
    async fn refuse(&self, orders: &mut Orders, error: &Error, wait: Duration) -> Option<()> {
        let pause = sleep(wait);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return Some(()),
                order = orders.recv() => if let Order::Subscribe(topic) = order? {
                    self.book.fail(&topic, error);
                },
            }
        }
    }
}
