//! One server: a connection that is made anew whenever it ends, and rounds sent over it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fred::{
    bytes_utils::Str,
    clients::Client,
    prelude::*,
    types::{ClusterHash, ConnectHandle, CustomCommand, RespVersion, config::Options},
};
use tokio::{
    sync::{Mutex, MutexGuard, watch},
    time::{Instant, timeout, timeout_at},
};

use super::{config, past::Past, reply};
use crate::{
    error::{Error, Kind, Result},
    settings::{Server, Settings},
    store::{EventKind, Events, Reply, Request, Verb, plan::Wire},
};

/// First wait before dialling again; it doubles up to `LONGEST_WAIT`.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A server and the connection to it.
pub struct Node {
    settings: Arc<Settings>,
    state: watch::Sender<State>,
    past: Arc<Past>,
    dialling: AtomicBool,
    options: Options,
    /// Rounds are handed to the connection in the order in which they came, those that waited for it included.
    turn: Mutex<()>,
}

#[derive(Clone)]
enum State {
    /// Nobody has asked for a connection yet, or one is being made.
    Waiting,
    Connected(Connection),
    /// The last attempt failed; the next is on its way.
    Down(Error),
    Closed,
}

/// A standing connection, and the scripts its server knows.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    ended: watch::Receiver<bool>,
    loaded: Arc<Loaded>,
}

/// SHA-1s that this connection's server has been taught.
#[derive(Default)]
struct Loaded(std::sync::Mutex<std::collections::HashSet<Bytes>>);

impl Loaded {
    /// Whether it is known; if not, it is from now on.
    fn teach(&self, sha: &Bytes) -> bool {
        let mut known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.contains(sha) || !known.insert(sha.clone())
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}

impl Node {
    pub fn new(settings: &Settings, events: Arc<Events>) -> Result<Self> {
        // Settings that cannot make a client are refused now, not at the first call.
        config::client(settings, RespVersion::RESP2)?;
        Ok(Self {
            options: Options { fail_fast: true, ..Options::default() },
            settings: Arc::new(settings.clone()),
            state: watch::Sender::new(State::Waiting),
            past: Arc::new(Past::new(events)),
            dialling: AtomicBool::new(false),
            turn: Mutex::new(()),
        })
    }

    /// Host and port, or the path of a socket.
    pub fn target(&self) -> String {
        target(&self.settings)
    }

    /// The last thing that went wrong, and how often a connection was made after one had been lost.
    pub fn past(&self) -> (Option<(Error, SystemTime)>, u64) {
        self.past.told()
    }

    pub fn is_connected(&self) -> bool {
        matches!(&*self.state.borrow(), State::Connected(_))
    }

    pub fn close(&self) {
        let old = self.state.send_replace(State::Closed);
        if let State::Connected(connection) = old {
            let client = connection.client;
            tokio::spawn(async move {
                let _ = timeout(Duration::from_secs(1), client.quit()).await;
            });
        }
    }

    /// Waits until a connection stands.
    pub async fn connected(&self) -> Result<()> {
        self.client(Instant::now() + self.settings.connect_timeout).await.map(drop)
    }

    /// The standing connection. Waits for one that is being made, but not for a server whose last answer was no.
    pub async fn client(&self, until: Instant) -> Result<Connection> {
        if let State::Connected(connection) = &*self.state.borrow() {
            return Ok(connection.clone());
        }
        if !self.dialling.swap(true, Ordering::AcqRel) {
            tokio::spawn(keep_connected(self.settings.clone(), self.state.clone(), self.past.clone()));
        }
        let mut state = self.state.subscribe();
        let waited = timeout_at(until, async {
            match state.wait_for(|state| !matches!(state, State::Waiting)).await.map(|state| state.clone()) {
                Ok(State::Connected(connection)) => Ok(connection),
                Ok(State::Down(error)) => Err(error),
                _ => Err(Error::new(Kind::Closed, "this service was disconnected")),
            }
        });
        waited.await.unwrap_or_else(|_| Err(self.unconnected()))
    }

    fn unconnected(&self) -> Error {
        let message = format!("no connection to {} within {:?}", target(&self.settings), self.settings.connect_wait);
        Error::new(Kind::Unavailable, message)
    }

