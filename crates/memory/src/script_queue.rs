//! The queue for the Lua interpreter. Requests without a caller's own script run immediately on the calling thread. A caller's
//! script may not terminate, so it runs on a thread of the engine, and later requests queue behind it.
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

use super::db::Db;
use super::lua::{Ended, Halt, Lua};
use super::table::run_for_script;
use super::{Shared, is_theirs, unanswered};

/// How long after its deadline a script may take to notice it.
const NOTICE: Duration = Duration::from_millis(8);
/// How soon a replacement is tried again while a command of the script holds the lock on the data.
const AGAIN: Duration = Duration::from_millis(5);
/// How long a thread waits for the next script before it ends.
const IDLE: Duration = Duration::from_secs(10);
/// Stack size of the thread. Matching a pattern takes a C stack frame for each of its items, which `guard.lua` limits.
const STACK: usize = 64 << 20;
/// The most abandoned scripts that a process may have: each keeps a core busy.
const MOST_LOST: usize = 16;

/// Abandoned scripts that are still running.
static LOST: AtomicUsize = AtomicUsize::new(0);

/// The interpreter and the queue for it.
pub struct Line {
    /// `None` while the thread uses it.
    lua: Option<Lua>,
    waiting: VecDeque<Job>,
    running: Option<Running>,
    thread: Option<Sender<Arc<Shared>>>,
    turns: u64,
}

/// A batch of requests, some of which may already have replies.
struct Job {
    batch: Vec<Request>,
    deadline: Instant,
    told: Told,
}

struct Told {
    replies: Vec<Result<Reply>>,
    tell: oneshot::Sender<Vec<Result<Reply>>>,
}

/// The job that the thread is running.
struct Running {
    turn: u64,
    count: usize,
    /// Which requests are transactions.
    several: Vec<bool>,
    halt: Halt,
    /// `None` once the job was abandoned.
    told: Arc<Mutex<Option<Told>>>,
}

/// The result of starting a batch.
pub enum Begun {
    /// It is complete.
    Done(Vec<Result<Reply>>),
    /// The thread will complete it.
    Later(oneshot::Receiver<Vec<Result<Reply>>>),
}

impl Line {
    pub fn new(lua: Lua) -> Self {
        Self { lua: Some(lua), waiting: VecDeque::new(), running: None, thread: None, turns: 0 }
    }

    /// The interpreter, unless a script uses it or is queued for it.
    pub fn free(&mut self) -> Option<&mut Lua> {
        if self.waiting.is_empty() { self.lua.as_mut() } else { None }
    }

    /// Fails everything that is queued.
    fn refuse(&mut self, error: &Error) {
        for Job { batch, told, .. } in self.waiting.drain(..) {
            told.finish(batch.len(), error);
        }
    }
}

impl Shared {
    /// Runs a batch, or hands it to the thread from the first caller's script on.
    pub(super) fn begin(self: &Arc<Self>, batch: Vec<Request>, deadline: Instant) -> Begun {
        let mut line = self.line.lock();
        if line.lua.is_none() && line.running.is_none() {
            self.renew(&mut line);
        }
        let mut replies = Vec::with_capacity(batch.len());
        if let Some(lua) = line.free() {
            for request in &batch {
                let Some(reply) = self.answer_ours(lua, request) else { break };
                replies.push(reply.map_err(|error| error.redacting(request.caller_data())));
            }
            if replies.len() == batch.len() {
                return Begun::Done(replies);
            }
        }
        let (tell, later) = oneshot::channel();
        line.waiting.push_back(Job { batch, deadline, told: Told { replies, tell } });
        if line.lua.is_some() {
            self.wake(&mut line);
        } else if line.running.is_none() {
            self.renew(&mut line);
        }
        Begun::Later(later)
    }

    /// Wakes the thread, or starts it. If that fails, all queued jobs fail.
    fn wake(self: &Arc<Self>, line: &mut Line) {
        if line.thread.as_ref().is_some_and(|thread| thread.send(self.clone()).is_ok()) {
            return;
        }
        let (thread, inbox) = channel();
        let started = Builder::new().name("cinnabar-lua".into()).stack_size(STACK).spawn(move || serve(&inbox));
        match started {
            Ok(_) => {
                let _ = thread.send(self.clone());
                line.thread = Some(thread);
            }
            Err(error) => {
                let error = Error::new(
                    Kind::Unavailable,
                    "the operating system could not create a thread for a script; nothing was executed",
                )
                .with_source(error);
                line.refuse(&error);
            }
        }
    }

    /// Creates another interpreter in place of a lost one. If that fails, all queued jobs fail, and the next call tries again.
    fn renew(&self, line: &mut Line) {
        match Lua::new(self.db.clone(), self.max_bytes, self.shelf.clone(), run_for_script) {
            Ok(lua) => line.lua = Some(lua),
            Err(error) => line.refuse(&error),
        }
    }

