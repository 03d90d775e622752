//! The native driver, fred and redis-rs under the same load in one run: `npm run bench:drivers`.
//!
//! Speed is measured against a server and against a cluster of two nodes; faults against proxies before them. `BENCH_SECONDS` and
//! `BENCH_ROUNDS` make a shorter run, which is not the latest result.

mod client;
mod fault;
mod load;
mod report;
mod servers;

use std::{
    env,
    time::{Duration, Instant},
};

use bytes::Bytes;
use client::{Client, NAMES};
use fault::{Fault, Proxy};
use load::{Counts, TAGS, Writes};
use report::Report;
use servers::{Result, Servers, free_port};
use tokio::time::sleep;

/// The deadline of each call.
const LIMIT: Duration = Duration::from_secs(2);
/// How long each load is measured.
const SECONDS: u64 = 2;
/// How often each speed is measured.
const ROUNDS: usize = 3;
const CALLERS: [usize; 3] = [1, 64, 512];
const FAULTY_CALLERS: usize = 64;

/// The faults, in the order of the rows. `None` is a move of slots, which needs a cluster and no proxy.
const FAULTS: [(&str, Option<Fault>); 6] = [
    ("kill", Some(Fault::Kill)),
    ("silence", Some(Fault::Silence)),
    ("garbage", Some(Fault::Garbage)),
    ("extra reply", Some(Fault::Extra)),
    ("stall", Some(Fault::Stall)),
    // The last one: afterwards, one node may have the slots of all keys.
    ("slot move", None),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<()> {
    let number = |name| env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let (seconds, rounds) = (number("BENCH_SECONDS"), number("BENCH_ROUNDS"));
    let full = seconds.is_none() && rounds.is_none();
    let (seconds, rounds) = (seconds.unwrap_or(SECONDS), rounds.map_or(ROUNDS, |rounds| rounds as usize));
    let mut report = Report::default();
    report.title(rounds, seconds);
    measure_speed(&mut report, rounds, Duration::from_secs(seconds)).await?;
    inject_faults(&mut report).await?;
    report.write(full)?;
    Ok(())
}

async fn measure_speed(report: &mut Report, rounds: usize, time: Duration) -> Result<()> {
    report.speed_header();
    for (title, in_cluster) in [("one server", false), ("cluster", true)] {
        let servers = match in_cluster {
            true => Servers::cluster([free_port().await?, free_port().await?], None).await?,
            false => Servers::one().await?,
        };
        for callers in CALLERS {
            let mut measured: [Vec<f64>; NAMES.len()] = Default::default();
            for _ in 0..rounds {
                for (name, measured) in NAMES.into_iter().zip(&mut measured) {
                    let client = Client::connect(name, &servers.ports).await?;
                    let since = Instant::now();
                    let (records, _) = load::run(&client, callers, Writes::Same, sleep(time)).await;
                    measured.push(load::replies(&records) as f64 / since.elapsed().as_secs_f64());
                }
            }
            report.speed(title, callers, &measured.map(median));
        }
    }
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

async fn inject_faults(report: &mut Report) -> Result<()> {
    report.fault_header();
    for (title, in_cluster) in [("one server", false), ("cluster", true)] {
        let (mut servers, proxies) = if in_cluster {
            let ports = [free_port().await?, free_port().await?];
            let proxies = [Proxy::start(ports[0]).await?, Proxy::start(ports[1]).await?];
            let announced = [proxies[0].port, proxies[1].port];
            (Servers::cluster(ports, Some(announced)).await?, Vec::from(proxies))
        } else {
            let server = Servers::one().await?;
            let proxy = Proxy::start(server.ports[0]).await?;
            (server, vec![proxy])
        };
        for (name, fault) in FAULTS.into_iter().filter(|(_, fault)| in_cluster || fault.is_some()) {
            for client in NAMES {
                let counts = inject(client, &mut servers, &proxies, fault).await?;
                report.fault(&format!("{title}: {name}"), client, counts);
            }
        }
    }
    Ok(())
}

/// Runs a load during which a fault is injected, at the first node if there are two.
async fn inject(name: &str, servers: &mut Servers, proxies: &[Proxy], fault: Option<Fault>) -> Result<Counts> {
    servers.empty().await?;
    let ports: Vec<_> = proxies.iter().map(|proxy| proxy.port).collect();
    let client = Client::connect(name, &ports).await?;
    if fault == Some(Fault::Stall) {
        proxies[0].inject(Fault::Stall);
        fill_sockets(&client).await;
    }
    let mut moved = Ok(());
    let (records, unsettled) = load::run(&client, FAULTY_CALLERS, Writes::New, async {
        sleep(Duration::from_millis(500)).await;
        if fault == Some(Fault::Stall) {
            // Longer than the deadlines.
            sleep(Duration::from_secs(2)).await;
            proxies[0].heal();
        } else if let Some(fault) = fault {
            proxies[0].inject(fault);
            sleep(Duration::from_millis(1500)).await;
            proxies[0].heal();
        } else {
            let tags: Vec<_> = (0..TAGS).map(|tag| format!("{{{tag}}}")).collect();
            moved = servers.move_slots(&tags).await;
        }
        sleep(Duration::from_secs(1)).await;
    })
    .await;
    moved?;
    drop(client);
    // A request that was given up may still be in the proxy.
    sleep(Duration::from_millis(300)).await;
    Ok(load::compare(&records, unsettled, &servers.contents().await?))
}

/// Sends more than the buffers of a connection take, so that what follows waits in the client.
async fn fill_sockets(client: &Client) {
    let value = Bytes::from(vec![b'x'; 1 << 20]);
    for tag in 0..TAGS {
        for _ in 0..2 {
            let (client, value) = (client.clone(), value.clone());
            let key = Bytes::from(format!("{{{tag}}}:filling"));
            tokio::spawn(async move { client.run("SET", &[key, value]).await });
        }
    }
    sleep(Duration::from_millis(100)).await;
}
