//! What crates.io and docs.rs show works there, where there is no repository beside it.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

/// Links and pictures of a Markdown text, without those to headings of the same page.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with('#')).collect()
}

#[test]
fn the_readme_has_only_absolute_links() {
    for target in links(include_str!("../README.md")) {
        assert!(target.starts_with("https://"), "{target} leads nowhere on crates.io");
    }
}

#[test]
fn schema_pictures_and_examples_are_in_the_package() {
    let manifest = include_str!("../Cargo.toml");
    let (_, include) = manifest.split_once("\ninclude = [").unwrap();
    let (include, _) = include.split_once(']').unwrap();
    for folder in ["/schemas/", "/docs/", "/examples/", "/src/**/*.md"] {
        assert!(include.contains(folder), "{include}");
    }
}

#[test]
fn one_minimum_of_rust_is_declared() {
    let manifests = [
        include_str!("../Cargo.toml"),
        include_str!("../crates/uphold-benches/Cargo.toml"),
        include_str!("../crates/uphold-cli/Cargo.toml"),
        include_str!("../crates/uphold-lab/Cargo.toml"),
    ];
    for manifest in manifests {
        assert!(manifest.contains("rust-version.workspace = true"), "{manifest}");
    }
    let workspace = include_str!("../Cargo.toml");
    let declared = workspace.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(
        include_str!("../README.md").contains(&format!("Minimum supported Rust version of every package: {declared}."))
    );
}
