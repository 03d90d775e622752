//! Runs calls on either engine: the embedded one, or a server that nobody else uses.

use std::{collections::HashMap, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use cinnabar::{
    error::Result,
    settings::{Environment, Options, Settings},
    store::{self, Call, Heard, Message, Reply, Request, Store, Topic, memory},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use crate::{run::request, server::Server};

/// One of the two engines.
pub struct Engine {
    pub name: &'static str,
    store: Store,
    runtime: Runtime,
    _server: Option<Server>,
}

impl Engine {
    /// Both, one after the other.
    pub fn each(test: impl Fn(&Engine)) {
        test(&Self::embedded());
        test(&Self::server());
    }

    pub fn embedded() -> Self {
        let engine = memory::Engine::new(64 << 20).unwrap();
        Self { name: "embedded", store: Store::over(store::Engine::Memory(engine)), runtime: runtime(), _server: None }
    }

    pub fn server() -> Self {
        let server = Server::start();
        let runtime = runtime();
        let options = Options { url: Some(format!("redis://127.0.0.1:{}", server.port)), ..Options::default() };
        let settings = Settings::resolve(options, &Environment(HashMap::new())).unwrap().settings;
        let store = runtime.block_on(async { Store::new(&settings) }).unwrap();
        Self { name: "server", store, runtime, _server: Some(server) }
    }

    /// A call to its end.
    pub fn run<T>(&self, call: impl Into<Made<T>>) -> Result<T> {
        let Made(call) = call.into();
        self.runtime.block_on(self.store.call(call?, Instant::now() + Duration::from_secs(20)))
    }

    /// Requests by themselves.
    pub fn execute(&self, requests: Vec<Request>) -> Vec<Result<Reply>> {
        if requests.is_empty() {
            return Vec::new();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        self.runtime.block_on(self.store.execute(requests, deadline))
    }

    /// Lets so much time pass: at once where it can be moved.
    pub fn pass(&self, time: Duration) {
        if self.store.advance(time).is_err() {
            thread::sleep(time);
        }
    }

    /// A command as a client in any language sends it.
    pub fn raw(&self, parts: &[&str]) -> Result<Reply> {
        self.execute(vec![request(parts)]).remove(0)
    }

    /// Hears what is published there from now on.
    pub fn listen(&self, channel: Bytes, hear: impl Fn(&[u8]) + Send + Sync + 'static) {
        let listener = Arc::new(move |heard| {
            if let Heard::Message(message) = heard {
                let message: Message = message;
                hear(&message.payload);
            }
        });
        self.runtime.block_on(self.store.subscribe(Topic::Channel(channel), listener)).unwrap();
    }

    /// Waits until this is true: a message of a server takes its time.
    pub fn wait(&self, until: impl Fn() -> bool) {
        let start = Instant::now();
        while !until() && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Every key there is, sorted.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.raw(&["KEYS", "*"]).unwrap().array().unwrap();
        let mut keys: Vec<String> =
            keys.into_iter().map(|key| String::from_utf8(key.bulk().unwrap().unwrap().to_vec()).unwrap()).collect();
        keys.sort();
        keys
    }
}

/// A call, or why there is none.
pub struct Made<T>(Result<Call<T>>);

impl<T> From<Call<T>> for Made<T> {
    fn from(call: Call<T>) -> Self {
        Self(Ok(call))
    }
}

impl<T> From<Result<Call<T>>> for Made<T> {
    fn from(call: Result<Call<T>>) -> Self {
        Self(call)
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
