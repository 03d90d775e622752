//! The state of the bridge in one JavaScript environment: the main thread or a worker thread. It is used on that thread only;
//! results of other threads arrive through `completions`.

mod abortable;
mod callbacks;
mod credentials;
mod log;
mod promises;
mod readers;
mod tick;

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
};

use cinnabar_core::output::Output;
use cinnabar_port::{
    error::{Error, Result},
    sequence::Sequence,
};
use napi::{Env, Unknown, sys};

use self::{
    abortable::AbortableCalls, callbacks::Callback, credentials::CredentialFunctions, readers::RegisteredReader,
    tick::Tick,
};
pub use self::{
    callbacks::Notifier,
    log::{Log, Logs},
};
use super::{
    allocator,
    completions::{Completion, Completions},
    error_class::ErrorDetails,
    js_functions::JsFunctions,
    node_api::{Js, Reference, Value},
    output::build,
};

/// The number of promises that are settled in one turn of the event loop, or a quarter of those in flight if that is more. With all
/// of them in one turn, this thread, the runtime's and the server would each wait for the other two.
const MIN_SETTLED: usize = 16;

/// The bridge's state in one JavaScript environment.
pub struct Environment {
    functions: RefCell<Option<JsFunctions>>,
    /// The calls of this tick, by store and limits.
    tick: Tick,
    /// The order in which batches are sent.
    order: Arc<Sequence>,
    /// Calls whose promises signals may settle.
    abortable: AbortableCalls,
    /// The logs of services, which receive the changes of their stores' states.
    pub logs: Logs,
    /// Readers of inboxes.
    readers: RefCell<HashMap<u64, RegisteredReader>>,
    /// JsFunctions that other threads notify.
    callbacks: RefCell<HashMap<u64, Callback>>,
    /// JsFunctions that return credentials.
    credentials: CredentialFunctions,
    in_flight: Cell<usize>,
    abandoned: Cell<bool>,
    warned: RefCell<HashSet<&'static str>>,
    capture_stacks: Cell<bool>,
    /// The queue of what other threads have completed.
    pub completions: Arc<Completions>,
}

impl Environment {
    /// Starts the bridge of an environment; `None` if the environment is already ending. Tools that list open handles show
    /// `resource`.
    pub fn start(js: Js, functions: JsFunctions, capture_stacks: bool, resource: Value) -> Option<Rc<Self>> {
        let environment = Rc::new(Self {
            functions: RefCell::new(Some(functions)),
            tick: Tick::default(),
            order: Arc::default(),
            abortable: AbortableCalls::default(),
            logs: Logs::default(),
            readers: RefCell::default(),
            callbacks: RefCell::default(),
            credentials: CredentialFunctions::default(),
            in_flight: Cell::new(0),
            abandoned: Cell::new(false),
            warned: RefCell::default(),
            capture_stacks: Cell::new(capture_stacks),
            completions: Arc::new(Completions::new()),
        });
        let context = Rc::into_raw(environment.clone()).cast_mut().cast::<c_void>();
        environment.tick.prepare(js, context);
        if !environment.completions.attach(js, resource, context, Some(drain), Some(finalize)) {
            return None;
        }
        allocator::trim_after_large_values(&environment.completions);
        Some(environment)
    }

    /// Returns the package's error for `error`.
    pub fn failure(&self, js: Js, error: &Error, trace: Option<Value>) -> Value {
        match &*self.functions.borrow() {
            Some(functions) => functions.error_class.build(js, error, None, ErrorDetails { trace, cause: None }),
            None => js.undefined(),
        }
    }

