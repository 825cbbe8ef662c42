//! Runs scenarios and replays recordings, as `uphold simulate` and `uphold replay` do.
//!
//! `cargo run --release --example simulate -- FILE...`
//!
//! Runs each scenario, checks its expectations, and prints a summary. With a single file without expectations, or with
//! `--trace`, it prints the trace, one JSON object per line. Exit code 0: all expectations are met; 1: a mismatch, shown
//! with the nearest trace line; 2: invalid input. The `uphold` command does the same, and more.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::path::PathBuf;
use std::process::ExitCode;

use uphold_cli::{SimulateOptions, StickyErrorWriter, Streams, replay, simulate};

const HELP: &str = "\
Tests a policy before production does.

usage: simulate [--trace] [--no-lint] FILE...
       simulate --replay RECORDING [--policy POLICY]

  FILE        a scenario (YAML or JSON): policy, world, behaviour, timeline, until, expect
  --trace     prints the trace, one JSON object per line
  --no-lint   does not warn about policies and behaviours that are probably mistakes
  --replay    replays a supervisor's recording under its own policy, and prints the trace
  --policy    also simulates the recorded events under this policy, and compares the two runs

exit code: 0 all expectations met, 1 a mismatch, 2 invalid input";

fn main() -> ExitCode {
    let mut files = Vec::new();
    let mut options = SimulateOptions::default();
    let (mut recording, mut other) = (None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--replay" | "--policy" => {
                let Some(path) = args.next() else { return misused(&format!("{arg} needs a file")) };
                let target = if arg == "--replay" { &mut recording } else { &mut other };
                *target = Some(PathBuf::from(path));
            }
            "--trace" => options.trace = true,
            "--no-lint" => options.lint = false,
            "-h" | "--help" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            flag if flag.starts_with('-') => return misused(&format!("unknown option '{flag}'")),
            file => files.push(PathBuf::from(file)),
        }
    }
    let (mut out, mut err) =
        (StickyErrorWriter::new(std::io::BufWriter::new(std::io::stdout().lock())), std::io::stderr());
    let mut streams = Streams { out: &mut out, err: &mut err };
    let status = match (recording, other) {
        (None, Some(_)) => {
            return misused("--policy needs a recording: give --replay as well");
        }
        (Some(_), _) if !files.is_empty() => return misused("--replay cannot be combined with scenario files"),
        (Some(recording), other) => replay(&recording, other.as_deref(), &mut streams),
        (None, None) if files.is_empty() => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
        (None, None) => simulate(&files, options, &mut streams),
    };
    if let Err(error) = out.finish() {
        eprintln!("the results cannot be written: {error}");
        return ExitCode::from(2);
    }
    status.into()
}

fn misused(how: &str) -> ExitCode {
    eprintln!("{how}\n\n{HELP}");
    ExitCode::from(2)
}
