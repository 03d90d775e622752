//! One round of requests: each to its node, and on to wherever that sends it.

use std::{pin::pin, sync::Arc, time::Duration};

use smallvec::SmallVec;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Cluster, Node,
    map::{Redirection, redirection},
    split::{Join, split},
};
use crate::{
    error::{Error, Kind, Result},
    settings::Address,
    store::{
        Reply, Request,
        crew::Crew,
        plan::Wire,
        redis::{
            connection::Replies,
            retry::{self, Verdict},
        },
    },
};

/// How often a request may be sent on, or told to come again: a cluster that goes on like that has no answer.
const MOST_TRIES: u32 = 16;

/// Gets each answer, with the place of its request in the round, as soon as it is there.
pub type Deliver<'a> = &'a mut (dyn FnMut(Vec<(usize, Result<Reply>)>) + Send);

/// A request to one node, on its way.
struct Piece {
    request: usize,
    part: usize,
    wire: Wire,
    slot: Option<u16>,
    /// How often it was sent on.
    tries: u32,
    /// How often its node was lost.
    lost: u32,
    /// The node that could not be reached: nothing is gained by trying that one again.
    away: Option<Address>,
    /// Why it is still on its way.
    last: Option<Error>,
}

/// Pieces for one node, in the order in which they were made.
struct Lane {
    node: Arc<Node>,
    asking: bool,
    pieces: Vec<Piece>,
}

/// What the crew of a round reports.
enum Step {
    Answered(Lane, Replies),
    /// It is time to look for their nodes again.
    Route(Vec<Piece>),
}

/// What becomes of a piece.
enum Next {
    Final,
    /// There at once; whether that node has to be told that the slot is still on its way to it.
    To(Address, bool),
    /// Again after a pause.
    Later,
    /// Again once there is a newer map.
    Learned,
}

/// The answers to the parts of a request.
struct Gathered {
    join: Join,
    repeatable: bool,
    parts: SmallVec<[Option<Result<Reply>>; 1]>,
    missing: usize,
}

impl Cluster {
    /// Runs a round. What concerns the same slot stays in order; everything else is answered when it is answered.
    pub async fn execute(self: &Arc<Self>, batch: Vec<Request>, deadline: Instant, deliver: Deliver<'_>) {
        let turn = self.order.turn();
        let until = deadline.min(Instant::now() + self.settings.connect_wait);
        if let Err(error) = self.known(until).await {
            return deliver((0..batch.len()).map(|at| (at, Err(error.clone()))).collect());
        }
        turn.comes().await;
        let mut round = Round {
            cluster: self,
            deadline,
            gathered: Vec::with_capacity(batch.len()),
            ready: Vec::new(),
            crew: Crew::new(),
        };
        let pieces = round.cut(batch);
        round.route(pieces);
        let mut turn = Some(turn);
        loop {
            if !round.ready.is_empty() {
                deliver(std::mem::take(&mut round.ready));
            }
            let step = match turn.take() {
                Some(turn) => turn.begin(pin!(round.crew.next())).await,
                None => round.crew.next().await,
            };
            match step {
                None => return,
                Some(Step::Route(pieces)) => round.route(pieces),
                Some(Step::Answered(lane, replies)) => round.answered(lane, replies),
            }
        }
    }
}

struct Round<'a> {
    cluster: &'a Arc<Cluster>,
    deadline: Instant,
    gathered: Vec<Gathered>,
    ready: Vec<(usize, Result<Reply>)>,
    crew: Crew<'a, Step>,
}

