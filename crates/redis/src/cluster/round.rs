//! Runs one round of requests: sends each to its node and follows redirections.

mod divide;
mod next;

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

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
    Deliver, Delivery,
    connection::Replies,
    key_order::{Tracked, Tracker, WaitReason},
    plan::OutgoingCommand,
    retry,
    settings::Address,
};
use divide::{Divided, To};
use next::Next;
pub use next::explained;

/// Pauses stop growing at this step of `retry::pause`, 200 ms, because the expected change is imminent.
const LONGEST: u32 = 2;
/// The last pauses before a deadline are halved, down to this one.
const SHORTEST: Duration = Duration::from_millis(2);

/// A request to one node, in progress.
struct Piece<'a> {
    request: usize,
    part: usize,
    wire: OutgoingCommand,
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

impl Piece<'_> {
    fn tracked(&self) -> Tracked<'_> {
        Tracked { wire: &self.wire, tracker: &self.tracker }
    }

    /// The slots of the keys that it waits for. One that was not sent yet takes its place in line with its part.
    fn waits_for(&self) -> SmallVec<[u16; 2]> {
        if self.tracker.waits() { self.tracker.slots().collect() } else { SmallVec::new() }
    }
}

/// Pieces for one node, in the order of their calls.
struct Lane<'a> {
    node: Arc<Node>,
    asking: bool,
    pieces: Vec<Piece<'a>>,
}

/// A result of a task of the round.
enum Step<'a> {
    Answered(Lane<'a>, Replies),
    /// Route these pieces again.
    Route(Vec<Piece<'a>>),
    /// Some of these pieces were overtaken while they waited for the refresh of this number, until this time at least.
    Overtaken(Vec<Piece<'a>>, Option<u64>, Instant),
}

/// The replies to the parts of a request.
struct Gathered {
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
            gathered: Vec::with_capacity(batch.len()),
            ready: Vec::new(),
            in_flight: FuturesUnordered::new(),
        };
        let pieces = round.cut(batch);
        round.route(pieces);
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
                Some(Step::Route(pieces)) => round.route(pieces),
                Some(Step::Answered(lane, replies)) => round.answered(lane, replies),
                Some(Step::Overtaken(mut pieces, turn, wake)) => {
                    let over = pieces.extract_if(.., |piece| piece.tracker.is_overtaken()).collect();
                    round.give_up(over);
                    round.wait_until(wake, pieces, turn);
                }
            }
        }
    }
}

/// Counts waiting requests until it is dropped.
struct Waits<'a>(&'a AtomicUsize, usize);

impl<'a> Waits<'a> {
    fn new(all: &'a AtomicUsize, count: usize) -> Self {
        all.fetch_add(count, Ordering::Relaxed);
        Self(all, count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

struct Round<'a> {
    cluster: &'a Arc<Cluster>,
    deadline: Instant,
    gathered: Vec<Gathered>,
    ready: Vec<(usize, Result<Reply>)>,
    in_flight: FuturesUnordered<BoxFuture<'a, Step<'a>>>,
}

impl<'a> Round<'a> {
    fn cut(&mut self, batch: Vec<Request>) -> Vec<Piece<'a>> {
        let mut pieces = Vec::with_capacity(batch.len());
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
            self.gathered.push(Gathered { join, effect, parts: empty, missing });
            pieces.extend(parts.into_iter().enumerate().map(|(part, one)| {
                let wire = OutgoingCommand::One(one.request);
                let tracker = Tracker::new(&self.cluster.key_order, &wire);
                let (request, slot) = (at, one.slot);
                Piece { request, part, wire, tracker, slot, tries: 0, lost: 0, away: None, patience: None, last: None }
            }));
        }
        pieces
    }

