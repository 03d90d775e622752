//! The raw client: which commands it has, where their keys are, and what they answer.

mod shape;
mod table;

use bytes::Bytes;

pub use shape::Shape;

use crate::{
    answer::Answer,
    error::{Error, Kind, Result},
    features::raw::table::{Command, Place},
    store::{Args, Call, Keys, Reply, Request, Verb, script},
};

script!(TRANSACTION = "raw/transaction.lua", keys: 0, args: 0);

/// Longer keys are a mistake: Redis compares and hashes them at every use.
const LONGEST_KEY: usize = 1 << 20;
/// Lua's stack bounds how many arguments one command of a transaction may have.
const TRANSACTION_ARGS: usize = 7_000;

/// A documented command with its arguments as they go over the wire.
///
/// # Errors
/// `E_INVALID_ARGUMENT` for an unknown command, and for empty and overlong keys.
pub fn command(name: &str, args: Args) -> Result<Call<Answer>> {
    let command = table::find(name).ok_or_else(|| Error::argument(format!("there is no command {name}")))?;
    let (request, shape) = request(command, args)?;
    Ok(Call::new(request, move |reply| shape.read(reply)))
}

/// What a documented command answers when there is no server.
pub fn shape(name: &str) -> Option<(&'static str, Shape)> {
    table::find(name).map(|command| (command.name, command.shape))
}

/// Any command, answered as the server answers it.
///
/// # Errors
/// `E_INVALID_ARGUMENT` for no command at all; `E_UNSUPPORTED` for those that would take the shared connection away from
/// everybody else.
pub fn custom(name: String, args: Args) -> Result<Call<Answer>> {
    const TAKES_THE_CONNECTION: [&str; 17] = [
        "SUBSCRIBE",
        "PSUBSCRIBE",
        "SSUBSCRIBE",
        "MONITOR",
        "MULTI",
        "WATCH",
        "QUIT",
        "RESET",
        "HELLO",
        "AUTH",
        "SELECT",
        "BLPOP",
        "BRPOP",
        "BLMOVE",
        "BZPOPMIN",
        "BZPOPMAX",
        "WAIT",
    ];
    let upper = name.to_ascii_uppercase();
    if upper.is_empty() || upper.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(Error::argument("the command must be one word, such as \"GET\""));
    }
    if TAKES_THE_CONNECTION.contains(&upper.as_str()) || (upper == "CLIENT" && reply_off(&args)) {
        let message = format!("{upper} would take the shared connection away from every other call");
        return Err(Error::new(Kind::Unsupported, message));
    }
    let mut request = Request::with_keys("", args, 0);
    request.verb = Verb::Custom(upper);
    request.keys = Keys::Unknown;
    Ok(Call::new(request, |reply| Ok(shape::plain(reply))))
}

fn reply_off(args: &Args) -> bool {
    args.first().is_some_and(|word| word.eq_ignore_ascii_case(b"REPLY"))
}

/// Commands that run as one, with nothing in between: `[error, value]` each.
///
/// One script runs them, so it is a transaction on either engine. A command that fails does not undo the others, as in
/// Redis's own MULTI.
///
/// # Errors
/// As `command`; then nothing at all is sent.
pub fn transaction(commands: Vec<(String, Args)>) -> Result<Call<Answer>> {
    let (mut keys, mut rest, mut shapes) = (Args::new(), Args::new(), Vec::with_capacity(commands.len()));
    for (name, args) in commands {
        let command = table::find(&name).ok_or_else(|| Error::argument(format!("there is no command {name}")))?;
        if args.len() > TRANSACTION_ARGS {
            let message =
                format!("{name} has {} arguments; a transaction takes {TRANSACTION_ARGS} a command", args.len());
            return Err(Error::argument(message));
        }
        let (request, shape) = request(command, args)?;
        keys.extend(request.touched().into_iter().flatten().cloned());
        rest.push(Bytes::from((request.args.len() + 1).to_string()));
        rest.push(Bytes::from_static(command.name.as_bytes()));
        rest.extend(request.args);
        shapes.push(shape);
    }
    let count = keys.len();
    keys.extend(rest);
    let mut request = Request::with_keys("", keys, count);
    request.verb = Verb::Script(&TRANSACTION);
    Ok(Call::new(request, move |reply| {
        let pairs = reply.array()?.into_iter().zip(shapes).map(|(pair, shape)| {
            let [ok, reply] = pair_of(pair)?;
            if ok.flag()? {
                return Ok(Answer::List(vec![Answer::Null, shape.read(reply)?]));
            }
            let message = reply.bulk()?.unwrap_or_default();
            let error = Error::from_server(String::from_utf8_lossy(&message).into_owned());
            Ok(Answer::List(vec![Answer::Failure(error), Answer::Null]))
        });
        pairs.collect::<Result<_>>().map(Answer::List)
    }))
}

/// Lua drops a nil at the end of a pair.
fn pair_of(pair: Reply) -> Result<[Reply; 2]> {
    let mut items = pair.array()?.into_iter();
    Ok([items.next().unwrap_or(Reply::Nil), items.next().unwrap_or(Reply::Nil)])
}

fn request(command: &'static Command, args: Args) -> Result<(Request, Shape)> {
    let keys = command.place.keys(&args);
    let mut request = Request::with_keys(command.name, args, 0);
    request.keys = keys;
    request.repeatable = command.reads;
    for key in request.touched().into_iter().flatten() {
        if key.is_empty() {
            return Err(Error::argument("a key must not be empty"));
        }
        if key.len() > LONGEST_KEY {
            return Err(Error::argument(format!(
                "a key of {} bytes is longer than the {LONGEST_KEY} allowed",
                key.len()
            )));
        }
    }
    if matches!(command.place, Place::First) && request.args.is_empty() {
        return Err(Error::argument(format!("{} needs a key", command.name)));
    }
    let shape = command.shape.for_args(&request.args);
    Ok((request, shape))
}
