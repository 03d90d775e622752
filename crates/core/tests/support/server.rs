//! A Redis server for one test: on a free loopback port, with nothing on disk, stopped when dropped.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub struct Server {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

impl Server {
    /// Starts one with default settings.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with further arguments, such as `["--maxmemory", "1mb"]`.
    pub fn with(args: &[&str]) -> Self {
        Self::with_variables(args, &[])
    }

    /// The same with further environment variables.
    pub fn with_variables(args: &[&str], variables: &[(&'static str, String)]) -> Self {
        for _ in 0..10 {
            // Another process may take the port in between; then the server ends at once and the next port is tried.
            let port = free_port();
            let mut server = Self { child: spawn(port, args, variables), port };
            if server.accepts_connections() {
                return server;
            }
        }
        panic!("redis-server does not start; try it by hand with {args:?}");
    }

    fn accepts_connections(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let accepted = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
            // One that has ended by now did not get the port: another process accepted.
            if self.child.try_wait().expect("the server's state").is_some() {
                return false;
            }
            if accepted {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}

fn spawn(port: u16, args: &[&str], variables: &[(&'static str, String)]) -> Child {
    let port = port.to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]).args(args);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("install redis-server"),
        Err(error) => panic!("redis-server does not start: {error}"),
    }
}