    /// Sends a round as one pipeline: one reply each, in order.
    ///
    /// What was lost with its connection is sent again if that does no harm; nothing else is ever sent twice.
    pub async fn run(&self, wire: &[Wire], deadline: Instant) -> Vec<Result<Reply>> {
        let all: Vec<_> = wire.iter().collect();
        let mut replies = self.attempt(&all, deadline).await;
        for _ in 0..self.settings.retry_attempts {
            let lost: Vec<_> = (0..wire.len()).filter(|&at| wire[at].repeatable() && was_lost(&replies[at])).collect();
            if lost.is_empty() || Instant::now() >= deadline {
                break;
            }
            let again: Vec<_> = lost.iter().map(|&at| &wire[at]).collect();
            for (at, reply) in lost.into_iter().zip(self.attempt(&again, deadline).await) {
                replies[at] = reply;
            }
        }
        replies
    }

    async fn attempt(&self, all: &[&Wire], deadline: Instant) -> Vec<Result<Reply>> {
        let until = deadline.min(Instant::now() + self.settings.connect_wait);
        let turn = match timeout_at(until, self.turn.lock()).await {
            Ok(turn) => turn,
            Err(_) => return fail_all(all, &self.unconnected()),
        };
        let connection = match self.client(until).await {
            Ok(connection) => connection,
            Err(error) => return fail_all(all, &error),
        };
        let mut replies = self.send(&connection, all, false, deadline, Some(turn)).await;
        // The server has forgotten its scripts (SCRIPT FLUSH): those runs did nothing, so they are sent whole.
        if replies.iter().any(forgotten) {
            connection.loaded.forget();
            for (&wire, reply) in all.iter().zip(&mut replies) {
                if forgotten(reply) {
                    let again = self.send(&connection, &[wire], true, deadline, None).await;
                    *reply = again.into_iter().next().unwrap_or_else(|| Err(reply::lost()));
                }
            }
        }
        replies
    }

    async fn send(
        &self,
        connection: &Connection,
        all: &[&Wire],
        whole: bool,
        deadline: Instant,
        turn: Option<MutexGuard<'_, ()>>,
    ) -> Vec<Result<Reply>> {
        let mut answers = pin!(self.exchange(connection, all, whole));
        // The first poll hands the round over; then it is the next one's turn.
        let early = poll_fn(|context| Poll::Ready(answers.as_mut().poll(context))).await;
        drop(turn);
        let mut ended = connection.ended.clone();
        let answers = match early {
            Poll::Ready(answers) => answers,
            Poll::Pending => tokio::select! {
                answers = answers => answers,
                _ = ended.wait_for(|ended| *ended) => return fail_all(all, &reply::lost()),
                () = tokio::time::sleep_until(deadline) => {
                    return all.iter().map(|wire| Err(reply::late(wire.repeatable()))).collect();
                }
            },
        };
        if answers.len() != all.len() {
            // fred answers one error for a whole pipeline that failed.
            let error = answers.into_iter().find_map(|answer| answer.err().map(reply::failure));
            return fail_all(all, &error.unwrap_or_else(reply::lost));
        }
        answers.into_iter().map(|answer| answer.map_err(reply::failure).and_then(reply::reply)).collect()
    }
}

impl Node {
    /// Hands a round to fred before it first waits, and waits for the answers without end: deadlines are the caller's.
    async fn exchange(&self, connection: &Connection, all: &[&Wire], whole: bool) -> Vec<FredResult<Value>> {
        let spell = |wire| {
            let (name, args) = spell(wire, &connection.loaded, whole);
            (CustomCommand::new(name, ClusterHash::FirstKey, false), args)
        };
        if let [wire] = all {
            // fred copies every command of a pipeline, which one command does not need.
            let (command, args) = spell(wire);
            return vec![connection.client.with_options(&self.options).custom(command, args).await];
        }
        let pipeline = connection.client.pipeline();
        // The other order would silently ignore the options.
        let commands = pipeline.with_options(&self.options);
        for wire in all {
            let (command, args) = spell(wire);
            if let Err(error) = commands.custom::<Value, Value>(command, args).await {
                return vec![Err(error)];
            }
        }
        pipeline.try_all().await
    }
}

fn fail_all(all: &[&Wire], error: &Error) -> Vec<Result<Reply>> {
    all.iter().map(|_| Err(error.clone())).collect()
}

fn was_lost(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if error.kind == Kind::MaybeApplied)
}

fn forgotten(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if error.message().starts_with("NOSCRIPT"))
}

