//! One round of requests, rearranged so that Redis does it faster, with the same answers.
//!
//! `GET`s become one `MGET` and runs of one script become one run over many items. A request may join a group that was
//! opened earlier in the round only if nothing in between touches its keys, so each caller sees what program order promises.

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

/// Keys of one `MGET`, and bytes of its answer as far as anybody can tell: more would hold the server up for everybody else.
const MGET_KEYS: usize = 256;
const MGET_BYTES: usize = 1 << 20;
/// Items of one merged script run, for the same reason.
const SCRIPT_ITEMS: usize = 64;

/// What really goes out, and where each caller's answer is found in what comes back.
pub struct Plan {
    /// In this order.
    pub wire: Vec<OutgoingCommand>,
    places: Vec<Place>,
}

/// One thing the server is asked.
#[derive(Debug, Clone)]
pub enum OutgoingCommand {
    /// As the caller made it.
    One(Request),
    /// Several `GET`s.
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
    /// Whether each of them may be sent twice.
    pub idempotent: bool,
    /// Whether any of them may change something visible to callers.
    pub changes: bool,
}

impl Many {
    fn items(&self) -> usize {
        self.script.items(self.keys.len(), self.args.len())
    }

    /// Whether it is one item, which travels as itself.
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
    /// Whether sending it twice does no harm.
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

