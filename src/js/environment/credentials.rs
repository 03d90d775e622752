//! Functions of callers that return a username and password. They are requested by connections, on another thread, and called on
//! this one.
//!
//! The returned promise may settle at any time or never, and the environment may end first. So pending requests are stored here by
//! id, and JavaScript has the id only: when the environment ends, all of them fail.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
};

use cinnabar_port::error::{Error, Kind, Result};
use cinnabar_redis::settings::{Asked, Provider, Secret};
use tokio::sync::oneshot;

use super::Environment;
use crate::js::{
    completions::{Completion, Completions, CredentialRequest, Login},
    errors::environment_ending,
    node_api::{Js, Reference, Value},
};

/// The functions of an environment, and the pending requests for credentials.
#[derive(Default)]
pub struct CredentialFunctions {
    last: Cell<u64>,
    functions: RefCell<HashMap<u64, Reference>>,
    waiting: RefCell<HashMap<u64, oneshot::Sender<Result<Login>>>>,
}

/// Releases the function when no connection can call it any more; dropped on any thread.
struct Lease {
    completions: Arc<Completions>,
    id: u64,
}

impl Lease {
    fn ask(&self) -> Asked {
        let (waiting, reply) = oneshot::channel();
        self.completions.push(Completion::Credentials(CredentialRequest::Fetch(self.id, waiting)));
        Box::pin(async move {
            reply.await.unwrap_or_else(|_| {
                Err(auth_error("the JavaScript environment with the function given as credentials has ended".into()))
            })
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.completions.push(Completion::Credentials(CredentialRequest::Release(self.id)));
    }
}

impl Environment {
    /// Returns a provider that calls this function.
    ///
    /// # Errors
    /// `E_INTERNAL` when the environment is ending.
    pub fn credential_provider(&self, js: Js, function: Value) -> Result<Provider> {
        let reference = js.create_reference(function).ok_or_else(environment_ending)?;
        let id = self.credentials.number();
        self.credentials.functions.borrow_mut().insert(id, reference);
        let lease = Lease { completions: self.completions.clone(), id };
        Ok(Provider::new(move || lease.ask()))
    }

    /// Settles a request with what the function returned, or with the reason why that is invalid.
    pub fn settle_credentials(&self, js: Js, number: u64, username: Value, password: Value, problem: Value) {
        self.credentials.settle_with(js, number, username, password, problem);
    }
}

fn auth_error(why: String) -> Error {
    Error::new(Kind::Auth, why)
}

impl CredentialFunctions {
    fn number(&self) -> u64 {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    /// Handles a request of another thread. `call` is JavaScript's `(function, number) => void`, which never throws.
    pub fn handle(&self, js: Js, call: Value, request: CredentialRequest) {
        match request {
            CredentialRequest::Release(id) => {
                let function = self.functions.borrow_mut().remove(&id);
                if let Some(function) = function {
                    js.delete_reference(function);
                }
            }
            CredentialRequest::Fetch(id, waiting) => {
                let function = self.functions.borrow().get(&id).map(|function| js.reference_value(function));
                let Some(function) = function else { return };
                let number = self.number();
                {
                    let mut all = self.waiting.borrow_mut();
                    // A function that never settles must not add an entry with every attempt to connect.
                    all.retain(|_, waiting| !waiting.is_closed());
                    all.insert(number, waiting);
                }
                if js.call(call, &[function, js.number(number as f64)]).is_err() {
                    self.settle(
                        number,
                        Err(auth_error("the function given as credentials could not be called".into())),
                    );
                }
            }
        }
    }

    fn settle_with(&self, js: Js, number: u64, username: Value, password: Value, problem: Value) {
        let reply = match js.optional_text(problem, "the problem") {
            Ok(None) => js
                .optional_text(username, "the username returned by credentials")
                .and_then(|username| Ok((username, js.text(password, "the password returned by credentials")?)))
                .map(|(username, password)| (username, Secret::new(password)))
                .map_err(|error| auth_error(error.message().to_owned())),
            Ok(Some(problem)) => Err(auth_error(problem)),
            Err(error) => Err(auth_error(error.message().to_owned())),
        };
        self.settle(number, reply);
    }

    fn settle(&self, number: u64, reply: Result<Login>) {
        let waiting = self.waiting.borrow_mut().remove(&number);
        if let Some(waiting) = waiting {
            // The connection may have run out of time.
            let _ = waiting.send(reply);
        }
    }

    /// The environment ends: all pending requests fail.
    pub fn end(&self, js: Js) {
        for (_, function) in self.functions.take() {
            js.delete_reference(function);
        }
        self.waiting.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        Lease { completions: Arc::new(Completions::new()), id: 1 }
    }

    fn assert_ended(asked: Asked) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(asked).unwrap_err();
        assert_eq!(error.kind, Kind::Auth);
        assert!(error.message().contains("has ended"), "{error}");
    }

    #[test]
    fn a_pending_request_fails_when_the_environment_ends() {
        let lease = lease();
        let asked = lease.ask();
        lease.completions.detached();
        assert_ended(asked);
        assert_ended(lease.ask());
    }

    #[test]
    fn a_request_taken_from_the_queue_fails_too() {
        let (lease, functions) = (lease(), CredentialFunctions::default());
        let asked = lease.ask();
        for done in lease.completions.take(1) {
            if let Completion::Credentials(CredentialRequest::Fetch(_, waiting)) = done {
                functions.waiting.borrow_mut().insert(1, waiting);
            }
        }
        assert_eq!(functions.waiting.borrow().len(), 1);
        // There is no function to release, so the environment is not used.
        functions.end(Js(std::ptr::null_mut()));
        assert_ended(asked);
    }

    #[test]
    fn the_last_lease_releases_the_function() {
        let completions = Arc::new(Completions::new());
        drop(Lease { completions: completions.clone(), id: 7 });
        assert!(matches!(completions.take(9).as_slice(), [Completion::Credentials(CredentialRequest::Release(7))]));
    }
}