    /// Sends each piece to the node that owns its slot.
    fn route(&mut self, pieces: Vec<Piece<'a>>) {
        let (mut divided, mut given_up) = (Divided::new(), Vec::new());
        {
            let mut table = self.cluster.table();
            for mut piece in pieces {
                let node = match piece.slot {
                    Some(slot) => table.owner(slot).cloned(),
                    None => table.anyone(),
                };
                match node {
                    None => {
                        let slot = piece.slot.unwrap_or_default();
                        let why = format!("no node of the cluster owns slot {slot}");
                        piece.last = Some(Error::with_code(ServerCode::ClusterDown, why));
                        self.cluster.key_order.enqueue(&[piece.tracked()], WaitReason::New);
                        divided.add(To::Later, &piece.waits_for(), piece);
                    }
                    Some(node) if piece.away.as_ref() == Some(&node.address) => {
                        if self.awaits(&node, &mut piece) {
                            divided.add(To::Later, &piece.waits_for(), piece);
                        } else {
                            given_up.push(piece);
                        }
                    }
                    Some(node) => divided.add(To::node(node, false, &piece), &piece.waits_for(), piece),
                }
            }
        }
        self.give_up(given_up);
        for (to, pieces) in divided.parts {
            if matches!(to, To::Later) {
                self.cluster.learn();
            }
            self.go(to, pieces);
        }
    }

    /// Has pieces go on together.
    fn go(&mut self, to: To, pieces: Vec<Piece<'a>>) {
        match to {
            To::Node { node, asking, .. } => self.send(Lane { node, asking, pieces }),
            To::Later => self.wait(pieces, None),
            To::Learned => {
                let turn = self.cluster.learn();
                self.wait(pieces, Some(turn));
            }
        }
    }

    /// Sends pieces, separating those that would have to wait for other calls.
    fn send(&mut self, lane: Lane<'a>) {
        let Some(groups) = lane.node.server.parted(lane.pieces.iter().map(|piece| piece.tracker.keys().into())) else {
            return self.send_together(lane);
        };
        let mut parts = BTreeMap::<usize, Vec<Piece<'a>>>::new();
        for (piece, group) in lane.pieces.into_iter().zip(groups) {
            parts.entry(group).or_default().push(piece);
        }
        for pieces in parts.into_values() {
            self.send_together(Lane { node: lane.node.clone(), asking: lane.asking, pieces });
        }
    }

    fn send_together(&mut self, lane: Lane<'a>) {
        let deadline = self.deadline;
        if lane.pieces.is_empty() {
            return;
        }
        self.in_flight.push(
            async move {
                let requests: Vec<_> = lane.pieces.iter().map(Piece::tracked).collect();
                let replies = if lane.asking {
                    lane.node.server.attempt_asking(&requests, deadline).await
                } else {
                    lane.node.server.attempt(&requests, deadline).await
                };
                drop(requests);
                Step::Answered(lane, replies)
            }
            .boxed(),
        );
    }

    fn answered(&mut self, lane: Lane<'a>, replies: Replies) {
        let mut divided = Divided::new();
        for (mut piece, reply) in lane.pieces.into_iter().zip(replies) {
            let reply = match piece.last.take() {
                Some(last) if piece.tracker.is_given_up() && !retry::was_done(&reply) => Err(last),
                _ => reply,
            };
            let next = self.judge(&lane.node, lane.asking, &mut piece, &reply);
            if !matches!(next, Next::Final) {
                // Later calls on its keys wait for it.
                self.cluster.key_order.enqueue(&[piece.tracked()], WaitReason::Again);
            }
            piece.last = reply.as_ref().err().cloned();
            match next {
                Next::Final => self.end(piece, reply),
                Next::To(address, asking) => {
                    let node = self.cluster.table().at(&address, |address| self.cluster.node(address));
                    divided.add(To::node(node, asking, &piece), &piece.waits_for(), piece);
                }
                Next::Later => divided.add(To::Later, &piece.waits_for(), piece),
                Next::Learned => divided.add(To::Learned, &piece.waits_for(), piece),
            }
        }
        for (to, pieces) in divided.parts {
            self.go(to, pieces);
        }
    }