    /// Whether it is of a feature's or a documented making, and not whatever a caller wants to run.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::One(request) => !matches!(
                request.verb,
                Verb::Custom(_) | Verb::Dedicated(_) | Verb::Transaction(_) | Verb::Command("EVAL")
            ),
            Self::Get(_) | Self::Many(_) => true,
        }
    }

    /// The callers' data in it, which a server may repeat in errors.
    fn told(&self) -> SmallVec<[&[u8]; 8]> {
        match self {
            Self::One(request) => request.caller_data().collect(),
            Self::Get(keys) => keys.iter().map(|key| &key[..]).collect(),
            Self::Many(many) => many.keys.iter().chain(&many.args).map(|arg| &arg[..]).collect(),
        }
    }

    /// Removes the callers' data from an error.
    pub fn hidden(&self, error: Error) -> Error {
        error.redacting(self.told().iter().copied())
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

/// Where a caller's answer is: in which reply, and where in it.
#[derive(Clone, Copy)]
struct Place {
    wire: u32,
    item: Option<u32>,
}

impl Plan {
    /// Arranges a round, where a value that is read has `usual` bytes.
    pub fn new(batch: Vec<Request>, usual: usize) -> Self {
        let uniform = batch.windows(2).all(|pair| same_group(&pair[0], &pair[1]));
        let mut planner = Planner {
            plan: Plan { wire: Vec::with_capacity(8), places: Vec::with_capacity(batch.len()) },
            order: (!uniform).then(Order::default),
            open_get: None,
            most_keys: (MGET_BYTES / usual.max(1)).clamp(1, MGET_KEYS),
            open_scripts: Vec::new(),
            same: HashMap::default(),
        };
        for request in batch {
            let place = planner.place(request);
            planner.plan.places.push(place);
        }
        planner.plan
    }

    /// How many bytes a value had that was read, on average; `None` where none was.
    pub fn value_bytes(&self, replies: &mut Delivery) -> Option<usize> {
        let (mut bytes, mut count) = (0, 0);
        let mut add = |reply: &Reply| {
            if let Reply::Bulk(value) = reply {
                bytes += value.len();
                count += 1;
            }
        };
        for (at, reply) in replies.iter_mut() {
            match (self.wire.get(at), reply) {
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
        let mut answers: Vec<Option<SharedReply>> = self.wire.iter().map(|_| None).collect();
        for (at, reply) in replies.into_some() {
            if let (Some(answers), Some(wire)) = (answers.get_mut(at), self.wire.get(at)) {
                *answers = Some(SharedReply::new(wire, reply));
            }
        }
        let mut answer = |place: &Place| Some(answers.get_mut(place.wire as usize)?.as_mut()?.take(place.item));
        if all {
            let answers = self.places.iter().map(|place| answer(place).unwrap_or_else(|| Err(missing())));
            Delivery::All(answers.collect())
        } else {
            Delivery::Some(
                self.places.iter().enumerate().filter_map(|(at, place)| Some((at, answer(place)?))).collect(),
            )
        }
    }

    /// Whether each request is sent as it is, in its place.
    fn is_as_made(&self) -> bool {
        let mut places = self.places.iter().zip(0..);
        self.wire.len() == self.places.len() && places.all(|(place, at)| place.item.is_none() && place.wire == at)
    }
}

/// Whether two neighbours would end in one group anyway, so that their order needs no bookkeeping.
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
    order: Option<Order>,
    open_get: Option<u32>,
    most_keys: usize,
    open_scripts: Vec<u32>,
    same: HashMap<(&'static str, Args), u32, RandomState>,
}

impl Planner {
    fn place(&mut self, request: Request) -> Place {
        match (request.merge, &request.verb) {
            (Merge::Get, _) => self.place_get(request),
            (Merge::Script, Verb::Script(script)) => {
                let script = *script;
                self.place_script(script, request)
            }
            (Merge::Dedup, Verb::Command(name)) => {
                let key = (*name, request.args.clone());
                if let Some(&wire) = self.same.get(&key)
                    && self.may_join(wire, &request)
                {
                    return Place { wire, item: None };
                }
                let wire = self.push(request);
                self.same.insert(key, wire);
                Place { wire, item: None }
            }
            _ => Place { wire: self.push(request), item: None },
        }
    }

    fn place_get(&mut self, request: Request) -> Place {
        if let Some(wire) = self.open_get
            && self.may_join(wire, &request)
            && let Some(OutgoingCommand::Get(keys)) = self.plan.wire.get_mut(wire as usize)
            && keys.len() < self.most_keys
        {
            self.note(wire, &request);
            let Some(OutgoingCommand::Get(keys)) = self.plan.wire.get_mut(wire as usize) else {
                return Place { wire, item: None };
            };
            keys.extend(request.args);
            return Place { wire, item: Some(keys.len() as u32 - 1) };
        }
        let wire = self.plan.wire.len() as u32;
        self.note(wire, &request);
        self.plan.wire.push(OutgoingCommand::Get(request.args));
        self.open_get = Some(wire);
        Place { wire, item: Some(0) }
    }

    fn place_script(&mut self, script: &'static Script, request: Request) -> Place {
        let slot =
            self.open_scripts.iter().position(|&wire| self.many(wire).is_some_and(|many| many.takes(script, &request)));
        if let Some(slot) = slot {
            let wire = self.open_scripts[slot];
            let has_room = self.many(wire).is_some_and(|many| many.items() < SCRIPT_ITEMS);
            if has_room && self.may_join(wire, &request) {
                self.note(wire, &request);
                if let Some(OutgoingCommand::Many(many)) = self.plan.wire.get_mut(wire as usize) {
                    many.add(request);
                    return Place { wire, item: Some(many.items() as u32 - 1) };
                }
            }
            self.open_scripts.swap_remove(slot);
        }
        let wire = self.plan.wire.len() as u32;
        self.note(wire, &request);
        let mut many = Many { script, keys: Vec::new(), args: Vec::new(), idempotent: true, changes: false };
        many.add(request);
        self.plan.wire.push(OutgoingCommand::Many(many));
        self.open_scripts.push(wire);
        Place { wire, item: Some(0) }
    }

    fn many(&self, wire: u32) -> Option<&Many> {
        match self.plan.wire.get(wire as usize) {
            Some(OutgoingCommand::Many(many)) => Some(many),
            _ => None,
        }
    }

    fn push(&mut self, request: Request) -> u32 {
        let wire = self.plan.wire.len() as u32;
        self.note(wire, &request);
        self.plan.wire.push(OutgoingCommand::One(request));
        wire
    }

    fn may_join(&self, wire: u32, request: &Request) -> bool {
        self.order.as_ref().is_none_or(|order| order.may_join(wire, request))
    }

    fn note(&mut self, wire: u32, request: &Request) {
        if let Some(order) = &mut self.order {
            order.note(wire, request);
        }
    }
}

/// Who touched what last.
#[derive(Default)]
struct Order {
    touched: HashMap<Bytes, u32, RandomState>,
    barrier: Option<u32>,
}

impl Order {
    fn may_join(&self, wire: u32, request: &Request) -> bool {
        self.barrier.is_none_or(|barrier| barrier <= wire)
            && request
                .touched()
                .is_some_and(|mut keys| keys.all(|key| self.touched.get(key).is_none_or(|&last| last <= wire)))
    }

    fn note(&mut self, wire: u32, request: &Request) {
        match request.touched() {
            Some(keys) => self.touched.extend(keys.map(|key| (key.clone(), wire))),
            None => self.barrier = Some(wire),
        }
    }
}
