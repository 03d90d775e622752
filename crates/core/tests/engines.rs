//! The embedded engine against a real server: the same commands and scripts, the same replies.
//!
//! The server is used over a plain socket, without a client library, so that both replies are seen unchanged.
//! Add a command: a line in `engines/commands.txt` and one in `engines/random.rs`. Add a script: a line for
//! each outcome in one of `engines/*_scripts.rs`.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "engines/commands.rs"]
mod commands;
#[path = "engines/feature_scripts.rs"]
mod feature_scripts;
#[path = "engines/key_positions.rs"]
mod key_positions;
#[path = "engines/limit_scripts.rs"]
mod limit_scripts;
#[path = "engines/lock_reader_scripts.rs"]
mod lock_reader_scripts;
#[path = "engines/lock_scripts.rs"]
mod lock_scripts;
#[path = "engines/lua.rs"]
mod lua;
#[path = "engines/pair.rs"]
mod pair;
#[path = "engines/queue_scripts.rs"]
mod queue_scripts;
#[path = "engines/random.rs"]
mod random;
#[path = "engines/repeat_scripts.rs"]
mod repeat_scripts;
#[path = "engines/room_scripts.rs"]
mod room_scripts;
#[path = "engines/scripts.rs"]
mod scripts;
#[path = "support/server.rs"]
mod server;
#[path = "engines/session_scripts.rs"]
mod session_scripts;
#[path = "engines/session_token_scripts.rs"]
mod session_token_scripts;
#[path = "engines/transactions.rs"]
mod transactions;
#[path = "engines/wire.rs"]
mod wire;
