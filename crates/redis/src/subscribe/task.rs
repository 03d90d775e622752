//! The listeners, and the task that receives their messages, which runs while there are any.

use std::sync::Arc;

use cinnabar_port::{MessageListener, Topic};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    IDLE_TIMEOUT,
    message_connection::{Instruction, Instructions},
    registry::{Confirmation, Registry},
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
    /// Until when it runs without listeners, after a rejected subscription.
    idle_until: Option<Instant>,
}

impl SubscriptionTask {
    /// `start` spawns the task.
    pub fn new(start: impl Fn(Arc<Registry>, Instructions) + Send + Sync + 'static) -> Self {
        let registry = Arc::<Registry>::default();
        let other = registry.clone();
        Self { registry, link: Arc::default(), start: Box::new(move |instructions| start(other.clone(), instructions)) }
    }

    /// Adds a listener; `done` receives the result of its subscription.
    pub fn subscribe(&self, topic: Topic, id: u64, listener: MessageListener, done: Confirmation) {
        self.registry.add(&topic, id, listener, done);
        let mut link = self.link.lock();
        let instructions = link.instructions.get_or_insert_with(|| {
            let (sender, inbox) = mpsc::unbounded_channel();
            (self.start)(inbox);
            sender
        });
        let _ = instructions.send(Instruction::Subscribe(topic));
    }

    /// Removes a listener.
    pub fn unsubscribe(&self, id: u64) {
        let Some(topic) = self.registry.remove(id) else { return };
        self.link.lock().leave(&self.registry, Instruction::Unsubscribe(topic));
    }

    /// Removes a listener whose subscription was rejected, and which may try again.
    pub fn refused(&self, id: u64) {
        let Some(topic) = self.registry.remove(id) else { return };
        let mut link = self.link.lock();
        if link.instructions.is_none() {
            // It was closed: no task is running.
            return;
        }
        let is_timed = link.idle_until.replace(Instant::now() + IDLE_TIMEOUT).is_some();
        link.leave(&self.registry, Instruction::Refused(topic));
        drop(link);
        if !is_timed {
            self.end_in_time();
        }
    }

    /// Ends the task even if there are listeners.
    pub fn close(&self) {
        *self.link.lock() = Link::default();
    }

    /// Ends the task after `idle_until`, unless there is a listener by then.
    fn end_in_time(&self) {
        let (registry, link) = (self.registry.clone(), Arc::downgrade(&self.link));
        tokio::spawn(async move {
            while let Some(link) = link.upgrade() {
                let until = {
                    let mut link = link.lock();
                    let Some(until) = link.idle_until else { return };
                    if until <= Instant::now() {
                        link.idle_until = None;
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
        if registry.is_empty() && self.idle_until.is_none() {
            self.instructions = None;
        } else if let Some(instructions) = &self.instructions {
            let _ = instructions.send(instruction);
        }
    }
}
