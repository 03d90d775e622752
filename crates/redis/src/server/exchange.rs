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
    key_order::{Done, InFlight, Route, Tracked, WaitReason},
    plan::OutgoingCommand,
    pool::Member,
    resp::Commands,
    retry, transaction,
};

impl Server {
    /// Sends the requests now if possible, otherwise as soon as the order of their keys allows it.
    pub(super) async fn send_ordered(&self, requests: &[Tracked<'_>], asking: bool, deadline: Instant) -> Sent {
        let since = Instant::now();
        if requests.iter().all(|request| !request.tracker.waits())
            && let Ok(turn) = self.turn.try_lock()
            && let Some(member) = self.pool.pick()
            && let Some(in_flight) = self.key_order.enter(member.number, requests)
        {
            return (self.exchange(&member, requests, asking, (since, deadline), turn, in_flight).await, since);
        }
        self.key_order.enqueue(requests, WaitReason::New);
        self.send_queued(requests, asking, deadline).await
    }

    /// Waits until the order of their keys allows it, then sends the queued requests.
    pub(super) async fn send_queued(&self, requests: &[Tracked<'_>], asking: bool, deadline: Instant) -> Sent {
        let group = self.key_order.wait_together(requests);
        // Time spent waiting for other calls does not count as slowness of the server.
        let mut since = Instant::now();
        let until = deadline.min(since + self.settings.connect_wait);
        loop {
            let now = Instant::now();
            if requests.iter().any(|request| request.tracker.is_overtaken() || request.is_late(now, deadline)) {
                return self.without_given_up(requests, asking, deadline).await;
            }
            // An unresponsive connection may recover at any time.
            let mut back = pin!(self.pool.back());
            back.as_mut().enable();
            let route = match self.key_order.route(&group, requests) {
                Route::Wait => None,
                Route::Any => Some(self.connection(until).await),
                // That connection may be unresponsive, ending, or to another server by now.
                Route::Over(number) => match self.pool.member(number) {
                    Some(member) => Some(Ok((self.turn.lock().await, member))),
                    None => None,
                },
            };
            let found = match route {
                Some(found) => found,
                None => {
                    let limit = if self.pool.is_connected() { deadline } else { until };
                    let changed = tokio::select! {
                        changed = group.changed(limit) => changed,
                        () = back => true,
                    };
                    since = Instant::now();
                    if changed || limit < deadline && self.pool.is_connected() {
                        continue;
                    }
                    if limit == deadline {
                        let why = "the deadline passed while it waited for an earlier call on the same key";
                        return (fail_all(requests, &Error::new(Kind::NotSent, why)), since);
                    }
                    self.connection(until).await
                }
            };
            let (turn, member) = match found {
                Ok(found) => found,
                Err(error) => return (fail_all(requests, &error), since),
            };
            if let Some(in_flight) = self.key_order.start(member.number, &group, requests) {
                let times = (Instant::now(), deadline);
                return (self.exchange(&member, requests, asking, times, turn, in_flight).await, since);
            }
        }
    }

    /// Sends the requests that may still be retried and fails the others.
    async fn without_given_up(&self, requests: &[Tracked<'_>], asking: bool, deadline: Instant) -> Sent {
        let now = Instant::now();
        requests
            .iter()
            .filter(|request| request.is_late(now, deadline))
            .for_each(|request| request.tracker.mark_late());
        let (over, rest): (Vec<_>, Vec<_>) = (0..requests.len()).partition(|&at| requests[at].tracker.is_given_up());
        let why = "it was not retried: a later call on the same key has been executed, or too little time is left";
        let mut replies = fail_all(requests, &Error::new(Kind::Unavailable, why));
        over.iter().for_each(|&at| requests[at].tracker.leave());
        let some: Vec<_> = rest.iter().map(|&at| requests[at]).collect();
        if some.is_empty() {
            return (replies, Instant::now());
        }
        let (replies_again, since) = Box::pin(self.send_queued(&some, asking, deadline)).await;
        for (at, reply) in rest.into_iter().zip(replies_again) {
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

    /// Runs one exchange over this connection. `turn` is released once the commands are queued on it; `in_flight` is released once
    /// the outcome of each request is known, so that outcomes are processed in the order of the exchanges.
    async fn exchange(
        &self,
        member: &Member,
        requests: &[Tracked<'_>],
        asking: bool,
        (since, deadline): (Instant, Instant),
        turn: MutexGuard<'_, ()>,
        in_flight: InFlight,
    ) -> Replies {
        let commands = requests.iter().map(|request| request.command);
        let each = requests.iter().map(|request| (request.command, request.tracker.sends_source()));
        let (encoded, sends_source) = encode(each, member, asking);
        let exchange = member.connection.submit_holding(encoded, Some(in_flight));
        let order = member.order.turn();
        drop(turn);
        let Outcome { replies, hold: in_flight, late } = exchange.outcome(deadline).await;
        if !late {
            order.reached().await;
        }
        let mut replies = own_replies(commands, asking, replies);
        let overtook = self.process_outcomes(requests, &mut replies, since);
        if sends_source {
            let executed = requests.iter().zip(&replies).filter(|(_, reply)| reply.is_ok());
            member.scripts.add(executed.filter_map(|(request, _)| command::script(request.command)));
        }
        if requests.iter().zip(&replies).any(|(request, reply)| retry::script_is_missing(request.command, reply)) {
            member.scripts.clear();
        }
        // Replies and errors are returned in order.
        for request in overtook {
            self.key_order.passed(request.tracker, requests[0].tracker.sequence(), deadline).await;
        }
        drop((in_flight, order));
        replies
    }

    /// Requeues requests that may have to be retried, along with later ones executed after them. Returns those that overtook
    /// others.
    fn process_outcomes<'a>(
        &self,
        requests: &[Tracked<'a>],
        replies: &mut Replies,
        since: Instant,
    ) -> Vec<Tracked<'a>> {
        let mut overtook = Vec::new();
        let mut returned = self.key_order.has_returned();
        for (request, reply) in requests.iter().zip(replies) {
            if retry::is_in_doubt(reply) || retry::is_unread(reply) {
                request.tracker.mark_in_doubt();
            }
            // It is sent again even behind later calls on its keys, unless an earlier attempt may have had an effect.
            let due = request.script_is_missing(reply);
            if due || retry::will_be_retried(request.command, reply) {
                if !retry::was_lost(reply) {
                    request.tracker.note_rejected(since.elapsed());
                }
                let turn = if due && !request.tracker.is_in_doubt() { WaitReason::Due } else { WaitReason::Again };
                self.key_order.enqueue(&[*request], turn);
                returned = true;
            } else if returned && retry::was_done(reply) {
                // A rejected request may be executed again, even if it is not idempotent.
                let idempotent = request.command.idempotent() || retry::was_refused(request.command, reply);
                match self.key_order.done(request.tracker, idempotent) {
                    Done::InTurn => {}
                    Done::OnceMore => {
                        let why = "an earlier call on the same key must be retried first";
                        request.tracker.retain_reply(std::mem::replace(reply, Err(Error::new(Kind::NotSent, why))));
                    }
                    Done::Overtook => overtook.push(*request),
                }
            }
        }
        overtook
    }
}

/// Sends a request over a dedicated connection.
pub async fn over_dedicated(member: &Member, command: &OutgoingCommand, asking: bool, deadline: Instant) -> Replies {
    let commands = std::iter::once(command);
    let replies = member
        .connection
        .submit(encode(commands.clone().map(|command| (command, true)), member, asking).0)
        .replies(deadline)
        .await;
    own_replies(commands, asking, replies)
}

/// Encodes requests, each with whether its script is sent with its source; returns whether the source of any is.
fn encode<'a>(
    commands: impl Iterator<Item = (&'a OutgoingCommand, bool)>,
    member: &Member,
    asking: bool,
) -> (Commands, bool) {
    let (mut encoded, mut sends_source) = (Commands::default(), false);
    for (command, with_source) in commands {
        if asking {
            // Applies to the next command only. Nothing can come between: an exchange is written contiguously.
            encoded.push_words(&[b"ASKING"]);
        }
        sends_source |= command::encode(command, &member.scripts, with_source, &mut encoded);
    }
    (encoded, sends_source)
}

/// Reduces the replies to one per request: drops those to ASKING and folds those of a transaction into one.
fn own_replies<'a>(
    commands: impl Iterator<Item = &'a OutgoingCommand> + Clone,
    asking: bool,
    mut replies: Replies,
) -> Replies {
    if !asking && commands.clone().all(|command| command::count(command) == 1) {
        for reply in &mut replies {
            if matches!(reply, Ok(Reply::Array(_) | Reply::Error(_))) {
                *reply = std::mem::replace(reply, Ok(Reply::Nil)).and_then(Reply::into_result);
            }
        }
        return replies;
    }
    let mut replies = replies.into_iter();
    let one_of = |command: &OutgoingCommand| {
        if asking {
            replies.next();
        }
        match command::count(command) {
            1 => replies.next().unwrap_or_else(|| Err(Error::new(Kind::Internal, "a command has no reply"))),
            count if command::is_followed(command) => {
                let done = transaction::fold(replies.by_ref().take(count - 1));
                transaction::append(done, replies.next())
            }
            count => transaction::fold(replies.by_ref().take(count)),
        }
    };
    commands.map(one_of).collect()
}
