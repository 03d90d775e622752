//! Why fred is not the default: each test shows what the crate fred does by itself, without what `src/fred/` keeps from it.
//!
//! A test that fails because fred was mended is good news: the default may be looked at again (`crates/redis/README.md`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../core/tests/support/server.rs"]
mod server;

use std::{process::Command, time::Duration};

use fred::{
    prelude::{Builder, Client, ClientLike, Config, Error},
    types::{ClusterHash, CustomCommand, Resp3Frame, RespVersion},
};
use server::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const MENDED: &str =
    "fred was mended: take this trap out of crates/redis/README.md and look at the default driver again";
const THEIRS: &str = "another caller's value";

/// A client that gives up on a command after a second.
async fn connect(port: u16, version: RespVersion) -> Client {
    let mut config = Config::from_url(&format!("redis://127.0.0.1:{port}")).unwrap();
    config.version = version;
    let client = Builder::from_config(config)
        .with_performance_config(|config| config.default_command_timeout = Duration::from_secs(1))
        .build()
        .unwrap();
    client.init().await.unwrap();
    client
}

async fn run(client: &Client, words: &[&str]) -> Result<Resp3Frame, Error> {
    let command = CustomCommand::new(words[0].to_owned(), ClusterHash::FirstKey, false);
    client.custom_raw(command, words[1..].iter().map(|word| (*word).to_owned()).collect()).await
}

/// Whether a caller who sends this gets the value that another one asked for.
async fn takes_the_reply_of_another(client: &Client, words: &[&str]) -> bool {
    let (mine, theirs) = tokio::join!(run(client, words), run(client, &["GET", "victim"]));
    let is_wrong = matches!(&mine, Ok(Resp3Frame::BlobString { data, .. }) if data == THEIRS);
    is_wrong && theirs.is_err()
}

#[tokio::test]
async fn a_reply_shaped_like_a_message_is_dropped_and_the_next_goes_to_its_caller() {
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        let server = Server::start();
        let client = connect(server.port, version.clone()).await;
        run(&client, &["MSET", "a", "message", "b", "x", "c", "y", "victim", THEIRS]).await.unwrap();
        let is_wrong = takes_the_reply_of_another(&client, &["MGET", "a", "b", "c"]).await;
        assert!(is_wrong, "{MENDED} ({version:?}, MGET)");
    }
}

#[tokio::test]
async fn so_is_a_list_that_begins_with_the_name_of_a_subscription() {
    for word in ["subscribe", "unsubscribe", "psubscribe", "punsubscribe", "sunsubscribe", "message", "smessage"] {
        let server = Server::start();
        let client = connect(server.port, RespVersion::RESP2).await;
        run(&client, &["SET", "victim", THEIRS]).await.unwrap();
        run(&client, &["RPUSH", "list", word, "b", "c"]).await.unwrap();
        assert!(takes_the_reply_of_another(&client, &["LRANGE", "list", "0", "-1"]).await, "{MENDED} ({word})");
    }
}

#[tokio::test]
async fn an_array_in_a_reply_shaped_like_a_message_gets_another_element() {
    let server = Server::start();
    let client = connect(server.port, RespVersion::RESP2).await;
    let reply = run(&client, &["EVAL", "return {1, {'message', 'b', 'c'}}", "0"]).await.unwrap();
    let Resp3Frame::Array { data, .. } = reply else { panic!("an array") };
    assert!(matches!(&data[1], Resp3Frame::Push { data, .. } if data.len() == 4), "{MENDED} ({:?})", data[1]);
}

/// The parser recurses as deep as a reply is nested. It runs in a process of its own, which it ends.
#[test]
fn a_deep_reply_overflows_the_stack_and_ends_the_process() {
    const CHILD: &str = "FRED_TRAPS_DEEP_REPLY";
    if std::env::var(CHILD).is_ok() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        return runtime.block_on(async {
            let (port, _) = replying(b"*1\r\n".repeat(20_000)).await;
            let client = connect(port, RespVersion::RESP2).await;
            let _ = tokio::spawn(async move { run(&client, &["GET", "deep"]).await.is_ok() }).await;
        });
    }
    let name = "a_deep_reply_overflows_the_stack_and_ends_the_process";
    let child =
        Command::new(std::env::current_exe().unwrap()).args([name, "--exact"]).env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success() && said.contains("overflowed its stack"), "{MENDED} (deep reply): {said}");
}

/// A server that is ready, and replies to GET with these bytes. Resolves once it does.
async fn replying(bytes: Vec<u8>) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while let Ok(1..) = stream.read_buf(&mut seen).await {
            let text = String::from_utf8_lossy(&seen).into_owned();
            seen.clear();
            for _ in text.matches("PING") {
                stream.write_all(b"+PONG\r\n").await.unwrap();
            }
            // What fred asks for when it connects.
            for _ in 0..text.matches("CLIENT").count() + text.matches("INFO").count() {
                stream.write_all(b"-ERR unknown command\r\n").await.unwrap();
            }
            if text.contains("GET") {
                stream.write_all(&bytes).await.unwrap();
            }
        }
    });
    (port, serving)
}

#[tokio::test]
async fn a_reply_that_no_command_was_sent_for_is_not_noticed() {
    // Two replies to one command: the second one stands for whatever a proxy or a bug left over.
    let (port, _) = replying(b"+mine\r\n+left over\r\n".to_vec()).await;
    let client = connect(port, RespVersion::RESP2).await;
    run(&client, &["GET", "a"]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(run(&client, &["GET", "b"]).await.is_ok(), "{MENDED} (a reply too many ended the connection)");
}

#[tokio::test]
async fn a_reply_of_a_cluster_that_is_down_ends_a_connection_of_one_server() {
    let (port, _) = replying(b"-CLUSTERDOWN Hash slot not served\r\n".to_vec()).await;
    let client = connect(port, RespVersion::RESP2).await;
    let reply = run(&client, &["GET", "a"]).await;
    assert!(!matches!(reply, Ok(Resp3Frame::SimpleError { .. })), "{MENDED} (CLUSTERDOWN is a reply)");
}

#[tokio::test]
async fn an_error_that_is_not_utf8_is_dropped_and_the_next_reply_goes_to_its_caller() {
    let server = Server::start();
    let client = connect(server.port, RespVersion::RESP2).await;
    run(&client, &["SET", "victim", THEIRS]).await.unwrap();
    let raises = ["EVAL", r"return redis.error_reply('MINE \255')", "0"];
    assert!(takes_the_reply_of_another(&client, &raises).await, "{MENDED} (an error that is not UTF-8)");
}
