//! Merges the requests of one round into fewer commands, with the same replies.
//!
//! `GET`s become one `MGET` and runs of one script become one run over many items. A request may join a group that was
//! opened earlier in the round only if no request in between touches its keys, so each caller sees the effects in program order.

mod shared_reply;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;
use cinnabar_port::error::Error;
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use self::shared_reply::{SharedReply, missing};
use super::Delivery;
use cinnabar_port::{Args, Merge, Reply, Request, Script, Verb};

/// The most keys of one `MGET`, and the most bytes of its estimated reply. Larger ones would block the server for other clients.
const MAX_MGET_KEYS: usize = 256;
const MAX_MGET_BYTES: usize = 1 << 20;
/// The most items of one merged script run, for the same reason.
const MAX_SCRIPT_ITEMS: usize = 64;

/// The commands of a round, and the position of each request's reply among their replies.
pub struct Plan {
    /// The commands, in the order in which they are sent.
    pub commands: Vec<OutgoingCommand>,
    positions: Vec<ReplyPosition>,
}

/// A command as it is sent: one request, or several merged ones.
#[derive(Debug, Clone)]
pub enum OutgoingCommand {
    /// A request as it was made.
    One(Request),
    /// The keys of one or more `GET`s.
    Get(Args),
    /// One script over several items.
    Many(Many),
}

/// A run of one script over several items.
#[derive(Debug, Clone)]
pub struct Many {
    /// The script.
    pub script: &'static Script,
    /// The keys of all items, one after the other; shared keys are given once, followed by the other keys of each item.
    pub keys: Vec<Bytes>,
    /// The arguments of all items.
    pub args: Vec<Bytes>,
    /// Whether all of them are idempotent.
    pub idempotent: bool,
    /// Whether any of them may change something visible to callers.
    pub changes: bool,
}

impl Many {
    fn items(&self) -> usize {
        self.script.items(self.keys.len(), self.args.len())
    }

    /// Whether it has one item only, and is sent as an ordinary script run.
    pub fn is_single(&self) -> bool {
        self.items() == 1
    }

    /// Whether another item can be added to this run.
    fn takes(&self, script: &'static Script, request: &Request) -> bool {
        let same_keys = || self.keys.iter().zip(&request.args).take(script.keys).all(|(one, other)| one == other);
        std::ptr::eq(self.script, script) && (!script.same_keys || same_keys())
    }

    fn add(&mut self, request: Request) {
        let Self { script, keys, args, idempotent, changes } = self;
        let count = request.touched().map_or(0, Iterator::count);
        *idempotent &= request.idempotent;
        *changes |= request.effect.changes();
        for (at, arg) in request.args.into_iter().enumerate() {
            if at >= count {
                args.push(arg);
            } else if !script.same_keys || keys.get(at) != Some(&arg) {
                keys.push(arg);
            }
        }
    }
}

impl OutgoingCommand {
    /// Whether it may be sent twice.
    pub fn idempotent(&self) -> bool {
        match self {
            Self::One(request) => request.idempotent,
            Self::Get(_) => true,
            Self::Many(many) => many.idempotent,
        }
    }

    /// Whether it may change something visible to callers.
    pub fn changes(&self) -> bool {
        match self {
            Self::One(request) => request.effect.changes(),
            Self::Get(_) => false,
            Self::Many(many) => many.changes,
        }
    }

    /// Whether it is a command of a feature or a documented one, rather than a caller's own command, script or transaction.
    pub fn is_from_feature(&self) -> bool {
        match self {
            Self::One(request) => !matches!(
                request.verb,
                Verb::Custom(_) | Verb::Dedicated(_) | Verb::Transaction(_) | Verb::Command("EVAL")
            ),
            Self::Get(_) | Self::Many(_) => true,
        }
    }

    /// The callers' data in it, which a server may repeat in errors.
    fn caller_data(&self) -> SmallVec<[&[u8]; 8]> {
        match self {
            Self::One(request) => request.caller_data().collect(),
            Self::Get(keys) => keys.iter().map(|key| &key[..]).collect(),
            Self::Many(many) => many.keys.iter().chain(&many.args).map(|arg| &arg[..]).collect(),
        }
    }

    /// Removes the callers' data from an error.
    pub fn redacted(&self, error: Error) -> Error {
        error.redacting(self.caller_data().iter().copied())
    }

