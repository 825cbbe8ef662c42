//! The answers of the example experiments say what was measured.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use uphold_lab::files::read_experiment;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// The experiments by name.
fn experiments() -> Vec<(String, PathBuf)> {
    let files = std::fs::read_dir(folder("experiments")).unwrap().map(|entry| entry.unwrap().path());
    let mut named: Vec<_> = files.map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), file)).collect();
    named.sort();
    assert!(named.len() >= 7);
    named
}

/// The unsigned numbers of a text, as they are written.
fn numbers(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.map(|word| word.trim_matches('.')).filter(|word| !word.is_empty()).collect()
}

/// Whether a measured number, rounded, equals the stated one.
fn tells(told: &str, measured: &str) -> bool {
    let decimals = told.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    measured.parse::<f64>().is_ok_and(|measured| format!("{measured:.decimals$}") == told)
}

#[test]
fn every_number_of_an_answer_is_measured_or_configured() {
    for (name, file) in experiments() {
        let text = std::fs::read_to_string(file).unwrap();
        let measured = std::fs::read_to_string(folder("measured").join(format!("{name}.txt"))).unwrap();
        let comments: String =
            text.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let (_, comment) = comments.split_once("# Answer:").unwrap();
        let (question, rest) = text.split_once("\nanswer: >").unwrap();
        let (answer, policies) = rest.split_once("\npolicies:").unwrap();
        let (measured, asked) = (numbers(&measured), format!("{question}\n{policies}"));
        let asked = asked.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        for told in numbers(answer).into_iter().chain(numbers(comment)) {
            let known = measured.iter().any(|measured| tells(told, measured)) || numbers(&asked).contains(told);
            assert!(known, "{name}: {told} is in the answer, and neither measured nor asked for");
        }
    }
}

/// Simulates hundreds of histories, which is slow without optimisation. `UPHOLD_WRITE_DOCS=1` rewrites the figures.
#[cfg_attr(debug_assertions, ignore = "takes long: cargo test --release -p uphold-lab --test answers")]
#[test]
fn the_measured_figures_match_this_version() {
    for (name, file) in experiments() {
        let report = read_experiment(&file).unwrap().run().unwrap().to_string();
        let report: String = report.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let path = folder("measured").join(format!("{name}.txt"));
        if std::env::var_os("UPHOLD_WRITE_DOCS").is_some() {
            std::fs::write(&path, &report).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap() == report,
            "{name}: examples/measured/{name}.txt is not current"
        );
    }
}
