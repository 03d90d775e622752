//! Replies cut up for the calls that share them.

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};

use super::OutgoingCommand;

/// One reply, cut up for those who share it.
pub enum SharedReply {
    Whole(Option<Result<Reply>>),
    Parts(Vec<Option<Result<Reply>>>),
    Failed(Error),
}

impl SharedReply {
    /// Cuts up the reply to this.
    pub fn new(wire: &OutgoingCommand, reply: Result<Reply>) -> Self {
        let reply = match (wire, reply) {
            (OutgoingCommand::One(_), reply) => return Self::Whole(Some(reply)),
            (_, Err(error)) => return Self::Failed(error),
            (_, Ok(reply)) => reply,
        };
        let parts = match (wire, reply) {
            // A single GET or a single script run travels as itself.
            (OutgoingCommand::Get(keys), reply) if keys.len() == 1 => vec![Some(Ok(reply))],
            (OutgoingCommand::Many(many), reply) if many.is_single() => vec![Some(Ok(reply))],
            (OutgoingCommand::Get(keys), Reply::Array(items)) if keys.len() == items.len() => {
                items.into_iter().map(|item| Some(Ok(item))).collect()
            }
            (OutgoingCommand::Get(_), _) => return Self::Failed(missing()),
            (_, reply @ Reply::Array(_)) => match reply.items() {
                Ok(items) => items.into_iter().map(|item| Some(item.map_err(|error| wire.hidden(error)))).collect(),
                Err(error) => return Self::Failed(error),
            },
            _ => return Self::Failed(missing()),
        };
        Self::Parts(parts)
    }

    /// The reply of one of them.
    pub fn take(&mut self, item: Option<u32>) -> Result<Reply> {
        match (self, item) {
            (Self::Failed(error), _) => Err(error.clone()),
            // Equal reads share a reply, so it is copied; bytes are counted, not copied.
            (Self::Whole(reply), _) => reply.clone().unwrap_or_else(|| Err(missing())),
            (Self::Parts(parts), Some(item)) => {
                parts.get_mut(item as usize).and_then(Option::take).unwrap_or_else(|| Err(missing()))
            }
            (Self::Parts(_), None) => Err(missing()),
        }
    }
}

/// Where a server has answered another number of things than it was asked.
pub fn missing() -> Error {
    Error::new(Kind::InvalidData, "the server answered another number of things than it was asked")
}
