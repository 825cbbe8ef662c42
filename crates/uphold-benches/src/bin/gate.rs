//! The instruction gate: compares instruction counts with the committed ones in `instructions.json`.
//!
//! `cargo run --release -p uphold-benches --bin gate` fails if a count has grown by more than 5 %. With `-- --accept` it
//! writes the new counts. Counts of different compiler versions are not compared.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde_json::{Value, json};

/// By how many percent a count may grow.
const TOLERANCE: u64 = 5;

type Figures = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let accept = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--accept") => true,
        Some(other) => {
            eprintln!("unknown option '{other}'; known: --accept");
            return ExitCode::from(2);
        }
    };
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json");
    match compiler().and_then(|compiler| Ok((count()?, compiler))) {
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Ok((figures, compiler)) if accept => write(&committed, &figures, &compiler),
        Ok((figures, compiler)) => compare(&committed, &figures, &compiler),
    }
}

fn compiler() -> Result<String, String> {
    let output = Command::new("rustc").arg("--version").output().map_err(|error| format!("rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs the benches and returns the instruction count of each.
fn count() -> Result<Figures, String> {
    let bench = ["bench", "--quiet", "-p", "uphold-benches", "--bench", "instructions", "--", "--output-format=json"];
    let output = Command::new("cargo")
        .args(bench)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo bench: {error}"))?;
    if !output.status.success() {
        return Err(
            "the benches did not run; they need valgrind, and gungraun-runner in the version of gungraun in Cargo.lock"
                .to_owned(),
        );
    }
    let mut figures = Figures::new();
    for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with('{')) {
        let summary: Value =
            serde_json::from_str(line).map_err(|error| format!("invalid output of the benches: {error}"))?;
        let name = [&summary["function_name"], &summary["id"]].map(|part| part.as_str().unwrap_or_default()).join("/");
        let counted = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new");
        let counted = counted.and_then(Value::as_u64).ok_or_else(|| format!("{name}: no instructions were counted"))?;
        figures.insert(name, counted);
    }
    if figures.is_empty() { Err("the benches printed no counts".to_owned()) } else { Ok(figures) }
}

fn write(path: &Path, figures: &Figures, compiler: &str) -> ExitCode {
    let text = format!("{:#}\n", json!({"compiler": compiler, "instructions": figures}));
    match std::fs::write(path, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::from(2)
        }
    }
}

fn compare(path: &Path, figures: &Figures, compiler: &str) -> ExitCode {
    let committed = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let committed: Value = match committed.and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string())) {
        Ok(committed) => committed,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::from(2);
        }
    };
    let of = committed["compiler"].as_str().unwrap_or_default();
    if of != compiler {
        println!("not compared: the committed counts are of {of}, and this is {compiler}");
        return ExitCode::SUCCESS;
    }
    let mut grown = 0;
    println!("{:<28}{:>12}{:>12}{:>9}", "", "committed", "now", "");
    for (name, now) in figures {
        let Some(before) = committed["instructions"][name].as_u64() else {
            println!("{name:<28}{:>12}{now:>12}  is new", "-");
            continue;
        };
        let change = (i128::from(*now) - i128::from(before)) * 1000 / i128::from(before.max(1));
        let remark = match () {
            () if *now * 100 > before * (100 + TOLERANCE) => {
                grown += 1;
                "  has grown too much"
            }
            () if *now * (100 + TOLERANCE) < before * 100 => "  has shrunk: accept it",
            () => "",
        };
        println!("{name:<28}{before:>12}{now:>12}{:>+7}.{}%{remark}", change / 10, (change % 10).abs());
    }
    if grown == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "{grown} counts have grown by more than {TOLERANCE} %; to accept them, add `-- --accept` and say why in the commit"
    );
    ExitCode::FAILURE
}
