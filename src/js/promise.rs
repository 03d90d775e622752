//! A tick's calls go out as one batch, and their answers come back in one wake-up.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use napi::sys;
use tokio::time::Instant;

use super::{
    completions::{Completions, Done},
    credentials::Sources,
    env::{Js, Kept, Value},
    failure::Failures,
    operation::Operation,
};
use crate::{
    answer::Answer,
    error::{Error, Result},
    runtime,
    store::{Call, Heard, Store, panicked},
};

/// Values made while settling are collected in portions of this many promises.
const PORTION: usize = 64;

/// Promises that are settled in one turn of the event loop, or a quarter of those in flight if that is more. With all of
/// them in one turn, this thread, the runtime's and the server would each wait for the other two.
const WAVE: usize = 16;

/// Up to this many calls of a tick are answered so fast that the runtime's thread stays awake for the next tick.
const FEW: usize = 4;

/// What this environment needs to make, send and settle promises. Lives on its thread.
pub struct Inner {
    functions: RefCell<Option<Functions>>,
    /// The calls of this tick, by the store that they ask and the time that they have.
    tick: RefCell<Vec<Group>>,
    in_flight: Cell<usize>,
    abandoned: Cell<bool>,
    handlers: RefCell<HashMap<u64, Kept>>,
    warned: RefCell<HashSet<&'static str>>,
    capture: bool,
    /// Functions that answer credentials.
    pub sources: Sources,
    /// Where other threads put what they finished.
    pub completions: Arc<Completions>,
}

/// JavaScript's own functions that the bridge calls.
pub struct Functions {
    /// `JSON.parse`.
    pub parse: Kept,
    /// `JSON.stringify`.
    pub stringify: Kept,
    /// `queueMicrotask`.
    pub queue_microtask: Kept,
    /// Makes what a check of a limit answers.
    pub checked: Kept,
    /// Tells the developer something, once.
    pub warn: Kept,
    /// Calls a function that answers credentials, and hands its answer to the bridge.
    pub ask_credentials: Kept,
    /// The package's error class.
    pub failures: Failures,
}

/// Calls that go out together.
struct Group {
    store: Arc<Store>,
    timeout: Duration,
    calls: Vec<Asked>,
}

/// A call and the promise for its answer.
type Asked = (Call<Answer>, Ticket);

/// A promise on its way through the other threads.
pub struct Ticket {
    deferred: sys::napi_deferred,
    trace: Option<Kept>,
    operation: Operation,
}

// SAFETY: other threads only carry it; it is opened on the JavaScript thread that made it.
unsafe impl Send for Ticket {}

impl Inner {
    /// Starts the bridge of an environment, or `None` when it is already ending.
    pub fn start(js: Js, functions: Functions, capture: bool) -> Option<Rc<Self>> {
        let inner = Rc::new(Self {
            functions: RefCell::new(Some(functions)),
            tick: RefCell::default(),
            in_flight: Cell::new(0),
            abandoned: Cell::new(false),
            handlers: RefCell::default(),
            warned: RefCell::default(),
            capture,
            sources: Sources::default(),
            completions: Arc::new(Completions::new()),
        });
        let context = Rc::into_raw(inner.clone()).cast_mut().cast::<c_void>();
        inner.completions.attach(js, context, Some(drain), Some(gone)).then_some(inner)
    }

