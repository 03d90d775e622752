//! The bytes to and from one server: a stream of any kind, and what was read of it and not yet understood.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::timeout,
};

use super::resp::{Commands, Decoder, LARGEST, LARGEST_OF_OURS};
use crate::{
    error::{Error, Kind, Result},
    runtime::{self, LARGE},
    store::Reply,
};

/// A TCP, TLS or Unix stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What is read at once, unless more is surely coming.
const PORTION: usize = 16 << 10;
/// However much is surely coming: a server may promise and not keep it.
const LARGEST_PORTION: usize = 4 << 20;

/// A server that takes nothing of what it is sent for so long will not take it.
const STUCK: Duration = Duration::from_secs(2);
/// As much is read of what a server says while it is being written to.
const MOST_AHEAD: usize = 4 << 20;

/// One end of a connection to a server. Its errors say why the connection has ended; whose call that costs, and whether that
/// may have been applied, others know.
pub struct Wire {
    stream: Box<dyn Io>,
    buffer: BytesMut,
    decoder: Decoder,
    /// Whether the server has said anything.
    heard: bool,
    /// Whether room was made for a large value, which is not to be kept for ever.
    large: bool,
}

impl Wire {
    pub fn new(stream: impl Io + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: BytesMut::new(),
            decoder: Decoder::new(LARGEST_OF_OURS),
            heard: false,
            large: false,
        }
    }

    /// From now on it carries what callers ask for, of any size.
    pub fn open_up(&mut self) {
        self.decoder.keep(LARGEST);
    }

    /// Whether the server has said anything.
    pub fn heard(&self) -> bool {
        self.heard
    }

    /// Writes commands, one behind the other. Reads meanwhile: a server that has too much to say may not listen until it has
    /// said it.
    ///
    /// # Errors
    /// The end of the connection; also after it has taken nothing for a while.
    pub async fn send(&mut self, commands: Commands) -> Result<()> {
        let (mut bytes, _) = commands.finish();
        loop {
            let some = timeout(STUCK, poll_fn(|context| self.poll_send(context, &mut bytes))).await;
            match some {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let why = format!("the server took nothing of what it was sent within {STUCK:?}");
                    return Err(Error::new(Kind::Unavailable, why));
                }
            }
        }
    }

    /// Writes some of these bytes, or the last of what is held; whether that was all.
    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<bool>> {
        if bytes.is_empty() {
            if let Poll::Ready(flushed) = self.poll_flush(context) {
                return Poll::Ready(flushed.map(|()| true));
            }
        } else if let Poll::Ready(count) = self.poll_write(context, bytes) {
            let count = count?;
            if count == 0 {
                return Poll::Ready(Err(Error::new(Kind::Unavailable, "the connection takes no more bytes")));
            }
            bytes.advance(count);
            return Poll::Ready(Ok(false));
        }
        while self.buffer.len() < MOST_AHEAD {
            match self.poll_fill(context) {
                Poll::Ready(filled) => filled?,
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    /// The next reply, or the server's refusal. Loses nothing when it is dropped.
    pub async fn receive(&mut self) -> Result<Result<Reply>> {
        loop {
            if let Some(read) = self.decode()? {
                return Ok(read);
            }
            poll_fn(|context| self.poll_fill(context)).await?;
        }
    }

    /// One command and its reply.
    ///
    /// # Errors
    /// The server's refusal, or the end of the connection.
    pub async fn ask(&mut self, words: &[&[u8]]) -> Result<Reply> {
        let mut commands = Commands::default();
        commands.push_words(words);
        self.send(commands).await?;
        self.receive().await?
    }

    /// Has the next reply, or what is left of it, passed over as it comes: nobody waits for it.
    pub fn pass_over(&mut self) {
        if self.decoder.pass_over() > LARGE {
            runtime::give_back_soon();
        }
    }

    /// Whether it is in the middle of a reply that it passes over.
    pub fn passes_over(&self) -> bool {
        self.decoder.passes_over()
    }

    /// Whether bytes are here that were not understood yet.
    pub fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next reply among the bytes that are here already.
    pub fn decode(&mut self) -> Result<Option<Result<Reply>>> {
        self.decoder.next(&mut self.buffer).map_err(|malformed| {
            Error::new(Kind::Unavailable, format!("the server sent {malformed}, which is no Redis protocol"))
        })
    }

    /// Reads more bytes.
    pub fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let wanted = self.decoder.wants(&self.buffer);
        if self.large && self.buffer.is_empty() {
            (self.buffer, self.large) = (BytesMut::new(), false);
        }
        if wanted > LARGE {
            self.large = true;
            runtime::give_back_soon();
        }
        self.buffer.reserve(wanted.clamp(PORTION, LARGEST_PORTION));
        match pin!(self.stream.read_buf(&mut self.buffer)).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Error::new(Kind::Unavailable, "the server closed the connection"))),
            Poll::Ready(Ok(_)) => {
                self.heard = true;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(ended(error))),
        }
    }

    /// Writes some of these bytes; answers how many.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes).map_err(ended)
    }

    /// Hands on what was written and is still held, as TLS does.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context).map_err(ended)
    }
}

fn ended(error: std::io::Error) -> Error {
    Error::new(Kind::Unavailable, super::tls::explain(&error).unwrap_or_else(|| error.to_string())).with_source(error)
}
