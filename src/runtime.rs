//! The one thread on which everything asynchronous runs.
//!
//! It is ours and lives as long as the process: napi's own runtime ends with the last JavaScript environment, and would
//! take the connections of the next one with it. One thread, because two were measured slower on two cores.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Kind, Result};

static RUNTIME: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).thread_name("cinnabar").enable_all().build().ok());

/// The runtime, started at the first call.
///
/// # Errors
/// `E_INTERNAL` when the system gives no thread.
pub fn get() -> Result<&'static Runtime> {
    RUNTIME.as_ref().ok_or_else(|| Error::new(Kind::Internal, "the system gives no thread for the connections"))
}
