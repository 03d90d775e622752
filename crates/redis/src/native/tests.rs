use bytes::BytesMut;
use cinnabar_port::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

mod in_step;

const LONG: Duration = Duration::from_secs(60);

/// A connection, and the server's end of it.
fn pair(room: usize) -> (Connection, DuplexStream) {
    let (ours, theirs) = duplex(room);
    (start(Stream::new(ours), LONG), theirs)
}

fn commands(all: &[&str]) -> Commands {
    let mut commands = Commands::default();
    for command in all {
        commands.push_words(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>());
    }
    commands
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn kinds(replies: &Replies) -> Vec<Option<Kind>> {
    replies.iter().map(|reply| reply.as_ref().err().map(|error| error.kind)).collect()
}

async fn read(stream: &mut DuplexStream, until: &[u8]) -> BytesMut {
    let mut seen = BytesMut::new();
    while !seen.ends_with(until) {
        stream.read_buf(&mut seen).await.unwrap();
    }
    seen
}

#[tokio::test]
async fn replies_are_matched_to_requests_in_order() {
    let (connection, mut server) = pair(1 << 16);
    let one = connection.submit(commands(&["GET a", "GET b"]));
    let two = connection.submit(commands(&["GET c"]));
    assert_eq!(connection.pending(), 3);
    read(&mut server, b"c\r\n").await;
    server.write_all(b"$1\r\nA\r\n-ERR no\r\n").await.unwrap();
    let replies = one.replies(soon()).await;
    assert_eq!(replies[0].as_ref().unwrap(), &Reply::text("A"));
    assert_eq!(replies[1].as_ref().unwrap_err().message(), "ERR no");
    server.write_all(b":3\r\n").await.unwrap();
    assert_eq!(two.replies(soon()).await[0].as_ref().unwrap(), &Reply::Int(3));
    assert_eq!(connection.pending(), 0);
}

#[tokio::test]
async fn only_commands_that_were_sent_completely_may_be_applied() {
    // Room for the first command and part of the second.
    let (connection, mut server) = pair(40);
    let first = connection.submit(commands(&["GET a", "SET b 123456789012345678901234567890"]));
    let second = connection.submit(commands(&["GET c"]));
    let mut some = [0; 10];
    server.read_exact(&mut some).await.unwrap();
    drop(server);
    assert_eq!(kinds(&first.replies(soon()).await), [Some(Kind::MaybeApplied), Some(Kind::NotSent)]);
    assert_eq!(kinds(&second.replies(soon()).await), [Some(Kind::NotSent)]);
    assert!(connection.has_ended());
    assert_eq!(kinds(&connection.submit(commands(&["GET d"])).replies(soon()).await), [Some(Kind::NotSent)]);
}

#[tokio::test]
async fn a_reply_that_arrived_before_the_end_is_returned() {
    let (connection, mut server) = pair(1 << 16);
    let both = connection.submit(commands(&["INCR a", "INCR b"]));
    read(&mut server, b"b\r\n").await;
    server.write_all(b":1\r\n:").await.unwrap();
    drop(server);
    assert_eq!(kinds(&both.replies(soon()).await), [None, Some(Kind::MaybeApplied)]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_distinguishes_sent_from_unsent_commands() {
    let (connection, mut server) = pair(100);
    let sent = connection.submit(commands(&["GET a"]));
    let large = "x".repeat(100_000);
    let stuck = connection.submit(commands(&[&format!("SET b {large}")]));
    let unsent = connection.submit(commands(&["GET c"]));
    let at = Instant::now() + Duration::from_millis(100);
    let (sent, stuck, unsent) = tokio::join!(sent.replies(at), stuck.replies(at), unsent.replies(at));
    assert_eq!(kinds(&sent), [Some(Kind::Timeout)]);
    assert_eq!(kinds(&stuck), [Some(Kind::Timeout)], "partly written, so it cannot be withdrawn");
    assert_eq!(kinds(&unsent), [Some(Kind::NotSent)]);
    // Withdrawn commands are never written; late replies are dropped.
    let next = connection.submit(commands(&["GET d"]));
    let seen = read(&mut server, b"d\r\n").await;
    assert!(!seen.windows(7).any(|words| words == b"$1\r\nc\r\n"), "withdrawn");
    server.write_all(b"+late\r\n+late\r\n+mine\r\n").await.unwrap();
    assert_eq!(next.replies(soon()).await[0].as_ref().unwrap(), &Reply::text("mine"));
}

#[tokio::test]
async fn dropping_an_exchange_withdraws_unsent_commands() {
    let (connection, mut server) = pair(64);
    let large = "x".repeat(1000);
    let first = connection.submit(commands(&[&format!("SET a {large}")]));
    tokio::task::yield_now().await;
    drop(connection.submit(commands(&["GET b"])));
    assert_eq!(connection.pending(), 1);
    let third = connection.submit(commands(&["GET c"]));
    let seen = read(&mut server, b"c\r\n").await;
    assert!(!seen.windows(7).any(|words| words == b"$1\r\nb\r\n"));
    server.write_all(b"+OK\r\n+C\r\n").await.unwrap();
    assert!(first.replies(soon()).await[0].is_ok());
    assert_eq!(third.replies(soon()).await[0].as_ref().unwrap(), &Reply::text("C"));
}

#[tokio::test]
async fn invalid_data_ends_it_after_the_valid_replies() {
    for invalid in ["hello\r\n", "*2000000000\r\n", "+one\r\n+two too many\r\n"] {
        let (connection, mut server) = pair(1 << 20);
        let both = connection.submit(commands(&["GET a"]));
        let after = connection.submit(commands(&["GET b"]));
        read(&mut server, b"b\r\n").await;
        server.write_all(format!("+A\r\n{invalid}").as_bytes()).await.unwrap();
        assert_eq!(both.replies(soon()).await[0].as_ref().unwrap(), &Reply::text("A"));
        let succeeded = after.replies(soon()).await[0].is_ok();
        assert_eq!(succeeded, invalid.contains("one"), "{invalid}");
        connection.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_measured_from_the_complete_request() {
    let (connection, mut server) = pair(64);
    assert_eq!(connection.silence(), Duration::ZERO);
    let large = "x".repeat(300);
    let slow = connection.submit(commands(&[&format!("SET a {large}")]));
    // A slow reader is not silent.
    let mut taken = [0; 64];
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.read_exact(&mut taken).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(connection.silence() < Duration::from_secs(1), "{:?}", connection.silence());
    }
    read(&mut server, b"x\r\n").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(connection.silence() >= Duration::from_secs(3), "{:?}", connection.silence());
    server.write_all(b"+OK\r\n").await.unwrap();
    slow.replies(soon()).await;
    assert_eq!(connection.silence(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_reply_counts_as_silence_until_it_ends() {
    let (connection, mut server) = pair(1 << 16);
    let large = connection.submit(commands(&["GET large"]));
    read(&mut server, b"large\r\n").await;
    server.write_all(b"$700000000\r\n").await.unwrap();
    for _ in 0..7 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.write_all(&[b'x'; 100]).await.unwrap();
    }
    assert!(connection.silence() >= Duration::from_secs(2), "{:?}", connection.silence());
    let rest = tokio::spawn(async move {
        server.write_all(&vec![b'x'; 700_000_000 - 700]).await.unwrap();
        server.write_all(b"\r\n").await.unwrap();
        server
    });
    assert_eq!(large.replies(soon()).await[0].as_ref().unwrap_err().kind, Kind::Unsupported);
    assert_eq!(connection.silence(), Duration::ZERO);
    drop(rest.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_sends_pings() {
    let (connection, mut server) = pair(64);
    let before = Instant::now();
    assert_eq!(&read(&mut server, b"PING\r\n").await[..], b"*1\r\n$4\r\nPING\r\n");
    assert!(before.elapsed() >= LONG && before.elapsed() < LONG + Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(connection.silence() >= Duration::from_secs(2), "a PING has a pending reply too");
    server.write_all(b"+PONG\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(connection.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn its_own_pings_do_not_count_as_use() {
    let (ours, mut server) = duplex(1 << 16);
    let connection = start(Stream::new(ours), Duration::from_secs(10));
    for _ in 0..6 {
        read(&mut server, b"PING\r\n").await;
        server.write_all(b"+PONG\r\n").await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(connection.unused() >= LONG, "{:?}", connection.unused());
    let exchange = connection.submit(commands(&["GET a"]));
    assert_eq!(connection.unused(), Duration::ZERO);
    read(&mut server, b"a\r\n").await;
    server.write_all(b":1\r\n").await.unwrap();
    assert!(exchange.replies(soon()).await[0].is_ok());
    assert!(connection.unused() < Duration::from_secs(1));
}
