//! Promises: made when a call is, settled a wave at a time when the answers have come back.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use cinnabar_core::{answer::Answer, store::panicked};
use cinnabar_port::{
    Call,
    error::{Error, Kind, Result},
    sequence::Sequence,
};
use napi::sys;

use super::{
    answer::build,
    bridge::Shared,
    completions::{Completion, Completions},
    credentials::Sources,
    env::{Js, Kept, Value},
    failure::More,
    functions::Functions,
    handlers::Handler,
    held::Held,
    limits::Limits,
    log::Logs,
    memory,
    opened::Opened,
    operation::Operation,
    tick::Tick,
    ticket::{Promised, Ticket},
    told::Told,
};

/// Values made while settling are collected in portions of this many promises.
const PORTION: usize = 64;

/// Promises that are settled in one turn of the event loop, or a quarter of those in flight if that is more. With all of
/// them in one turn, this thread, the runtime's and the server would each wait for the other two.
const WAVE: usize = 16;

/// What this environment needs to make, send and settle promises. Lives on its thread.
pub struct Inner {
    pub(super) functions: RefCell<Option<Functions>>,
    /// The calls of this tick, by the store that they ask and the time that they have.
    pub(super) tick: Tick,
    /// The order in which batches go out.
    pub(super) order: Arc<Sequence>,
    /// Those whose calls go through here.
    pub(super) services: RefCell<Vec<Weak<Shared>>>,
    /// Promises that signals may settle.
    pub(super) held: Held,
    /// Who is told how the stores fare.
    pub(super) logs: Logs,
    in_flight: Cell<usize>,
    abandoned: Cell<bool>,
    pub(super) handlers: RefCell<HashMap<u64, Handler>>,
    /// Functions that are told things.
    pub(super) told: RefCell<HashMap<u64, Told>>,
    warned: RefCell<HashSet<&'static str>>,
    capture: Cell<bool>,
    /// Functions that answer credentials.
    pub sources: Sources,
    /// Where other threads put what they finished.
    pub completions: Arc<Completions>,
}

impl Inner {
    /// Starts the bridge of an environment; `None` if it is already ending. Tools that look for open handles see `resource`.
    pub fn start(js: Js, functions: Functions, capture: bool, resource: Value) -> Option<Rc<Self>> {
        memory::give_back_after_large_values();
        let inner = Rc::new(Self {
            functions: RefCell::new(Some(functions)),
            tick: Tick::default(),
            order: Arc::default(),
            services: RefCell::default(),
            held: Held::default(),
            logs: Logs::default(),
            in_flight: Cell::new(0),
            abandoned: Cell::new(false),
            handlers: RefCell::default(),
            told: RefCell::default(),
            warned: RefCell::default(),
            capture: Cell::new(capture),
            sources: Sources::default(),
            completions: Arc::new(Completions::new()),
        });
        let context = Rc::into_raw(inner.clone()).cast_mut().cast::<c_void>();
        inner.tick.prepare(js, context);
        inner.completions.attach(js, resource, context, Some(drain), Some(gone)).then_some(inner)
    }

    /// A promise for what `make` asks for within `limits`; without them, for at most the time that `make` answers.
    /// It never throws: what cannot be asked is a rejected promise.
    pub fn submit(
        &self,
        js: Js,
        operation: Operation,
        limits: Option<&Rc<Limits>>,
        make: impl FnOnce() -> Result<(Arc<Opened>, Duration, Call<Answer>)>,
    ) -> Value {
        let Some((promise, deferred)) = js.promise() else { return js.undefined() };
        let promised = Promised { deferred, trace: None, operation };
        if let Some(reason) = limits.and_then(|limits| limits.aborted(js)) {
            self.reject_aborted(js, promised, reason);
            return promise;
        }
        let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        match made {
            Ok((opened, timeout, call)) => {
                let promised = Promised { trace: self.trace(js), ..promised };
                self.enqueue(js, (opened, timeout), limits, call, promised);
            }
            Err(error) => self.settle(js, Err(error), promised),
        }
        promise
    }

