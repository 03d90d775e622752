//! Errors that several parts of the bridge return.

use cinnabar_port::error::{Error, Kind};

/// The service is closed or closing.
pub fn closed() -> Error {
    Error::new(Kind::Closed, "this service was disconnected; connect() opens it again")
}

/// The JavaScript environment keeps no more values.
pub fn environment_ending() -> Error {
    Error::new(Kind::Internal, "this JavaScript environment is ending")
}
