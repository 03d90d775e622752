//! What a session, a lock or a limit is. Nothing here does I/O: a feature answers a `Call`.


pub mod raw;
