//! Runs calls on either engine: the embedded one, or a server of one test.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use cinnabar_core::store::{self, Store};
use cinnabar_port::{Call, Delivery, Message, Reply, Request, Topic, error::Result};
use cinnabar_redis::settings::{Environment, Options, Settings};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use crate::{clock::Clock, run::request, server::Server};

/// One of the two engines.
pub struct Engine {
    pub name: &'static str,
    store: Store,
    runtime: Runtime,
    server: Option<Server>,
    /// The clock of the server, unless it has the machine's.
    clock: Option<Clock>,
    /// The server's directory.
    file: Option<PathBuf>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.server.take());
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// The driver that these tests use, as `npm run drivers` has it.
fn driver() -> Environment {
    let name = "REDIS_DRIVER";
    Environment(std::env::var(name).into_iter().map(|driver| (name.to_owned(), driver)).collect())
}

impl Engine {
    /// Runs a test on both, one after the other.
    pub fn each(test: impl Fn(&Engine)) {
        test(&Self::embedded());
        test(&Self::server());
    }

    /// An embedded engine whose time stands still until `pass` moves it.
    pub fn embedded() -> Self {
        let engine = cinnabar_memory::Engine::new(64 << 20).unwrap();
        engine.stop_clock();
        Self {
            name: "embedded",
            store: Store::over(store::Engine::Memory(engine)),
            runtime: runtime(),
            server: None,
            clock: None,
            file: None,
        }
    }

    /// A server whose time stands still until `pass` moves it, except where libraries cannot be preloaded.
    pub fn server() -> Self {
        if cfg!(not(target_os = "linux")) {
            return Self::over(Server::start(), Options::default());
        }
        let clock = Clock::stopped(&random());
        let server = Server::with_variables(&[], &clock.variables());
        let mut engine = Self::over(server, Options::default());
        engine.clock = Some(clock);
        engine
    }

    fn over(server: Server, options: Options) -> Self {
        let runtime = runtime();
        let options = Options { url: Some(format!("redis://127.0.0.1:{}", server.port)), ..options };
        let settings = Settings::resolve(options, &driver()).unwrap().settings;
        let store = runtime.block_on(async { Store::new(&settings) }).unwrap();
        Self { name: "server", store, runtime, server: Some(server), clock: None, file: None }
    }

    /// Starts two nodes of a cluster, each with a store of its own. The first has all slots.
    pub fn cluster() -> [Self; 2] {
        let nodes = [Self::node(), Self::node()];
        let [first, second] = &nodes;
        // One by one, because only Redis 7 and later accept a range.
        let slots: Vec<_> = (0..16_384).map(|slot| slot.to_string()).collect();
        let words = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str));
        first.raw(&words.collect::<Vec<_>>()).unwrap();
        first.raw(&["CLUSTER", "MEET", "127.0.0.1", &second.port().to_string()]).unwrap();
        let ready = |node: &Self| {
            let known = node.text(&["CLUSTER", "INFO"]);
            known.contains("cluster_state:ok") && known.contains("cluster_known_nodes:2")
        };
        first.wait(|| nodes.iter().all(ready));
        nodes
    }

    fn node() -> Self {
        let name = format!("cinnabar-{}.conf", random());
        let file = std::env::temp_dir().join(name);
        let server = Server::with(&["--cluster-enabled", "yes", "--cluster-config-file", file.to_str().unwrap()]);
        // A node's reply while a slot moves must be seen, so there are no retries.
        let mut node = Self::over(server, Options { retry_attempts: Some(0), ..Options::default() });
        node.file = Some(file);
        node
    }

    /// Returns the port of its server.
    pub fn port(&self) -> u16 {
        self.server.as_ref().unwrap().port
    }

    /// Returns the text that a command returns.
    pub fn text(&self, parts: &[&str]) -> String {
        String::from_utf8(self.raw(parts).unwrap().bulk().unwrap().unwrap().to_vec()).unwrap()
    }

    /// Runs a call to its end.
    pub fn run<T: Send + 'static>(&self, call: impl Into<Made<T>>) -> Result<T> {
        let Made(call) = call.into();
        self.runtime.block_on(self.store.call(call?, Instant::now() + Duration::from_secs(20)))
    }

    /// Runs requests.
    pub fn execute(&self, requests: Vec<Request>) -> Vec<Result<Reply>> {
        if requests.is_empty() {
            return Vec::new();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        self.runtime.block_on(self.store.execute(requests, deadline))
    }

    /// Lets so much time pass: at once, or by waiting where the clock is the machine's.
    pub fn pass(&self, time: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(time),
            None if self.server.is_some() => thread::sleep(time),
            None => self.store.advance(time).unwrap(),
        }
    }

    /// Returns its time in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let time = self.raw(&["TIME"]).unwrap().array().unwrap();
        let [seconds, micros] = [0, 1].map(|at| time[at].clone().int().unwrap());
        seconds * 1000 + micros / 1000
    }

    /// Runs a command as any client would send it.
    pub fn raw(&self, parts: &[&str]) -> Result<Reply> {
        self.execute(vec![request(parts)]).remove(0)
    }

    /// Calls `hear` with what is published on a channel from now on.
    pub fn listen(&self, channel: Bytes, hear: impl Fn(&[u8]) + Send + Sync + 'static) {
        let listener = Arc::new(move |heard| {
            if let Delivery::Message(message) = heard {
                let message: Message = message;
                hear(&message.payload);
            }
        });
        self.runtime.block_on(self.store.subscribe(Topic::Channel(channel), listener)).unwrap();
    }

    /// Waits until this is true, because a server's messages take a while to arrive.
    pub fn wait(&self, until: impl Fn() -> bool) {
        let start = Instant::now();
        while !until() {
            assert!(start.elapsed() < Duration::from_secs(30), "waited in vain");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns all keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.raw(&["KEYS", "*"]).unwrap().array().unwrap();
        let mut keys: Vec<String> =
            keys.into_iter().map(|key| String::from_utf8(key.bulk().unwrap().unwrap().to_vec()).unwrap()).collect();
        keys.sort();
        keys
    }
}

/// A call, or the error of building it.
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

/// Creates a unique name.
fn random() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
