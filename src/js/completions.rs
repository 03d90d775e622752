//! The way back: what the runtime finished, queued until one wake-up carries all of it to the JavaScript thread.

use std::{
    collections::VecDeque,
    ffi::c_void,
    ptr,
    sync::{Mutex, MutexGuard},
};

use cinnabar_core::output::Output;
use cinnabar_port::{Event, error::Result};
use cinnabar_redis::settings::Secret;
use napi::{bindgen_prelude::retain_current_module_for_unload_safety, sys};
use tokio::sync::oneshot;

use super::{
    node_api::{Js, Value},
    ticket::Ticket,
};

/// Work that other threads leave for the JavaScript thread.
pub enum Completion {
    /// Promises to settle.
    Calls(Vec<(Result<Output>, Ticket)>),
    /// Sends the calls of a tick, in case its environment never does so itself.
    Flush,
    /// Gives back what freed values occupy that this thread has allocated.
    GiveBackMemory,
    /// The reader of this number has something to take.
    ReaderReady(u64),
    /// Releases the reader of this number: nothing will be delivered to it.
    DropReader(u64),
    /// Calls the callback of this number with a value.
    Notify(u64, Output),
    /// Releases the callback of this number.
    DropCallback(u64),
    /// A request to a function that returns credentials.
    Credentials(CredentialRequest),
    /// The state of the store of this number has changed.
    StateChange(u64, Event),
}

/// A request to one of the functions that return credentials.
pub enum CredentialRequest {
    /// Call the function of this number and send what it returns.
    Fetch(u64, oneshot::Sender<Result<Login>>),
    /// Release it: no connection uses it any more.
    Release(u64),
}

/// A username, if any, and a password.
pub type Login = (Option<String>, Secret);

/// The queue, and the function that wakes the JavaScript thread.
pub struct Completions(Mutex<State>);

struct State {
    queue: VecDeque<Completion>,
    wake: Option<Wake>,
    /// The wake-up has ended: nothing that is queued would ever be done.
    ended: bool,
}

impl State {
    fn wake(&self) {
        if let Some(wake) = &self.wake {
            // SAFETY: not finalized yet, or `wake` would be gone: both happen under the lock that holds this state.
            unsafe {
                sys::napi_call_threadsafe_function(
                    wake.0,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                );
            }
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

/// A threadsafe function. It is called only under the lock that its finalizer takes before it goes away.
struct Wake(sys::napi_threadsafe_function);

// SAFETY: threadsafe functions may be called from any thread; ref and unref happen on the JavaScript thread only.
unsafe impl Send for Wake {}

impl Completions {
    /// An empty queue that wakes nobody yet.
    pub fn new() -> Self {
        Self(Mutex::new(State { queue: VecDeque::new(), wake: None, ended: false }))
    }

    /// Creates the threadsafe function: `drain` runs on the JavaScript thread with `context`, and `gone` when the environment
    /// ends or `release` was called. Tools that look for open handles see it as `resource`. It does not keep the process alive
    /// before `hold`.
    pub fn attach(
        &self,
        js: Js,
        resource: Value,
        context: *mut c_void,
        drain: sys::napi_threadsafe_function_call_js,
        gone: sys::napi_finalize,
    ) -> bool {
        // Calls may come from our runtime's thread after this environment has ended.
        retain_current_module_for_unload_safety();
        let Ok(name) = js.string(b"cinnabar") else { return false };
        let mut wake = ptr::null_mut();
        // SAFETY: the name is a string of this environment; context outlives the function, which `gone` marks the end of.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                js.0,
                ptr::null_mut(),
                resource,
                name,
                0,
                1,
                context,
                gone,
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
        self.lock().wake = Some(Wake(wake));
        true
    }

    /// Queues something; only the first of a batch wakes the thread. Once the wake-up has ended, it is let go instead, so
    /// that whoever waits for it learns that.
    pub fn push(&self, done: Completion) {
        let mut state = self.lock();
        if state.ended {
            drop(state);
            return drop(done);
        }
        let first = state.queue.is_empty();
        state.queue.push_back(done);
        if first {
            state.wake();
        }
    }

    /// Up to `room` of what is queued, in order. What is left wakes the thread again, after the JavaScript that this leads to
    /// has run: the calls it makes are on their way while the rest is settled, instead of all waiting for all.
    pub fn take(&self, mut room: usize) -> Vec<Completion> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        while room > 0 {
            match state.queue.pop_front() {
                None => break,
                Some(Completion::Calls(mut calls)) if calls.len() > room => {
                    let rest = calls.split_off(room);
                    state.queue.push_front(Completion::Calls(rest));
                    taken.push(Completion::Calls(calls));
                    break;
                }
                Some(done) => {
                    room = room.saturating_sub(done.weight());
                    taken.push(done);
                }
            }
        }
        if !state.queue.is_empty() {
            state.wake();
        }
        taken
    }

    /// Keeps the process alive, or no longer.
    pub fn hold(&self, js: Js, alive: bool) {
        if let Some(wake) = &self.lock().wake {
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

    /// Ends the wake-up; `gone` follows.
    pub fn release(&self) {
        let wake = self.end();
        if let Some(wake) = wake {
            // SAFETY: taken out of the lock, so nobody calls it any more.
            unsafe { sys::napi_release_threadsafe_function(wake.0, sys::ThreadsafeFunctionReleaseMode::release) };
        }
    }

    /// The environment has ended the wake-up itself.
    pub fn detached(&self) {
        self.end();
    }

    /// What is queued is let go outside the lock: it may push something in turn.
    fn end(&self) -> Option<Wake> {
        let mut state = self.lock();
        state.ended = true;
        let (queue, wake) = (std::mem::take(&mut state.queue), state.wake.take());
        drop(state);
        drop(queue);
        wake
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
