//! The clock of a test's server stands still until the test moves it. Tests of leases and ttls then neither wait nor depend on how
//! busy the machine is.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
    time::{Duration, SystemTime},
};

/// A stopped clock, and the file in which a server reads it.
pub struct Clock {
    path: PathBuf,
    file: File,
    now: Mutex<Duration>,
}

impl Clock {
    /// Stops the clock at the present time. `name` is part of the file's name.
    pub fn stopped(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.clock"));
        let file = File::create(&path).expect("a file for the clock");
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        let clock = Self { path, file, now: Mutex::new(now) };
        clock.write(now);
        clock
    }

    /// What a server's process needs in its environment to read this clock.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![("LD_PRELOAD", library().display().to_string()), ("STOPPED_CLOCK", self.path.display().to_string())]
    }

    /// Moves the clock forward. The server's next command has the new time.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().expect("no test fails while it moves the clock");
        *now += by;
        self.write(*now);
    }

    fn write(&self, now: Duration) {
        let nanos = (now.as_nanos() as i64).to_ne_bytes();
        self.file.write_all_at(&nanos, 0).expect("a file for the clock");
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The library that replaces the clock, compiled once per run by the compiler that Rust links with.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clock-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        let status =
            compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", source, "-ldl", "-o"]).arg(&library).status();
        assert!(status.expect("cc, which Rust needs too").success(), "{source} does not compile");
        library
    })
}
