//! Runs calls on an embedded engine, one round at a time, in any order.

use std::time::Duration;

use cinnabar_port::{Call, Keys, Replies, Reply, Request, Step, Verb, error::Result};

/// An embedded engine of one test.
pub struct Engine(cinnabar_memory::Engine);

impl Engine {
    /// Creates one whose time stands still until `advance` moves it.
    pub fn new() -> Self {
        let engine = cinnabar_memory::Engine::new(64 << 20).unwrap();
        engine.stop_clock();
        Self(engine)
    }

    pub fn execute(&self, requests: Vec<Request>) -> Vec<Result<Reply>> {
        self.0.execute_blocking(&requests)
    }

    pub fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

impl Engine {
    /// Runs one round of a call.
    pub fn step<T>(&self, call: Call<T>) -> Result<Step<T>> {
        let replies = if call.requests.is_empty() { Vec::new() } else { self.execute(call.requests) };
        (call.read)(Replies(replies.into_iter().collect()))
    }

    /// Runs a call to its end.
    pub fn run<T>(&self, call: Result<Call<T>>) -> Result<T> {
        let mut call = call?;
        loop {
            match self.step(call)? {
                Step::Done(result) => return Ok(result),
                Step::Next(next) => call = next,
            }
        }
    }

    /// Runs calls concurrently: each round is that of a random call. Returns their results in the order of the calls.
    pub fn race<T>(&self, calls: Vec<Call<T>>, dice: &mut Dice) -> Vec<Result<T>> {
        let mut results: Vec<_> = calls.iter().map(|_| None).collect();
        let mut flying: Vec<_> = calls.into_iter().enumerate().collect();
        while !flying.is_empty() {
            let (at, call) = flying.swap_remove(dice.below(flying.len()));
            match self.step(call) {
                Ok(Step::Next(next)) => flying.push((at, next)),
                Ok(Step::Done(result)) => results[at] = Some(Ok(result)),
                Err(error) => results[at] = Some(Err(error)),
            }
        }
        results.into_iter().map(Option::unwrap).collect()
    }

    /// Runs a command as any client would send it.
    pub fn raw(&self, parts: &[&str]) -> Reply {
        self.execute(vec![request(parts)]).pop().unwrap().unwrap()
    }

    /// Returns the text at a key.
    pub fn text(&self, key: &str) -> Option<String> {
        self.raw(&["GET", key]).bulk().unwrap().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Returns the remaining ttl of a key, in milliseconds.
    pub fn left(&self, key: &str) -> i64 {
        self.raw(&["PTTL", key]).int().unwrap()
    }

    /// Asserts that every key has a ttl.
    pub fn assert_all_have_a_ttl(&self) {
        for key in self.raw(&["KEYS", "*"]).array().unwrap() {
            let key = String::from_utf8(key.bulk().unwrap().unwrap().to_vec()).unwrap();
            assert_ne!(self.left(&key), -1, "{key} has no ttl");
        }
    }
}

/// A command as a client in any language sends it.
pub fn request(parts: &[&str]) -> Request {
    let args = parts[1..].iter().map(|part| part.to_string().into()).collect();
    let mut request = Request::with_keys("", args, 0);
    request.verb = Verb::Custom(parts[0].to_owned());
    request.keys = Keys::Unknown;
    request
}

/// A random generator with a fixed seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
