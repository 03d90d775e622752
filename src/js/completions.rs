//! The queue of completed work, through which other threads pass results to the JavaScript thread, with one wake-up for many.

use std::{collections::VecDeque, ffi::c_void, ptr};

use cinnabar_core::output::Output;
use cinnabar_port::{Event, error::Result};
use cinnabar_redis::settings::Secret;
use napi::{bindgen_prelude::retain_current_module_for_unload_safety, sys};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    node_api::{Js, Value},
    ticket::Ticket,
};

/// Work of other threads for the JavaScript thread.
pub enum Completion {
    /// Promises to settle.
    Calls(Vec<(Result<Output>, Ticket)>),
    /// Sends the calls of a tick, in case its environment never does so itself.
    Flush,
    /// Returns the memory of freed values that this thread has allocated.
    TrimMemory,
    /// Notifies the reader with this id that there is something to take.
    ReaderReady(u64),
    /// Releases the reader with this id: nothing will be delivered to it.
    DropReader(u64),
    /// Calls the callback with this id with a value.
    Notify(u64, Output),
    /// Releases the callback with this id.
    DropCallback(u64),
    /// A request to a function that returns credentials.
    Credentials(CredentialRequest),
    /// A change in the state of the store with this id.
    StateChange(u64, Event),
}

/// A request to one of the functions that return credentials.
pub enum CredentialRequest {
    /// Call the function with this id and send what it returns.
    Fetch(u64, oneshot::Sender<Result<Login>>),
    /// Release it: no connection uses it any more.
    Release(u64),
}

/// A username, if any, and a password.
pub type Login = (Option<String>, Secret);

/// The queue, and the function that wakes the JavaScript thread.
pub struct Completions(Mutex<State<ThreadsafeFunction>>);

struct State<W> {
    queue: VecDeque<Completion>,
    wake: Option<W>,
    /// Whether the wake-up has ended, after which queued work would never be done.
    ended: bool,
}

/// Wakes the JavaScript thread.
trait WakeUp {
    fn call(&self);
}

impl<W: WakeUp> State<W> {
    fn new() -> Self {
        Self { queue: VecDeque::new(), wake: None, ended: false }
    }

    /// Sets the wake-up, and calls it for what was queued before: later work relies on that, since only the first in an empty queue wakes.
    fn set_wake(&mut self, wake: W) {
        self.wake = Some(wake);
        if !self.queue.is_empty() {
            self.wake();
        }
    }

    /// Queues a completion; only the first in an empty queue wakes the thread.
    fn push(&mut self, done: Completion) {
        let first = self.queue.is_empty();
        self.queue.push_back(done);
        if first {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            wake.call();
        }
    }
}

impl Completion {
    fn weight(&self) -> usize {
        match self {
            Self::Calls(calls) => calls.len(),
            _ => 1,
        }
    }
}

/// A threadsafe function. It is called only under the lock, which its finalizer takes first.
struct ThreadsafeFunction(sys::napi_threadsafe_function);

// SAFETY: threadsafe functions may be called from any thread; ref and unref happen on the JavaScript thread only.
unsafe impl Send for ThreadsafeFunction {}

impl WakeUp for ThreadsafeFunction {
    fn call(&self) {
        // SAFETY: not finalized yet, since the finalizer takes it out of the state under its lock first.
        unsafe {
            sys::napi_call_threadsafe_function(self.0, ptr::null_mut(), sys::ThreadsafeFunctionCallMode::nonblocking);
        }
    }
}

impl Completions {
    /// Returns an empty queue without a function to call.
    pub fn new() -> Self {
        Self(Mutex::new(State::new()))
    }

