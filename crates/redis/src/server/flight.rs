//! Sends requests over connections in the order of their keys, and handles their replies.

use std::pin::pin;

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};
use tokio::{
    sync::MutexGuard,
    time::{Instant, timeout_at},
};

use super::{Sent, Server, fail_all};
use crate::{
    command,
    connection::{Outcome, Replies},
    lanes::{Done, Errand, Hold, Turn, Way},
    plan::Wire,
    pool::Member,
    resp::Commands,
    retry, transaction,
};

impl Server {
    /// Sends the requests now if possible, otherwise as soon as the order of their keys allows it.
    pub(super) async fn go(&self, errands: &[Errand<'_>], asking: bool, deadline: Instant) -> Sent {
        let since = Instant::now();
        if errands.iter().all(|errand| !errand.trip.waits())
            && let Ok(turn) = self.turn.try_lock()
            && let Some(member) = self.pool.pick()
            && let Some(hold) = self.lanes.enter(member.number, errands)
        {
            return (self.exchange(&member, errands, asking, (since, deadline), turn, hold).await, since);
        }
        self.lanes.park(errands, Turn::New);
        self.fly(errands, asking, deadline).await
    }

    /// Waits until the order of their keys allows it, then sends the queued requests.
    pub(super) async fn fly(&self, errands: &[Errand<'_>], asking: bool, deadline: Instant) -> Sent {
        let party = self.lanes.gather(errands);
        // Time spent waiting for other calls does not count as slowness of the server.
        let mut since = Instant::now();
        let until = deadline.min(since + self.settings.connect_wait);
        loop {
            let now = Instant::now();
            if errands.iter().any(|errand| errand.trip.is_overtaken() || errand.is_late(now, deadline)) {
                return self.without_given_up(errands, asking, deadline).await;
            }
            // An unresponsive connection may recover at any time.
            let mut back = pin!(self.pool.back());
            back.as_mut().enable();
            let way = match self.lanes.way(&party, errands) {
                Way::Wait => None,
                Way::Any => Some(self.connection(until).await),
                // That connection may be unresponsive, ending, or to another server by now.
                Way::Over(number) => match self.pool.member(number) {
                    Some(member) => Some(Ok((self.turn.lock().await, member))),
                    None => None,
                },
            };
            let found = match way {
                Some(found) => found,
                None => {
                    let limit = if self.pool.is_connected() { deadline } else { until };
                    let changed = tokio::select! {
                        changed = party.changed(limit) => changed,
                        () = back => true,
                    };
                    since = Instant::now();
                    if changed || limit < deadline && self.pool.is_connected() {
                        continue;
                    }
                    if limit == deadline {
                        let why = "the deadline passed while it waited for an earlier call on the same key";
                        return (fail_all(errands, &Error::new(Kind::NotSent, why)), since);
                    }
                    self.connection(until).await
                }
            };
            let (turn, member) = match found {
                Ok(found) => found,
                Err(error) => return (fail_all(errands, &error), since),
            };
            if let Some(hold) = self.lanes.depart(member.number, &party, errands) {
                let times = (Instant::now(), deadline);
                return (self.exchange(&member, errands, asking, times, turn, hold).await, since);
            }
        }
    }

    /// Sends the requests that may still be retried and fails the others.
    async fn without_given_up(&self, errands: &[Errand<'_>], asking: bool, deadline: Instant) -> Sent {
        let now = Instant::now();
        errands.iter().filter(|errand| errand.is_late(now, deadline)).for_each(|errand| errand.trip.be_late());
        let (over, rest): (Vec<_>, Vec<_>) = (0..errands.len()).partition(|&at| errands[at].trip.is_given_up());
        let why = "it was not retried: a later call on the same key has been executed, or too little time is left";
        let mut replies = fail_all(errands, &Error::new(Kind::Unavailable, why));
        over.iter().for_each(|&at| errands[at].trip.leave());
        let some: Vec<_> = rest.iter().map(|&at| errands[at]).collect();
        if some.is_empty() {
            return (replies, Instant::now());
        }
        let (answers, since) = Box::pin(self.fly(&some, asking, deadline)).await;
        for (at, reply) in rest.into_iter().zip(answers) {
            replies[at] = reply;
        }
        (replies, since)
    }

    /// Takes a connection; requests get one in order of arrival.
    async fn connection(&self, until: Instant) -> Result<(MutexGuard<'_, ()>, Member)> {
        match timeout_at(until, self.turn.lock()).await {
            Ok(turn) => self.pool.take(until).await.map(|member| (turn, member)),
            Err(_) => Err(Error::new(Kind::Unavailable, format!("no connection to {} in time", self.name))),
        }
    }

    /// Runs one exchange over this connection. `turn` is released once the commands are queued on it; `hold` is released once
    /// the outcome of each request is known, so that outcomes are processed in the order of the exchanges.
    async fn exchange(
        &self,
        member: &Member,
        errands: &[Errand<'_>],
        asking: bool,
        (since, deadline): (Instant, Instant),
        turn: MutexGuard<'_, ()>,
        hold: Hold,
    ) -> Replies {
        let wires = errands.iter().map(|errand| errand.wire);
        let each = errands.iter().map(|errand| (errand.wire, errand.trip.is_whole()));
        let (commands, taught) = encoded(each, member, asking);
        let exchange = member.connection.submit_holding(commands, Some(hold));
        let order = member.order.turn();
        drop(turn);
        let Outcome { replies, hold, late } = exchange.outcome(deadline).await;
        if !late {
            order.reached().await;
        }
        let mut replies = own_replies(wires, asking, replies);
        let overtook = self.land(errands, &mut replies, since);
        if taught {
            let ran = errands.iter().zip(&replies).filter(|(_, reply)| reply.is_ok());
            member.scripts.learn(ran.filter_map(|(errand, _)| command::script(errand.wire)));
        }
        if errands.iter().zip(&replies).any(|(errand, reply)| retry::is_forgotten(errand.wire, reply)) {
            member.scripts.forget();
        }
        // Replies and errors are returned in order.
        for errand in overtook {
            self.lanes.passed(errand.trip, errands[0].trip.place(), deadline).await;
        }
        drop((hold, order));
        replies
    }

    /// Requeues requests that may have to be retried, along with later ones executed after them. Returns those that overtook
    /// others.
    fn land<'a>(&self, errands: &[Errand<'a>], replies: &mut Replies, since: Instant) -> Vec<Errand<'a>> {
        let mut overtook = Vec::new();
        let mut returned = self.lanes.has_returned();
        for (errand, reply) in errands.iter().zip(replies) {
            if retry::is_in_doubt(reply) || retry::is_unread(reply) {
                errand.trip.doubt();
            }
            // It is sent again even behind later calls on its keys, unless an earlier attempt may have had an effect.
            let due = errand.forgotten(reply);
            if due || retry::goes_on(errand.wire, reply) {
                if !retry::was_lost(reply) {
                    errand.trip.note_rejected(since.elapsed());
                }
                let turn = if due && !errand.trip.is_in_doubt() { Turn::Due } else { Turn::Again };
                self.lanes.park(&[*errand], turn);
                returned = true;
            } else if returned && retry::was_done(reply) {
                // What was refused may be done once more, whatever it is.
                let idempotent = errand.wire.idempotent() || retry::was_refused(errand.wire, reply);
                match self.lanes.done(errand.trip, idempotent) {
                    Done::InTurn => {}
                    Done::OnceMore => {
                        let why = "an earlier call on the same key must be retried first";
                        errand.trip.keep(std::mem::replace(reply, Err(Error::new(Kind::NotSent, why))));
                    }
                    Done::Overtook => overtook.push(*errand),
                }
            }
        }
        overtook
    }
}

/// Sends a request over a dedicated connection.
pub async fn alone(member: &Member, wire: &Wire, asking: bool, deadline: Instant) -> Replies {
    let wires = std::iter::once(wire);
    let replies = member
        .connection
        .submit(encoded(wires.clone().map(|wire| (wire, true)), member, asking).0)
        .replies(deadline)
        .await;
    own_replies(wires, asking, replies)
}

/// Encodes requests, each with whether its script is sent with its source; returns whether the source of any is.
fn encoded<'a>(wires: impl Iterator<Item = (&'a Wire, bool)>, member: &Member, asking: bool) -> (Commands, bool) {
    let (mut commands, mut taught) = (Commands::default(), false);
    for (wire, whole) in wires {
        if asking {
            // Applies to the next command only. Nothing can come between: an exchange is written contiguously.
            commands.push_words(&[b"ASKING"]);
        }
        taught |= command::encode(wire, &member.scripts, whole, &mut commands);
    }
    (commands, taught)
}

/// Reduces the replies to one per request: drops those to ASKING and folds those of a transaction into one.
fn own_replies<'a>(wires: impl Iterator<Item = &'a Wire> + Clone, asking: bool, mut replies: Replies) -> Replies {
    if !asking && wires.clone().all(|wire| command::count(wire) == 1) {
        for reply in &mut replies {
            if matches!(reply, Ok(Reply::Array(_) | Reply::Error(_))) {
                *reply = std::mem::replace(reply, Ok(Reply::Nil)).and_then(Reply::into_result);
            }
        }
        return replies;
    }
    let mut replies = replies.into_iter();
    let one_of = |wire: &Wire| {
        if asking {
            replies.next();
        }
        match command::count(wire) {
            1 => replies.next().unwrap_or_else(|| Err(Error::new(Kind::Internal, "a command has no reply"))),
            count => transaction::fold(replies.by_ref().take(count)),
        }
    };
    wires.map(one_of).collect()
}
