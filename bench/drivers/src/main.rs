//! The native driver, fred and redis-rs under the same load in one run: `cargo run --release` in this folder.
//!
//! Each caller writes a value of its own and reads it back, so a reply that belongs to another caller is seen. Speed is measured
//! against a server; faults against a proxy before it.

mod fault;

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use cinnabar_port::{EventEmitter, Reply, Request, error::Kind};
use cinnabar_redis::{
    Engine,
    settings::{Driver, Environment, Options, Settings},
};
use fault::{Fault, Proxy};
use tokio::{net::TcpStream, time::sleep};

/// The deadline of each call.
const LIMIT: Duration = Duration::from_secs(2);
/// How long each load is measured. `BENCH_SECONDS` overrides it.
const SECONDS: u64 = 3;

/// How a call ended.
#[derive(Debug)]
enum Ended {
    Value(Option<Bytes>),
    /// It says that nothing was sent.
    NotSent,
    Failed,
}

#[derive(Clone)]
enum Client {
    Cinnabar(Arc<Engine>),
    RedisRs(redis::aio::MultiplexedConnection),
}

const NAMES: [&str; 3] = ["native", "fred", "redis-rs"];

impl Client {
    async fn connect(name: &str, port: u16) -> Option<Self> {
        if name == "redis-rs" {
            let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).ok()?;
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(LIMIT));
            return client.get_multiplexed_async_connection_with_config(&config).await.ok().map(Self::RedisRs);
        }
        let options = Options {
            url: Some(format!("redis://127.0.0.1:{port}")),
            driver: Some(if name == "fred" { Driver::Fred } else { Driver::Native }),
            pool_size: Some(1),
            timeout: Some(LIMIT),
            ..Options::default()
        };
        let settings = Settings::resolve(options, &Environment(HashMap::new())).ok()?.settings;
        let engine = Engine::new(&settings, Arc::new(EventEmitter::default())).ok()?;
        engine.connect().await.ok()?;
        Some(Self::Cinnabar(Arc::new(engine)))
    }

    async fn run(&self, name: &'static str, args: &[Bytes]) -> Ended {
        match self {
            Self::Cinnabar(engine) => {
                let request = Request::with_keys(name, args.iter().cloned().collect(), 1);
                let deadline = tokio::time::Instant::now() + LIMIT;
                match engine.execute(vec![request], deadline).await.pop() {
                    Some(Ok(Reply::Bulk(value))) => Ended::Value(Some(value)),
                    Some(Ok(_)) => Ended::Value(None),
                    Some(Err(error)) if matches!(error.kind, Kind::NotSent | Kind::Unavailable) => Ended::NotSent,
                    _ => Ended::Failed,
                }
            }
            Self::RedisRs(connection) => {
                let mut command = redis::cmd(name);
                for arg in args {
                    command.arg(&arg[..]);
                }
                match command.query_async::<Option<Vec<u8>>>(&mut connection.clone()).await {
                    Ok(value) => Ended::Value(value.map(Bytes::from)),
                    Err(_) => Ended::Failed,
                }
            }
        }
    }
}

/// Writes and reads one key until it is stopped; returns calls, wrong replies, failures and calls said not to be sent.
async fn call(client: Client, key: usize, stop: Arc<AtomicBool>) -> [u64; 4] {
    let key = Bytes::from(format!("key:{key}"));
    let [mut done, mut wrong, mut failed, mut not_sent] = [0; 4];
    while !stop.load(Ordering::Relaxed) {
        let _ = client.run("SET", &[key.clone(), key.clone()]).await;
        match client.run("GET", &[key.clone()]).await {
            Ended::Value(value) => {
                done += 2;
                wrong += u64::from(value.is_some_and(|value| value != key));
            }
            Ended::NotSent => not_sent += 1,
            Ended::Failed => failed += 1,
        }
        tokio::task::yield_now().await;
    }
    [done, wrong, failed, not_sent]
}

/// The totals of so many callers, and how many had not ended five seconds after their deadlines.
async fn load(client: &Client, callers: usize, during: impl Future<Output = ()>) -> ([u64; 4], usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..callers).map(|key| tokio::spawn(call(client.clone(), key, stop.clone()))).collect();
    during.await;
    stop.store(true, Ordering::Relaxed);
    let until = tokio::time::Instant::now() + 2 * LIMIT + Duration::from_secs(5);
    let (mut totals, mut unsettled) = ([0; 4], 0);
    for task in tasks {
        match tokio::time::timeout_at(until, task).await {
            Ok(Ok(one)) => totals.iter_mut().zip(one).for_each(|(total, one)| *total += one),
            _ => unsettled += 1,
        }
    }
    (totals, unsettled)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    let (mut server, port) = start_server().await?;
    println!("| calls a second, by callers | {} |\n| --- | --- | --- | --- |", NAMES.join(" | "));
    for callers in [1, 64, 512] {
        let mut cells = Vec::new();
        for name in NAMES {
            let client = Client::connect(name, port).await.ok_or("no connection")?;
            let since = Instant::now();
            let ([done, ..], _) = load(&client, callers, sleep(Duration::from_secs(seconds))).await;
            cells.push(format!("{:.0}", done as f64 / since.elapsed().as_secs_f64()));
        }
        println!("| {callers} | {} |", cells.join(" | "));
    }
    println!("\n| fault: wrong, unsettled, failed, not sent | {} |\n| --- | --- | --- | --- |", NAMES.join(" | "));
    for fault in [Fault::Kill, Fault::Silence, Fault::Garbage, Fault::Extra] {
        let mut cells = Vec::new();
        for name in NAMES {
            let proxy = Proxy::start(port).await?;
            let client = Client::connect(name, proxy.port).await.ok_or("no connection")?;
            let ([_, wrong, failed, not_sent], unsettled) = load(&client, 64, async {
                sleep(Duration::from_millis(500)).await;
                proxy.inject(fault);
                sleep(Duration::from_millis(1500)).await;
                proxy.heal();
                sleep(Duration::from_secs(1)).await;
            })
            .await;
            cells.push(format!("{wrong}, {unsettled}, {failed}, {not_sent}"));
        }
        println!("| {fault:?} | {} |", cells.join(" | "));
    }
    server.kill().await?;
    Ok(())
}

async fn start_server() -> Result<(tokio::process::Child, u16), Box<dyn std::error::Error>> {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let server = tokio::process::Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok((server, port));
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err("redis-server does not start".into())
}