    /// Creates the threadsafe function: `drain` runs on the JavaScript thread with `context`, and `finalize` when the
    /// environment ends or `release` was called. Tools that list open handles show it as `resource`. It does not keep the process
    /// alive before `keep_alive`.
    pub fn attach(
        &self,
        js: Js,
        resource: Value,
        context: *mut c_void,
        drain: sys::napi_threadsafe_function_call_js,
        finalize: sys::napi_finalize,
    ) -> bool {
        // Calls may come from our runtime's thread after this environment has ended.
        retain_current_module_for_unload_safety();
        let Ok(name) = js.string(b"cinnabar") else { return false };
        let mut wake = ptr::null_mut();
        // SAFETY: the name is a string of this environment; context outlives the function, whose end `finalize` marks.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                js.0,
                ptr::null_mut(),
                resource,
                name,
                0,
                1,
                context,
                finalize,
                context,
                drain,
                &mut wake,
            )
        };
        if status != sys::Status::napi_ok {
            return false;
        }
        // SAFETY: just made, on its own thread.
        unsafe { sys::napi_unref_threadsafe_function(js.0, wake) };
        self.0.lock().set_wake(ThreadsafeFunction(wake));
        true
    }

    /// Queues a completion. Once the wake-up has ended, it is dropped instead, so that callers that wait for it are notified.
    pub fn push(&self, done: Completion) {
        let mut state = self.0.lock();
        if state.ended {
            drop(state);
            return drop(done);
        }
        state.push(done);
    }

    /// Takes up to `limit` of what is queued, in order. The rest wakes the thread again, after the JavaScript that this leads to has
    /// run, so that the calls it makes are executed while the rest is settled.
    pub fn take(&self, mut limit: usize) -> Vec<Completion> {
        let mut state = self.0.lock();
        let mut taken = Vec::new();
        while limit > 0 {
            match state.queue.pop_front() {
                None => break,
                Some(Completion::Calls(mut calls)) if calls.len() > limit => {
                    let rest = calls.split_off(limit);
                    state.queue.push_front(Completion::Calls(rest));
                    taken.push(Completion::Calls(calls));
                    break;
                }
                Some(done) => {
                    limit = limit.saturating_sub(done.weight());
                    taken.push(done);
                }
            }
        }
        if !state.queue.is_empty() {
            state.wake();
        }
        taken
    }

    /// Keeps the process alive, or stops doing so.
    pub fn keep_alive(&self, js: Js, alive: bool) {
        if let Some(wake) = &self.0.lock().wake {
            // SAFETY: on the JavaScript thread, and not finalized yet.
            unsafe {
                if alive {
                    sys::napi_ref_threadsafe_function(js.0, wake.0);
                } else {
                    sys::napi_unref_threadsafe_function(js.0, wake.0);
                }
            }
        }
    }

    /// Ends the wake-up; `finalize` is called afterwards.
    pub fn release(&self) {
        let wake = self.end();
        if let Some(wake) = wake {
            // SAFETY: removed under the lock, so it is not called any more.
            unsafe { sys::napi_release_threadsafe_function(wake.0, sys::ThreadsafeFunctionReleaseMode::release) };
        }
    }

    /// Records that the environment has ended the wake-up.
    pub fn detached(&self) {
        self.end();
    }

    /// Drops the queue outside the lock, because that may push something in turn.
    fn end(&self) -> Option<ThreadsafeFunction> {
        let mut state = self.0.lock();
        state.ended = true;
        let (queue, wake) = (std::mem::take(&mut state.queue), state.wake.take());
        drop(state);
        drop(queue);
        wake
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;

    impl WakeUp for Rc<Cell<usize>> {
        fn call(&self) {
            self.set(self.get() + 1);
        }
    }

    #[test]
    fn only_the_first_in_an_empty_queue_wakes() {
        let (mut state, calls) = (State::new(), Rc::new(Cell::new(0)));
        state.set_wake(calls.clone());
        assert_eq!(calls.get(), 0, "there is nothing to do yet");
        state.push(Completion::TrimMemory);
        state.push(Completion::Flush);
        assert_eq!(calls.get(), 1);
        state.queue.clear();
        state.push(Completion::Flush);
        assert_eq!(calls.get(), 2);
    }

    #[test]
    fn what_was_queued_before_the_wake_up_was_set_wakes_then() {
        let (mut state, calls) = (State::new(), Rc::new(Cell::new(0)));
        // Another thread asks for memory while an environment is being created.
        state.push(Completion::TrimMemory);
        state.set_wake(calls.clone());
        assert_eq!(calls.get(), 1, "otherwise nothing that is queued later would wake the thread");
        state.push(Completion::Flush);
        assert_eq!(calls.get(), 1);
    }
}