    /// Runs the queued jobs; returns false if this thread was abandoned.
    fn work(self: &Arc<Self>) -> bool {
        loop {
            let mut line = self.line.lock();
            let Some(mut lua) = line.lua.take() else { return true };
            let Some(Job { batch, deadline, told }) = line.waiting.pop_front() else {
                line.lua = Some(lua);
                return true;
            };
            line.turns += 1;
            let (turn, count) = (line.turns, batch.len());
            let told = Arc::new(Mutex::new(Some(told)));
            let several = batch.iter().map(is_one_of_several).collect();
            line.running = Some(Running { turn, count, several, halt: lua.halt(), told: told.clone() });
            self.nothing_written();
            drop(line);
            let watch = self.watch(turn, deadline);
            let whole = catch_unwind(AssertUnwindSafe(|| self.go_through(&mut lua, &batch, deadline, &told))).is_ok();
            if let Some(watch) = watch {
                watch.abort();
            }
            let mut line = self.line.lock();
            if line.running.take_if(|running| running.turn == turn).is_none() {
                drop(line);
                drop(lua);
                LOST.fetch_sub(1, Ordering::Relaxed);
                return false;
            }
            if whole {
                line.lua = Some(lua);
            } else {
                self.renew(&mut line);
            }
            drop(line);
            // Messages are delivered before their publisher gets its reply.
            self.deliver();
            if let Some(told) = told.lock().take() {
                told.finish(count, &unanswered());
            }
        }
    }

    fn go_through(&self, lua: &mut Lua, batch: &[Request], deadline: Instant, told: &Mutex<Option<Told>>) {
        let answered = match &*told.lock() {
            // The caller has given up before the job started, so it is skipped.
            Some(told) if told.tell.is_closed() => return,
            Some(told) => told.replies.len(),
            None => return,
        };
        for request in &batch[answered..] {
            let answer = if Instant::now() >= deadline {
                Err(Error::new(Kind::NotSent, "the deadline passed while a script was running"))
            } else if LOST.load(Ordering::Relaxed) >= MOST_LOST && is_theirs(request) {
                Err(Error::new(
                    Kind::Unavailable,
                    "too many scripts of this process are still running after their deadlines; nothing was executed",
                ))
            } else {
                lua.run_until(deadline);
                self.nothing_written();
                let reply = self.answer(lua, request);
                match lua.ended() {
                    Ended::Itself => reply,
                    Ended::Stopped => Err(stopped(is_one_of_several(request) || self.db.lock().space.has_written)),
                }
            };
            match &mut *told.lock() {
                Some(told) => told.replies.push(answer),
                None => return,
            }
        }
        lua.run_freely();
    }

    /// Forgets the writes of earlier requests: the next one may be halted before its first command.
    fn nothing_written(&self) {
        self.db.lock().space.has_written = false;
    }

    /// Abandons a job that is still running shortly after its deadline.
    fn watch(self: &Arc<Self>, turn: u64, deadline: Instant) -> Option<AbortHandle> {
        let shared = Arc::downgrade(self);
        let watch = async move {
            tokio::time::sleep_until((deadline + NOTICE).into()).await;
            while shared.upgrade().is_some_and(|shared| !shared.replace(turn)) {
                tokio::time::sleep(AGAIN).await;
            }
        };
        runtime::get().ok().map(|runtime| runtime.spawn(watch).abort_handle())
    }

    /// Abandons a job that has not ended and creates another interpreter. Returns false if one of its commands holds the lock
    /// on the data right now, which never takes long.
    fn replace(self: &Arc<Self>, turn: u64) -> bool {
        let mut line = self.line.lock();
        let Some(running) = line.running.take_if(|running| running.turn == turn) else { return true };
        let has_written = match self.db.try_lock() {
            None => {
                line.running = Some(running);
                return false;
            }
            // Under the lock that each of its commands takes: no further command can run, and the next script has not started.
            Some(db) => running.halt_under(&db),
        };
        LOST.fetch_add(1, Ordering::Relaxed);
        self.renew(&mut line);
        line.thread = None;
        if !line.waiting.is_empty() {
            self.wake(&mut line);
        }
        drop(line);
        self.deliver();
        if let Some(mut told) = running.told.lock().take() {
            let one_of_several = running.several.get(told.replies.len()).is_some_and(|several| *several);
            told.replies.push(Err(stopped(one_of_several || has_written)));
            told.finish(running.count, &Error::new(Kind::NotSent, "the deadline passed while a script was running"));
        }
        true
    }
}

impl Running {
    /// Keeps it from running further commands. Returns whether it has written.
    fn halt_under(&self, db: &Db) -> bool {
        self.halt.order();
        db.space.has_written
    }
}

/// The error for a script that was stopped.
fn stopped(may_have_written: bool) -> Error {
    if may_have_written {
        let text = "the script was stopped at its deadline; its earlier writes remain";
        return Error::new(Kind::MaybeApplied, text);
    }
    Error::new(Kind::Timeout, "the script was stopped at its deadline; it had written nothing")
}

/// Whether another command may have written before a script in it is stopped.
fn is_one_of_several(request: &Request) -> bool {
    matches!(request.verb, Verb::Transaction(_))
}

impl Told {
    /// Completes the job, with an error for each of its `count` requests that has no reply yet.
    fn finish(mut self, count: usize, error: &Error) {
        self.replies.resize_with(count, || Err(error.clone()));
        let _ = self.tell.send(self.replies);
    }
}

/// The thread's loop, until it has been idle for some time or its engine is gone.
fn serve(inbox: &Receiver<Arc<Shared>>) {
    let mut last = Weak::<Shared>::new();
    loop {
        let shared = match inbox.recv_timeout(IDLE) {
            Ok(shared) => shared,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(shared) = last.upgrade() else { return };
                let mut line = shared.line.lock();
                // Callers wake this thread under the same lock: a job sent meanwhile is here, and the next one starts another thread.
                match inbox.try_recv() {
                    Ok(_) => {}
                    Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => return line.thread = None,
                }
                drop(line);
                shared
            }
        };
        if !shared.work() {
            return;
        }
        last = Arc::downgrade(&shared);
    }
}
