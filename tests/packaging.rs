//! What crates.io and docs.rs show works there, where there is no repository beside it.

/// Links and pictures of a Markdown text, without those to headings of the same page.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with('#')).collect()
}

#[test]
fn the_readme_links_only_to_what_is_there_without_a_repository() {
    for target in links(include_str!("../README.md")) {
        assert!(target.starts_with("https://"), "{target} leads nowhere on crates.io");
    }
}

#[test]
fn schema_and_pictures_are_in_the_package() {
    let manifest = include_str!("../Cargo.toml");
    let include = manifest.lines().find(|line| line.starts_with("include = ")).unwrap();
    for folder in ["/schemas/", "/docs/", "/src/**/*.md"] {
        assert!(include.contains(folder), "{include}");
    }
}

#[test]
fn one_minimum_of_rust_is_declared() {
    let manifests = [
        include_str!("Cargo.toml"),
        include_str!("../examples/Cargo.toml"),
        include_str!("../benches/Cargo.toml"),
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
