//! Divides a reply among the requests that were merged into one command.

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};

use super::OutgoingCommand;

/// A reply, divided among the requests that share it.
pub enum SharedReply {
    Whole(Option<Result<Reply>>),
    Parts(Vec<Option<Result<Reply>>>),
    Failed(Error),
}

impl SharedReply {
    /// Divides the reply to this command.
    pub fn new(command: &OutgoingCommand, reply: Result<Reply>) -> Self {
        let reply = match (command, reply) {
            (OutgoingCommand::One(_), reply) => return Self::Whole(Some(reply)),
            (_, Err(error)) => return Self::Failed(error),
            (_, Ok(reply)) => reply,
        };
        let parts = match (command, reply) {
            // A single GET or script run was not merged.
            (OutgoingCommand::Get(keys), reply) if keys.len() == 1 => vec![Some(Ok(reply))],
            (OutgoingCommand::Many(many), reply) if many.is_single() => vec![Some(Ok(reply))],
            (OutgoingCommand::Get(keys), Reply::Array(items)) if keys.len() == items.len() => {
                items.into_iter().map(|item| Some(Ok(item))).collect()
            }
            (OutgoingCommand::Get(_), _) => return Self::Failed(missing()),
            (_, reply @ Reply::Array(_)) => match reply.items() {
                Ok(items) => {
                    items.into_iter().map(|item| Some(item.map_err(|error| command.redacted(error)))).collect()
                }
                Err(error) => return Self::Failed(error),
            },
            _ => return Self::Failed(missing()),
        };
        Self::Parts(parts)
    }

    /// Takes the reply of one request.
    pub fn take(&mut self, item: Option<u32>) -> Result<Reply> {
        match (self, item) {
            (Self::Failed(error), _) => Err(error.clone()),
            // Identical reads share a reply. Cloning it does not copy the bytes, which are reference-counted.
            (Self::Whole(reply), _) => reply.clone().unwrap_or_else(|| Err(missing())),
            (Self::Parts(parts), Some(item)) => {
                parts.get_mut(item as usize).and_then(Option::take).unwrap_or_else(|| Err(missing()))
            }
            (Self::Parts(_), None) => Err(missing()),
        }
    }
}

/// The error if the number of replies does not match the command.
pub fn missing() -> Error {
    Error::new(Kind::InvalidData, "the server's reply does not have the expected number of items")
}
