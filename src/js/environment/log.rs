//! The option `log`: changes in the state of a store are logged once to the console and once to each function, even if several
//! services share the store.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::SystemTime,
};

use cinnabar_core::store::Store;
use cinnabar_port::{Event, EventListener, error::Result};
use napi::sys::ValueType;

use super::Environment;
use crate::js::{
    completions::{Completion, Completions},
    node_api::{Js, OwnedReference, Value},
    time::iso,
};

/// The destination of the log of a service.
pub enum Log {
    /// One line by `console.warn`.
    Console,
    /// Nothing.
    Silent,
    /// Calls a function.
    Function(OwnedReference),
}

impl Log {
    /// What the option `log` may be.
    pub const WANTED: &str = "false or a function";

    /// Reads the option.
    pub fn read(js: Js, value: Value, label: &str) -> Result<Self> {
        let read = match js.kind(value) {
            ValueType::napi_function => js.owned_reference(value).map(Self::Function),
            ValueType::napi_boolean if js.as_boolean(value) == Some(false) => Some(Self::Silent),
            _ => None,
        };
        read.ok_or_else(|| js.type_error(value, label, Self::WANTED))
    }
}

/// The logs of an environment's services, by store.
#[derive(Default)]
pub struct Logs {
    next: Cell<u64>,
    stores: RefCell<Vec<StoreLog>>,
}

struct StoreLog {
    /// A unique id, because the address of a store may be used again while an event of the previous one is still queued.
    number: u64,
    store: *const Store,
    services: Vec<(u64, Rc<Log>)>,
    /// Held here, because the store has a weak reference only.
    _listener: Arc<EventListener>,
}

impl Logs {
    /// Logs changes in the state of this store to `log` until `remove` is called with the returned id.
    pub fn add(&self, store: &Arc<Store>, log: &Rc<Log>, completions: &Arc<Completions>) -> u64 {
        let id = self.number();
        let mut stores = self.stores.borrow_mut();
        if let Some(store_log) = stores.iter_mut().find(|store_log| store_log.store == Arc::as_ptr(store)) {
            store_log.services.push((id, log.clone()));
            return id;
        }
        let number = self.number();
        let completions = completions.clone();
        let listener: Arc<EventListener> =
            Arc::new(move |event: &Event| completions.push(Completion::StateChange(number, event.clone())));
        store.events().add_listener(&listener);
        let services = vec![(id, log.clone())];
        stores.push(StoreLog { number, store: Arc::as_ptr(store), services, _listener: listener });
        id
    }

    /// Removes the log with this id.
    pub fn remove(&self, id: u64) {
        self.stores.borrow_mut().retain_mut(|store_log| {
            store_log.services.retain(|(other, _)| *other != id);
            !store_log.services.is_empty()
        });
    }

    /// Removes all logs.
    pub fn clear(&self) {
        self.stores.borrow_mut().clear();
    }

    fn number(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }
}

thread_local! {
    /// What was logged to the console recently. Hot reload creates copies of this package, each with a bridge of its own.
    static RECENT: RefCell<VecDeque<(SystemTime, String)>> = const { RefCell::new(VecDeque::new()) };
}

/// The number of events by which copies of the package may lag behind each other.
const MAX_LAG: usize = 32;

/// Whether no other copy of the package on this thread has logged the event to the console.
fn is_new(event: &Event) -> bool {
    RECENT.with_borrow_mut(|recent| {
        if recent.iter().any(|(at, text)| *at == event.at && *text == event.text) {
            return false;
        }
        recent.truncate(MAX_LAG - 1);
        recent.push_front((event.at, event.text.clone()));
        true
    })
}

impl Environment {
    /// Logs an event of the store with this id for all services that use it.
    pub(super) fn log(&self, js: Js, number: u64, event: &Event) {
        let (mut console, mut functions) = (false, Vec::<Value>::new());
        if let Some(store_log) = self.logs.stores.borrow().iter().find(|store_log| store_log.number == number) {
            for (_, log) in &store_log.services {
                match &**log {
                    Log::Silent => {}
                    Log::Console => console = true,
                    Log::Function(function) => {
                        let function = function.value();
                        if !functions.iter().any(|other| js.same(*other, function)) {
                            functions.push(function);
                        }
                    }
                }
            }
        }
        if console
            && is_new(event)
            && let Ok(line) = js.string(format!("cinnabar: {}", event.text).as_bytes())
        {
            self.call_hook(js, |functions| &functions.warn, &[line]);
        }
        for function in functions {
            let text = |text: &str| js.string(text.as_bytes()).unwrap_or_else(|_| js.undefined());
            let object = js.object();
            js.set(object, c"at", text(&iso(event.at)));
            js.set(object, c"type", text(event.kind.name()));
            js.set(object, c"target", text(&event.target));
            js.set(object, c"message", text(&event.text));
            // An exception in one log must not prevent calls of the others.
            let _ = js.call(function, &[object]);
        }
    }
}
