//! Transactions with `MULTI` and `EXEC`.

use cinnabar_port::{
    Args, Call, Effect, Keys, Reply, Request, Transaction, Verb,
    error::{Error, Kind, Result},
};

use super::{Strings, connection_use::ConnectionUse, custom_request, request, table};
use crate::{
    features::raw::{Shape, result_without_keys},
    output::Output,
};

/// A command of a transaction.
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: Args,
    /// Whether it is an arbitrary command with an unchanged reply rather than a documented one.
    pub custom: bool,
    /// How strings in its reply are returned.
    pub strings: Strings,
}

/// The source of the result of a step.
enum ResultSource {
    /// The result is known without sending the command.
    Known(Output),
    /// The next reply, which is the reply to this request.
    Next(Request, Shape, Strings),
}

/// Runs commands as a transaction. Returns `[error, value]` for each.
///
/// As in Redis, a command that fails does not undo the others, but if the server rejects one of them when it is queued, none
/// runs.
///
/// # Errors
/// Those of `command` and `custom`, in which case nothing is sent.
pub fn transaction(steps: Vec<Step>) -> Result<Call<Output>> {
    let (mut requests, mut sources) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    let mut dedicated = false;
    for Step { name, args, custom, strings } in steps {
        if custom {
            let (request, connection_use) = custom_request(&name, args)?;
            // Commands do not block within a transaction.
            dedicated |= connection_use == ConnectionUse::Unknown;
            requests.push(request.clone());
            sources.push(ResultSource::Next(request, Shape::Plain, strings));
            continue;
        }
        let command = table::find(&name).ok_or_else(|| Error::argument(format!("unknown command {name}")))?;
        match result_without_keys(command, &args) {
            Some(output) => sources.push(ResultSource::Known(output)),
            None => {
                let (request, shape) = request(command, args)?;
                requests.push(request.clone());
                sources.push(ResultSource::Next(request, shape, strings));
            }
        }
    }
    if requests.is_empty() {
        return Ok(Call::ready(Output::List(sources.into_iter().filter_map(known).collect())));
    }
    let keys: Args = requests.iter().filter_map(Request::touched).flatten().cloned().collect();
    let all = Keys::leading(keys.len());
    let idempotent = requests.iter().all(|request| request.idempotent);
    let changes = requests.iter().any(|request| request.effect.changes());
    let effect = if changes { Effect::ALWAYS } else { Effect::None };
    let mut request_of_all = Request::with_keys("MULTI", keys, 0).with_effect(effect);
    request_of_all.keys =
        if requests.iter().all(|request| request.keys != Keys::Unknown) { all } else { Keys::Unknown };
    request_of_all.idempotent = idempotent;
    request_of_all.counts_for_breaker = !dedicated;
    request_of_all.verb = Verb::Transaction(Box::new(Transaction { requests, dedicated, followed_by: None }));
    Ok(Call::new(request_of_all, move |reply| read(reply, sources)))
}

fn read(reply: Reply, sources: Vec<ResultSource>) -> Result<Output> {
    let mut replies = reply.array()?.into_iter();
    let pairs = sources.into_iter().map(|source| match source {
        ResultSource::Known(output) => Ok(pair(Output::Null, output)),
        ResultSource::Next(request, shape, strings) => {
            let output = match replies.next() {
                None => {
                    return Err(Error::new(
                        Kind::InvalidData,
                        "the server returned fewer replies than there were commands",
                    ));
                }
                Some(reply) => reply
                    .into_result()
                    .map_err(|error| error.redacting(request.caller_data()))
                    .and_then(|reply| shape.read(reply, strings)),
            };
            Ok(output
                .map_or_else(|error| pair(Output::Failure(error), Output::Null), |output| pair(Output::Null, output)))
        }
    });
    pairs.collect::<Result<_>>().map(Output::List)
}

fn known(source: ResultSource) -> Option<Output> {
    match source {
        ResultSource::Known(output) => Some(pair(Output::Null, output)),
        ResultSource::Next(..) => None,
    }
}

fn pair(error: Output, value: Output) -> Output {
    Output::List(vec![error, value])
}