    /// Routes the pieces again after a pause, and after that refresh of the map.
    fn wait(&mut self, mut pieces: Vec<Piece<'a>>, turn: Option<u64>) {
        let Some(patient) = pieces.first().map(|piece| piece.patience.is_some()) else { return };
        if pieces.iter().any(|piece| piece.patience.is_some() != patient) {
            let mut divided = Divided::new();
            for piece in pieces {
                divided.add(piece.patience.is_some(), &piece.waits_for(), piece);
            }
            for (_, pieces) in divided.parts {
                self.wait(pieces, turn);
            }
            return;
        }
        let attempt = pieces.iter().map(|piece| if turn.is_some() { piece.lost } else { piece.tries }).max();
        let pause = match attempt.unwrap_or_default() {
            // The refresh itself takes a while.
            1 if turn.is_some() => Duration::ZERO,
            attempt => retry::pause(attempt.saturating_sub(1).min(LONGEST)),
        };
        let needs = pieces.iter().map(|piece| piece.tracked().needs()).max().unwrap_or_default();
        let left = self.limit(&pieces).saturating_duration_since(Instant::now()).saturating_sub(needs);
        if left < SHORTEST {
            return self.give_up(std::mem::take(&mut pieces));
        }
        self.wait_until(Instant::now() + pause.min(left / 2), pieces, turn);
    }

    fn wait_until(&mut self, wake: Instant, pieces: Vec<Piece<'a>>, turn: Option<u64>) {
        if pieces.is_empty() {
            return;
        }
        let (cluster, limit) = (self.cluster, self.limit(&pieces));
        self.in_flight.push(
            async move {
                let _waits = Waits::new(&cluster.waiting, pieces.len());
                let waited = async {
                    sleep_until(wake).await;
                    if let Some(turn) = turn {
                        // Even if the refresh failed, the known nodes are tried.
                        let _ = timeout_at(limit, cluster.learned(turn)).await;
                    }
                };
                let overtaken = cluster.key_order.overtaken(|| pieces.iter().any(|piece| piece.tracker.is_overtaken()));
                let waited = tokio::select! {
                    () = waited => true,
                    () = overtaken => false,
                };
                if waited { Step::Route(pieces) } else { Step::Overtaken(pieces, turn, wake) }
            }
            .boxed(),
        );
    }

    /// Until when these wait at most. Pieces that wait for a fail-over give up when their patience ends.
    fn limit(&self, pieces: &[Piece<'a>]) -> Instant {
        pieces.iter().filter_map(|piece| piece.patience).min().map_or(self.deadline, |at| at.min(self.deadline))
    }

    /// Ends the pieces with their last errors.
    fn give_up(&mut self, pieces: Vec<Piece<'a>>) {
        for mut piece in pieces {
            let why = piece.last.take();
            self.end(
                piece,
                Err(why.unwrap_or_else(|| Error::new(Kind::Internal, "a request was abandoned without an error"))),
            );
        }
    }

    fn end(&mut self, piece: Piece<'a>, reply: Result<Reply>) {
        let reply = if retry::was_done(&reply) { reply } else { piece.tracker.kept().unwrap_or(reply) };
        let reply = retry::settle(&piece.wire, piece.tracker.is_in_doubt(), reply.map_err(explained));
        // Calls that wait for it continue now.
        drop(piece.tracker);
        let Some(gathered) = self.gathered.get_mut(piece.request) else { return };
        if let Some(part) = gathered.parts.get_mut(piece.part)
            && part.replace(reply).is_none()
        {
            gathered.missing -= 1;
        }
        if gathered.missing == 0 {
            let join = std::mem::replace(&mut gathered.join, Join::Whole);
            let replies = std::mem::take(&mut gathered.parts).into_iter().flatten().collect();
            self.ready.push((piece.request, join.join(replies, &gathered.effect)));
        }
    }
}