    /// Whether it needs a dedicated connection.
    pub fn is_dedicated(&self) -> bool {
        matches!(self, Self::One(request) if request.is_dedicated())
    }

    /// How many calls it serves.
    pub fn calls(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Get(keys) => keys.len(),
            Self::Many(many) => many.items(),
        }
    }

    /// How many bytes its keys and arguments have.
    pub fn bytes(&self) -> usize {
        let sum = |args: &[Bytes]| args.iter().map(Bytes::len).sum::<usize>();
        match self {
            Self::One(request) => request.bytes(),
            Self::Get(keys) => sum(keys),
            Self::Many(many) => sum(&many.keys) + sum(&many.args),
        }
    }
}

/// The position of a request's reply: which command's reply, and which item of it.
#[derive(Clone, Copy)]
struct ReplyPosition {
    command: u32,
    item: Option<u32>,
}

impl Plan {
    /// Plans a round. `value_bytes` is the expected size of the values that are read.
    pub fn new(batch: Vec<Request>, value_bytes: usize) -> Self {
        let uniform = batch.windows(2).all(|pair| same_group(&pair[0], &pair[1]));
        let mut planner = Planner {
            plan: Plan { commands: Vec::with_capacity(8), positions: Vec::with_capacity(batch.len()) },
            dependencies: (!uniform).then(Dependencies::default),
            open_get: None,
            max_keys: (MAX_MGET_BYTES / value_bytes.max(1)).clamp(1, MAX_MGET_KEYS),
            open_scripts: Vec::new(),
            identical: HashMap::default(),
        };
        for request in batch {
            let position = planner.add(request);
            planner.plan.positions.push(position);
        }
        planner.plan
    }

    /// Returns the average size in bytes of the values that were read; `None` if none were.
    pub fn value_bytes(&self, replies: &mut Delivery) -> Option<usize> {
        let (mut bytes, mut count) = (0, 0);
        let mut add = |reply: &Reply| {
            if let Reply::Bulk(value) = reply {
                bytes += value.len();
                count += 1;
            }
        };
        for (at, reply) in replies.iter_mut() {
            match (self.commands.get(at), reply) {
                (Some(OutgoingCommand::Get(_)), Ok(Reply::Array(values))) => values.iter().for_each(&mut add),
                (Some(OutgoingCommand::Get(_)), Ok(value)) => add(value),
                _ => {}
            }
        }
        (count > 0).then(|| bytes / count)
    }

    /// Maps replies back to the requests of the batch: to all of them, or to those whose reply is available.
    pub fn scatter(&self, replies: Delivery) -> Delivery {
        if self.is_as_made() {
            return replies;
        }
        let all = matches!(replies, Delivery::All(_));
        let mut shared: Vec<Option<SharedReply>> = self.commands.iter().map(|_| None).collect();
        for (at, reply) in replies.into_some() {
            if let (Some(entry), Some(command)) = (shared.get_mut(at), self.commands.get(at)) {
                *entry = Some(SharedReply::new(command, reply));
            }
        }
        let mut reply_at =
            |position: &ReplyPosition| Some(shared.get_mut(position.command as usize)?.as_mut()?.take(position.item));
        if all {
            let replies = self.positions.iter().map(|position| reply_at(position).unwrap_or_else(|| Err(missing())));
            Delivery::All(replies.collect())
        } else {
            Delivery::Some(
                self.positions
                    .iter()
                    .enumerate()
                    .filter_map(|(at, position)| Some((at, reply_at(position)?)))
                    .collect(),
            )
        }
    }

    /// Whether no request was merged or moved.
    fn is_as_made(&self) -> bool {
        let mut positions = self.positions.iter().zip(0..);
        self.commands.len() == self.positions.len()
            && positions.all(|(position, at)| position.item.is_none() && position.command == at)
    }
}

/// Whether two consecutive requests belong to the same group, so that no dependencies have to be tracked between them.
fn same_group(a: &Request, b: &Request) -> bool {
    match (a.merge, b.merge, &a.verb, &b.verb) {
        (Merge::Get, Merge::Get, ..) => true,
        (Merge::Script, Merge::Script, Verb::Script(a), Verb::Script(b)) => std::ptr::eq(*a, *b),
        (Merge::No, Merge::No, ..) => true,
        _ => false,
    }
}

