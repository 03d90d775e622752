//! Runs one round of requests: sends each to its node and follows redirections.

mod divide;
mod next;

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use cinnabar_port::{
    Effect, Reply, Request,
    error::{Error, Kind, Result, ServerCode},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use smallvec::SmallVec;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    Cluster, Node,
    split::{Join, split},
};
use crate::{
    Deliver, Delivery, backoff,
    connection::Replies,
    key_order::{Tracked, Tracker, WaitReason},
    plan::OutgoingCommand,
    retry,
    server::Purpose,
    settings::Address,
    waiting::Waiting,
};
use divide::{Divided, To};
use next::Next;
pub use next::explained;

/// Pauses stop growing at this step of `backoff::before_retrying`, 200 ms, because the expected change is imminent.
const LONGEST: u32 = 2;
/// The last pauses before a deadline are halved, down to this one.
const SHORTEST: Duration = Duration::from_millis(2);

/// A request to one node, in progress.
struct SubRequest<'a> {
    request: usize,
    part: usize,
    command: OutgoingCommand,
    tracker: Tracker<'a>,
    slot: Option<u16>,
    /// How often it was redirected.
    tries: u32,
    /// How often its node was lost.
    lost: u32,
    /// The node that could not be reached, which is not tried again.
    away: Option<Address>,
    /// Until when it waits for a fail-over, once it has started to.
    patience: Option<Instant>,
    /// The error because of which it is being retried.
    last: Option<Error>,
}

impl SubRequest<'_> {
    fn tracked(&self) -> Tracked<'_> {
        Tracked { command: &self.command, tracker: &self.tracker }
    }

    /// The slots of the keys that it waits for. One that was not sent yet is queued together with its part.
    fn waits_for(&self) -> SmallVec<[u16; 2]> {
        if self.tracker.waits() { self.tracker.slots().collect() } else { SmallVec::new() }
    }
}

/// Sub-requests for one node, in the order of their calls.
struct NodeBatch<'a> {
    node: Arc<Node>,
    asking: bool,
    sub_requests: Vec<SubRequest<'a>>,
}

