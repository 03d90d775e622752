//! One connection over which a server pushes the names of changed keys, with RESP3.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use cinnabar_port::{
    KeyChange, Reply,
    error::{Error, Kind, Result},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use super::{Confirmation, Target, Watcher, complete, coverage::Node};
use crate::{endpoint::Endpoint, login, native::stream::Stream, pool, resp::Commands};

/// Callers that wait for a confirmation.
pub type Requests = mpsc::UnboundedReceiver<Confirmation>;

/// A connection that receives pushes.
pub struct PushConnection {
    stream: Stream,
    /// The probes without a reply.
    pending: VecDeque<Probe>,
}

struct Probe {
    sent_at: Instant,
    waiting: Vec<Confirmation>,
}

impl PushConnection {
    /// Connects. All changes from then on are pushed.
    pub async fn open(watcher: &Watcher, target: &Target) -> Result<(Endpoint, Self)> {
        let (endpoint, link) = target.source.dial(&watcher.dialler).await?;
        let mut stream = link.into_stream()?;
        stream.accept_pushes();
        let limit = watcher.settings.connect_timeout;
        timeout(limit, track(&mut stream, &watcher.prefix)).await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unavailable, format!("{endpoint} did not begin to push changes within {limit:?}")))
        })?;
        Ok((endpoint, Self { stream, pending: VecDeque::new() }))
    }

    /// Reports changes until the connection ends, or the server does not reply.
    pub async fn listen(&mut self, watcher: &Watcher, target: &Target, node: &Node, requests: &mut Requests) {
        let patience = pool::unresponsive_after(&watcher.settings);
        let mut probe_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                reply = self.stream.receive() => {
                    if reply.and_then(|reply| self.take_all(reply, target, node)).is_err() {
                        return;
                    }
                }
                confirmation = requests.recv() => {
                    let Some(first) = confirmation else { return };
                    let mut waiting = vec![first];
                    while let Ok(more) = requests.try_recv() {
                        waiting.push(more);
                    }
                    if self.probe(target, waiting).await.is_err() {
                        return;
                    }
                }
                () = sleep_until(probe_at) => {
                    probe_at = Instant::now() + watcher.interval;
                    if self.is_overdue(patience) || self.probe(target, Vec::new()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn is_overdue(&self, patience: Duration) -> bool {
        self.pending.front().is_some_and(|oldest| oldest.sent_at.elapsed() > patience)
    }

    async fn probe(&mut self, target: &Target, waiting: Vec<Confirmation>) -> Result<()> {
        let mut commands = Commands::default();
        commands.push(&[], target.probe.len(), target.probe.iter());
        self.pending.push_back(Probe { sent_at: Instant::now(), waiting });
        self.stream.send(commands).await
    }

    /// Handles this reply and all others that have arrived with it. Only then are changes known up to the probes among them: a server may
    /// write the reply to a probe before a push that it had already begun.
    fn take_all(&mut self, first: Result<Reply>, target: &Target, node: &Node) -> Result<()> {
        let (mut next, mut replied) = (Some(first), Vec::new());
        while let Some(reply) = next {
            replied.extend(self.take(reply, target, node)?);
            next = self.stream.decode()?;
        }
        for Probe { sent_at, waiting } in replied {
            node.up_to(sent_at.into_std());
            waiting.into_iter().for_each(complete);
        }
        Ok(())
    }

    /// Handles a push; returns the probe to which this is the reply otherwise.
    fn take(&mut self, reply: Result<Reply>, target: &Target, node: &Node) -> Result<Option<Probe>> {
        match reply {
            Ok(Reply::Array(parts)) => match parts.first() {
                Some(Reply::Bulk(role)) if &role[..] == b"master" => self.replied(),
                Some(Reply::Bulk(role)) if &role[..] == b"slave" => {
                    Err(Error::new(Kind::Unavailable, "the server is a replica now"))
                }
                _ => {
                    node.changed(invalidated(parts));
                    Ok(None)
                }
            },
            Err(error) if !(target.allows_denial() && login::proves_server_is_up(&error)) => {
                if error.is_denied() {
                    node.refused(error.clone());
                }
                Err(error)
            }
            _ => self.replied(),
        }
    }

    fn replied(&mut self) -> Result<Option<Probe>> {
        let unexpected = || Error::new(Kind::Unavailable, "the server sent a reply that was not requested");
        self.pending.pop_front().map(Some).ok_or_else(unexpected)
    }
}

async fn track(stream: &mut Stream, prefix: &Bytes) -> Result<()> {
    stream.request(&[b"HELLO", b"3"]).await?;
    let track: [&[u8]; 6] = [b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", prefix];
    // Without a prefix, all keys are pushed.
    let words = if prefix.is_empty() { &track[..4] } else { &track[..] };
    stream.request(words).await.map(drop)
}

/// Reads a push: `["invalidate", keys]`, with null for all keys.
fn invalidated(push: Vec<Reply>) -> KeyChange {
    let mut parts = push.into_iter();
    match (parts.next(), parts.next()) {
        (Some(Reply::Bulk(kind)), Some(Reply::Array(keys))) if &kind[..] == b"invalidate" => {
            let keys = keys.into_iter().filter_map(|key| key.bulk().ok().flatten());
            KeyChange::Keys(keys.collect())
        }
        _ => KeyChange::Any,
    }
}
