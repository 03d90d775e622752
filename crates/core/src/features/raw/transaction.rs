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

/// Where the result of a step comes from.
enum Place {
    /// The result is known without sending the command.
    Known(Output),
    /// The next reply, to this request, converted like this.
    Next(Request, Shape, Strings),
}

/// Runs commands as a transaction; returns `[error, value]` for each.
///
/// As in Redis, a command that fails does not undo the others, but if the server rejects one of them when it is queued, none
/// runs.
///
/// # Errors
/// Those of `command` and `custom`, in which case nothing is sent.
pub fn transaction(steps: Vec<Step>) -> Result<Call<Output>> {
    let (mut requests, mut places) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    let mut dedicated = false;
    for Step { name, args, custom, strings } in steps {
        if custom {
            let (request, connection_use) = custom_request(&name, args)?;
            // Commands do not block within a transaction.
            dedicated |= connection_use == ConnectionUse::Unknown;
            requests.push(request.clone());
            places.push(Place::Next(request, Shape::Plain, strings));
            continue;
        }
        let command = table::find(&name).ok_or_else(|| Error::argument(format!("unknown command {name}")))?;
        match result_without_keys(command, &args) {
            Some(output) => places.push(Place::Known(output)),
            None => {
                let (request, shape) = request(command, args)?;
                requests.push(request.clone());
                places.push(Place::Next(request, shape, strings));
            }
        }
    }
    if requests.is_empty() {
        return Ok(Call::ready(Output::List(places.into_iter().filter_map(known).collect())));
    }
    let keys: Args = requests.iter().filter_map(Request::touched).flatten().cloned().collect();
    let count = keys.len().min(usize::from(u16::MAX)) as u16;
    let idempotent = requests.iter().all(|request| request.idempotent);
    let changes = requests.iter().any(|request| request.effect.changes());
    let effect = if changes { Effect::ALWAYS } else { Effect::None };
    let mut whole = Request::with_keys("MULTI", keys, 0).with_effect(effect);
    whole.keys = if requests.iter().all(|request| request.keys != Keys::Unknown) {
        Keys::At { first: 0, count, step: 1 }
    } else {
        Keys::Unknown
    };
    whole.idempotent = idempotent;
    whole.counts_for_breaker = !dedicated;
    whole.verb = Verb::Transaction(Box::new(Transaction { requests, dedicated }));
    Ok(Call::new(whole, move |reply| read(reply, places)))
}

fn read(reply: Reply, places: Vec<Place>) -> Result<Output> {
    let mut replies = reply.array()?.into_iter();
    let pairs = places.into_iter().map(|place| match place {
        Place::Known(output) => Ok(pair(Output::Null, output)),
        Place::Next(request, shape, strings) => {
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

fn known(place: Place) -> Option<Output> {
    match place {
        Place::Known(output) => Some(pair(Output::Null, output)),
        Place::Next(..) => None,
    }
}

fn pair(error: Output, value: Output) -> Output {
    Output::List(vec![error, value])
}