/// A result of a task of the round.
enum Step<'a> {
    Replied(NodeBatch<'a>, Replies),
    /// These sub-requests are to be routed again.
    Route(Vec<SubRequest<'a>>),
    /// Some of these sub-requests were overtaken while they waited for the refresh of this number, until this time at least.
    Overtaken(Vec<SubRequest<'a>>, Option<u64>, Instant),
}

/// The replies to the parts of a request.
struct PartialReply {
    join: Join,
    effect: Effect,
    parts: SmallVec<[Option<Result<Reply>>; 1]>,
    missing: usize,
}

impl Cluster {
    /// Runs a round. Requests on the same slot stay in order; other replies are delivered as they arrive.
    pub async fn execute(self: &Arc<Self>, batch: Vec<Request>, deadline: Instant, deliver: Deliver<'_>) {
        let turn = self.order.turn();
        let until = deadline.min(Instant::now() + self.settings.connect_wait);
        if let Err(error) = self.known(until).await {
            return deliver(Delivery::All(batch.iter().map(|_| Err(error.clone())).collect()));
        }
        turn.reached().await;
        let mut round = Round {
            cluster: self,
            deadline,
            partial_replies: Vec::with_capacity(batch.len()),
            ready: Vec::new(),
            in_flight: FuturesUnordered::new(),
        };
        let sub_requests = round.cut(batch);
        round.route(sub_requests);
        let mut turn = Some(turn);
        loop {
            if !round.ready.is_empty() {
                deliver(Delivery::Some(std::mem::take(&mut round.ready)));
            }
            let step = match turn.take() {
                Some(turn) => turn.run(pin!(round.in_flight.next())).await,
                None => round.in_flight.next().await,
            };
            match step {
                None => return,
                Some(Step::Route(sub_requests)) => round.route(sub_requests),
                Some(Step::Replied(batch, replies)) => round.replied(batch, replies),
                Some(Step::Overtaken(mut sub_requests, turn, wake)) => {
                    let over = sub_requests.extract_if(.., |sub_request| sub_request.tracker.is_overtaken()).collect();
                    round.give_up(over);
                    round.wait_until(wake, sub_requests, turn);
                }
            }
        }
    }
}

struct Round<'a> {
    cluster: &'a Arc<Cluster>,
    deadline: Instant,
    partial_replies: Vec<PartialReply>,
    ready: Vec<(usize, Result<Reply>)>,
    in_flight: FuturesUnordered<BoxFuture<'a, Step<'a>>>,
}

impl<'a> Round<'a> {
    fn cut(&mut self, batch: Vec<Request>) -> Vec<SubRequest<'a>> {
        let mut sub_requests = Vec::with_capacity(batch.len());
        for (at, request) in batch.into_iter().enumerate() {
            let effect = request.effect.clone();
            let (parts, join) = match split(request, || self.cluster.table().firsts()) {
                Ok(cut) => cut,
                Err(error) => {
                    self.ready.push((at, Err(error)));
                    (Vec::new(), Join::Whole)
                }
            };
            let missing = parts.len();
            let empty = (0..missing).map(|_| None).collect();
            self.partial_replies.push(PartialReply { join, effect, parts: empty, missing });
            sub_requests.extend(parts.into_iter().enumerate().map(|(part, one)| {
                let command = OutgoingCommand::One(one.request);
                let tracker = Tracker::new(&self.cluster.key_order, &command);
                let (request, slot) = (at, one.slot);
                SubRequest {
                    request,
                    part,
                    command,
                    tracker,
                    slot,
                    tries: 0,
                    lost: 0,
                    away: None,
                    patience: None,
                    last: None,
                }
            }));
        }
        sub_requests
    }

    /// Sends each sub-request to the node that owns its slot.
    fn route(&mut self, sub_requests: Vec<SubRequest<'a>>) {
        let (mut divided, mut given_up) = (Divided::new(), Vec::new());
        {
            let mut table = self.cluster.table();
            for mut sub_request in sub_requests {
                let node = match sub_request.slot {
                    Some(slot) => table.owner(slot).cloned(),
                    None => table.anyone(),
                };
                match node {
                    None => {
                        let slot = sub_request.slot.unwrap_or_default();
                        let why = format!("no node of the cluster owns slot {slot}");
                        sub_request.last = Some(Error::with_code(ServerCode::ClusterDown, why));
                        self.cluster.key_order.enqueue(&[sub_request.tracked()], WaitReason::New);
                        divided.add(To::Later, &sub_request.waits_for(), sub_request);
                    }
                    Some(node) if sub_request.away.as_ref() == Some(&node.address) => {
                        if self.awaits(&node, &mut sub_request) {
                            divided.add(To::Later, &sub_request.waits_for(), sub_request);
                        } else {
                            given_up.push(sub_request);
                        }
                    }
                    Some(node) => {
                        divided.add(To::node(node, false, &sub_request), &sub_request.waits_for(), sub_request)
                    }
                }
            }
        }
        self.give_up(given_up);
        for (to, sub_requests) in divided.parts {
            if matches!(to, To::Later) {
                self.cluster.refresh();
            }
            self.go(to, sub_requests);
        }
    }

    /// Continues with sub-requests together.
    fn go(&mut self, to: To, sub_requests: Vec<SubRequest<'a>>) {
        match to {
            To::Node { node, asking, .. } => self.send(NodeBatch { node, asking, sub_requests }),
            To::Later => self.wait(sub_requests, None),
            To::Refreshed => {
                let turn = self.cluster.refresh();
                self.wait(sub_requests, Some(turn));
            }
        }
    }

    /// Sends sub-requests, separating those that would have to wait for other calls.
    fn send(&mut self, batch: NodeBatch<'a>) {
        let Some(groups) =
            batch.node.server.parted(batch.sub_requests.iter().map(|sub_request| sub_request.tracker.keys().into()))
        else {
            return self.send_together(batch);
        };
        let mut parts = BTreeMap::<usize, Vec<SubRequest<'a>>>::new();
        for (sub_request, group) in batch.sub_requests.into_iter().zip(groups) {
            parts.entry(group).or_default().push(sub_request);
        }
        for sub_requests in parts.into_values() {
            self.send_together(NodeBatch { node: batch.node.clone(), asking: batch.asking, sub_requests });
        }
    }

    fn send_together(&mut self, batch: NodeBatch<'a>) {
        let deadline = self.deadline;
        if batch.sub_requests.is_empty() {
            return;
        }
        self.in_flight.push(
            async move {
                let requests: Vec<_> = batch.sub_requests.iter().map(SubRequest::tracked).collect();
                let purpose = if batch.asking { Purpose::Asking } else { Purpose::Calls };
                let replies = batch.node.server.attempt(purpose, &requests, deadline).await;
                drop(requests);
                Step::Replied(batch, replies)
            }
            .boxed(),
        );
    }

    fn replied(&mut self, batch: NodeBatch<'a>, replies: Replies) {
        let mut divided = Divided::new();
        for (mut sub_request, reply) in batch.sub_requests.into_iter().zip(replies) {
            let reply = match sub_request.last.take() {
                Some(last) if sub_request.tracker.is_given_up() && !retry::was_done(&reply) => Err(last),
                _ => reply,
            };
            let next = self.classify(&batch.node, batch.asking, &mut sub_request, &reply);
            if !matches!(next, Next::Final) {
                // Later calls on its keys wait for it.
                self.cluster.key_order.enqueue(&[sub_request.tracked()], WaitReason::Again);
            }
            sub_request.last = reply.as_ref().err().cloned();
            match next {
                Next::Final => self.end(sub_request, reply),
                Next::To(address, asking) => {
                    let node = self.cluster.table().at(&address, |address| self.cluster.node(address));
                    divided.add(To::node(node, asking, &sub_request), &sub_request.waits_for(), sub_request);
                }
                Next::Later => divided.add(To::Later, &sub_request.waits_for(), sub_request),
                Next::Refreshed => divided.add(To::Refreshed, &sub_request.waits_for(), sub_request),
            }
        }
        for (to, sub_requests) in divided.parts {
            self.go(to, sub_requests);
        }
    }

    /// Routes the sub-requests again after a pause, and after that refresh of the map.
    fn wait(&mut self, mut sub_requests: Vec<SubRequest<'a>>, turn: Option<u64>) {
        let Some(patient) = sub_requests.first().map(|sub_request| sub_request.patience.is_some()) else { return };
        if sub_requests.iter().any(|sub_request| sub_request.patience.is_some() != patient) {
            let mut divided = Divided::new();
            for sub_request in sub_requests {
                divided.add(sub_request.patience.is_some(), &sub_request.waits_for(), sub_request);
            }
            for (_, sub_requests) in divided.parts {
                self.wait(sub_requests, turn);
            }
            return;
        }
        let attempt = sub_requests
            .iter()
            .map(|sub_request| if turn.is_some() { sub_request.lost } else { sub_request.tries })
            .max();
        let pause = match attempt.unwrap_or_default() {
            // The refresh itself takes a while.
            1 if turn.is_some() => Duration::ZERO,
            attempt => backoff::before_retrying(attempt.saturating_sub(1).min(LONGEST)),
        };
        let needs = sub_requests.iter().map(|sub_request| sub_request.tracked().needs()).max().unwrap_or_default();
        let left = self.limit(&sub_requests).saturating_duration_since(Instant::now()).saturating_sub(needs);
        if left < SHORTEST {
            return self.give_up(std::mem::take(&mut sub_requests));
        }
        self.wait_until(Instant::now() + pause.min(left / 2), sub_requests, turn);
    }

    fn wait_until(&mut self, wake: Instant, sub_requests: Vec<SubRequest<'a>>, turn: Option<u64>) {
        if sub_requests.is_empty() {
            return;
        }
        let (cluster, limit) = (self.cluster, self.limit(&sub_requests));
        self.in_flight.push(
            async move {
                let _waits = Waiting::new(&cluster.waiting, sub_requests.len());
                let waited = async {
                    sleep_until(wake).await;
                    if let Some(turn) = turn {
                        // Even if the refresh failed, the known nodes are tried.
                        let _ = timeout_at(limit, cluster.refreshed(turn)).await;
                    }
                };
                let overtaken = cluster
                    .key_order
                    .overtaken(|| sub_requests.iter().any(|sub_request| sub_request.tracker.is_overtaken()));
                let waited = tokio::select! {
                    () = waited => true,
                    () = overtaken => false,
                };
                if waited { Step::Route(sub_requests) } else { Step::Overtaken(sub_requests, turn, wake) }
            }
            .boxed(),
        );
    }

    /// The time until which these wait at most. Those that wait for a fail-over give up when their patience ends.
    fn limit(&self, sub_requests: &[SubRequest<'a>]) -> Instant {
        sub_requests
            .iter()
            .filter_map(|sub_request| sub_request.patience)
            .min()
            .map_or(self.deadline, |at| at.min(self.deadline))
    }

    /// Ends the sub-requests with their last errors.
    fn give_up(&mut self, sub_requests: Vec<SubRequest<'a>>) {
        for mut sub_request in sub_requests {
            let why = sub_request.last.take();
            self.end(
                sub_request,
                Err(why.unwrap_or_else(|| Error::new(Kind::Internal, "a request was abandoned without an error"))),
            );
        }
    }

    fn end(&mut self, sub_request: SubRequest<'a>, reply: Result<Reply>) {
        let reply = if retry::was_done(&reply) { reply } else { sub_request.tracker.retained_reply().unwrap_or(reply) };
        let reply = retry::settle(&sub_request.command, sub_request.tracker.is_in_doubt(), reply.map_err(explained));
        // Calls that wait for it continue now.
        drop(sub_request.tracker);
        let Some(partial_replies) = self.partial_replies.get_mut(sub_request.request) else { return };
        if let Some(part) = partial_replies.parts.get_mut(sub_request.part)
            && part.replace(reply).is_none()
        {
            partial_replies.missing -= 1;
        }
        if partial_replies.missing == 0 {
            let join = std::mem::replace(&mut partial_replies.join, Join::Whole);
            let replies = std::mem::take(&mut partial_replies.parts).into_iter().flatten().collect();
            self.ready.push((sub_request.request, join.join(replies, &partial_replies.effect)));
        }
    }
}
