//! The layer rule: modules and files call and import downward only.
//!
//! Reads the sources as syntax trees. Three graphs are checked, and none may have a cycle: which module of a crate uses which,
//! which file of a folder imports from which, and, where one type's methods are spread over the files of a folder, which
//! file's methods call which.
//! `cargo test --test structure -- --nocapture` prints the layers.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test may unwrap, and this one prints the layers")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// Name of a file without `.rs`, or of a module -> what it depends on, each with the names it takes from there.
type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

struct Source {
    name: String,
    tree: syn::File,
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Reads the files of folders, each under its name.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for path in folders.iter().flat_map(|folder| entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))) {
        if path.is_file() && stem(&path) != "mod" {
            read(&path, &stem(&path), &mut found);
        }
    }
    found
}

/// Reads the files of a crate, each under the name of its top-level module.
fn modules(src: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for path in entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join(src)) {
        if !["lib", "main"].contains(&&*stem(&path)) {
            read(&path, &stem(&path), &mut found);
        }
    }
    found
}

/// Reads a file, or all files below a folder, without those that hold tests.
fn read(path: &Path, name: &str, found: &mut Vec<Source>) {
    if path.is_dir() {
        entries(path).iter().for_each(|entry| read(entry, name, found));
    } else if path.extension().is_some_and(|extension| extension == "rs") && stem(path) != "tests" {
        let tree = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
        found.push(Source { name: name.to_owned(), tree });
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// Names of methods that a file defines on `owner`.
fn methods_of(source: &Source, owner: &str) -> BTreeSet<String> {
    let blocks = source.tree.items.iter().filter_map(|item| match item {
        syn::Item::Impl(block) if block.trait_.is_none() => Some(block),
        _ => None,
    });
    let of_owner = blocks.filter(|block| match &*block.self_ty {
        syn::Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == owner),
        _ => false,
    });
    let methods = of_owner.flat_map(|block| &block.items).filter_map(|item| match item {
        syn::ImplItem::Fn(method) => Some(method.sig.ident.to_string()),
        _ => None,
    });
    methods.collect()
}

#[derive(Default)]
struct Calls {
    names: BTreeSet<String>,
    /// What is imported from `super`: the file and the name.
    imports: Vec<(String, String)>,
    /// What is used of `crate`: the module and the name.
    of_crate: Vec<(String, String)>,
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if matches!(&*call.receiver, syn::Expr::Path(path) if path.path.is_ident("self") || path.path.is_ident("set")) {
            self.names.insert(call.method.to_string());
        }
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        if let syn::UseTree::Path(path) = &import.tree {
            match path.ident.to_string().as_str() {
                "super" => collect(&path.tree, &mut self.imports),
                "crate" => collect(&path.tree, &mut self.of_crate),
                _ => {}
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter().map(|segment| segment.ident.to_string());
        if segments.next().as_deref() == Some("crate")
            && let (Some(module), Some(name)) = (segments.next(), segments.next())
        {
            self.of_crate.push((module, name));
        }
        syn::visit::visit_path(self, path);
    }
}

/// `super::file::{a, b}` as pairs of file and name.
fn collect(tree: &syn::UseTree, into: &mut Vec<(String, String)>) {
    match tree {
        syn::UseTree::Path(path) => {
            let mut names = Vec::new();
            leaves(&path.tree, &mut names);
            into.extend(names.into_iter().map(|name| (path.ident.to_string(), name)));
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}

fn leaves(tree: &syn::UseTree, into: &mut Vec<String>) {
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree, into),
        syn::UseTree::Name(name) => into.push(name.ident.to_string()),
        syn::UseTree::Rename(rename) => into.push(rename.ident.to_string()),
        syn::UseTree::Glob(_) => into.push("*".to_owned()),
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| leaves(item, into)),
    }
}

fn calls(folders: &[&str], owner: &str) -> Graph {
    let sources = sources(folders);
    let mut home: BTreeMap<String, String> = BTreeMap::new();
    for source in &sources {
        home.extend(methods_of(source, owner).into_iter().map(|method| (method, source.name.clone())));
    }
    graph(&sources, |calls| {
        calls.names.iter().filter_map(|name| Some((home.get(name)?.clone(), name.clone()))).collect()
    })
}

fn uses(src: &str) -> Graph {
    graph(&modules(src), |calls| calls.of_crate.clone())
}

fn imports(folder: &str, but: &[&str]) -> Graph {
    let sources = sources(&[folder]);
    let files: BTreeSet<String> = sources.iter().map(|source| source.name.clone()).collect();
    graph(&sources, |calls| {
        let known = calls.imports.iter().filter(|(file, name)| files.contains(file) && !but.contains(&name.as_str()));
        known.cloned().collect()
    })
}

fn graph(sources: &[Source], edges: impl Fn(&Calls) -> Vec<(String, String)>) -> Graph {
    let mut graph = Graph::new();
    for source in sources {
        let mut calls = Calls::default();
        calls.visit_file(&source.tree);
        let from = graph.entry(source.name.clone()).or_default();
        for (file, name) in edges(&calls).into_iter().filter(|(file, _)| *file != source.name) {
            from.entry(file).or_default().insert(name);
        }
    }
    graph
}

/// Removes files that depend on nothing that is left, layer by layer: what remains lies on a cycle or above one.
fn layers(mut graph: Graph) -> (Vec<Vec<String>>, Graph) {
    let mut layers = Vec::new();
    loop {
        let bottom: Vec<String> = graph
            .iter()
            .filter(|(_, to)| to.keys().all(|file| !graph.contains_key(file)))
            .map(|(file, _)| file.clone())
            .collect();
        if bottom.is_empty() {
            break;
        }
        graph.retain(|file, _| !bottom.contains(file));
        layers.push(bottom);
    }
    // Likewise from above.
    loop {
        let used: BTreeSet<String> = graph.values().flat_map(|to| to.keys().cloned()).collect();
        let before = graph.len();
        graph.retain(|file, _| used.contains(file));
        if graph.len() == before {
            break;
        }
    }
    (layers, graph)
}

fn no_cycle(what: &str, graph: Graph) {
    let (layers, circular) = layers(graph);
    println!("{what}, from the bottom:");
    for (level, files) in layers.iter().enumerate() {
        println!("  {level}: {}", files.join(" "));
    }
    let mut said = String::new();
    for (from, to) in &circular {
        for (file, names) in to.iter().filter(|(file, _)| circular.contains_key(*file)) {
            said += &format!("  {from} -> {file}: {}\n", names.iter().cloned().collect::<Vec<_>>().join(" "));
        }
    }
    assert!(circular.is_empty(), "{what}: {} files form a cycle:\n{said}", circular.len());
}

#[test]
fn methods_of_a_set_call_down_only() {
    no_cycle("calls between methods of ReplicaSet", calls(&["src/engine", "src/engine/slots"], "ReplicaSet"));
}

#[test]
fn modules_use_lower_modules_only() {
    for src in ["src", "crates/uphold-lab/src", "crates/uphold-cli/src"] {
        no_cycle(&format!("modules of {src}"), uses(src));
    }
}

#[test]
fn imports_run_down_only() {
    for folder in [
        "src/backend",
        "src/backend/process",
        "src/decide",
        "src/document",
        "src/policy",
        "src/policy/lint",
        "src/policy/read",
        "src/policy/validate",
        "src/sim",
        "src/supervisor",
        "crates/uphold-lab/src/experiment",
        "crates/uphold-lab/src/fault",
        "crates/uphold-lab/src/files",
        "crates/uphold-lab/src/picture",
        "crates/uphold-lab/src/report",
    ] {
        no_cycle(&format!("imports in {folder}"), imports(folder, &[]));
    }
    // Every file of the engine extends the one type.
    no_cycle("imports in src/engine", imports("src/engine", &["ReplicaSet"]));
    no_cycle("imports in src/engine/slots", imports("src/engine/slots", &[]));
}
