//! The driver fred: one client of the crate fred for each connection, which never connects again and sends nothing twice.
//!
//! fred cannot say which bytes were written, so every command that was passed to it counts as sent. It says nothing of a reply
//! before all of it has arrived. What it takes for messages is kept from it (`shape.rs`), and replies that it may give to the
//! wrong commands are held back (`arrivals.rs`).

mod arrivals;
mod connect;
mod incoming;
mod outgoing;
pub mod shape;

pub use connect::connect;

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use ::fred::{
    clients::Client,
    interfaces::ClientLike,
    types::{ConnectHandle, CustomCommand, Resp3Frame, Value},
};
use bytes::Bytes;
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
    random,
};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    connection::{Connection, Done, Replies, Transport, queue::Queue},
    key_order::InFlight,
    resp::Commands,
};
use arrivals::{Arrival, Arrivals, Expected};
use outgoing::{Step, Wrapped, steps};

/// How often a connection is checked.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// A connected client, which no caller has used yet. Dropping it ends its connection.
pub struct Link {
    client: Client,
    task: Task,
}

/// The task of fred that serves a client; aborted when dropped.
struct Task(ConnectHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Fred {
    client: Client,
    state: Mutex<State>,
    /// Why it has ended.
    ended: watch::Sender<Option<Error>>,
}

struct State {
    /// As far as fred says, everything was written at once.
    queue: Queue,
    scripts: Wrapped,
    /// Receives what is expected, in the order of the queue.
    expected: mpsc::UnboundedSender<Expected>,
}

impl Link {
    /// One command and its reply.
    ///
    /// # Errors
    /// The server's error reply, or the end of the connection.
    pub async fn request(&mut self, words: &[&[u8]]) -> Result<Reply> {
        let words = words.iter().map(|word| Bytes::copy_from_slice(word)).collect();
        incoming::reply(send(&self.client, words).await.map_err(|error| connection_error(&error))?)
    }

    /// Turns it into a connection that callers share. While idle, it sends a PING every `keepalive`.
    pub fn start(self, keepalive: Duration) -> Connection {
        let (expected, expecting) = mpsc::unbounded_channel();
        let state = State { queue: Queue::new(), scripts: Wrapped::default(), expected };
        let fred = Arc::new(Fred { client: self.client, state: Mutex::new(state), ended: watch::Sender::new(None) });
        let (served, task) = (fred.clone(), self.task);
        tokio::spawn(async move {
            let why = serve(&served, task, Arrivals::new(expecting), keepalive).await;
            served.end(why);
        });
        Connection::new(fred)
    }
}

impl Transport for Fred {
    fn submit(&self, commands: Commands, hold: &mut Option<InFlight>, done: Done) -> Result<u64> {
        self.push(commands, hold, Some(done))
    }

    fn abandon(&self, number: u64) -> Option<Replies> {
        self.state.lock().queue.abandon(number)
    }

    fn pending(&self) -> usize {
        self.state.lock().queue.pending()
    }

    fn unsent(&self) -> usize {
        0
    }

    fn silence(&self, now: Instant) -> Duration {
        self.state.lock().queue.silence(now)
    }

    fn delay(&self, now: Instant) -> Duration {
        self.state.lock().queue.delay(now)
    }

    fn unused(&self, now: Instant) -> Duration {
        self.state.lock().queue.unused(now)
    }

    fn end(&self, why: Error) {
        let first = self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| why.clone());
            first
        });
        if first {
            self.state.lock().queue.end(&why);
        }
    }

    fn ended(&self) -> watch::Receiver<Option<Error>> {
        self.ended.subscribe()
    }

    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }
}

impl Fred {
    fn push(&self, commands: Commands, hold: &mut Option<InFlight>, done: Option<Done>) -> Result<u64> {
        let mut state = self.state.lock();
        let number = state.queue.push(commands, hold, done)?;
        self.send_queued(&mut state);
        Ok(number)
    }