    /// Returns the package's error for `error`, to be thrown.
    pub fn exception(&self, env: &Env, error: &Error) -> napi::Error {
        let value = self.failure(Js(env.raw()), error, None);
        // SAFETY: a live value of this environment.
        napi::Error::from(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
    }

    /// Returns an output as a value, for methods that return no promise.
    pub fn value(&self, js: Js, output: &Output) -> Value {
        let built = self.functions.borrow().as_ref().map(|functions| build(output.clone(), js, functions));
        built.and_then(Result::ok).unwrap_or_else(|| js.undefined())
    }

    /// `JSON.stringify(value)`.
    pub fn stringify(&self, js: Js, value: Value, name: &str) -> Result<String> {
        let stringify = self.function(js, |functions| &functions.stringify);
        js.stringify(stringify, value, name)
    }

    /// Makes errors include the stack of their call site from now on.
    pub fn capture_stacks(&self) {
        self.capture_stacks.set(true);
    }

    /// Logs `text`, once for each `key`.
    pub fn warn_once(&self, js: Js, key: &'static str, text: &str) {
        let new = self.warned.borrow_mut().insert(key);
        if let (true, Ok(text)) = (new, js.string(text.as_bytes())) {
            self.call_hook(js, |functions| &functions.warn, &[text]);
        }
    }

    /// Whether no call is in flight, and no reader or callback keeps the process alive.
    pub fn is_idle(&self) -> bool {
        self.in_flight.get() == 0
    }

    /// Changes the count of what keeps the process alive: calls in flight, readers, and some callbacks.
    pub fn keep_alive(&self, js: Js, change: isize) {
        let before = self.in_flight.get();
        let after = before.saturating_add_signed(change);
        self.in_flight.set(after);
        if (before == 0) != (after == 0) {
            self.completions.keep_alive(js, after > 0);
        }
        if after == 0 && self.abandoned.get() {
            self.completions.release();
        }
    }

    /// Calls one of JavaScript's functions; exceptions are ignored.
    fn call_hook(&self, js: Js, which: impl FnOnce(&JsFunctions) -> &Reference, args: &[Value]) -> Option<Value> {
        js.call(self.function(js, which), args).ok()
    }

    fn function(&self, js: Js, which: impl FnOnce(&JsFunctions) -> &Reference) -> Value {
        self.functions
            .borrow()
            .as_ref()
            .map_or_else(|| js.undefined(), |functions| js.reference_value(which(functions)))
    }

    /// Handles some of what other threads have completed.
    fn drain(&self, js: Js) {
        let limit = (self.in_flight.get() / 4).max(MIN_SETTLED);
        for completion in self.completions.take(limit) {
            match completion {
                Completion::Calls(calls) => self.settle_all(js, calls),
                Completion::Flush => self.flush(),
                Completion::TrimMemory => allocator::trim(),
                Completion::ReaderReady(id) => js.scope(|| self.wake_reader(js, id)),
                Completion::DropReader(id) => js.scope(|| self.drop_reader(js, id)),
                Completion::Notify(id, output) => js.scope(|| self.notify(js, id, output)),
                Completion::DropCallback(id) => self.drop_callback(js, id),
                Completion::Credentials(request) => js.scope(|| {
                    let call = self.function(js, |functions| &functions.ask_credentials);
                    self.credentials.handle(js, call, request);
                }),
                Completion::StateChange(store, event) => js.scope(|| self.log(js, store, &event)),
            }
        }
    }

    /// No further calls can arrive: the wake-up function is released once the last promise is settled.
    fn abandon(&self) {
        self.abandoned.set(true);
        if self.in_flight.get() == 0 {
            self.completions.release();
        }
    }

    fn end(&self, js: Js) {
        self.completions.detached();
        self.tick.end(js);
        self.logs.clear();
        self.drop_abortable(js);
        self.drop_readers(js);
        self.drop_callbacks(js);
        self.credentials.end(js);
        if let Some(functions) = self.functions.take() {
            functions.release(js);
        }
    }
}

/// Shared by all objects that call the bridge. When it is dropped, no further calls can arrive.
pub struct EnvironmentHandle(Rc<Environment>);

impl EnvironmentHandle {
    /// Creates the only handle of an environment.
    pub fn new(environment: Rc<Environment>) -> Rc<Self> {
        Rc::new(Self(environment))
    }

    /// Returns the environment.
    pub fn environment(&self) -> &Rc<Environment> {
        &self.0
    }
}

impl Drop for EnvironmentHandle {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The wake-up function.
unsafe extern "C" fn drain(env: sys::napi_env, _: Value, context: *mut c_void, _: *mut c_void) {
    if env.is_null() {
        return;
    }
    // SAFETY: the context is the `Rc` that `start` leaked; `finalize` takes it back after the last wake-up.
    let environment = unsafe { &*context.cast::<Environment>() };
    let _ = catch_unwind(AssertUnwindSafe(|| environment.drain(Js(env))));
}

/// The wake-up function has ended, with the environment or because it was released.
unsafe extern "C" fn finalize(env: sys::napi_env, context: *mut c_void, _: *mut c_void) {
    // SAFETY: leaked by `start`, taken back once.
    let environment = unsafe { Rc::from_raw(context.cast::<Environment>()) };
    environment.end(Js(env));
}
