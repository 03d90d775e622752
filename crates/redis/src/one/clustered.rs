//! A cluster node configured as a single server: a command may not use keys of several slots. If the node owns every slot,
//! commands are split by slot. Otherwise the error says how to connect.

use cinnabar_port::{
    Args, Effect, Keys, Merge, Reply, Request, Verb,
    error::{Error, Kind, Result, ServerCode},
};

use super::One;
use crate::{
    Delivery,
    cluster::{Join, split},
    plan::{Many, OutgoingCommand, Plan},
};

/// Whether the server rejected it because its keys are in several slots. It had no effect.
pub fn is_divided(reply: &Result<Reply>) -> bool {
    matches!(reply, Err(error) if error.has_code(ServerCode::CrossSlot))
}

/// The original requests of a merged one, each with its own keys.
pub fn parts_of(command: &OutgoingCommand) -> Vec<Request> {
    match command {
        OutgoingCommand::One(request) => vec![request.clone()],
        OutgoingCommand::Get(keys) => keys.iter().map(|key| Request::get(key.clone())).collect(),
        OutgoingCommand::Many(Many { script, keys, args, idempotent, changes }) => {
            let item = |at: usize| {
                // If all items have the same keys, the keys of the other items may be included.
                let keys =
                    if script.same_keys { keys } else { keys.chunks(script.keys.max(1)).nth(at).unwrap_or_default() };
                let declared = Keys::leading(keys.len());
                let args = args.iter().skip(at * script.args).take(script.args);
                let args: Args = keys.iter().chain(args).cloned().collect();
                let verb = Verb::Script(script);
                let effect = if *changes { Effect::ALWAYS } else { Effect::None };
                Request {
                    verb,
                    args,
                    keys: declared,
                    merge: Merge::No,
                    idempotent: *idempotent,
                    effect,
                    counts_for_breaker: true,
                }
            };
            (0..script.items(keys.len(), args.len())).map(item).collect()
        }
    }
}

/// Joins the replies to the parts into the reply of the merged request.
pub fn joined(command: &OutgoingCommand, replies: Vec<Result<Reply>>) -> Result<Reply> {
    match command {
        OutgoingCommand::One(_) => replies.into_iter().next().unwrap_or(Ok(Reply::Nil)),
        OutgoingCommand::Get(_) => Ok(Reply::Array(replies.into_iter().collect::<Result<_>>()?)),
        OutgoingCommand::Many(_) => {
            let mut items = Vec::with_capacity(replies.len() * 2);
            for reply in replies {
                match reply {
                    Ok(reply) => items.extend([Reply::Int(1), reply]),
                    Err(error) if error.kind == Kind::Server => {
                        items.extend([Reply::Int(0), Reply::Bulk(error.message().to_owned().into())]);
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Reply::Array(items))
        }
    }
}

/// Whether it is split by slot.
pub fn is_cut(request: &Request) -> bool {
    matches!(request.name(), "DEL" | "UNLINK" | "EXISTS" | "TOUCH" | "MGET")
}

/// Splits commands of several keys by slot; other requests stay whole.
pub fn cut(request: Request) -> (Vec<Request>, Join) {
    if !is_cut(&request) {
        return (vec![request], Join::Whole);
    }
    match split(request.clone(), || vec![0]) {
        Ok((parts, join)) => (parts.into_iter().map(|part| part.request).collect(), join),
        Err(_) => (vec![request], Join::Whole),
    }
}

/// Replaces the errors of such a server by ones that say what to do.
pub fn explained(reply: Result<Reply>) -> Result<Reply> {
    reply.map_err(|error| match error.code() {
        Some(ServerCode::Moved | ServerCode::Ask) if error.kind == Kind::Server => Error::new(
            Kind::Unsupported,
            "this server is a cluster node and the key belongs to another node; connect with redis-cluster:// instead of redis://",
        )
        .because_of(&error),
        Some(ServerCode::CrossSlot) if error.kind == Kind::Server => Error::new(
            Kind::Unsupported,
            "this server is a cluster node, where all keys of a command must be in one slot: use keys with the same text in braces, \
             such as {a}:x and {a}:y, or connect with redis-cluster://, which splits some commands by slot",
        )
        .because_of(&error),
        _ => error,
    })
}

/// Does the same for each error.
pub fn all_explained(mut replies: Delivery) -> Delivery {
    for (_, reply) in replies.iter_mut().filter(|(_, reply)| reply.is_err()) {
        *reply = explained(std::mem::replace(reply, Ok(Reply::Nil)));
    }
    replies
}

impl One {
    /// Runs requests after splitting them by slot; one reply each.
    pub(super) async fn run_cut(&self, requests: Vec<Request>, deadline: tokio::time::Instant) -> Vec<Result<Reply>> {
        let mut commands = Vec::new();
        let mut joins = Vec::with_capacity(requests.len());
        for request in requests {
            let effect = request.effect.clone();
            let (parts, join) = cut(request);
            joins.push((parts.len(), join, effect));
            commands.extend(parts.into_iter().map(OutgoingCommand::One));
        }
        let mut all: Vec<_> = commands.iter().map(|_| None).collect();
        let mut there = |replies: Delivery| {
            for (at, reply) in replies.into_some() {
                all[at] = Some(reply);
            }
        };
        let rest = self.server.run(&commands, deadline, &mut there).await;
        there(rest);
        let nothing = || Err(Error::new(Kind::Internal, "a request got no reply"));
        let mut all = all.into_iter().map(|reply| explained(reply.unwrap_or_else(nothing)));
        let replies = joins.into_iter();
        replies.map(|(count, join, effect)| join.join(all.by_ref().take(count).collect(), &effect)).collect()
    }

    /// Splits and retries the requests that the server rejected because of their slots.
    pub(super) async fn cut_up(&self, plan: &Plan, replies: &mut Delivery, deadline: tokio::time::Instant) {
        for (at, reply) in replies.iter_mut().filter(|(_, reply)| is_divided(reply)) {
            if let Some(command) = plan.commands.get(at) {
                *reply = joined(command, self.run_cut(parts_of(command), deadline).await);
            }
        }
    }
}
