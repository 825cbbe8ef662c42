//! Tries a policy before production does.
//!
//! `cargo run --release --example simulate -- FILE...`
//!
//! Runs each scenario, checks what it expects, and sums up. With one file that expects nothing, or with `--trace`, the
//! trace is printed, one JSON object a line. Exit code 0: all as expected; 1: a difference, shown beside what happened
//! at the first line that differs; 2: bad input.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use uphold::sim::{Difference, Run, Scenario};
use uphold_examples::read_scenario;

const HELP: &str = "\
Tries a policy before production does.

usage: simulate [--trace] [--no-lint] FILE...

  FILE        a scenario (YAML or JSON): policy, world, behaviour, timeline, until, expect
  --trace     prints what happened, one JSON object a line
  --no-lint   does not warn of a policy that is legal and surely not meant

exit code: 0 all as expected, 1 a difference, 2 bad input";

fn main() -> ExitCode {
    let mut files = Vec::new();
    let (mut trace, mut lint) = (false, true);
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "--trace" => trace = true,
            "--no-lint" => lint = false,
            "-h" | "--help" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            flag if flag.starts_with('-') => {
                eprintln!("unknown option '{flag}'\n\n{HELP}");
                return ExitCode::from(2);
            }
            file => files.push(PathBuf::from(file)),
        }
    }
    if files.is_empty() {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    }
    let alone = files.len() == 1;
    let (mut expected, mut differ, mut bad) = (0, 0, 0);
    for file in &files {
        match simulate(file, lint) {
            Err(error) => {
                bad += 1;
                eprintln!("{error}");
            }
            Ok((scenario, run)) => {
                let nothing_expected = scenario.expectations().is_empty();
                if trace || (alone && nothing_expected) {
                    print_trace(&run);
                }
                match scenario.check(&run) {
                    Ok(()) => expected += 1,
                    Err(difference) => {
                        differ += 1;
                        show(file, &scenario, &difference);
                    }
                }
                if alone && !nothing_expected && differ == 0 && !trace {
                    println!("as expected: {}", scenario.name().unwrap_or(&file.display().to_string()));
                }
            }
        }
    }
    if !alone {
        println!("{} scenarios: {expected} as expected, {differ} differ, {bad} cannot be read", files.len());
    }
    match (bad, differ) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}

fn simulate(file: &Path, lint: bool) -> Result<(Scenario, Run), String> {
    let scenario = read_scenario(file)?;
    if lint {
        for warning in scenario.policy().lint() {
            eprintln!("{}: warning: {warning}", file.display());
        }
    }
    let run = scenario.run().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((scenario, run))
}

fn print_trace(run: &Run) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in run.trace().lines() {
        // Whoever reads may have read enough.
        if writeln!(out, "{}", json(line)).is_err() {
            return;
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}

/// The first difference: what was expected beside the line that comes nearest, and the lines around.
fn show(file: &Path, scenario: &Scenario, difference: &Difference) {
    let name = scenario.name().unwrap_or("");
    println!("{}: {name}: expect[{}] differs", file.display(), difference.index);
    let happened = match (&difference.counted, &difference.nearest) {
        (Some(counted), _) => format!("{counted} such lines"),
        (None, Some(line)) => json(line),
        (None, None) => "nothing happened at that instant".to_owned(),
    };
    println!("  expected  {}", json(&difference.expected));
    println!("  happened  {happened}");
    println!("  around it:");
    for line in &difference.around {
        let mark = if difference.nearest.as_ref() == Some(line) { '>' } else { ' ' };
        println!("  {mark} {}", json(line));
    }
}
