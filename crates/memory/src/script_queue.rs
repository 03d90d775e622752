//! The queue for the Lua interpreter. Requests without a caller's script are executed immediately on the calling thread. A caller's
//! script may never end, so it runs on a thread of the engine, and later requests are queued behind it.
//!
//! A script that exceeds its deadline is stopped by a Lua hook. Hooks do not run inside a C function, so then the script's
//! interpreter and thread are abandoned and replaced. An abandoned script can no longer access data, and its thread ends with
//! it.

use std::collections::VecDeque;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Weak};
use std::thread::Builder;
use std::time::{Duration, Instant};

use cinnabar_port::error::{Error, Kind, Result};
use cinnabar_port::runtime;
use cinnabar_port::{Reply, Request, Verb};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::database::Database;
use super::lua::{AccessRevoker, Ended, Lua};
use super::table::run_for_script;
use super::{EngineState, has_caller_script, no_reply};

/// The time that a script has after its deadline to be stopped by the hook.
const STOP_GRACE: Duration = Duration::from_millis(8);
/// How soon abandoning a script is tried again if one of its commands holds the lock on the data.
const RETRY_AFTER: Duration = Duration::from_millis(5);
/// The time that a thread waits for the next script before it ends.
const IDLE: Duration = Duration::from_secs(10);
/// The stack size of the thread in bytes. Matching a pattern takes a C stack frame for each of its items, which `argument_checks.lua` limits.
const STACK: usize = 64 << 20;
/// The most abandoned scripts that a process may have: each keeps a core busy.
const MAX_ABANDONED: usize = 16;

/// Abandoned scripts that are still running.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// The interpreter and the queue for it.
pub struct ScriptQueue {
    /// `None` while the thread uses it.
    lua: Option<Lua>,
    waiting: VecDeque<QueuedBatch>,
    running: Option<RunningBatch>,
    /// Wakes the thread. `None` while no thread runs.
    thread: Option<Sender<Arc<EngineState>>>,
    /// The number of batches that the thread has started.
    runs: u64,
}

/// A batch of requests, some of which may already have replies.
struct QueuedBatch {
    batch: Vec<Request>,
    deadline: Instant,
    pending: PendingReplies,
}

/// The replies of a batch so far, and where to send them when all are there.
struct PendingReplies {
    replies: Vec<Result<Reply>>,
    sender: oneshot::Sender<Vec<Result<Reply>>>,
}

/// The batch that the thread is executing.
struct RunningBatch {
    run_id: u64,
    count: usize,
    /// Which requests are transactions.
    transactions: Vec<bool>,
    access_revoker: AccessRevoker,
    /// `None` once the batch was abandoned.
    pending: Arc<Mutex<Option<PendingReplies>>>,
}

/// The result of starting a batch.
pub enum Execution {
    /// It is complete.
    Done(Vec<Result<Reply>>),
    /// The thread will complete it.
    Pending(oneshot::Receiver<Vec<Result<Reply>>>),
}

impl ScriptQueue {
    pub fn new(lua: Lua) -> Self {
        Self { lua: Some(lua), waiting: VecDeque::new(), running: None, thread: None, runs: 0 }
    }

    /// Returns the interpreter, unless a script uses it or is queued for it.
    pub fn free(&mut self) -> Option<&mut Lua> {
        if self.waiting.is_empty() { self.lua.as_mut() } else { None }
    }

    /// Fails all queued batches.
    fn fail_all(&mut self, error: &Error) {
        for QueuedBatch { batch, pending, .. } in self.waiting.drain(..) {
            pending.finish(batch.len(), error);
        }
    }
}