    /// A promise for what `make` asks for, and at most `timeout` until it is settled, counted from the end of this tick.
    /// It never throws: what cannot be asked is a rejected promise.
    pub fn submit(
        &self,
        js: Js,
        operation: Operation,
        timeout: Duration,
        make: impl FnOnce() -> Result<(Arc<Store>, Call<Answer>)>,
    ) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        let ticket = Ticket { deferred, trace: None, operation };
        match made {
            Ok((store, call)) => self.enqueue(js, store, timeout, call, ticket),
            Err(error) => self.settle(js, Err(error), ticket),
        }
        promise
    }

    /// A promise that `Completions` will settle, for work that is no call to an engine.
    pub fn promise(&self, js: Js, operation: Operation) -> (Value, Option<Ticket>) {
        let Some((promise, deferred)) = js.promise() else { return (js.undefined(), None) };
        self.hold(js, 1);
        (promise, Some(Ticket { deferred, trace: self.trace(js), operation }))
    }

    /// A promise rejected at once.
    pub fn rejected(&self, js: Js, error: Error) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        let error = self.failure(js, &error, None);
        js.reject(deferred, error);
        promise
    }

    /// A promise resolved at once with `undefined`.
    pub fn resolved(&self, js: Js) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        js.resolve(deferred, js.undefined());
        promise
    }

    /// The package's error for `error`.
    pub fn failure(&self, js: Js, error: &Error, trace: Option<Value>) -> Value {
        match &*self.functions.borrow() {
            Some(functions) => functions.failures.build(js, error, trace),
            None => js.undefined(),
        }
    }

    /// An answer as a value, for what is known without waiting.
    pub fn value(&self, js: Js, answer: &Answer) -> Value {
        let built = self.functions.borrow().as_ref().map(|functions| answer.clone().build(js, functions));
        built.and_then(Result::ok).unwrap_or_else(|| js.undefined())
    }

    /// `JSON.stringify(value)`.
    pub fn stringify(&self, js: Js, value: Value, name: &str) -> Result<String> {
        let stringify = self.function(js, |functions| &functions.stringify);
        js.stringify(stringify, value, name)
    }

    /// Says `text` once, whoever says it.
    pub fn warn_once(&self, js: Js, key: &'static str, text: &str) {
        let new = self.warned.borrow_mut().insert(key);
        if let (true, Ok(text)) = (new, js.string(text.as_bytes())) {
            let warn = self.function(js, |functions| &functions.warn);
            // A console that throws is nobody's problem here.
            let _ = js.call(warn, &[text]);
        }
    }

    /// Keeps a handler until `drop_handler`, and the process alive with it.
    pub fn keep_handler(&self, js: Js, id: u64, handler: Value) {
        if let Some(handler) = js.keep(handler) {
            self.handlers.borrow_mut().insert(id, handler);
            self.hold(js, 1);
        }
    }

    /// Lets a handler go.
    pub fn drop_handler(&self, js: Js, id: u64) {
        let handler = self.handlers.borrow_mut().remove(&id);
        if let Some(handler) = handler {
            js.forget(handler);
            self.hold(js, -1);
        }
    }

    /// Nobody can ask any more: the wake-up goes when the last answer has come.
    pub fn abandon(&self) {
        self.abandoned.set(true);
        if self.in_flight.get() == 0 {
            self.completions.release();
        }
    }

    fn function(&self, js: Js, which: impl FnOnce(&Functions) -> &Kept) -> Value {
        self.functions.borrow().as_ref().map_or_else(|| js.undefined(), |functions| js.kept(which(functions)))
    }

    fn trace(&self, js: Js) -> Option<Kept> {
        if self.capture { js.error("").and_then(|error| js.keep(error)) } else { None }
    }

    fn enqueue(&self, js: Js, store: Arc<Store>, timeout: Duration, call: Call<Answer>, mut ticket: Ticket) {
        ticket.trace = self.trace(js);
        let first = {
            let mut tick = self.tick.borrow_mut();
            let first = tick.is_empty();
            match tick.iter_mut().find(|group| Arc::ptr_eq(&group.store, &store) && group.timeout == timeout) {
                Some(group) => group.calls.push((call, ticket)),
                None => tick.push(Group { store, timeout, calls: vec![(call, ticket)] }),
            }
            first
        };
        self.hold(js, 1);
        if first {
            self.flush_after_this_tick(js);
        }
    }

    fn flush_after_this_tick(&self, js: Js) {
        let queue_microtask = self.function(js, |functions| &functions.queue_microtask);
        let context = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        let queued = js.function(Some(flush), context).is_some_and(|flush| js.call(queue_microtask, &[flush]).is_ok());
        if !queued {
            self.flush();
        }
    }

    /// Hands the tick's calls to the runtime: one task a store and time.
    fn flush(&self) {
        let now = Instant::now();
        for Group { store, timeout, calls } in self.tick.take() {
            let deadline = now + timeout;
            let completions = self.completions.clone();
            let few = calls.len() <= FEW;
            match runtime::get() {
                Ok(runtime) => {
                    if few {
                        runtime::stir();
                    }
                    runtime.spawn(async move {
                        let settle = |done| {
                            completions.push(Done::Calls(done));
                            if few {
                                runtime::stir();
                            }
                        };
                        store.run(calls, deadline, settle).await;
                    });
                }
                Err(error) => completions
                    .push(Done::Calls(calls.into_iter().map(|(_, ticket)| (Err(error.clone()), ticket)).collect())),
            }
        }
    }

    /// Settles a wave of what has come back.
    fn drain(&self, js: Js) {
        let wave = (self.in_flight.get() / 4).max(WAVE);
        for done in self.completions.take(wave) {
            match done {
                Done::Calls(calls) => {
                    let count = calls.len();
                    let mut calls = calls.into_iter();
                    while calls.len() > 0 {
                        js.scope(|| {
                            for (result, ticket) in calls.by_ref().take(PORTION) {
                                self.settle(js, result, ticket);
                            }
                        });
                    }
                    self.hold(js, -(count as isize));
                }
                Done::Heard(id, heard) => js.scope(|| self.hear(js, id, heard)),
                Done::Credentials(order) => js.scope(|| {
                    let call = self.function(js, |functions| &functions.ask_credentials);
                    self.sources.obey(js, call, order);
                }),
                Done::Unheard(id) => self.drop_handler(js, id),
            }
        }
    }

    fn hear(&self, js: Js, id: u64, heard: Heard) {
        let Some(handler) = self.handlers.borrow().get(&id).map(|handler| js.kept(handler)) else { return };
        match heard {
            Heard::Message(message) => {
                let parse = self.function(js, |functions| &functions.parse);
                // Other programs publish plain text on the same channels: it is delivered as it is.
                let text = js.string(&message.payload);
                let value = text.and_then(|text| js.parse(parse, text).or(Ok(text)));
                if let (Ok(value), Ok(channel)) = (value, js.string(&message.channel)) {
                    let _ = js.call(handler, &[value, channel]);
                }
            }
            Heard::Gap => drop(js.call(handler, &[])),
        }
    }

    fn settle(&self, js: Js, result: Result<Answer>, ticket: Ticket) {
        let functions = self.functions.borrow();
        let Some(functions) = &*functions else { return };
        let result = match result {
            Err(error) if error.is_unavailable() => match ticket.operation.empty {
                Some(empty) => Ok((
                    empty.answer(),
                    Some(format!("Redis not connected - skipping {} operation", ticket.operation.name)),
                )),
                None => Err(error),
            },
            Ok(answer) => Ok((answer, None)),
            Err(error) => Err(error),
        };
        let built = result.and_then(|(answer, warning)| answer.build(js, functions).map(|value| (value, warning)));
        match built {
            Ok((value, warning)) => {
                js.resolve(ticket.deferred, value);
                if let Some(warning) = warning {
                    self.warn_once(js, ticket.operation.name, &warning);
                }
            }
            Err(error) => {
                let trace = ticket.trace.as_ref().map(|trace| js.kept(trace));
                js.reject(ticket.deferred, functions.failures.build(js, &error, trace));
            }
        }
        if let Some(trace) = ticket.trace {
            js.forget(trace);
        }
    }

    /// Counts what is in flight; the process stays alive for it and for nothing else.
    fn hold(&self, js: Js, change: isize) {
        let before = self.in_flight.get();
        let after = before.saturating_add_signed(change);
        self.in_flight.set(after);
        if (before == 0) != (after == 0) {
            self.completions.hold(js, after > 0);
        }
        if after == 0 && self.abandoned.get() {
            self.completions.release();
        }
    }

    fn end(&self, js: Js) {
        self.completions.detached();
        for (_, handler) in self.handlers.take() {
            js.forget(handler);
        }
        self.sources.end(js);
        if let Some(functions) = self.functions.take() {
            let Functions { parse, stringify, queue_microtask, checked, warn, ask_credentials, failures } = functions;
            for kept in [parse, stringify, queue_microtask, checked, warn, ask_credentials] {
                js.forget(kept);
            }
            failures.release(js);
        }
    }
}

