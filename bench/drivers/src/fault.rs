//! A proxy before a server, which injects faults into what the server sends.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// What happens to the next bytes from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed, and new ones are too.
    Kill = 1,
    /// Nothing is passed on.
    Silence,
    /// Bytes that are no reply come before them.
    Garbage,
    /// A reply that no request was sent for comes before them, once.
    Extra,
    /// Requests are not read until it ends, so that those of a client wait in the client.
    Stall,
}

/// The proxy.
pub struct Proxy {
    pub port: u16,
    fault: Arc<AtomicU8>,
}

impl Proxy {
    pub async fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let fault = Arc::new(AtomicU8::new(0));
        let shared = fault.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.load(Ordering::Relaxed) != Fault::Kill as u8 {
                    tokio::spawn(pass(client, server, shared.clone()));
                }
            }
        });
        Ok(Self { port, fault })
    }

    pub fn inject(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::Relaxed);
    }

    pub fn heal(&self) {
        self.fault.store(0, Ordering::Relaxed);
    }
}

async fn pass(client: TcpStream, server: u16, fault: Arc<AtomicU8>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let shared = fault.clone();
    let requests = tokio::spawn(async move {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let count = from_client.read(&mut bytes).await?;
            while shared.load(Ordering::Relaxed) == Fault::Stall as u8 {
                sleep(Duration::from_millis(5)).await;
            }
            if count == 0 {
                return to_server.shutdown().await;
            }
            to_server.write_all(&bytes[..count]).await?;
        }
    });
    let mut bytes = vec![0; 64 << 10];
    let mut garbled = false;
    loop {
        let count = from_server.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let now = fault.load(Ordering::Relaxed);
        if now == Fault::Kill as u8 {
            requests.abort();
            return Ok(());
        }
        if now == Fault::Silence as u8 {
            garbled = true;
        }
        if garbled && now <= Fault::Silence as u8 {
            // A connection that fell silent stays so.
            continue;
        }
        if now == Fault::Garbage as u8 {
            to_client.write_all(b"no reply of any server\r\n").await?;
        }
        if now == Fault::Extra as u8 && fault.compare_exchange(now, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            to_client.write_all(b"$5\r\nextra\r\n").await?;
        }
        to_client.write_all(&bytes[..count]).await?;
    }
}
