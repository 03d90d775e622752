//! The option `log`: changes of a store's state, each logged once to the console and once to each function, however many
//! services share the store.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::SystemTime,
};

use cinnabar_core::store::Store;
use cinnabar_port::{
    Event, EventListener,
    error::{Error, Result},
};
use napi::sys::ValueType;

use super::Environment;
use crate::js::{
    completions::{Completion, Completions},
    node_api::{Js, Owned, Value},
    time::iso,
};

/// What a service does with changes.
pub enum Log {
    /// One line by `console.warn`.
    Console,
    /// Nothing.
    Silent,
    /// Calls a function.
    Function(Owned),
}

impl Log {
    /// Reads the option `log`: `false`, a function, or nothing for the console.
    pub fn read(js: Js, options: Value) -> Result<Self> {
        match js.option(options, c"log")? {
            None => Ok(Self::Console),
            Some(value) => match js.kind(value) {
                ValueType::napi_function => js.own(value).map(Self::Function).ok_or_else(|| refuse(js, value)),
                ValueType::napi_boolean if js.as_boolean(value) == Some(false) => Ok(Self::Silent),
                _ => Err(refuse(js, value)),
            },
        }
    }
}

fn refuse(js: Js, value: Value) -> Error {
    js.refuse(value, "log", "false or a function")
}

/// The logs of an environment's services, by store.
#[derive(Default)]
pub struct Logs {
    next: Cell<u64>,
    stores: RefCell<Vec<Logged>>,
}

struct Logged {
    /// Never used twice: the address of a store is, and what came from the one before may still be queued.
    number: u64,
    store: *const Store,
    services: Vec<(u64, Rc<Log>)>,
    /// The store holds it weakly.
    _watcher: Arc<EventListener>,
}

impl Logs {
    /// Logs the changes of this store's state to `log` until `remove` is called with the returned number.
    pub fn add(&self, store: &Arc<Store>, log: &Rc<Log>, completions: &Arc<Completions>) -> u64 {
        let id = self.number();
        let mut stores = self.stores.borrow_mut();
        if let Some(logged) = stores.iter_mut().find(|logged| logged.store == Arc::as_ptr(store)) {
            logged.services.push((id, log.clone()));
            return id;
        }
        let number = self.number();
        let completions = completions.clone();
        let watcher: Arc<EventListener> =
            Arc::new(move |event: &Event| completions.push(Completion::StateChange(number, event.clone())));
        store.events().add_listener(&watcher);
        let services = vec![(id, log.clone())];
        stores.push(Logged { number, store: Arc::as_ptr(store), services, _watcher: watcher });
        id
    }

    /// Logs nothing more to the log of this number.
    pub fn remove(&self, id: u64) {
        self.stores.borrow_mut().retain_mut(|logged| {
            logged.services.retain(|(other, _)| *other != id);
            !logged.services.is_empty()
        });
    }

    /// Logs nothing more.
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
    /// What the console has shown lately. Hot reload makes copies of this package, each with a bridge of its own.
    static SHOWN: RefCell<VecDeque<(SystemTime, String)>> = const { RefCell::new(VecDeque::new()) };
}

/// How many events the copies of the package may lag behind each other.
const LAG: usize = 32;

/// Whether no other copy of the package on this thread has shown it.
fn is_news(event: &Event) -> bool {
    SHOWN.with_borrow_mut(|shown| {
        if shown.iter().any(|(at, text)| *at == event.at && *text == event.text) {
            return false;
        }
        shown.truncate(LAG - 1);
        shown.push_front((event.at, event.text.clone()));
        true
    })
}

impl Environment {
    /// Logs a change of the store of this number for every service on it.
    pub(super) fn log(&self, js: Js, number: u64, event: &Event) {
        let (mut console, mut functions) = (false, Vec::<Value>::new());
        if let Some(logged) = self.logs.stores.borrow().iter().find(|logged| logged.number == number) {
            for (_, log) in &logged.services {
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
            && is_news(event)
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
            // A log that throws must not keep the others from hearing.
            let _ = js.call(function, &[object]);
        }
    }
}