impl EngineState {
    /// Executes a batch, or queues the rest of it for the thread from the first caller's script on.
    pub(super) fn begin(self: &Arc<Self>, batch: Vec<Request>, deadline: Instant) -> Execution {
        let mut queue = self.queue.lock();
        if queue.lua.is_none() && queue.running.is_none() {
            self.replace_interpreter(&mut queue);
        }
        let mut replies = Vec::with_capacity(batch.len());
        if let Some(lua) = queue.free() {
            for request in &batch {
                let Some(reply) = self.execute_without_scripts(lua, request) else { break };
                replies.push(reply.map_err(|error| error.redacting(request.caller_data())));
            }
            if replies.len() == batch.len() {
                return Execution::Done(replies);
            }
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting.push_back(QueuedBatch { batch, deadline, pending: PendingReplies { replies, sender } });
        if queue.lua.is_some() {
            self.wake(&mut queue);
        } else if queue.running.is_none() {
            self.replace_interpreter(&mut queue);
        }
        Execution::Pending(receiver)
    }

    /// Wakes the thread, or starts it. If that fails, all queued batches fail.
    fn wake(self: &Arc<Self>, queue: &mut ScriptQueue) {
        if queue.thread.as_ref().is_some_and(|thread| thread.send(self.clone()).is_ok()) {
            return;
        }
        let (thread, inbox) = channel();
        let started = Builder::new().name("cinnabar-lua".into()).stack_size(STACK).spawn(move || run_thread(&inbox));
        match started {
            Ok(_) => {
                let _ = thread.send(self.clone());
                queue.thread = Some(thread);
            }
            Err(error) => {
                let error = Error::new(
                    Kind::Unavailable,
                    "the operating system could not create a thread for a script; nothing was executed",
                )
                .with_source(error);
                queue.fail_all(&error);
            }
        }
    }

    /// Creates an interpreter in place of an abandoned one. If that fails, all queued batches fail, and the next call tries again.
    fn replace_interpreter(&self, queue: &mut ScriptQueue) {
        match Lua::new(self.db.clone(), self.max_bytes, self.loaded_scripts.clone(), run_for_script) {
            Ok(lua) => queue.lua = Some(lua),
            Err(error) => queue.fail_all(&error),
        }
    }

    /// Executes the queued batches; returns false if this thread was abandoned.
    fn run_queued(self: &Arc<Self>) -> bool {
        loop {
            let mut queue = self.queue.lock();
            let Some(mut lua) = queue.lua.take() else { return true };
            let Some(QueuedBatch { batch, deadline, pending }) = queue.waiting.pop_front() else {
                queue.lua = Some(lua);
                return true;
            };
            queue.runs += 1;
            let (run_id, count) = (queue.runs, batch.len());
            let pending = Arc::new(Mutex::new(Some(pending)));
            let transactions = batch.iter().map(is_transaction).collect();
            queue.running = Some(RunningBatch {
                run_id,
                count,
                transactions,
                access_revoker: lua.access_revoker(),
                pending: pending.clone(),
            });
            self.reset_written();
            drop(queue);
            let watch = self.watch_deadline(run_id, deadline);
            let completed =
                catch_unwind(AssertUnwindSafe(|| self.execute_batch(&mut lua, &batch, deadline, &pending))).is_ok();
            if let Some(watch) = watch {
                watch.abort();
            }
            let mut queue = self.queue.lock();
            if queue.running.take_if(|running| running.run_id == run_id).is_none() {
                drop(queue);
                drop(lua);
                ABANDONED.fetch_sub(1, Ordering::Relaxed);
                return false;
            }
            if completed {
                queue.lua = Some(lua);
            } else {
                self.replace_interpreter(&mut queue);
            }
            drop(queue);
            // Messages are delivered before their publisher gets its reply.
            self.deliver();
            if let Some(pending) = pending.lock().take() {
                pending.finish(count, &no_reply());
            }
        }
    }

    fn execute_batch(
        &self,
        lua: &mut Lua,
        batch: &[Request],
        deadline: Instant,
        pending: &Mutex<Option<PendingReplies>>,
    ) {
        let completed = match &*pending.lock() {
            // The caller gave up before the batch was started, so it is skipped.
            Some(pending) if pending.sender.is_closed() => return,
            Some(pending) => pending.replies.len(),
            None => return,
        };
        for request in &batch[completed..] {
            let reply = if Instant::now() >= deadline {
                Err(Error::new(Kind::NotSent, "the deadline passed while a script was running"))
            } else if ABANDONED.load(Ordering::Relaxed) >= MAX_ABANDONED && has_caller_script(request) {
                Err(Error::new(
                    Kind::Unavailable,
                    "too many scripts of this process are still running after their deadlines; nothing was executed",
                ))
            } else {
                lua.set_deadline(deadline);
                self.reset_written();
                let reply = self.execute(lua, request);
                match lua.ended() {
                    Ended::Normally => reply,
                    Ended::Stopped => Err(stopped(is_transaction(request) || self.db.lock().keyspace.has_written)),
                }
            };
            match &mut *pending.lock() {
                Some(pending) => pending.replies.push(reply),
                None => return,
            }
        }
        lua.clear_deadline();
    }

    /// Resets the record of earlier writes: the next request may be stopped before its first command.
    fn reset_written(&self) {
        self.db.lock().keyspace.has_written = false;
    }

    /// Abandons a batch that is still running shortly after its deadline.
    fn watch_deadline(self: &Arc<Self>, run_id: u64, deadline: Instant) -> Option<AbortHandle> {
        let state = Arc::downgrade(self);
        let watch = async move {
            tokio::time::sleep_until((deadline + STOP_GRACE).into()).await;
            while state.upgrade().is_some_and(|state| !state.abandon(run_id)) {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        };
        runtime::get().ok().map(|runtime| runtime.spawn(watch).abort_handle())
    }

    /// Abandons a batch that has not ended and creates another interpreter. Returns false if one of its commands holds the lock on the
    /// data right now, which never takes long.
    fn abandon(self: &Arc<Self>, run_id: u64) -> bool {
        let mut queue = self.queue.lock();
        let Some(running) = queue.running.take_if(|running| running.run_id == run_id) else { return true };
        let has_written = match self.db.try_lock() {
            None => {
                queue.running = Some(running);
                return false;
            }
            // Under the lock that each of its commands takes: no further command can start, and the next script has not started.
            Some(db) => running.revoke_access(&db),
        };
        ABANDONED.fetch_add(1, Ordering::Relaxed);
        self.replace_interpreter(&mut queue);
        queue.thread = None;
        if !queue.waiting.is_empty() {
            self.wake(&mut queue);
        }
        drop(queue);
        self.deliver();
        if let Some(mut pending) = running.pending.lock().take() {
            let in_transaction =
                running.transactions.get(pending.replies.len()).is_some_and(|transaction| *transaction);
            pending.replies.push(Err(stopped(in_transaction || has_written)));
            pending.finish(running.count, &Error::new(Kind::NotSent, "the deadline passed while a script was running"));
        }
        true
    }
}

impl RunningBatch {
    /// Prevents further commands of its script, and returns whether it has written.
    fn revoke_access(&self, db: &Database) -> bool {
        self.access_revoker.revoke();
        db.keyspace.has_written
    }
}

/// Returns the error for a script that was stopped.
fn stopped(may_have_written: bool) -> Error {
    if may_have_written {
        let text = "the script was stopped at its deadline; its earlier writes remain";
        return Error::new(Kind::MaybeApplied, text);
    }
    Error::new(Kind::Timeout, "the script was stopped at its deadline; it had written nothing")
}

/// Whether a request is a transaction, in which another command may have written before the script was stopped.
fn is_transaction(request: &Request) -> bool {
    matches!(request.verb, Verb::Transaction(_))
}

impl PendingReplies {
    /// Completes the batch, with an error for each of its `count` requests that has no reply yet.
    fn finish(mut self, count: usize, error: &Error) {
        self.replies.resize_with(count, || Err(error.clone()));
        let _ = self.sender.send(self.replies);
    }
}

/// The loop of the thread, until it has been idle for some time or its engine was dropped.
fn run_thread(inbox: &Receiver<Arc<EngineState>>) {
    let mut last = Weak::<EngineState>::new();
    loop {
        let state = match inbox.recv_timeout(IDLE) {
            Ok(state) => state,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(state) = last.upgrade() else { return };
                let mut queue = state.queue.lock();
                // Callers wake this thread under the same lock: a batch queued meanwhile is here, and the next one starts another thread.
                match inbox.try_recv() {
                    Ok(_) => {}
                    Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => return queue.thread = None,
                }
                drop(queue);
                state
            }
        };
        if !state.run_queued() {
            return;
        }
        last = Arc::downgrade(&state);
    }
}
