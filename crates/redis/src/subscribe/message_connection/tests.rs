use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use super::*;
use crate::settings::{Environment, Options};

/// A stream that accepts this many writes.
struct Broken {
    takes: usize,
    writes: Arc<AtomicUsize>,
    /// Whether it fails then, rather than accepting nothing.
    fails: bool,
}

impl AsyncRead for Broken {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.writes.fetch_add(1, Ordering::Relaxed) < self.takes {
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.fails { Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Subscribes to 100 channels over such a stream; returns the number of writes and how long it took.
async fn subscribing(takes: usize, fails: bool) -> (usize, Duration) {
    let writes = Arc::new(AtomicUsize::new(0));
    let stream = Stream::new(Broken { takes, writes: writes.clone(), fails });
    let (registry, (_sender, mut instructions)) = (Registry::default(), mpsc::unbounded_channel());
    let settings = Settings::resolve(Options::default(), &Environment(Default::default())).unwrap().settings;
    let topics = (0..100).map(|n| Topic::Channel(format!("channel {n}").into())).collect();
    let since = Instant::now();
    assert!(
        MessageConnection::new(stream, &registry, None)
            .listen(topics, &mut instructions, &Arc::new(settings))
            .await
            .is_some()
    );
    (writes.load(Ordering::Relaxed), since.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_while_it_subscribes_is_left_at_once() {
    assert_eq!(subscribing(0, true).await, (1, Duration::ZERO));
    assert_eq!(subscribing(10, true).await, (11, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_takes_nothing_is_waited_for_once_and_not_for_each_channel() {
    let (_, took) = subscribing(10, false).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_refused_channel_is_left_if_the_server_may_have_subscribed_it_since() {
    let writes = Arc::new(AtomicUsize::new(0));
    let stream = Stream::new(Broken { takes: usize::MAX, writes: writes.clone(), fails: true });
    let registry = Registry::default();
    let mut connection = MessageConnection::new(stream, &registry, None);
    let topic = || Topic::Channel("channel".into());
    let denied = || Err(Error::from_server("NOPERM no"));
    connection.execute(Instruction::Subscribe(topic())).await.unwrap();
    connection.take(denied()).unwrap();
    connection.execute(Instruction::Refused(topic())).await.unwrap();
    assert_eq!(writes.load(Ordering::Relaxed), 1, "nothing to leave");
    connection.execute(Instruction::Subscribe(topic())).await.unwrap();
    connection.take(denied()).unwrap();
    // Another listener subscribes, and unsubscribes before the server has replied.
    connection.execute(Instruction::Subscribe(topic())).await.unwrap();
    connection.execute(Instruction::Refused(topic())).await.unwrap();
    assert_eq!(writes.load(Ordering::Relaxed), 4, "it may be permitted now");
}

#[tokio::test]
async fn a_connection_that_leaves_a_channel_reports_it_and_delivers_no_more_of_it() {
    let stream = Stream::new(Broken { takes: 1, writes: Arc::default(), fails: true });
    let (registry, heard, left) = (Registry::default(), Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let leaving = |_, departure| {
        assert!(matches!(departure, Departure::Requested));
        left.fetch_add(1, Ordering::Relaxed);
    };
    let mut connection = MessageConnection::new(stream, &registry, Some(&leaving));
    let topic = || Topic::Shard("channel".into());
    let listener = heard.clone();
    let listener = move |_| _ = listener.fetch_add(1, Ordering::Relaxed);
    registry.add(&topic(), 1, Arc::new(listener), oneshot::channel().0);
    connection.execute(Instruction::Subscribe(topic())).await.unwrap();
    connection.take(Ok(Reply::Int(1))).unwrap();
    let message = || Ok(Reply::Array(["smessage", "channel", "text"].map(Reply::text).into()));
    connection.take(message()).unwrap();
    // Although the server cannot be reached.
    connection.execute(Instruction::Leave(topic())).await.unwrap_err();
    connection.take(message()).unwrap();
    assert_eq!((heard.load(Ordering::Relaxed), left.load(Ordering::Relaxed)), (1, 1));
}
