//! The calls of a tick are sent together: one batch for all with the same store and limits.

use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use cinnabar_core::output::Output;
use cinnabar_port::{Call, Request, runtime};
use napi::sys;
use tokio::time::Instant;

use super::Environment;
use crate::js::{
    completions::Completion,
    limits::Limits,
    node_api::{Js, Reference, Value},
    open_store::OpenStore,
    ticket::{PendingPromise, Ticket},
};

/// The results of up to this many calls arrive so soon that the runtime's thread busy-polls for them and for the next tick.
const BUSY_POLL_LIMIT: usize = 4;

/// How many batches of a tick are searched for one that a call can be added to. In a tick of thousands of callers, each with a signal of
/// its own, not all must be compared with all.
const MERGE_WINDOW: usize = 16;

/// Calls that are sent together.
pub struct PendingBatch {
    open_store: Arc<OpenStore>,
    limits: Option<Rc<Limits>>,
    timeout: Duration,
    /// Sent separately, because it may block.
    dedicated: bool,
    calls: Vec<(Call<Output>, Ticket)>,
}

/// The calls made in this tick so far, and the function that flushes them.
#[derive(Default)]
pub struct Tick {
    batches: RefCell<Vec<PendingBatch>>,
    flush: RefCell<Option<Reference>>,
    /// Whether this environment has ever called that function.
    flushed: Cell<bool>,
}

impl Tick {
    /// Creates the function that flushes; the environment outlives its calls.
    pub fn prepare(&self, js: Js, environment: *mut c_void) {
        *self.flush.borrow_mut() = js.function(Some(flush), environment).and_then(|flush| js.create_reference(flush));
    }

    /// Releases everything at the end of the environment.
    pub fn end(&self, js: Js) {
        self.batches.take();
        if let Some(flush) = self.flush.take() {
            js.delete_reference(flush);
        }
    }
}

impl Environment {
    pub(super) fn enqueue(
        &self,
        js: Js,
        (open_store, timeout): (Arc<OpenStore>, Duration),
        limits: Option<&Rc<Limits>>,
        call: Call<Output>,
        pending: PendingPromise,
    ) {
        let ticket = match limits {
            Some(limits) if limits.has_signals() => Ticket::Abortable(self.make_abortable(js, pending, limits)),
            _ => Ticket::Promise(pending),
        };
        let first_request = call.requests.first();
        let dedicated = first_request.is_some_and(Request::is_dedicated);
        let wait = first_request.and_then(Request::blocking_timeout);
        let entry = (call, ticket);
        let first = {
            let mut tick = self.tick.batches.borrow_mut();
            let first = tick.is_empty();
            let candidate = tick.iter_mut().rev().take(MERGE_WINDOW).find(|batch| {
                let shared = !dedicated && !batch.dedicated;
                shared && Arc::ptr_eq(&batch.open_store, &open_store) && Limits::same(batch.limits.as_ref(), limits)
            });
            match candidate {
                Some(batch) => batch.calls.push(entry),
                None => {
                    let bound = limits.and_then(|limits| limits.timeout);
                    let timeout = match wait {
                        Some(wait) => wait.call_timeout(bound, timeout),
                        None => bound.unwrap_or(timeout),
                    };
                    tick.push(PendingBatch {
                        open_store,
                        limits: limits.cloned(),
                        timeout,
                        dedicated,
                        calls: vec![entry],
                    });
                }
            }
            first
        };
        self.keep_alive(js, 1);
        if first {
            self.flush_after_this_tick(js);
        }
    }

    fn flush_after_this_tick(&self, js: Js) {
        let after_this_tick = self.function(js, |functions| &functions.after_this_tick);
        let flush = self.tick.flush.borrow().as_ref().map(|flush| js.reference_value(flush));
        if flush.is_none_or(|flush| js.call(after_this_tick, &[flush]).is_err()) {
            self.flush();
        } else if !self.tick.flushed.get() {
            // Until it has run once, it may never run: in some realms microtasks are never executed.
            self.completions.push(Completion::Flush);
        }
    }

    /// Passes the calls of the tick to the runtime, one task per batch. Their timeouts start now.
    pub fn flush(&self) {
        let batches = self.tick.batches.take();
        if batches.is_empty() {
            return;
        }
        let now = Instant::now();
        for PendingBatch { open_store, limits, timeout, mut calls, .. } in batches {
            let abortable: Vec<u64> = match limits {
                Some(limits) if limits.has_signals() => {
                    // What was aborted within the tick is not sent.
                    calls.retain(|(_, ticket)| ticket.abortable().is_none_or(|call| self.abortable.is_pending(call)));
                    calls.iter().filter_map(|(_, ticket)| ticket.abortable()).collect()
                }
                _ => Vec::new(),
            };
            if !calls.is_empty() {
                self.send(open_store, now + timeout, calls, &abortable);
            }
        }
    }

    fn send(
        &self,
        open_store: Arc<OpenStore>,
        deadline: Instant,
        calls: Vec<(Call<Output>, Ticket)>,
        abortable: &[u64],
    ) {
        let completions = self.completions.clone();
        let few = calls.len() <= BUSY_POLL_LIMIT;
        let runtime = match runtime::get() {
            Ok(runtime) => runtime,
            Err(error) => {
                let failed = calls.into_iter().map(|(_, ticket)| (Err(error.clone()), ticket)).collect();
                return completions.push(Completion::Calls(failed));
            }
        };
        if few {
            runtime::start_busy_polling();
        }
        let in_flight = OpenStore::begin(open_store);
        let turn = self.order.turn();
        let task = runtime.spawn(async move {
            turn.reached().await;
            let settle = |done| {
                completions.push(Completion::Calls(done));
                if few {
                    runtime::start_busy_polling();
                }
            };
            // Its first poll passes the calls to a connection or queues them for one.
            turn.run(pin!(in_flight.store().run_until(calls, deadline, in_flight.abandoned(), settle))).await;
        });
        if !abortable.is_empty() {
            let handle = task.abort_handle();
            for &call in abortable {
                self.abortable.cancel_with(call, &handle);
            }
        }
    }
}

/// Called at the end of a tick that made calls.
unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> Value {
    let js = Js(env);
    let mut data = std::ptr::null_mut();
    // SAFETY: only the data pointer is entry for; the other out pointers may be null.
    unsafe {
        sys::napi_get_cb_info(env, info, std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut(), &mut data);
    }
    // SAFETY: a queued flush means a call is in flight, and the environment outlives those.
    let environment = unsafe { &*data.cast::<Environment>() };
    environment.tick.flushed.set(true);
    let _ = catch_unwind(AssertUnwindSafe(|| environment.flush()));
    js.undefined()
}
