//! Replies as fred has decoded them.

use ::fred::types::Resp3Frame as Frame;
use bytes::Bytes;
use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};

/// A reply nested deeper is refused, as by the native driver.
const DEEPEST: usize = 200;

/// A reply, or the server's error reply.
pub fn reply(frame: Frame) -> Result<Reply> {
    match frame {
        Frame::SimpleError { data, .. } => Err(Error::from_server(data.to_string())),
        Frame::BlobError { data, .. } => Err(Error::from_server(String::from_utf8_lossy(&data).into_owned())),
        frame => element(frame, 0),
    }
}

fn element(frame: Frame, depth: usize) -> Result<Reply> {
    if depth > DEEPEST {
        let why = format!("the reply is nested more than {DEEPEST} arrays deep");
        return Err(Error::new(Kind::Unsupported, why));
    }
    let all = |data: Vec<Frame>, skipped| {
        data.into_iter().skip(skipped).map(|item| element(item, depth + 1)).collect::<Result<_>>().map(Reply::Array)
    };
    match frame {
        Frame::Null => Ok(Reply::Nil),
        Frame::Number { data, .. } => Ok(Reply::Int(data)),
        Frame::SimpleString { data, .. } | Frame::BlobString { data, .. } => Ok(Reply::Bulk(data)),
        Frame::SimpleError { data, .. } => Ok(Reply::Error(Bytes::copy_from_slice(data.as_bytes()))),
        Frame::BlobError { data, .. } => Ok(Reply::Error(data)),
        Frame::Array { data, .. } => all(data, 0),
        // RESP2 has none: this is an array that looks like a message, with a word before it.
        Frame::Push { data, .. } => all(data, 1),
        _ => Err(Error::new(Kind::InvalidData, "the server sent a reply of a type that RESP2 does not have")),
    }
}
