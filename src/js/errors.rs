//! Errors that several parts of the bridge return.

use cinnabar_port::error::{Error, Kind};

/// Returns the error for a service that is closed or closing.
pub fn closed() -> Error {
    Error::new(Kind::Closed, "this service was disconnected; connect() opens it again")
}

/// Returns the error for a JavaScript environment that creates no more references.
pub fn environment_ending() -> Error {
    Error::new(Kind::Internal, "this JavaScript environment is ending")
}