/// The name and arguments that go over the wire.
fn spell(wire: &Wire, loaded: &Loaded, whole: bool) -> (Str, Vec<Value>) {
    match wire {
        Wire::Get(keys) if keys.len() == 1 => (Str::from_static("GET"), values(keys)),
        Wire::Get(keys) => (Str::from_static("MGET"), values(keys)),
        Wire::Many(many) => {
            let script = many.script;
            let (source, sha) = if many.is_single() { (script.source, script.sha()) } else { script.many() };
            spell_script(source, sha, many.keys.len(), many.keys.iter().chain(&many.args), loaded, whole)
        }
        Wire::One(request @ Request { verb: Verb::Script(script), args, .. }) => {
            let keys = request.touched().into_iter().flatten().count();
            spell_script(script.source, script.sha(), keys, args.iter(), loaded, whole)
        }
        Wire::One(Request { verb: Verb::Command(name), args, .. }) => (Str::from_static(name), values(args)),
        Wire::One(Request { verb: Verb::Custom(name), args, .. }) => (Str::from(name.as_str()), values(args)),
    }
}

/// A script goes out whole the first time on a connection, which teaches it to the server, and by its SHA-1 from then on.
fn spell_script<'a>(
    source: &'static str,
    sha: &'static str,
    keys: usize,
    args: impl Iterator<Item = &'a Bytes>,
    loaded: &Loaded,
    whole: bool,
) -> (Str, Vec<Value>) {
    let sha = Bytes::from_static(sha.as_bytes());
    let known = loaded.teach(&sha) && !whole;
    let (name, script) = if known { ("EVALSHA", sha) } else { ("EVAL", Bytes::from_static(source.as_bytes())) };
    let head = [Value::Bytes(script), Value::Integer(keys as i64)];
    (Str::from_static(name), head.into_iter().chain(args.cloned().map(Value::Bytes)).collect())
}

fn values(args: &[Bytes]) -> Vec<Value> {
    args.iter().cloned().map(Value::Bytes).collect()
}

/// Host and port, for messages.
pub fn target(settings: &Settings) -> String {
    match &settings.server {
        Server::Tcp { host, port } => format!("{host}:{port}"),
        Server::Unix(path) => format!("unix:{path}"),
        Server::Memory(_) => "memory".into(),
    }
}

/// Dials, waits for the connection to end, dials again; ends when the engine does.
async fn keep_connected(settings: Arc<Settings>, state: watch::Sender<State>, past: Arc<Past>) {
    let mut failures = 0_u32;
    let target = target(&settings);
    while !matches!(&*state.borrow(), State::Closed) {
        match dial(&settings, RespVersion::RESP2).await {
            Ok((client, task)) => {
                failures = 0;
                let (ended, receiver) = watch::channel(false);
                let connection = Connection { client, ended: receiver, loaded: Arc::default() };
                if !replace(&state, State::Connected(connection)) {
                    task.abort();
                    return;
                }
                past.made(&target);
                let _ = task.await;
                let _ = ended.send(true);
                if replace(&state, State::Waiting) {
                    let error = Error::new(Kind::Unavailable, format!("the connection to {target} was lost"));
                    past.failed(&target, EventKind::Lost, error);
                }
            }
            Err(error) => {
                past.failed(&target, EventKind::Down, error.clone());
                replace(&state, State::Down(error));
                tokio::time::sleep(wait(failures)).await;
                failures += 1;
            }
        }
    }
}

/// Changes the state unless the engine was closed.
fn replace(state: &watch::Sender<State>, new: State) -> bool {
    state.send_if_modified(|state| {
        if matches!(state, State::Closed) {
            return false;
        }
        *state = new;
        true
    })
}

/// Full jitter: anywhere from zero to the doubled wait, so that many clients do not come back together.
pub fn wait(failures: u32) -> Duration {
    let longest = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.saturating_pow(failures.min(10)));
    longest.mul_f64(crate::random::fraction())
}

/// One attempt to connect.
pub async fn dial(settings: &Settings, version: RespVersion) -> Result<(Client, ConnectHandle)> {
    let client = config::client(settings, version)?;
    match timeout(settings.connect_timeout, client.init()).await {
        Ok(Ok(task)) => Ok((client, task)),
        Ok(Err(error)) => Err(reply::refusal(&error, &target(settings))),
        Err(_) => {
            let message = format!("{} did not answer within {:?}", target(settings), settings.connect_timeout);
            Err(Error::new(Kind::Unavailable, message))
        }
    }
}
