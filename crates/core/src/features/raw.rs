//! The raw client: its commands, the positions of their keys, and how their replies are converted.

mod connection_use;
mod shape;
mod table;
mod transaction;

use std::time::Duration;

use cinnabar_port::{
    Args, BlockingTimeout, Call, DedicatedCommand, Effect, Keys, Reply, Request, Verb,
    effect::positive_count,
    error::{Error, Kind, Result},
    key_positions::{self, KeyPositions},
};

pub use shape::{Shape, Strings};
pub use table::Command;
pub use transaction::{Step, transaction};

use crate::{features::raw::connection_use::ConnectionUse, output::Output};

/// Longer keys are treated as a mistake, because Redis compares and hashes them at every use.
const MAX_KEY_BYTES: usize = 1 << 20;

/// Returns a call of a documented command.
///
/// # Errors
/// `E_INVALID_ARGUMENT` for an unknown command, and for empty and overlong keys.
pub fn command(name: &str, args: Args, strings: Strings) -> Result<Call<Output>> {
    let command = table::find(name).ok_or_else(|| Error::argument(format!("unknown command {name}")))?;
    if let Some(output) = result_without_keys(command, &args) {
        return Ok(Call::ready(output));
    }
    let (request, shape) = request(command, args)?;
    Ok(Call::new(request, move |reply| shape.read(reply, strings)))
}

/// Returns all documented commands.
pub fn commands() -> &'static [Command] {
    table::all()
}

/// Returns the name of a documented command, and the shape of its empty result if it has one.
pub fn empty_shape(name: &str) -> Option<(&'static str, Option<Shape>)> {
    table::find(name).map(|command| (command.name, command.has_empty_result.then_some(command.shape)))
}

/// Returns a call of any command, with the server's reply unchanged, for a caller that waits at most `within`. Commands that are not known to
/// reply exactly once and without blocking get a dedicated connection.
///
/// # Errors
/// `E_INVALID_ARGUMENT` if there is no command; `E_UNSUPPORTED` for commands that cannot work here.
pub fn custom(name: &str, args: Args, strings: Strings, within: Option<Duration>) -> Result<Call<Output>> {
    let (mut request, connection_use) = custom_request(name, args)?;
    let wait = match connection_use {
        ConnectionUse::Blocking(wait) => Some(wait),
        _ => None,
    };
    if connection_use != ConnectionUse::Shared
        && let Verb::Custom(name) = request.verb
    {
        request.verb = Verb::Dedicated(Box::new(DedicatedCommand { name, blocking: wait }));
        // Its duration and outcome say nothing about the health of the server.
        request.counts_for_breaker = false;
    }
    // Whether the blocking timeout that is sent is shorter than the command's own.
    let cut = wait.is_some_and(|wait| wait.timeout.is_none() || within.is_some_and(|within| wait.exceeds(within)));
    Ok(Call::new(request, move |reply| match reply {
        Reply::Nil if cut => Err(nothing_popped(wait)),
        reply => Ok(shape::plain(reply, strings)),
    }))
}

fn nothing_popped(wait: Option<BlockingTimeout>) -> Error {
    let message = match wait {
        Some(BlockingTimeout { timeout: None, .. }) => {
            "no element arrived before the deadline of this call; nothing was popped. A command without a timeout waits as \
             long as its call: set that with with({ timeoutMs })"
        }
        _ => {
            "no element arrived before the deadline of this call, which was shorter than the command's own timeout; nothing was popped"
        }
    };
    Error::new(Kind::Timeout, message)
}

/// Builds the request of any command. Also returns how it uses its connection.
fn custom_request(name: &str, args: Args) -> Result<(Request, ConnectionUse)> {
    let upper = name.to_ascii_uppercase();
    if upper.is_empty() || upper.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(Error::argument("the command must be one word, such as \"GET\""));
    }
    let connection_use = connection_use::classify(&upper, &args);
    if let ConnectionUse::Unsupported(instead) = connection_use {
        return Err(Error::new(Kind::Unsupported, format!("{upper} is not supported by sendCommand: {instead}")));
    }
    let keys = match key_positions::find(&upper) {
        // Unknown keys: calls with the same arguments still keep their order.
        None | Some(KeyPositions::None) => Keys::Unknown,
        Some(positions) => positions.keys(&args),
    };
    let effect = effect(&upper);
    let mut request = Request::with_keys("", args, 0).with_effect(effect);
    request.verb = Verb::Custom(upper);
    request.keys = keys;
    Ok((request, connection_use))
}

/// Returns the result of a command without keys, which is not sent.
fn result_without_keys(command: &Command, args: &Args) -> Option<Output> {
    let none = match command.keys {
        KeyPositions::All => args.is_empty(),
        _ => args.len() == 1 && matches!(command.name, "HDEL" | "HMGET" | "SADD" | "SREM" | "ZREM"),
    };
    none.then(|| match command.shape {
        Shape::Texts | Shape::Values | Shape::Fields => Output::List(Vec::new()),
        _ => Output::Number(0.0),
    })
}

/// Returns the effect of a command, given by its upper-case name. An unknown command counts as a write.
fn effect(name: &str) -> Effect {
    match name {
        "DEL" | "UNLINK" => Effect::Count(positive_count),
        _ if connection_use::reads(name) => Effect::None,
        _ => Effect::ALWAYS,
    }
}

fn request(command: &'static Command, args: Args) -> Result<(Request, Shape)> {
    let keys = command.keys.keys(&args);
    let mut request = Request::with_keys(command.name, args, 0);
    request.keys = keys;
    request.idempotent = command.reads;
    request.effect = effect(command.name);
    for key in request.touched().into_iter().flatten() {
        if key.is_empty() {
            return Err(Error::argument("a key must not be empty"));
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(Error::argument(format!(
                "a key of {} bytes is longer than the {MAX_KEY_BYTES} allowed",
                key.len()
            )));
        }
    }
    if command.keys == KeyPositions::First && request.args.is_empty() {
        return Err(Error::argument(format!("{} needs a key", command.name)));
    }
    let shape = command.shape.for_args(&request.args);
    Ok((request, shape))
}
