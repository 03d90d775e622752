//! The one thread on which everything asynchronous runs.
//!
//! It is a runtime of our own and lives as long as the process: napi's ends with the last JavaScript environment, and would end the
//! connections of the next one. One thread, because two were measured slower on two cores.

use std::{
    panic::catch_unwind,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
    task::yield_now,
    time::sleep,
};

use crate::error::{Error, Kind, Result};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
/// Locked while the runtime is started, so that there is only one.
static STARTING: Mutex<()> = Mutex::new(());

/// Enough for replies nested deeper than a script of Redis can return. Reserved, and used only as far as a reply is nested.
const DEEP_STACK: usize = 64 << 20;
static NEEDS_DEEP_STACK: AtomicBool = AtomicBool::new(false);

/// Gives the runtime's thread the stack of a parser that recurses as deep as a reply is nested, if it has not been started yet.
pub fn reserve_deep_stack() {
    NEEDS_DEEP_STACK.store(true, Ordering::Relaxed);
}

/// Returns the runtime, which the first call starts. If that fails, the next call tries again.
///
/// # Errors
/// `E_UNAVAILABLE` if the operating system provides no thread or file descriptor.
pub fn get() -> Result<&'static Runtime> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let _starting = STARTING.lock();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    // tokio panics if it cannot create a thread.
    let built = catch_unwind(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("cinnabar").enable_all();
        if NEEDS_DEEP_STACK.load(Ordering::Relaxed) {
            builder.thread_stack_size(DEEP_STACK);
        }
        builder.build()
    });
    let failed = |why: &str| {
        let message = format!("cinnabar's runtime could not be started: {why}; nothing was sent");
        Error::new(Kind::Unavailable, message)
    };
    let runtime = match built {
        Ok(Ok(runtime)) => runtime,
        Ok(Err(error)) => return Err(failed(&error.to_string()).with_source(error)),
        Err(_) => return Err(failed("the operating system could not create a thread")),
    };
    runtime.spawn(busy_poll());
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// Returns freed memory to the operating system; set by the crate that knows the allocator.
static TRIM_MEMORY: OnceLock<fn()> = OnceLock::new();
static TRIMMING: AtomicBool = AtomicBool::new(false);
static LARGE_VALUES: AtomicU64 = AtomicU64::new(0);

/// Memory of values of more bytes than this is returned to the operating system.
pub const LARGE: usize = 256 << 10;

/// Sets the function that returns freed memory.
pub fn set_memory_trimmer(trim: fn()) {
    let _ = TRIM_MEMORY.set(trim);
}

/// Schedules the return of memory after a large value.
pub fn trim_memory_soon() {
    LARGE_VALUES.fetch_add(1, Ordering::Relaxed);
    if TRIM_MEMORY.get().is_none() || TRIMMING.swap(true, Ordering::AcqRel) {
        return;
    }
    let Ok(runtime) = get() else { return TRIMMING.store(false, Ordering::Release) };
    runtime.spawn(async {
        let (mut seen, mut quiet) = (0, 0);
        // A few more times after the last large value, since its caller may still hold it.
        while quiet < 4 {
            sleep(Duration::from_millis(500)).await;
            if let Some(trim) = TRIM_MEMORY.get() {
                trim();
            }
            let now = LARGE_VALUES.load(Ordering::Relaxed);
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
        TRIMMING.store(false, Ordering::Release);
    });
}

/// How long the thread spins for the next event. Waking a parked thread takes tens of microseconds, twice per call, which is
/// longer than a server on the same machine takes to reply.
const BUSY_POLL: Duration = Duration::from_micros(120);
/// After this many unsuccessful spins in a row, the thread parks immediately.
const MAX_IN_VAIN: u32 = 4;
/// While it parks immediately, it tries to spin again every this many events.
const RETRY_EVERY: u64 = 256;

static EVENTS: AtomicU64 = AtomicU64::new(0);
static BUSY_POLLING: AtomicBool = AtomicBool::new(false);
static WAKE: Notify = Notify::const_new();

/// Starts busy-polling: something was sent or received with few calls in flight, so the next event may be imminent.
///
/// With many calls in flight this is not needed: the thread always has work, and spinning would waste the cores.
pub fn start_busy_polling() {
    EVENTS.fetch_add(1, Ordering::Relaxed);
    if !BUSY_POLLING.load(Ordering::Relaxed) {
        WAKE.notify_one();
    }
}

/// Keeps the thread spinning between events in quick succession, and stops when they are not.
async fn busy_poll() {
    let mut in_vain = 0;
    loop {
        WAKE.notified().await;
        let mut seen = EVENTS.load(Ordering::Relaxed);
        if in_vain >= MAX_IN_VAIN && !seen.is_multiple_of(RETRY_EVERY) {
            continue;
        }
        BUSY_POLLING.store(true, Ordering::Relaxed);
        let (mut since, mut caught) = (Instant::now(), 0_u32);
        while since.elapsed() < BUSY_POLL {
            // Yielding lets the thread poll its sockets and inbox before it returns here.
            yield_now().await;
            let events = EVENTS.load(Ordering::Relaxed);
            if events != seen {
                (seen, since, caught) = (events, Instant::now(), caught + 1);
            }
        }
        BUSY_POLLING.store(false, Ordering::Relaxed);
        in_vain = if caught >= 2 { 0 } else { in_vain + 1 };
    }
}