impl Round<'_> {
    fn cut(&mut self, batch: Vec<Request>) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(batch.len());
        for (at, request) in batch.into_iter().enumerate() {
            let repeatable = request.repeatable;
            let (parts, join) = match split(request, || self.cluster.table().firsts()) {
                Ok(cut) => cut,
                Err(error) => {
                    self.ready.push((at, Err(error)));
                    (Vec::new(), Join::Whole)
                }
            };
            let missing = parts.len();
            let empty = (0..missing).map(|_| None).collect();
            self.gathered.push(Gathered { join, repeatable, parts: empty, missing });
            pieces.extend(parts.into_iter().enumerate().map(|(part, one)| Piece {
                request: at,
                part,
                wire: Wire::One(one.request),
                slot: one.slot,
                tries: 0,
                lost: 0,
                away: None,
                last: None,
            }));
        }
        pieces
    }

    /// Sends each piece to the node that has its slot.
    fn route(&mut self, pieces: Vec<Piece>) {
        let mut lanes = Lanes::default();
        let mut nowhere = Vec::new();
        {
            let mut table = self.cluster.table();
            for piece in pieces {
                let node = match piece.slot {
                    Some(slot) => table.owner(slot).cloned(),
                    None => table.anyone(),
                };
                match node {
                    Some(node) => lanes.add(node, false, piece),
                    None => nowhere.push(piece),
                }
            }
        }
        for piece in &mut nowhere {
            let slot = piece.slot.unwrap_or_default();
            let error = Error::new(Kind::Unavailable, format!("CLUSTERDOWN no node of the cluster has slot {slot}"));
            piece.last = Some(error);
        }
        if !nowhere.is_empty() {
            self.cluster.learn();
            self.wait(nowhere, None);
        }
        for mut lane in lanes.0 {
            let away = |piece: &Piece| piece.away.as_ref() == Some(&lane.node.address);
            let (given_up, pieces) = std::mem::take(&mut lane.pieces).into_iter().partition(away);
            self.give_up(given_up);
            lane.pieces = pieces;
            self.send(lane);
        }
    }

    fn send(&mut self, lane: Lane) {
        let deadline = self.deadline;
        if lane.pieces.is_empty() {
            return;
        }
        self.crew.add(async move {
            let wires: Vec<_> = lane.pieces.iter().map(|piece| &piece.wire).collect();
            let replies = if lane.asking {
                lane.node.server.attempt_asking(&wires, deadline).await
            } else {
                lane.node.server.attempt(&wires, deadline).await
            };
            drop(wires);
            Step::Answered(lane, replies)
        });
    }

    fn answered(&mut self, lane: Lane, replies: Replies) {
        let (mut lanes, mut later, mut learned) = (Lanes::default(), Vec::new(), Vec::new());
        for (mut piece, reply) in lane.pieces.into_iter().zip(replies) {
            let next = self.judge(&lane.node, &mut piece, &reply);
            piece.last = reply.as_ref().err().cloned();
            match next {
                Next::Final => self.end(piece, reply),
                Next::To(address, asking) => {
                    let node = self.cluster.table().at(&address, |address| self.cluster.node(address));
                    lanes.add(node, asking, piece);
                }
                Next::Later => later.push(piece),
                Next::Learned => learned.push(piece),
            }
        }
        for lane in lanes.0 {
            self.send(lane);
        }
        if !later.is_empty() {
            self.wait(later, None);
        }
        if !learned.is_empty() {
            let turn = self.cluster.learn();
            self.wait(learned, Some(turn));
        }
    }

    fn judge(&self, node: &Node, piece: &mut Piece, reply: &Result<Reply>) -> Next {
        let Err(error) = reply else { return Next::Final };
        let cluster = self.cluster;
        if error.kind == Kind::Server {
            let Some(redirection) = redirection(error.message(), &node.address) else { return Next::Final };
            piece.tries += 1;
            let (Redirection::Ask(named) | Redirection::Moved(_, named)) = &redirection;
            if !cluster.table().may_know(named) {
                return if piece.tries > MOST_TRIES { Next::Final } else { Next::Learned };
            }
            let (to, asking) = match redirection {
                Redirection::Ask(to) => (to, true),
                Redirection::Moved(slot, to) => {
                    cluster.moved(slot, &to);
                    (to, false)
                }
            };
            return if piece.tries > MOST_TRIES { Next::Final } else { Next::To(to, asking) };
        }
        match retry::judge(&piece.wire, reply) {
            Verdict::Later => {
                if error.message().starts_with("CLUSTERDOWN") {
                    cluster.learn();
                }
                piece.tries += 1;
                if piece.tries > MOST_TRIES { Next::Final } else { Next::Later }
            }
            Verdict::Again | Verdict::Elsewhere => self.lost(piece, None),
            // It could not be reached. Only another node is worth a try, and only a newer map may name one.
            Verdict::Final if error.kind == Kind::Unavailable => {
                let owns = piece
                    .slot
                    .is_none_or(|slot| cluster.table().owner(slot).is_some_and(|owner| owner.address == node.address));
                if owns && piece.slot.is_some() && cluster.is_fresh() {
                    return Next::Final;
                }
                self.lost(piece, Some(&node.address))
            }
            Verdict::Final => {
                // Nobody waits for it, but the next call may find a replica in its place.
                if error.is_unavailable() && error.kind != Kind::Backpressure && !cluster.is_fresh() {
                    cluster.learn();
                }
                Next::Final
            }
        }
    }

    fn lost(&self, piece: &mut Piece, away: Option<&Address>) -> Next {
        piece.lost += 1;
        piece.away = away.cloned();
        if piece.lost > self.cluster.settings.retry_attempts { Next::Final } else { Next::Learned }
    }

    /// Looks for their nodes again after a pause, and when that turn of learning is over.
    fn wait(&mut self, mut pieces: Vec<Piece>, turn: Option<u64>) {
        let deadline = self.deadline;
        let attempt = pieces.iter().map(|piece| if turn.is_some() { piece.lost } else { piece.tries }).max();
        let pause = match attempt.unwrap_or_default() {
            // The map takes a while by itself.
            1 if turn.is_some() => Duration::ZERO,
            attempt => retry::pause(attempt.saturating_sub(1)),
        };
        if Instant::now() + pause >= deadline {
            return self.give_up(std::mem::take(&mut pieces));
        }
        let cluster = self.cluster;
        self.crew.add(async move {
            sleep(pause).await;
            if let Some(turn) = turn {
                // Whatever came of it: the nodes are still worth a try.
                let _ = timeout_at(deadline, cluster.learned(turn)).await;
            }
            Step::Route(pieces)
        });
    }

    /// Their last errors are the answers.
    fn give_up(&mut self, pieces: Vec<Piece>) {
        for mut piece in pieces {
            let why = piece.last.take();
            self.end(
                piece,
                Err(why.unwrap_or_else(|| Error::new(Kind::Internal, "a request was given up for no reason"))),
            );
        }
    }

    fn end(&mut self, piece: Piece, reply: Result<Reply>) {
        let reply = retry::settle(&piece.wire, reply).map_err(explained);
        let Some(gathered) = self.gathered.get_mut(piece.request) else { return };
        if let Some(part) = gathered.parts.get_mut(piece.part)
            && part.replace(reply).is_none()
        {
            gathered.missing -= 1;
        }
        if gathered.missing == 0 {
            let join = std::mem::replace(&mut gathered.join, Join::Whole);
            let replies = std::mem::take(&mut gathered.parts).into_iter().flatten().collect();
            self.ready.push((piece.request, join.join(replies, gathered.repeatable)));
        }
    }
}

