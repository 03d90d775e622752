//! Listeners, and the task that has them hear, for as long as there are any.

use std::sync::Arc;

use cinnabar_port::{MessageListener, Topic};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    KEPT,
    message_connection::{Instruction, Instructions},
    registry::{Answer, Registry},
};

/// Listeners and their task.
pub struct SubscriptionTask {
    registry: Arc<Registry>,
    link: Arc<Mutex<Link>>,
    start: Box<dyn Fn(Instructions) + Send + Sync>,
}

#[derive(Default)]
struct Link {
    /// The task, and its connections with it, end with their last sender.
    instructions: Option<mpsc::UnboundedSender<Instruction>>,
    /// Until when it is kept without listeners, after a refusal.
    kept_until: Option<Instant>,
}

impl SubscriptionTask {
    /// `start` spawns the task.
    pub fn new(start: impl Fn(Arc<Registry>, Instructions) + Send + Sync + 'static) -> Self {
        let registry = Arc::<Registry>::default();
        let other = registry.clone();
        Self { registry, link: Arc::default(), start: Box::new(move |instructions| start(other.clone(), instructions)) }
    }

    /// One more listener; `done` hears what becomes of that.
    pub fn subscribe(&self, topic: Topic, id: u64, listener: MessageListener, done: Answer) {
        self.registry.add(&topic, id, listener, done);
        let mut link = self.link.lock();
        let instructions = link.instructions.get_or_insert_with(|| {
            let (sender, inbox) = mpsc::unbounded_channel();
            (self.start)(inbox);
            sender
        });
        let _ = instructions.send(Instruction::Subscribe(topic));
    }

    /// One listener less.
    pub fn unsubscribe(&self, id: u64) {
        let Some(topic) = self.registry.remove(id) else { return };
        self.link.lock().leave(&self.registry, Instruction::Unsubscribe(topic));
    }

    /// The same for one who was refused, and may try again.
    pub fn refused(&self, id: u64) {
        let Some(topic) = self.registry.remove(id) else { return };
        let mut link = self.link.lock();
        if link.instructions.is_none() {
            // It was closed: there is nothing to keep.
            return;
        }
        let is_timed = link.kept_until.replace(Instant::now() + KEPT).is_some();
        link.leave(&self.registry, Instruction::Refused(topic));
        drop(link);
        if !is_timed {
            self.end_in_time();
        }
    }

    /// Ends the task, whoever listens.
    pub fn close(&self) {
        *self.link.lock() = Link::default();
    }

    /// Ends the task when it is not to be kept any longer, unless somebody listens then.
    fn end_in_time(&self) {
        let (registry, link) = (self.registry.clone(), Arc::downgrade(&self.link));
        tokio::spawn(async move {
            while let Some(link) = link.upgrade() {
                let until = {
                    let mut link = link.lock();
                    let Some(until) = link.kept_until else { return };
                    if until <= Instant::now() {
                        link.kept_until = None;
                        if registry.is_empty() {
                            link.instructions = None;
                        }
                        return;
                    }
                    until
                };
                drop(link);
                sleep_until(until).await;
            }
        });
    }
}

impl Link {
    fn leave(&mut self, registry: &Registry, instruction: Instruction) {
        if registry.is_empty() && self.kept_until.is_none() {
            self.instructions = None;
        } else if let Some(instructions) = &self.instructions {
            let _ = instructions.send(instruction);
        }
    }
}