    /// Passes what was queued to fred. The lock is held, so that what is expected has the order in which it was passed.
    fn send_queued(&self, state: &mut State) {
        let now = Instant::now();
        let Some(bytes) = state.queue.next_bytes(now) else { return };
        state.queue.note_written(bytes.len(), now);
        // Fails only once the connection has ended, and then nothing is expected any more.
        let expect = |expected| drop(state.expected.send(expected));
        let mut held_for = None;
        for step in steps(bytes, &mut state.scripts) {
            match step {
                Step::Reply(error) => expect(Expected::Refusal(error)),
                Step::Send(outgoing) => {
                    if held_for.is_none() && outgoing.error_may_be_bytes {
                        let word = unique_word();
                        expect(Expected::Hold(word.clone()));
                        held_for = Some(word);
                    }
                    expect(Expected::Reply(self.pass(outgoing.words), outgoing.reading));
                }
            }
        }
        if let Some(word) = held_for {
            expect(Expected::Echo(self.pass(vec![Bytes::from_static(b"PING"), Bytes::from(word)])));
        }
    }

    /// Passes a command to fred.
    fn pass(&self, words: Vec<Bytes>) -> Arrival {
        let client = self.client.clone();
        let mut arrival: Arrival = Box::pin(async move { send(&client, words).await });
        // The first poll does it.
        match arrival.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(reply) => Box::pin(std::future::ready(reply)),
            Poll::Pending => arrival,
        }
    }

    /// Takes all replies that have arrived; ready when the connection has ended.
    fn poll_arrivals(&self, arrivals: &mut Arrivals, context: &mut Context<'_>) -> Poll<Error> {
        let mut completed = SmallVec::<[_; 8]>::new();
        let ended = loop {
            let Poll::Ready(arrived) = arrivals.poll(context) else { break Poll::Pending };
            let mut state = self.state.lock();
            state.queue.note_received(Instant::now());
            let done = match arrived {
                Ok(Some(reply)) => state.queue.receive(reply),
                Ok(None) => Ok(None),
                Err(why) => Err(why),
            };
            match done {
                Ok(done) => completed.extend(done),
                Err(why) => break Poll::Ready(why),
            }
        };
        // Outside the lock.
        for (done, replies) in completed {
            let _ = done.send(replies);
        }
        ended
    }

    fn check(&self, keepalive: Duration) {
        let mut state = self.state.lock();
        let now = Instant::now();
        if state.queue.needs_echo(now) {
            state.queue.push_echo(unique_word());
        } else if state.queue.idle(now) >= keepalive {
            let mut ping = Commands::default();
            ping.push_words(&[b"PING"]);
            let _ = state.queue.push(ping, &mut None, None);
        }
        self.send_queued(&mut state);
    }
}

/// Matches replies to requests until the connection ends; returns why.
async fn serve(fred: &Fred, mut task: Task, mut arrivals: Arrivals, keepalive: Duration) -> Error {
    let mut ended = fred.ended.subscribe();
    let mut check = interval(CHECK_EVERY);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            // Replies that arrived before the end are valid.
            why = poll_fn(|context| fred.poll_arrivals(&mut arrivals, context)) => return why,
            why = ended.wait_for(Option::is_some) => return why.ok().and_then(|why| why.clone()).unwrap_or_else(closed),
            result = &mut task.0 => {
                return match result {
                    Ok(Err(error)) => connection_error(&error),
                    _ => closed(),
                };
            }
            _ = check.tick() => fred.check(keepalive),
        }
    }
}

/// A word that no other request of this process has.
fn unique_word() -> String {
    format!("in step {:016x}", random::fraction().to_bits())
}

/// Passes a command to fred at the first poll, and resolves with its reply.
async fn send(client: &Client, words: Vec<Bytes>) -> Result<Resp3Frame, ::fred::error::Error> {
    let mut words = words.into_iter();
    let name = String::from_utf8_lossy(&words.next().unwrap_or_default()).into_owned();
    let command = CustomCommand::new(name, None::<u16>, false);
    client.custom_raw(command, words.map(Value::Bytes).collect()).await
}

fn closed() -> Error {
    Error::new(Kind::Unavailable, "the connection was closed")
}

fn connection_error(error: &::fred::error::Error) -> Error {
    Error::new(Kind::Unavailable, format!("fred: {}", error.details()))
}
