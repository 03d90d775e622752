//! The clients under test, with one interface.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use cinnabar_port::{EventEmitter, Reply, Request, error::Kind};
use cinnabar_redis::{
    Engine,
    settings::{Driver, Environment, Options, Settings},
};

use crate::LIMIT;

/// The clients, in the order of the columns. redis-rs is its `MultiplexedConnection`, and in a cluster its cluster client.
pub const NAMES: [&str; 3] = ["native", "fred", "redis-rs"];

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A string, or `None` for a null reply.
    Value(Option<Bytes>),
    /// An integer.
    Int(i64),
    /// `E_NOT_SENT`: nothing was sent.
    NotSent,
    /// `E_UNAVAILABLE`: nothing was changed.
    Unavailable,
    /// Any other error.
    Failed,
}

#[derive(Clone)]
pub enum Client {
    Cinnabar(Arc<Engine>),
    RedisRs(redis::aio::MultiplexedConnection),
    RedisRsCluster(redis::cluster_async::ClusterConnection),
}

impl Client {
    /// Connects to one server, or to a cluster if there are several ports.
    pub async fn connect(name: &str, ports: &[u16]) -> Result<Self, Box<dyn std::error::Error>> {
        let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let in_cluster = ports.len() > 1;
        match (name, in_cluster) {
            ("redis-rs", false) => {
                let client = redis::Client::open(format!("redis://{}", hosts[0]))?;
                let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(LIMIT));
                Ok(Self::RedisRs(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
            ("redis-rs", true) => {
                let nodes = hosts.iter().map(|host| format!("redis://{host}"));
                let client = redis::cluster::ClusterClient::builder(nodes)
                    .connection_timeout(LIMIT)
                    .response_timeout(LIMIT)
                    .build()?;
                Ok(Self::RedisRsCluster(client.get_async_connection().await?))
            }
            _ => {
                let scheme = if in_cluster { "redis-cluster" } else { "redis" };
                let options = Options {
                    url: Some(format!("{scheme}://{}", hosts.join(","))),
                    driver: Some(if name == "fred" { Driver::Fred } else { Driver::Native }),
                    pool_size: Some(1),
                    timeout: Some(LIMIT),
                    ..Options::default()
                };
                let settings = Settings::resolve(options, &Environment(HashMap::new()))?.settings;
                let engine = Engine::new(&settings, Arc::new(EventEmitter::default()))?;
                engine.connect().await?;
                Ok(Self::Cinnabar(Arc::new(engine)))
            }
        }
    }

    pub async fn get(&self, key: Bytes) -> Outcome {
        self.run("GET", &[key]).await
    }

    /// Runs a command on a key, its first argument. Only a `GET` may be sent again after a lost connection.
    pub async fn run(&self, name: &'static str, args: &[Bytes]) -> Outcome {
        match self {
            Self::Cinnabar(engine) => {
                let mut request = Request::with_keys(name, args.iter().cloned().collect(), 1);
                if name == "GET" {
                    request = request.reads();
                }
                let deadline = tokio::time::Instant::now() + LIMIT;
                match engine.execute(vec![request], deadline).await.pop() {
                    Some(Ok(Reply::Bulk(value))) => Outcome::Value(Some(value)),
                    Some(Ok(Reply::Nil)) => Outcome::Value(None),
                    Some(Ok(Reply::Int(number))) => Outcome::Int(number),
                    Some(Err(error)) if error.kind == Kind::NotSent => Outcome::NotSent,
                    Some(Err(error)) if error.kind == Kind::Unavailable => Outcome::Unavailable,
                    _ => Outcome::Failed,
                }
            }
            Self::RedisRs(connection) => of_redis_rs(command(name, args).query_async(&mut connection.clone()).await),
            Self::RedisRsCluster(connection) => {
                of_redis_rs(command(name, args).query_async(&mut connection.clone()).await)
            }
        }
    }
}

fn command(name: &str, args: &[Bytes]) -> redis::Cmd {
    let mut command = redis::cmd(name);
    for arg in args {
        command.arg(&arg[..]);
    }
    command
}

fn of_redis_rs(reply: redis::RedisResult<redis::Value>) -> Outcome {
    match reply {
        Ok(redis::Value::BulkString(value)) => Outcome::Value(Some(value.into())),
        Ok(redis::Value::Nil) => Outcome::Value(None),
        Ok(redis::Value::Okay) => Outcome::Value(Some(Bytes::from_static(b"OK"))),
        Ok(redis::Value::Int(number)) => Outcome::Int(number),
        _ => Outcome::Failed,
    }
}
