//! The one thread on which everything asynchronous runs.
//!
//! It is ours and lives as long as the process: napi's own runtime ends with the last JavaScript environment, and would
//! take the connections of the next one with it. One thread, because two were measured slower on two cores.

use std::{
    panic::catch_unwind,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
    task::yield_now,
    time::sleep,
};

use crate::error::{Error, Kind, Result};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
/// Held by whoever starts it, so that there is one.
static STARTING: Mutex<()> = Mutex::new(());

/// The runtime, started at the first call. What the system refuses now, it may give at the next call.
///
/// # Errors
/// `E_UNAVAILABLE` when the system gives no thread or no file descriptor.
pub fn get() -> Result<&'static Runtime> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    // Where the system gives no thread, tokio panics.
    let built =
        catch_unwind(|| Builder::new_multi_thread().worker_threads(1).thread_name("cinnabar").enable_all().build());
    let refused = |why: &str| {
        let message = format!("the system gives nothing to start with: {why}; nothing was sent");
        Error::new(Kind::Unavailable, message)
    };
    let runtime = match built {
        Ok(Ok(runtime)) => runtime,
        Ok(Err(error)) => return Err(refused(&error.to_string()).with_source(error)),
        Err(_) => return Err(refused("no thread")),
    };
    runtime.spawn(linger());
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// What gives freed memory back to the system, set by whoever knows the allocator.
static GIVE_BACK: OnceLock<fn()> = OnceLock::new();
static GIVING_BACK: AtomicBool = AtomicBool::new(false);
static LARGE_VALUES: AtomicU64 = AtomicU64::new(0);

/// A value of this many bytes is large: its memory is not kept for the next one.
pub const LARGE: usize = 256 << 10;

/// Has freed memory given back by this, from now on.
pub fn give_back_with(give_back: fn()) {
    let _ = GIVE_BACK.set(give_back);
}

/// A large value is here: when it has been let go, its memory is given back. Only on the runtime's thread.
pub fn give_back_soon() {
    LARGE_VALUES.fetch_add(1, Ordering::Relaxed);
    if GIVE_BACK.get().is_none() || GIVING_BACK.swap(true, Ordering::AcqRel) {
        return;
    }
    tokio::spawn(async {
        let (mut seen, mut quiet) = (0, 0);
        // Some times more after the last one, for what its caller held on to.
        while quiet < 4 {
            sleep(Duration::from_millis(500)).await;
            if let Some(give_back) = GIVE_BACK.get() {
                give_back();
            }
            let now = LARGE_VALUES.load(Ordering::Relaxed);
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
        GIVING_BACK.store(false, Ordering::Release);
    });
}

/// How long the thread stays awake for the next event. A sleeping thread takes tens of microseconds to come back, twice a
/// call: longer than a server on the same machine takes to answer.
const LINGER: Duration = Duration::from_micros(120);
/// How often in a row staying awake may be in vain before the thread sleeps at once.
const PATIENCE: u32 = 4;
/// While it sleeps at once, every so many events it tries again.
const TRY_AGAIN: u64 = 256;

static EVENTS: AtomicU64 = AtomicU64::new(0);
static AWAKE: AtomicBool = AtomicBool::new(false);
static RISE: Notify = Notify::const_new();

/// Something came in or went out, with few calls under way: the next event may be near.
///
/// With many calls under way there is no need: the thread has work all the time, and the cores are better used by others.
pub fn stir() {
    EVENTS.fetch_add(1, Ordering::Relaxed);
    if !AWAKE.load(Ordering::Relaxed) {
        RISE.notify_one();
    }
}

/// Keeps the thread awake between events that follow each other closely, and learns when they do not.
async fn linger() {
    let mut in_vain = 0;
    loop {
        RISE.notified().await;
        let mut seen = EVENTS.load(Ordering::Relaxed);
        if in_vain >= PATIENCE && !seen.is_multiple_of(TRY_AGAIN) {
            continue;
        }
        AWAKE.store(true, Ordering::Relaxed);
        let (mut since, mut caught) = (Instant::now(), 0_u32);
        while since.elapsed() < LINGER {
            // Yielding lets the thread look at its sockets and its inbox before it comes back here.
            yield_now().await;
            let events = EVENTS.load(Ordering::Relaxed);
            if events != seen {
                (seen, since, caught) = (events, Instant::now(), caught + 1);
            }
        }
        AWAKE.store(false, Ordering::Relaxed);
        in_vain = if caught >= 2 { 0 } else { in_vain + 1 };
    }
}
