//! Tries a policy before production does.
//!
//! `cargo run --release --example simulate -- FILE...`
//!
//! Runs each scenario, checks what it expects, and sums up. With one file that expects nothing, or with `--trace`, the
//! trace is printed, one JSON object a line. Exit code 0: all as expected; 1: a mismatch, shown beside what happened
//! at the first line that differs; 2: bad input. The `uphold` command does the same, and more.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::path::PathBuf;
use std::process::ExitCode;

use uphold_lab::command::{Kept, Simulate, Streams, replay, simulate};

const HELP: &str = "\
Tries a policy before production does.

usage: simulate [--trace] [--no-lint] FILE...
       simulate --replay RECORDING [--policy POLICY]

  FILE        a scenario (YAML or JSON): policy, world, behaviour, timeline, until, expect
  --trace     prints what happened, one JSON object a line
  --no-lint   does not warn of a policy that is legal and surely not meant
  --replay    replays what a supervisor recorded, under the policy it ran under, as a trace
  --policy    what that policy would have done with what happened, beside what was done

exit code: 0 all as expected, 1 a mismatch, 2 bad input";

fn main() -> ExitCode {
    let mut files = Vec::new();
    let mut wanted = Simulate::default();
    let (mut recording, mut other) = (None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--replay" | "--policy" => {
                let Some(path) = args.next() else { return misused(&format!("{arg} needs a file")) };
                let target = if arg == "--replay" { &mut recording } else { &mut other };
                *target = Some(PathBuf::from(path));
            }
            "--trace" => wanted.trace = true,
            "--no-lint" => wanted.lint = false,
            "-h" | "--help" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            flag if flag.starts_with('-') => return misused(&format!("unknown option '{flag}'")),
            file => files.push(PathBuf::from(file)),
        }
    }
    let (mut out, mut err) = (Kept::new(std::io::BufWriter::new(std::io::stdout().lock())), std::io::stderr());
    let mut streams = Streams { out: &mut out, err: &mut err };
    let answer = match (recording, other) {
        (None, Some(_)) => {
            return misused("--policy asks what another policy would have done with a recording: give --replay too");
        }
        (Some(_), _) if !files.is_empty() => return misused("--replay stands alone: give scenarios apart from it"),
        (Some(recording), other) => replay(&recording, other.as_deref(), &mut streams),
        (None, None) if files.is_empty() => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
        (None, None) => simulate(&files, wanted, &mut streams),
    };
    if let Err(error) = out.finish() {
        eprintln!("the results cannot be written: {error}");
        return ExitCode::from(2);
    }
    answer.into()
}

fn misused(how: &str) -> ExitCode {
    eprintln!("{how}\n\n{HELP}");
    ExitCode::from(2)
}
