//! A minimal RESP2 client over a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use cinnabar_port::Reply;

/// A reply, or the error's text.
pub type Outcome = Result<Reply, String>;

/// A command: its name, then its arguments.
pub type Words = Vec<Vec<u8>>;

/// A connection.
pub struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
        // A silent server fails the test instead of blocking it.
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a deadline");
        Self { stream: BufReader::new(stream) }
    }

    /// Sends all commands at once and reads all replies. An error within one is the error of the whole.
    pub fn pipeline(&mut self, commands: &[Words]) -> Vec<Outcome> {
        let whole = |reply: Reply| reply.into_result().map_err(|error| error.message().to_owned());
        self.exchange(commands).into_iter().map(|outcome| outcome.and_then(whole)).collect()
    }

    /// The same, with nested errors as elements.
    pub fn exchange(&mut self, commands: &[Words]) -> Vec<Outcome> {
        let mut out = Vec::new();
        for words in commands {
            out.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                out.extend(format!("${}\r\n", word.len()).bytes());
                out.extend(word);
                out.extend(b"\r\n");
            }
        }
        self.stream.get_mut().write_all(&out).expect("a writable socket");
        commands.iter().map(|_| self.read()).collect()
    }

    fn read(&mut self) -> Outcome {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a reply");
        let (kind, rest) = line.trim_end_matches("\r\n").split_at_checked(1).expect("a reply and not the end");
        let number = || rest.parse::<i64>().expect("a number");
        match kind {
            "+" => Ok(Reply::Bulk(rest.as_bytes().to_vec().into())),
            "-" => Err(rest.to_owned()),
            ":" => Ok(Reply::Int(number())),
            "$" | "*" if number() < 0 => Ok(Reply::Nil),
            "$" => {
                let mut bytes = vec![0; number() as usize + 2];
                self.stream.read_exact(&mut bytes).expect("the rest of a reply");
                bytes.truncate(bytes.len() - 2);
                Ok(Reply::Bulk(bytes.into()))
            }
            "*" => Ok(Reply::Array(
                (0..number())
                    .map(|_| self.read().unwrap_or_else(|text| Reply::Error(text.into_bytes().into())))
                    .collect(),
            )),
            _ => panic!("unexpected reply {line:?}"),
        }
    }
}