    /// A promise that `Completions` will settle, for work that is no call to an engine.
    pub fn promise(&self, js: Js, operation: Operation) -> (Value, Option<Ticket>) {
        let Some((promise, deferred)) = js.promise() else { return (js.undefined(), None) };
        self.hold(js, 1);
        (promise, Some(Ticket::Promise(Promised { deferred, trace: self.trace(js), operation })))
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
            Some(functions) => functions.failures.build(js, error, None, More { trace, cause: None }),
            None => js.undefined(),
        }
    }

    /// An answer as a value, for what is known without waiting.
    pub fn value(&self, js: Js, answer: &Answer) -> Value {
        let built = self.functions.borrow().as_ref().map(|functions| build(answer.clone(), js, functions));
        built.and_then(Result::ok).unwrap_or_else(|| js.undefined())
    }

    /// `JSON.stringify(value)`.
    pub fn stringify(&self, js: Js, value: Value, name: &str) -> Result<String> {
        let stringify = self.function(js, |functions| &functions.stringify);
        js.stringify(stringify, value, name)
    }

    /// Makes errors include the stack of their call site from now on.
    pub fn capture_stacks(&self) {
        self.capture.set(true);
    }

    /// Says `text` once, whoever says it.
    pub fn warn_once(&self, js: Js, key: &'static str, text: &str) {
        let new = self.warned.borrow_mut().insert(key);
        if let (true, Ok(text)) = (new, js.string(text.as_bytes())) {
            self.call_hook(js, |functions| &functions.warn, &[text]);
        }
    }

    /// Nobody can ask any more: the wake-up goes when the last answer has come.
    pub fn abandon(&self) {
        self.abandoned.set(true);
        if self.in_flight.get() == 0 {
            self.completions.release();
        }
    }

    /// Calls one of JavaScript's functions; what it throws is nobody's problem here.
    pub(super) fn call_hook(&self, js: Js, which: impl FnOnce(&Functions) -> &Kept, args: &[Value]) -> Option<Value> {
        js.call(self.function(js, which), args).ok()
    }

    pub(super) fn function(&self, js: Js, which: impl FnOnce(&Functions) -> &Kept) -> Value {
        self.functions.borrow().as_ref().map_or_else(|| js.undefined(), |functions| js.kept(which(functions)))
    }

    fn trace(&self, js: Js) -> Option<Kept> {
        if self.capture.get() { js.error("").and_then(|error| js.keep(error)) } else { None }
    }

    /// Settles a wave of what has come back.
    fn drain(&self, js: Js) {
        let wave = (self.in_flight.get() / 4).max(WAVE);
        for done in self.completions.take(wave) {
            match done {
                Completion::Calls(calls) => {
                    let mut settled = 0;
                    let mut calls = calls.into_iter();
                    while calls.len() > 0 {
                        js.scope(|| {
                            for (result, ticket) in calls.by_ref().take(PORTION) {
                                let promised = match ticket {
                                    Ticket::Promise(promised) => promised,
                                    Ticket::Abortable(call) => match self.claim(js, call) {
                                        Some(promised) => promised,
                                        // Its signal has settled it.
                                        None => continue,
                                    },
                                };
                                self.settle(js, result, promised);
                                settled += 1;
                            }
                        });
                    }
                    self.hold(js, -settled);
                }
                Completion::Flush => self.flush(),
                Completion::ReaderReady(id) => js.scope(|| self.wake_reader(js, id)),
                Completion::Credentials(request) => js.scope(|| {
                    let call = self.function(js, |functions| &functions.ask_credentials);
                    self.sources.handle(js, call, request);
                }),
                Completion::DropReader(id) => js.scope(|| self.drop_handler(js, id)),
                Completion::Notify(id, answer) => js.scope(|| self.tell_function(js, id, answer)),
                Completion::DropCallback(id) => self.forget_told(js, id),
                Completion::StateChange(store, event) => js.scope(|| self.tell(js, store, &event)),
            }
        }
    }

    fn settle(&self, js: Js, result: Result<Answer>, promised: Promised) {
        let functions = self.functions.borrow();
        let Some(functions) = &*functions else { return };
        let result = match result {
            // What may have been done was not skipped.
            Err(error) if error.is_unavailable() && error.kind != Kind::MaybeApplied => {
                match promised.operation.empty {
                    Some(empty) => Ok((
                        empty.answer(),
                        Some(format!("Redis not connected - skipping {} operation", promised.operation.name)),
                    )),
                    None => Err(error),
                }
            }
            Ok(answer) => Ok((answer, None)),
            Err(error) => Err(error),
        };
        let built = result.and_then(|(answer, warning)| build(answer, js, functions).map(|value| (value, warning)));
        match built {
            Ok((value, warning)) => {
                js.resolve(promised.deferred, value);
                if let Some(warning) = warning {
                    self.warn_once(js, promised.operation.name, &warning);
                }
            }
            Err(error) => return self.reject_because(js, promised, &error, None),
        }
        if let Some(trace) = promised.trace {
            js.forget(trace);
        }
    }

    /// Rejects a promise, optionally with a JavaScript value as the cause.
    pub(super) fn reject_because(&self, js: Js, promised: Promised, error: &Error, cause: Option<Value>) {
        let trace = promised.trace.as_ref().map(|trace| js.kept(trace));
        let error = match &*self.functions.borrow() {
            Some(functions) => functions.failures.build(js, error, Some(promised.operation), More { trace, cause }),
            None => js.undefined(),
        };
        js.reject(promised.deferred, error);
        if let Some(trace) = promised.trace {
            js.forget(trace);
        }
    }

    /// Whether nothing is in flight and nobody is subscribed.
    pub fn is_idle(&self) -> bool {
        self.in_flight.get() == 0
    }

    /// Counts what is in flight; the process stays alive for it and for nothing else.
    pub(super) fn hold(&self, js: Js, change: isize) {
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
        self.tick.end(js);
        self.logs.clear();
        self.forget_held(js);
        self.drop_handlers(js);
        self.forget_all_told(js);
        self.sources.end(js);
        if let Some(functions) = self.functions.take() {
            functions.release(js);
        }
    }
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
