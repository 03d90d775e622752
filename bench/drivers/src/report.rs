//! The tables, on standard output and in `results/`.

use std::{fs, io, path::Path, process::Command};

use crate::{client::NAMES, load::Counts};

/// The header of the table of faults.
const FAULTS: &str = "| fault | client | replies | wrong | unsettled | `E_NOT_SENT` (applied) | `E_UNAVAILABLE` (applied) | \
    other errors | lost | twice |\n| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |";

/// The text, which is printed as it grows.
#[derive(Default)]
pub struct Report(String);

impl Report {
    pub fn say(&mut self, line: &str) {
        println!("{line}");
        self.0 += line;
        self.0 += "\n";
    }

    pub fn title(&mut self, rounds: usize, seconds: u64) {
        self.say("# The drivers measured\n");
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        self.say(&format!(
            "- {}, commit {}\n- {} cores shared with the servers, load before {}\n- {}, fred {}, redis-rs {}",
            output("date", &["-u", "+%F %H:%M UTC"]),
            output("git", &["describe", "--always", "--dirty"]),
            std::thread::available_parallelism().map_or(0, usize::from),
            load.split(' ').next().unwrap_or("unknown"),
            output("redis-server", &["--version"]).split(" sha").next().unwrap_or_default(),
            version("fred"),
            version("redis"),
        ));
        self.say(&format!(
            "- speed: medians of {rounds} rounds of {seconds} s, interleaved; each fault once\n\n\
             native and fred are each below the same engine, with one connection for each server: pool, breaker, deadlines and \
             retries are in their figures. redis-rs is its bare `MultiplexedConnection`, and in a cluster its cluster client.\n"
        ));
    }

    pub fn speed_header(&mut self) {
        self.say(&format!(
            "## Calls a second\n\nEach caller awaits a `SET`, then a `GET` of the same key.\n\n| servers, callers | {} |\n\
             | --- | --: | --: | --: |",
            NAMES.join(" | ")
        ));
    }

    pub fn speed(&mut self, servers: &str, callers: usize, medians: &[f64]) {
        let cells: Vec<_> = medians.iter().map(|calls| format!("{calls:.0}")).collect();
        self.say(&format!("| {servers}, {callers} | {} |", cells.join(" | ")));
    }

    pub fn fault_header(&mut self) {
        self.say(&format!(
            "\n## Faults\n\n64 callers; each awaits an `APPEND` to a key of its own, then a `GET` of it, with deadlines of 2 s. \
             After 0.5 s, a proxy before the server, or before one of two nodes, injects the fault for 1.5 s; an extra reply is \
             injected once. A stalled server reads nothing for 2.5 s from the start, after requests that fill the buffers of the \
             connection. Afterwards the keys are compared with the outcomes. _wrong_: replies that belong to another call or to \
             none; an integer of another call that has the expected value is not noticed. _applied_: writes that rejected so, and \
             were applied. _lost_: writes with a reply that were not applied. _twice_: writes that were applied twice. redis-rs \
             has no error that says that nothing was sent. A failed call is followed by a pause of 10 ms.\n\n{FAULTS}"
        ));
    }

    pub fn fault(&mut self, fault: &str, client: &str, counts: Counts) {
        let Counts { replies, wrong, unsettled, failed, lost, twice, .. } = counts;
        let rejected = match client {
            "redis-rs" => "– | –".to_owned(),
            _ => format!(
                "{} ({}) | {} ({})",
                counts.not_sent, counts.not_sent_applied, counts.unavailable, counts.unavailable_applied
            ),
        };
        self.say(&format!(
            "| {fault} | {client} | {replies} | {wrong} | {unsettled} | {rejected} | {failed} | {lost} | {twice} |"
        ));
    }

    /// Writes it as `latest.md`, or as `quick.md`, which git ignores.
    pub fn write(&self, full: bool) -> io::Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&folder)?;
        let file = folder.join(if full { "latest.md" } else { "quick.md" });
        fs::write(&file, &self.0)?;
        println!("\n{}", file.display());
        Ok(())
    }
}

/// The version of a package in the lock file.
fn version(package: &str) -> &'static str {
    include_str!("../Cargo.lock")
        .split(&format!("name = \"{package}\"\nversion = \""))
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("unknown")
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