/// The microtask at the end of a tick that made calls.
unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> Value {
    let js = Js(env);
    let mut data = std::ptr::null_mut();
    // SAFETY: only the data pointer is asked for; the other out pointers may be null.
    unsafe {
        sys::napi_get_cb_info(env, info, std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut(), &mut data);
    }
    // SAFETY: a queued flush means a call is in flight, and `Inner` outlives those.
    let inner = unsafe { &*data.cast::<Inner>() };
    let _ = catch_unwind(AssertUnwindSafe(|| inner.flush()));
    js.undefined()
}

/// The wake-up.
unsafe extern "C" fn drain(env: sys::napi_env, _: Value, context: *mut c_void, _: *mut c_void) {
    if env.is_null() {
        return;
    }
    // SAFETY: the context is the `Rc` that `start` leaked; `gone` takes it back after the last wake-up.
    let inner = unsafe { &*context.cast::<Inner>() };
    let _ = catch_unwind(AssertUnwindSafe(|| inner.drain(Js(env))));
}

/// The end of the environment, or of the bridge.
unsafe extern "C" fn gone(env: sys::napi_env, context: *mut c_void, _: *mut c_void) {
    // SAFETY: leaked by `start`, taken back once.
    let inner = unsafe { Rc::from_raw(context.cast::<Inner>()) };
    inner.end(Js(env));
}
