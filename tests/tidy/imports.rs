//! Which module of a crate imports which, by the paths that its file names.

use std::collections::{BTreeMap, BTreeSet};

use super::source::File;

/// A module by its path from the root of its crate; the root is empty.
type Module = Vec<String>;

/// The modules of one crate with the modules that each imports.
struct Crate {
    paths: BTreeMap<Module, Vec<Path>>,
}

/// A path that a module names, from the root of the crate.
struct Path {
    names: Module,
    /// Whether the module hands it on, as `pub use` does.
    public: bool,
}

/// The imports of which cycles between the modules of a crate consist. A module and those inside it may know each other.
pub fn cycles(files: &[File]) -> Vec<String> {
    let mut crates: BTreeMap<&str, Crate> = BTreeMap::new();
    for file in files {
        let (root, module) = place(&file.path);
        let paths = &mut crates.entry(root).or_insert_with(|| Crate { paths: BTreeMap::new() }).paths;
        paths.insert(module, Vec::new());
    }
    for file in files {
        let (root, module) = place(&file.path);
        let Some(all) = crates.get_mut(root) else { continue };
        let found = paths(file, &module, &all.paths.keys().cloned().collect());
        all.paths.insert(module, found);
    }
    crates
        .iter()
        .flat_map(|(root, modules)| modules.cycles().into_iter().map(move |edge| format!("{root}: {edge}")))
        .collect()
}

impl Crate {
    fn cycles(&self) -> Vec<String> {
        let mut edges: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
        for (module, paths) in &self.paths {
            let imported = paths.iter().filter_map(|path| self.resolve(&path.names, 0));
            let others = imported.filter(|other| !other.starts_with(module) && !module.starts_with(other));
            edges.insert(module, others.collect());
        }
        // What imports nothing that is left, or is imported by nothing that is left, is in no cycle.
        loop {
            let imported: BTreeSet<&Module> = edges.values().flatten().copied().collect();
            let before = edges.len();
            edges.retain(|module, others| !others.is_empty() && imported.contains(module));
            let left: BTreeSet<&Module> = edges.keys().copied().collect();
            edges.values_mut().for_each(|others| others.retain(|other| left.contains(other)));
            if edges.len() == before {
                break;
            }
        }
        let edges = edges.iter().flat_map(|(module, others)| others.iter().map(move |other| (module, other)));
        edges.map(|(module, other)| format!("{} imports {}", module.join("::"), other.join("::"))).collect()
    }

    /// The module that a path leads to, also through what other modules hand on.
    fn resolve(&self, names: &[String], depth: usize) -> Option<&Module> {
        let length = (0..=names.len()).rev().find(|length| self.paths.contains_key(&names[..*length]))?;
        let (module, paths) = self.paths.get_key_value(&names[..length])?;
        let next = names.get(length);
        let handed = paths.iter().find(|path| path.public && path.names.last() == next && next.is_some());
        match handed {
            Some(path) if depth < 5 && path.names[..] != names[..=length] => {
                let on: Module = path.names.iter().chain(&names[length + 1..]).cloned().collect();
                self.resolve(&on, depth + 1)
            }
            _ => Some(module),
        }
    }
}

/// The folder of the crate that a file belongs to, and its module there.
fn place(path: &str) -> (&str, Module) {
    let end = path.find("src/").map_or(0, |at| at + "src".len());
    let inside = path[end..].trim_start_matches('/').trim_end_matches(".rs");
    let module = if inside == "lib" { Vec::new() } else { inside.split('/').map(str::to_owned).collect() };
    (&path[..end], module)
}

/// The paths to modules of its own crate that a file names.
fn paths(file: &File, module: &Module, modules: &BTreeSet<Module>) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < file.words.len() {
        if file.word(at) == "use" {
            let public = at > 0 && matches!(file.word(at - 1), "pub" | ")");
            let mut trees = Vec::new();
            at = tree(file, at + 1, &Vec::new(), &mut trees);
            found.extend(
                trees
                    .into_iter()
                    .filter_map(|names| absolute(&names, module, modules))
                    .map(|names| Path { names, public }),
            );
        } else if matches!(file.word(at), "crate" | "super" | "self") && file.word(at + 1) == "::" {
            let mut names = vec![file.word(at).to_owned()];
            while file.word(at + 1) == "::" {
                names.push(file.word(at + 2).to_owned());
                at += 2;
            }
            found.extend(absolute(&names, module, modules).map(|names| Path { names, public: false }));
        }
        at += 1;
    }
    found
}

/// Reads a tree of `use` from this word on, and returns where it ends.
fn tree(file: &File, mut at: usize, before: &Module, found: &mut Vec<Module>) -> usize {
    let mut names = before.clone();
    loop {
        if file.word(at) == "{" {
            at += 1;
            while at < file.words.len() && file.word(at) != "}" {
                at = tree(file, at, &names, found);
                if file.word(at) == "," {
                    at += 1;
                }
            }
            return at + 1;
        }
        names.push(file.word(at).to_owned());
        at += 1;
        if file.word(at) == "as" {
            at += 2;
        }
        if file.word(at) != "::" {
            // `a::{self, b}` names `a` itself.
            if !before.is_empty() && names.last().is_some_and(|name| name == "self") {
                names.pop();
            }
            found.push(names);
            return at;
        }
        at += 1;
    }
}

/// A path from the root of the crate; nothing for one that leads to another crate.
fn absolute(names: &[String], module: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    let supers = names.iter().take_while(|name| *name == "super").count();
    let (start, rest) = match names.first()?.as_str() {
        "crate" => (Vec::new(), &names[1..]),
        "self" => (module.clone(), &names[1..]),
        "super" => (module[..module.len().checked_sub(supers)?].to_vec(), &names[supers..]),
        name => {
            let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
            modules.contains(&child).then(|| (module.clone(), names))?
        }
    };
    Some(start.into_iter().chain(rest.iter().cloned()).collect())
}
