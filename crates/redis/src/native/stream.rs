//! A stream to one server with its read buffer and reply decoder.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
    runtime::{self, LARGE},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::timeout,
};

use crate::resp::{Commands, Decoder, LARGEST, LARGEST_OF_OURS};

/// A TCP, TLS or Unix stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How much is read at once, unless a larger reply is known to follow.
const PORTION: usize = 16 << 10;
/// The most that is reserved at once: the server may announce more than it sends.
const LARGEST_PORTION: usize = 4 << 20;

/// A server that accepts no bytes for this long is considered stuck.
const STUCK: Duration = Duration::from_secs(2);
/// The most that is read from a server while writing to it.
const MOST_AHEAD: usize = 4 << 20;

/// One end of a connection to a server. Its errors say why the connection ended; which calls are affected, and whether they may
/// have been applied, is tracked elsewhere.
pub struct Stream {
    stream: Box<dyn Io>,
    buffer: BytesMut,
    decoder: Decoder,
    /// Whether the server has said anything.
    received: bool,
    /// Whether the buffer was enlarged for a large value and must be freed later.
    large: bool,
}

impl Stream {
    pub fn new(stream: impl Io + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: BytesMut::new(),
            decoder: Decoder::new(LARGEST_OF_OURS),
            received: false,
            large: false,
        }
    }

    /// Allows the larger replies that callers may request.
    pub fn allow_large_replies(&mut self) {
        self.decoder.set_limit(LARGEST);
    }

    /// Accepts what a server pushes with RESP3.
    pub fn accept_pushes(&mut self) {
        self.decoder.accept_pushes();
    }

    /// Whether the server has said anything.
    pub fn has_received(&self) -> bool {
        self.received
    }

    /// Writes commands, and reads meanwhile: a server whose output buffer is full may not read until it is drained.
    ///
    /// # Errors
    /// The end of the connection, including when the server has accepted no bytes for a while.
    pub async fn send(&mut self, commands: Commands) -> Result<()> {
        let (mut bytes, _) = commands.finish();
        loop {
            let some = timeout(STUCK, poll_fn(|context| self.poll_send(context, &mut bytes))).await;
            match some {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let why = format!("the server accepted no data within {STUCK:?}");
                    return Err(Error::new(Kind::Unavailable, why));
                }
            }
        }
    }

    /// Writes some of these bytes, or flushes; returns whether everything was written.
    fn poll_send(&mut self, context: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<bool>> {
        if bytes.is_empty() {
            if let Poll::Ready(flushed) = self.poll_flush(context) {
                return Poll::Ready(flushed.map(|()| true));
            }
        } else if let Poll::Ready(count) = self.poll_write(context, bytes) {
            let count = count?;
            if count == 0 {
                return Poll::Ready(Err(Error::new(Kind::Unavailable, "the connection accepts no more bytes")));
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

    /// The next reply or error reply of the server. Cancel-safe.
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
    /// The server's error reply, or the end of the connection.
    pub async fn request(&mut self, words: &[&[u8]]) -> Result<Reply> {
        let mut commands = Commands::default();
        commands.push_words(words);
        self.send(commands).await?;
        self.receive().await?
    }

    /// Skips the next reply, or the rest of the current one, as it arrives.
    pub fn skip_reply(&mut self) {
        if self.decoder.pass_over() > LARGE {
            runtime::trim_memory_soon();
        }
    }

    /// Whether it is in the middle of a skipped reply.
    pub fn is_skipping(&self) -> bool {
        self.decoder.passes_over()
    }

    /// Whether the buffer contains bytes that were not decoded yet.
    pub fn has_unread(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next reply in the buffer, if it is complete.
    pub fn decode(&mut self) -> Result<Option<Result<Reply>>> {
        self.decoder.next(&mut self.buffer).map_err(|malformed| {
            Error::new(Kind::Unavailable, format!("the server sent {malformed}, which is not valid Redis protocol"))
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
            runtime::trim_memory_soon();
        }
        self.buffer.reserve(wanted.clamp(PORTION, LARGEST_PORTION));
        match pin!(self.stream.read_buf(&mut self.buffer)).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Error::new(Kind::Unavailable, "the server closed the connection"))),
            Poll::Ready(Ok(_)) => {
                self.received = true;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(ended(error))),
        }
    }

    /// Writes some of these bytes; returns how many.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes).map_err(ended)
    }

    /// Flushes buffered output, as TLS requires.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context).map_err(ended)
    }
}

fn ended(error: std::io::Error) -> Error {
    Error::new(Kind::Unavailable, crate::tls::explain(&error).unwrap_or_else(|| error.to_string())).with_source(error)
}
