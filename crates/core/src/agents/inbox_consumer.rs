//! Consumers of a channel that deliver to an inbox, and what they wait for: space in it, or a read of what they have missed.

use std::sync::Arc;

use cinnabar_port::error::Result;

use super::channel_buffer::{Consumer, retry_while_unavailable, spawn};
use crate::inbox::Inbox;

/// A consumer that delivers to an inbox.
pub trait InboxConsumer: Consumer + 'static {
    /// Where it delivers to.
    fn inbox(&self) -> &Arc<Inbox>;

    /// Records that it no longer waits.
    fn stop_waiting(&self);
}

/// Continues when the inbox is empty.
pub fn continue_when_drained(consumer: &Arc<impl InboxConsumer>) {
    let (this, inbox) = (Arc::downgrade(consumer), consumer.inbox().clone());
    spawn(async move {
        inbox.drained().await;
        if let Some(this) = this.upgrade() {
            this.stop_waiting();
            this.advance();
        }
    });
}

/// Reads from the store, as soon as it is available, and then continues with what `learn` makes of the result. An error ends the inbox.
pub fn continue_after_read<C: InboxConsumer, T: Send, F: Future<Output = Result<T>> + Send>(
    consumer: &Arc<C>,
    read: impl Fn(Arc<C>) -> F + Send + Sync + 'static,
    learn: impl FnOnce(&C, T) + Send + 'static,
) {
    let this = Arc::downgrade(consumer);
    spawn(async move {
        let request = || async {
            let this = this.upgrade().filter(|this| !this.inbox().is_ended())?;
            Some(read(this).await)
        };
        let Some(result) = retry_while_unavailable(request).await else { return };
        let Some(this) = this.upgrade() else { return };
        match result {
            Ok(result) => {
                learn(&this, result);
                this.stop_waiting();
                this.advance();
            }
            Err(error) => this.inbox().end(Some(error)),
        }
    });
}
