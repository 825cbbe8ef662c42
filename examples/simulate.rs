//! Tries a policy before production does.
//!
//! `cargo run --release --example simulate -- FILE...`
//!
//! Runs each scenario, checks what it expects, and sums up. With one file that expects nothing, or with `--trace`, the
//! trace is printed, one JSON object a line. Exit code 0: all as expected; 1: a difference, shown beside what happened
//! at the first line that differs; 2: bad input.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::float_arithmetic, reason = "a program that prints")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use uphold::sim::{Difference, Run, Scenario};
use uphold::{Status, TraceKind};
use uphold_examples::{read_policy, read_recording, read_scenario};

const HELP: &str = "\
Tries a policy before production does.

usage: simulate [--trace] [--no-lint] FILE...
       simulate --replay RECORDING [--policy POLICY]

  FILE        a scenario (YAML or JSON): policy, world, behaviour, timeline, until, expect
  --trace     prints what happened, one JSON object a line
  --no-lint   does not warn of a policy that is legal and surely not meant
  --replay    replays what a supervisor recorded, under the policy it ran under, as a trace
  --policy    what that policy would have done with what happened, beside what was done

exit code: 0 all as expected, 1 a difference, 2 bad input";

fn main() -> ExitCode {
    let mut files = Vec::new();
    let (mut trace, mut lint) = (false, true);
    let (mut recording, mut other) = (None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--replay" | "--policy" => {
                let Some(path) = args.next() else {
                    eprintln!("{arg} needs a file\n\n{HELP}");
                    return ExitCode::from(2);
                };
                let target = if arg == "--replay" { &mut recording } else { &mut other };
                *target = Some(PathBuf::from(path));
            }
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
    let astray = match (&recording, &other) {
        (None, Some(_)) => {
            Some("--policy asks what another policy would have done with a recording: give --replay too")
        }
        (Some(_), _) if !files.is_empty() => Some("--replay stands alone: give scenarios apart from it"),
        _ => None,
    };
    if let Some(astray) = astray {
        eprintln!("{astray}\n\n{HELP}");
        return ExitCode::from(2);
    }
    if let Some(recording) = recording {
        return match replay(&recording, other.as_deref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
        };
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

/// What was done, or, with another policy, what it would have done beside that.
fn replay(path: &Path, other: Option<&Path>) -> Result<(), String> {
    let (recording, cut_off) = read_recording(path)?;
    if cut_off {
        eprintln!("{}: the last line is cut off and left out", path.display());
    }
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let done = recording.replay().map_err(|error| said(&error))?;
    let Some(other) = other else {
        print_trace(&done);
        return Ok(());
    };
    let policy = read_policy(other)?;
    let would = recording.replay_under(policy).map_err(|error| said(&error))?;
    let secs = |duration: std::time::Duration| format!("{:.1} s", duration.as_secs_f64());
    let row = |what: &str, done: String, would: String| println!("{what:<24}{done:>14}{would:>14}");
    row("", "was done".into(), "would be".into());
    for status in [Status::Healthy, Status::Degraded, Status::Outage] {
        let time = |run: &Run| secs(run.time_in(status));
        row(&format!("time {status}"), time(&done), time(&would.run));
    }
    row("restarts", done.restarts().to_string(), would.run.restarts().to_string());
    row("status at the end", done.set().status().to_string(), would.run.set().status().to_string());
    println!("\nverdicts that differ, in order:");
    let verdicts = |run: &Run| -> Vec<String> {
        let verdicts = run.trace().lines().iter().filter(|line| line.kind() == TraceKind::Verdict);
        verdicts.map(json).collect()
    };
    let (ours, theirs) = (verdicts(&done), verdicts(&would.run));
    for index in 0..ours.len().max(theirs.len()) {
        let (was, would) = (ours.get(index), theirs.get(index));
        if was != would {
            println!("  was   {}", was.map_or("-", String::as_str));
            println!("  would {}", would.map_or("-", String::as_str));
        }
    }
    for (at, replica) in &would.assumed {
        println!(
            "from {:.1} s on the recording does not tell of replica {replica}: it is assumed to come up as before and run on",
            at.as_nanos() as f64 / 1e9
        );
    }
    Ok(())
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