/// What a node says for its cluster, in words and a kind that mean something to a caller.
fn explained(error: Error) -> Error {
    if error.kind != Kind::Server {
        return error;
    }
    match error.message().split(' ').next() {
        Some("MOVED" | "ASK") => {
            let sent_on = format!(
                "the nodes of the cluster sent it on {MOST_TRIES} times; the last answer was: {}",
                error.message()
            );
            Error::new(Kind::Unavailable, sent_on)
        }
        Some("CROSSSLOT") => {
            let message = format!(
                "{}; keys with the same text in braces, such as {{a}}:x and {{a}}:y, share a slot",
                error.message()
            );
            Error::new(Kind::Unsupported, message)
        }
        _ => error,
    }
}

/// Lanes by node, and by how it is asked.
#[derive(Default)]
struct Lanes(Vec<Lane>);

impl Lanes {
    fn add(&mut self, node: Arc<Node>, asking: bool, piece: Piece) {
        // What has a connection of its own may take its time.
        let alone = piece.wire.is_apart();
        let same = |lane: &&mut Lane| {
            let apart = alone || lane.pieces.iter().any(|piece| piece.wire.is_apart());
            !apart && Arc::ptr_eq(&lane.node, &node) && lane.asking == asking
        };
        match self.0.iter_mut().find(same) {
            Some(lane) => lane.pieces.push(piece),
            None => self.0.push(Lane { node, asking, pieces: vec![piece] }),
        }
    }
}