struct Planner {
    plan: Plan,
    dependencies: Option<Dependencies>,
    open_get: Option<u32>,
    max_keys: usize,
    open_scripts: Vec<u32>,
    identical: HashMap<(&'static str, Args), u32, RandomState>,
}

impl Planner {
    fn add(&mut self, request: Request) -> ReplyPosition {
        match (request.merge, &request.verb) {
            (Merge::Get, _) => self.add_get(request),
            (Merge::Script, Verb::Script(script)) => {
                let script = *script;
                self.add_script(script, request)
            }
            (Merge::Dedup, Verb::Command(name)) => {
                let key = (*name, request.args.clone());
                if let Some(&command) = self.identical.get(&key)
                    && self.may_join(command, &request)
                {
                    return ReplyPosition { command, item: None };
                }
                let command = self.push(request);
                self.identical.insert(key, command);
                ReplyPosition { command, item: None }
            }
            _ => ReplyPosition { command: self.push(request), item: None },
        }
    }

    fn add_get(&mut self, request: Request) -> ReplyPosition {
        if let Some(command) = self.open_get
            && self.may_join(command, &request)
            && let Some(OutgoingCommand::Get(keys)) = self.plan.commands.get_mut(command as usize)
            && keys.len() < self.max_keys
        {
            self.record(command, &request);
            let Some(OutgoingCommand::Get(keys)) = self.plan.commands.get_mut(command as usize) else {
                return ReplyPosition { command, item: None };
            };
            keys.extend(request.args);
            return ReplyPosition { command, item: Some(keys.len() as u32 - 1) };
        }
        let command = self.plan.commands.len() as u32;
        self.record(command, &request);
        self.plan.commands.push(OutgoingCommand::Get(request.args));
        self.open_get = Some(command);
        ReplyPosition { command, item: Some(0) }
    }

    fn add_script(&mut self, script: &'static Script, request: Request) -> ReplyPosition {
        let slot = self
            .open_scripts
            .iter()
            .position(|&command| self.many(command).is_some_and(|many| many.takes(script, &request)));
        if let Some(slot) = slot {
            let command = self.open_scripts[slot];
            let has_room = self.many(command).is_some_and(|many| many.items() < MAX_SCRIPT_ITEMS);
            if has_room && self.may_join(command, &request) {
                self.record(command, &request);
                if let Some(OutgoingCommand::Many(many)) = self.plan.commands.get_mut(command as usize) {
                    many.add(request);
                    return ReplyPosition { command, item: Some(many.items() as u32 - 1) };
                }
            }
            self.open_scripts.swap_remove(slot);
        }
        let command = self.plan.commands.len() as u32;
        self.record(command, &request);
        let mut many = Many { script, keys: Vec::new(), args: Vec::new(), idempotent: true, changes: false };
        many.add(request);
        self.plan.commands.push(OutgoingCommand::Many(many));
        self.open_scripts.push(command);
        ReplyPosition { command, item: Some(0) }
    }

    fn many(&self, command: u32) -> Option<&Many> {
        match self.plan.commands.get(command as usize) {
            Some(OutgoingCommand::Many(many)) => Some(many),
            _ => None,
        }
    }

    fn push(&mut self, request: Request) -> u32 {
        let command = self.plan.commands.len() as u32;
        self.record(command, &request);
        self.plan.commands.push(OutgoingCommand::One(request));
        command
    }

    fn may_join(&self, command: u32, request: &Request) -> bool {
        self.dependencies.as_ref().is_none_or(|dependencies| dependencies.may_join(command, request))
    }

    fn record(&mut self, command: u32, request: &Request) {
        if let Some(dependencies) = &mut self.dependencies {
            dependencies.record(command, request);
        }
    }
}

/// The last command that touched each key.
#[derive(Default)]
struct Dependencies {
    touched: HashMap<Bytes, u32, RandomState>,
    barrier: Option<u32>,
}

impl Dependencies {
    fn may_join(&self, command: u32, request: &Request) -> bool {
        self.barrier.is_none_or(|barrier| barrier <= command)
            && request
                .touched()
                .is_some_and(|mut keys| keys.all(|key| self.touched.get(key).is_none_or(|&last| last <= command)))
    }

    fn record(&mut self, command: u32, request: &Request) {
        match request.touched() {
            Some(keys) => self.touched.extend(keys.map(|key| (key.clone(), command))),
            None => self.barrier = Some(command),
        }
    }
}
