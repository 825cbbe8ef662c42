//! Runs and checks every file under tests/scenarios. Each shows one sentence of the design, or one case from another system.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::path::{Path, PathBuf};

use uphold_lab::files::read_scenario;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn scenarios() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios"), &mut found);
    found
}

#[test]
fn every_scenario_meets_its_expectations() {
    let mut wrong = Vec::new();
    let files = scenarios();
    for file in &files {
        let checked = read_scenario(file).and_then(|scenario| {
            assert!(!scenario.expectations().is_empty(), "{}: expects nothing", file.display());
            let run = scenario.run().map_err(|error| error.to_string())?;
            scenario.check(&run).map_err(|mismatch| {
                format!(
                    "expect[{}]\n  expected {}\n  happened {}",
                    mismatch.index,
                    json(&mismatch.expected),
                    mismatch.nearest.as_ref().map_or_else(|| "nothing".to_owned(), json),
                )
            })
        });
        if let Err(error) = checked {
            wrong.push(format!("{}: {error}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} scenarios do not meet their expectations:\n{}",
        wrong.len(),
        files.len(),
        wrong.join("\n")
    );
}

#[test]
fn traces_are_reproducible_byte_for_byte() {
    for file in scenarios() {
        let run = || {
            let scenario = read_scenario(&file).unwrap();
            json(scenario.run().unwrap().trace())
        };
        assert_eq!(run(), run(), "{}", file.display());
    }
}
