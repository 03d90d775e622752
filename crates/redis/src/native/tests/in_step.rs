//! Replies that no longer match the requests.

use super::*;

/// Sends `skip(n)` replies to the n-th command.
async fn serve(mut server: DuplexStream, skip: impl Fn(usize) -> usize) {
    let (mut seen, mut at) = (BytesMut::new(), 0);
    loop {
        let Ok(1..) = server.read_buf(&mut seen).await else { return };
        while let Some(end) = seen.windows(4).position(|four| four == b"END\r") {
            drop(seen.split_to(end + 4));
            at += 1;
            for _ in 0..skip(at) {
                if server.write_all(format!("+{at}\r\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Makes overlapping calls, so that one is always pending, until one fails; returns its replies.
async fn load(connection: &Connection) -> Replies {
    let mut before = connection.submit(commands(&["GET END"]));
    loop {
        let next = connection.submit(commands(&["GET END"]));
        let replies = before.replies(soon()).await;
        if replies[0].is_err() {
            assert!(next.replies(soon()).await[0].is_err());
            return replies;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        before = next;
    }
}

#[tokio::test(start_paused = true)]
async fn are_noticed_under_load_when_one_has_no_reply() {
    let (connection, server) = pair(1 << 16);
    tokio::spawn(serve(server, |at| usize::from(at != 3)));
    load(&connection).await;
    assert!(connection.has_ended());
}

#[tokio::test(start_paused = true)]
async fn are_noticed_when_one_has_two() {
    let (connection, server) = pair(1 << 16);
    tokio::spawn(serve(server, |at| 1 + usize::from(at == 3)));
    let started = Instant::now();
    load(&connection).await;
    assert!(connection.has_ended() && started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_reply_before_its_request_ends_the_connection() {
    // Room for a part of the command.
    let (connection, mut server) = pair(20);
    let call = connection.submit(commands(&["SET b 123456789012345678901234567890"]));
    let mut some = [0; 10];
    server.read_exact(&mut some).await.unwrap();
    server.write_all(b"+OK\r\n").await.unwrap();
    assert_eq!(kinds(&call.replies(soon()).await), [Some(Kind::NotSent)]);
    assert!(connection.ended().await.message().contains("before the request was complete"));
}
