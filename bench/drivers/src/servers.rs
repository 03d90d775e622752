//! One server, or a cluster of two nodes, and slots that move between the two.

use std::{collections::HashMap, env, error::Error, fs, path::PathBuf, process::Stdio, time::Duration};

use redis::aio::MultiplexedConnection;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Slots below it are on the first node of a new cluster.
const HALF: u16 = 8192;

/// Keys of a moving slot are moved so many at a time, with `PAUSE` between.
const KEYS: usize = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// A server, or the nodes of a cluster.
pub struct Servers {
    pub ports: Vec<u16>,
    nodes: Vec<MultiplexedConnection>,
    /// The node that the slots of the first half are on.
    owner: usize,
    processes: Vec<Child>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (process, port) in self.processes.iter_mut().zip(&self.ports) {
            let _ = process.start_kill();
            let _ = fs::remove_file(config_file(*port));
        }
    }
}

impl Servers {
    pub async fn one() -> Result<Self> {
        let port = free_port().await?;
        let process = start(port, &[]).await?;
        Ok(Self { ports: vec![port], nodes: vec![admin(port).await?], owner: 0, processes: vec![process] })
    }

    /// Starts two nodes. If there are announced ports, clients are redirected to these.
    pub async fn cluster(ports: [u16; 2], announced: Option<[u16; 2]>) -> Result<Self> {
        let (mut processes, mut nodes, mut buses) = (Vec::new(), Vec::new(), Vec::new());
        for (index, port) in ports.into_iter().enumerate() {
            let bus = free_port().await?.to_string();
            let announced = announced.map_or(port, |announced| announced[index]).to_string();
            let config = config_file(port);
            let options = [
                "--cluster-enabled",
                "yes",
                "--cluster-config-file",
                &config.to_string_lossy(),
                "--cluster-port",
                &bus,
                "--cluster-announce-bus-port",
                &bus,
                "--cluster-announce-port",
                &announced,
            ];
            processes.push(start(port, &options).await?);
            nodes.push(admin(port).await?);
            buses.push(bus);
        }
        for (index, node) in nodes.iter_mut().enumerate() {
            let (first, last) = if index == 0 { (0, HALF - 1) } else { (HALF, 16383) };
            ask::<()>(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1)).await?;
            ask::<()>(node, &format!("CLUSTER ADDSLOTSRANGE {first} {last}")).await?;
        }
        ask::<()>(&mut nodes[0], &format!("CLUSTER MEET 127.0.0.1 {} {}", ports[1], buses[1])).await?;
        for node in &mut nodes {
            for attempt in 0.. {
                let info: String = ask(node, "CLUSTER INFO").await?;
                if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2") {
                    break;
                }
                if attempt == 1000 {
                    return Err("the nodes of the cluster do not meet".into());
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(Self { ports: ports.into(), nodes, owner: 0, processes })
    }

    /// Moves the slots of those of these keys that are in the first half to the other node, while it is in use.
    pub async fn move_slots(&mut self, keys: &[String]) -> Result<()> {
        let (from, to) = (self.owner, 1 - self.owner);
        let from_id: String = ask(&mut self.nodes[from], "CLUSTER MYID").await?;
        let to_id: String = ask(&mut self.nodes[to], "CLUSTER MYID").await?;
        let mut slots = Vec::new();
        for key in keys {
            let slot: u16 = ask(&mut self.nodes[from], &format!("CLUSTER KEYSLOT {key}")).await?;
            if slot < HALF {
                slots.push(slot);
            }
        }
        // All begin to move before the first key moves: from then on new keys are created at the new owner, so this ends.
        for slot in &slots {
            ask::<()>(&mut self.nodes[to], &format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")).await?;
            ask::<()>(&mut self.nodes[from], &format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")).await?;
        }
        for slot in slots {
            loop {
                let names: Vec<String> =
                    ask(&mut self.nodes[from], &format!("CLUSTER GETKEYSINSLOT {slot} {KEYS}")).await?;
                if names.is_empty() {
                    break;
                }
                let migrate = format!("MIGRATE 127.0.0.1 {} {{}} 0 5000 KEYS {}", self.ports[to], names.join(" "));
                ask::<()>(&mut self.nodes[from], &migrate).await?;
                sleep(PAUSE).await;
            }
            // The new owner first: else no node has the slot for a moment.
            for node in [to, from] {
                ask::<()>(&mut self.nodes[node], &format!("CLUSTER SETSLOT {slot} NODE {to_id}")).await?;
            }
        }
        self.owner = to;
        Ok(())
    }

    /// Reads every key.
    pub async fn contents(&mut self) -> Result<HashMap<Vec<u8>, Vec<u8>>> {
        let mut contents = HashMap::new();
        for node in &mut self.nodes {
            let keys: Vec<Vec<u8>> = ask(node, "KEYS *").await?;
            for keys in keys.chunks(1000) {
                let mut pipeline = redis::pipe();
                for key in keys {
                    pipeline.cmd("GET").arg(key);
                }
                let values: Vec<Vec<u8>> = pipeline.query_async(node).await?;
                contents.extend(keys.iter().cloned().zip(values));
            }
        }
        Ok(contents)
    }

    pub async fn empty(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            ask::<()>(node, "FLUSHALL").await?;
        }
        Ok(())
    }
}

/// Runs a command without spaces in its arguments; `{}` is an empty one.
async fn ask<T: redis::FromRedisValue>(node: &mut MultiplexedConnection, words: &str) -> Result<T> {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap_or_default());
    for word in words {
        command.arg(if word == "{}" { "" } else { word });
    }
    Ok(command.query_async(node).await?)
}

async fn admin(port: u16) -> Result<MultiplexedConnection> {
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Where a node of a cluster keeps what it knows of the cluster.
fn config_file(port: u16) -> PathBuf {
    env::temp_dir().join(format!("cinnabar-bench-{}-{port}.conf", std::process::id()))
}

pub async fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}

async fn start(port: u16, options: &[&str]) -> Result<Child> {
    let process = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
        .args(options)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok(process);
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err("redis-server does not start".into())
}
