//! The one connection for what every server of an engine tells.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    book::Book,
    line::{Line, Order, Orders},
};
use crate::{
    error::Error,
    settings::Settings,
    store::redis::{dial::Dialler, pool, source::Source},
};

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
                    failures = 0;
                    let mut line = Line::new(wire, &self.book, None);
                    let needed = tokio::select! {
                        needed = line.listen(self.book.topics(), &mut orders, &self.settings) => needed,
                        // What is published goes elsewhere, although the former server still answers.
                        () = self.source.left(&place) => Some(()),
                    };
                    if needed.is_none() {
                        return;
                    }
                    drop(line);
                    // Whoever else lost it at this moment must not be back at the same one.
                    sleep(pool::wait(&self.settings, 0)).await;
                }
                Err(error) => {
                    self.book.topics().iter().for_each(|topic| self.book.fail(topic, &error));
                    if self.refuse(&mut orders, &error, pool::wait(&self.settings, failures)).await.is_none() {
                        return;
                    }
                    failures += 1;
                }
            }
        }
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
