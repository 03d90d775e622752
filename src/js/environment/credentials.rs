//! A caller's function that returns a username and password: requested by connections, on another thread, and called on this
//! one.
//!
//! Its promise may settle at any time or never, and the environment may end first. So pending requests are kept here by
//! number, and JavaScript holds the number only: when the environment ends, all of them fail.

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
    node_api::{Js, Kept, Value},
};

/// The functions of an environment, and the requests that wait for what they return.
#[derive(Default)]
pub struct CredentialFunctions {
    last: Cell<u64>,
    functions: RefCell<HashMap<u64, Kept>>,
    waiting: RefCell<HashMap<u64, oneshot::Sender<Result<Login>>>>,
}

/// Releases the function when no connection can call it any more, on whichever thread that is.
struct Lease {
    completions: Arc<Completions>,
    id: u64,
}

impl Lease {
    fn ask(&self) -> Asked {
        let (waiting, answer) = oneshot::channel();
        self.completions.push(Completion::Credentials(CredentialRequest::Fetch(self.id, waiting)));
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                Err(refusal("the JavaScript environment with the function given as credentials has ended".into()))
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
    /// A provider that calls this function.
    ///
    /// # Errors
    /// `E_INTERNAL` when the environment is ending.
    pub fn credential_provider(&self, js: Js, function: Value) -> Result<Provider> {
        let kept = js.keep(function).ok_or_else(environment_ending)?;
        let id = self.credentials.number();
        self.credentials.functions.borrow_mut().insert(id, kept);
        let lease = Lease { completions: self.completions.clone(), id };
        Ok(Provider::new(move || lease.ask()))
    }

    /// What a function that returns credentials returned, or a sentence that says what is wrong with it.
    pub fn answer_credentials(&self, js: Js, number: u64, username: Value, password: Value, problem: Value) {
        self.credentials.answer(js, number, username, password, problem);
    }
}

fn refusal(why: String) -> Error {
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
                    js.forget(function);
                }
            }
            CredentialRequest::Fetch(id, waiting) => {
                let function = self.functions.borrow().get(&id).map(|function| js.kept(function));
                let Some(function) = function else { return };
                let number = self.number();
                {
                    let mut all = self.waiting.borrow_mut();
                    // A function that never settles must not leave more behind with every attempt to connect.
                    all.retain(|_, waiting| !waiting.is_closed());
                    all.insert(number, waiting);
                }
                if js.call(call, &[function, js.number(number as f64)]).is_err() {
                    self.settle(number, Err(refusal("the function given as credentials could not be called".into())));
                }
            }
        }
    }

    fn answer(&self, js: Js, number: u64, username: Value, password: Value, problem: Value) {
        let answer = match js.optional_text(problem, "the problem") {
            Ok(None) => js
                .optional_text(username, "the username that credentials answered")
                .and_then(|username| Ok((username, js.text(password, "the password that credentials answered")?)))
                .map(|(username, password)| (username, Secret::new(password)))
                .map_err(|error| refusal(error.message().to_owned())),
            Ok(Some(problem)) => Err(refusal(problem)),
            Err(error) => Err(refusal(error.message().to_owned())),
        };
        self.settle(number, answer);
    }

    fn settle(&self, number: u64, answer: Result<Login>) {
        let waiting = self.waiting.borrow_mut().remove(&number);
        if let Some(waiting) = waiting {
            // The connection may have run out of time.
            let _ = waiting.send(answer);
        }
    }

    /// The environment ends: all pending requests fail.
    pub fn end(&self, js: Js) {
        for (_, function) in self.functions.take() {
            js.forget(function);
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
    fn so_does_one_that_was_taken_off_the_queue() {
        let (lease, sources) = (lease(), CredentialFunctions::default());
        let asked = lease.ask();
        for done in lease.completions.take(1) {
            if let Completion::Credentials(CredentialRequest::Fetch(_, waiting)) = done {
                sources.waiting.borrow_mut().insert(1, waiting);
            }
        }
        assert_eq!(sources.waiting.borrow().len(), 1);
        // It keeps no function here, so nothing asks anything of the environment.
        sources.end(Js(std::ptr::null_mut()));
        assert_ended(asked);
    }

    #[test]
    fn the_last_lease_releases_the_function() {
        let completions = Arc::new(Completions::new());
        drop(Lease { completions: completions.clone(), id: 7 });
        assert!(matches!(completions.take(9).as_slice(), [Completion::Credentials(CredentialRequest::Release(7))]));
    }
}
