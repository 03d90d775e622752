//! The near tier behind an `ApiCache` or a `SessionManager`.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use cinnabar_core::{
    agents::near_watch::{self, NearOptions, NearWatch},
    features::{Copy, NearAt, Words, watched},
    keys::Prefix,
    output::Output,
    store::Store,
};
use cinnabar_port::{Call, error::Result, runtime};
use napi::Env;
use tokio::time::Instant;

use super::{
    completions::Completion,
    node_api::{Js, RawValue, Value},
    open_store::OpenStore,
    operation::Operation,
    option_reader::{Given, OptionReader},
    service_core::{Ending, ResourceGroup, ServiceCore},
    time::moment,
};

/// The default limit of bytes.
const MAX_BYTES: u64 = 64 << 20;
const MIN_BYTES: u64 = 64 << 10;
const MOST_BYTES: u64 = 1 << 40;
/// For how long values are trusted by default without news from the server.
const MAX_STALENESS: Duration = Duration::from_millis(500);

/// The near tier that the options of a cache ask for.
pub struct NearTier {
    options: NearOptions,
    open: RefCell<Weak<OpenNear>>,
}

/// A near tier while its service is open.
pub struct OpenNear {
    watch: Arc<NearWatch>,
    store: Arc<Store>,
}

impl ResourceGroup for OpenNear {
    fn end(&self, _: Instant) -> Ending {
        None
    }
}

impl OpenNear {
    /// Returns the near tier, for a call that begins now.
    pub fn now(&self) -> NearAt {
        NearAt { near: self.watch.near().clone(), now: moment(), is_confirmed: false, is_missing: false }
    }

    fn words(&self) -> Arc<Words> {
        self.watch.near().words().clone()
    }
}

impl NearTier {
    /// Creates one with these options.
    pub fn new(options: NearOptions) -> Rc<Self> {
        Rc::new(Self { options, open: RefCell::default() })
    }

    /// Returns the near tier on the store of this service, which all features with the same options share.
    pub fn open(&self, core: &ServiceCore, js: Js) -> Result<Arc<OpenNear>> {
        let store = core.open_store(js)?.store().clone();
        let known = self.open.borrow().upgrade();
        if let Some(open) = known.filter(|open| Arc::ptr_eq(&open.store, &store)) {
            return Ok(open);
        }
        let watch = near_watch::shared(&store, &self.options, moment)?;
        let open = core.resources().group(&watch, |watch| OpenNear { watch, store: store.clone() });
        *self.open.borrow_mut() = Arc::downgrade(&open);
        Ok(open)
    }
}

/// Returns a call of a feature with this prefix whose changes this process sees at once, also where it has values near.
pub fn watched_on<T: Send + 'static>(core: &ServiceCore, js: Js, prefix: &Prefix, call: Call<T>) -> Call<T> {
    if !near_watch::has_any() {
        return call;
    }
    match core.open_store(js) {
        Ok(open) => watched(near_watch::all(open.store(), prefix), call),
        // The call itself reports it.
        Err(_) => call,
    }
}

/// Returns the memory that says whether copies are still right, as a `Float64Array`; null where memory cannot be shared.
pub fn words(js: Js, open: Option<&OpenNear>) -> RawValue {
    RawValue(open.and_then(|open| js.shared_numbers(open.words())).unwrap_or_else(|| js.null()))
}

/// Returns the time of the clock by which the memory says until when it is right, in milliseconds.
pub fn time() -> f64 {
    moment().steady.as_secs_f64() * 1000.0
}

/// Returns a promise of whether all changes are known that were acknowledged before this call.
pub fn confirm(core: &ServiceCore, env: &Env, open: Option<Arc<OpenNear>>) -> RawValue {
    let js = Js(env.raw());
    let environment = core.environment();
    let open = open.zip(core.open_store(js).ok());
    let (promise, ticket) = environment.promise(js, Operation { name: "GET", empty: None });
    let (Some(ticket), Ok(runtime)) = (ticket, runtime::get()) else { return RawValue(promise) };
    let (completions, timeout) = (environment.completions.clone(), core.timeout());
    runtime.spawn(async move {
        let mut is_confirmed = false;
        if let Some((near, open_store)) = open {
            let in_flight = OpenStore::begin(open_store);
            tokio::select! {
                confirmed = near.watch.confirm() => is_confirmed = confirmed,
                () = in_flight.closing() => {}
                () = tokio::time::sleep(timeout) => {}
            }
        }
        completions.push(Completion::Calls(vec![(Ok(Output::Bool(is_confirmed)), ticket)]));
    });
    RawValue(promise)
}

/// Returns `[json, id, position, cell, generation, tagChanges, leftMs, lifeMs]`. `json` is null if the value still has `known_id`. `tagChanges`
/// is -1 for a value without tags.
pub fn copied(js: Js, copy: &Copy, known_id: f64) -> Result<Value> {
    let id = copy.entry.id as f64;
    let json = if id == known_id { js.null() } else { js.string(&copy.entry.json)? };
    let tag_changes = copy.tag_changes.map_or(-1.0, |changes| changes as f64);
    let left = copy.left.as_secs_f64() * 1000.0;
    let life = copy.entry.life.unwrap_or_default().as_secs_f64() * 1000.0;
    let numbers = [id, copy.cell.0 as f64, copy.cell.1 as f64, copy.generation as f64, tag_changes, left, life];
    let array = js.array(1 + numbers.len());
    js.set_index(array, 0, json);
    for (at, number) in numbers.into_iter().enumerate() {
        js.set_index(array, at + 1, js.number(number));
    }
    Ok(array)
}

impl OptionReader<'_> {
    /// Returns what a near tier is to be like, if there is to be one: `(maxBytes, maxStaleness, strict)`.
    pub fn near(self) -> Result<Option<(u64, Duration, bool)>> {
        let short = |js: Js, value, label: &str| {
            if js.as_boolean(value).is_some() { js.flag(value, label).map(Some) } else { Ok(None) }
        };
        let group = match self.group_or(c"near", "true, false or an object", short)? {
            None | Some(Given::Short(false)) => return Ok(None),
            Some(Given::Short(true)) => return Ok(Some((MAX_BYTES, MAX_STALENESS, false))),
            Some(Given::Group(group)) => group,
        };
        let is_strict = group.word_or(c"mode", [("push", false), ("strict", true)], false)?;
        let max_bytes = group.whole_or(c"maxBytes", MIN_BYTES..=MOST_BYTES, MAX_BYTES)?;
        let max_staleness = group.time_or(c"maxStalenessMs", 20..=60_000, MAX_STALENESS)?;
        Ok(Some((max_bytes, max_staleness, is_strict)))
    }
}
