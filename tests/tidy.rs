//! The house rules that a machine can hold: who may know whom, how long a file may be, and the one place
//! for the clock and the environment. Each failure names the file and says what to do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may take from the crate, besides itself. What is not listed may use everything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("metrics", &["event"]),
    ("fault", &[]),
    ("stream", &["event", "fault"]),
    ("store", &["event", "metrics", "fault"]),
    ("meta", &["event"]),
    ("problem", &[]),
    ("clock", &[]),
    ("config", &[]),
    ("engines", &[]),
    (
        "capture",
        &["event", "stream", "meta", "problem", "clock", "fault"],
    ),
    (
        "worker",
        &[
            "event", "metrics", "stream", "store", "meta", "identity", "clock", "fault",
        ],
    ),
    ("audit", &["event", "metrics", "stream", "store"]),
    ("identity", &["event", "metrics", "stream", "store", "fault"]),
    ("serving", &["event", "metrics", "stream", "store", "problem"]),
    (
        "api",
        &[
            "event", "metrics", "store", "stream", "audit", "identity", "serving", "meta", "problem", "clock",
        ],
    ),
];

/// Crates that only one room may name: everything else speaks to that room.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("redis::", &["stream", "engines"]),
    ("clickhouse::", &["store", "engines"]),
    ("sqlx::", &["meta"]),
    ("hyperloglogplus::", &["metrics"]),
    ("libloading::", &["engines"]),
    ("axum::", &["api", "app", "capture", "problem"]),
];

const CEILING: usize = 400;

fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "node_modules" && name != "dist" {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR"))
        .unwrap_or(path)
        .display()
        .to_string()
}

/// `src/metrics/time.rs` is in the room `metrics`, `src/clock.rs` in `clock`.
fn room(path: &Path) -> String {
    let inside = relative(path);
    let inside = inside.strip_prefix("src/").unwrap_or(&inside);
    inside
        .split('/')
        .next()
        .unwrap_or(inside)
        .trim_end_matches(".rs")
        .to_owned()
}

/// The lines of a file that are code, with their numbers: comments and everything behind `#[cfg(test)]` left out.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(n, line)| (n + 1, line.to_owned()))
        .collect()
}

/// The rooms that a line reaches through `crate::room` or `crate::{room, …}`.
fn reached(line: &str) -> Vec<String> {
    line.match_indices("crate::")
        .flat_map(|(at, prefix)| {
            let rest = &line[at + prefix.len()..];
            let list = match rest.strip_prefix('{') {
                Some(inner) => inner
                    .split('}')
                    .next()
                    .unwrap_or(inner)
                    .split(',')
                    .map(str::trim)
                    .collect(),
                None => vec![rest],
            };
            list.into_iter()
                .map(|item| {
                    item.chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect::<String>()
                })
                .filter(|name| name.chars().next().is_some_and(char::is_lowercase))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn no_room_knows_what_it_must_not_know() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in files("src", &[".rs"]) {
        let here = room(&path);
        let Some(allowed) = table.get(here.as_str()) else {
            continue;
        };
        for (number, line) in code(&path) {
            for there in reached(&line) {
                if there != here && !allowed.contains(&there.as_str()) {
                    wrong.push(format!(
                        "{}:{number}: {here} must not know {there}",
                        relative(&path)
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "see the table in ARCHITECTURE.md\n{}",
        wrong.join("\n")
    );
}

#[test]
fn each_engine_is_spoken_to_from_one_room() {
    let mut wrong = Vec::new();
    for path in files("src", &[".rs"]) {
        let here = room(&path);
        for (number, line) in code(&path) {
            for (name, rooms) in ONLY_IN {
                let named = line.match_indices(name).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                });
                if named && !rooms.contains(&here.as_str()) {
                    wrong.push(format!(
                        "{}:{number}: {name} belongs to {rooms:?}",
                        relative(&path)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_holds_one_noun_and_at_most_400_lines() {
    let long: Vec<String> = ["src", "tests", "benches", "sdk-js", "web"]
        .iter()
        .flat_map(|folder| files(folder, &[".rs", ".ts", ".svelte", ".lua", ".mjs"]))
        .filter(|path| !path.ends_with("api.gen.ts"))
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap_or_default().lines().count();
            (lines > CEILING).then(|| format!("{} has {lines} lines", relative(&path)))
        })
        .collect();
    assert!(long.is_empty(), "split by noun:\n{}", long.join("\n"));
}

#[test]
fn the_clock_and_the_environment_are_read_in_one_place_each() {
    let mut wrong = Vec::new();
    for path in files("src", &[".rs"]) {
        let here = room(&path);
        for (number, line) in code(&path) {
            let clock = ["SystemTime::now", "Timestamp::now", "Zoned::now", "Uuid::now_v7"];
            if here != "clock" && clock.iter().any(|call| line.contains(call)) {
                wrong.push(format!("{}:{number}: ask a Clock for the time", relative(&path)));
            }
            // What `fault` reads is no setting, and no release reads it.
            if !["config", "fault"].contains(&here.as_str()) && line.contains("env::var") {
                wrong.push(format!(
                    "{}:{number}: settings come from config.rs",
                    relative(&path)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_drawer_without_a_noun() {
    let drawers = [
        "utils", "util", "helpers", "helper", "common", "core", "misc", "types", "services",
    ];
    let wrong: Vec<String> = ["src", "sdk-js/src", "web/src"]
        .iter()
        .flat_map(|folder| files(folder, &[".rs", ".ts", ".svelte"]))
        .filter(|path| {
            let inside = relative(path);
            inside.split(['/', '.']).any(|part| drawers.contains(&part))
        })
        .map(|path| relative(&path))
        .collect();
    assert!(wrong.is_empty(), "these have not found their noun yet: {wrong:?}");
}

#[test]
fn a_release_has_no_fault_points() {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let manifest = read("Cargo.toml");
    let features = manifest.split("\n[features]\n").nth(1).expect("features");
    let features = features.split("\n[").next().unwrap_or(features);
    let switched: Vec<&str> = features.lines().filter(|line| line.contains('=')).collect();
    assert_eq!(
        switched,
        ["faults = []"],
        "none by default, and none brings faults along"
    );
    for name in ["Makefile", "deploy/Dockerfile"] {
        let text = read(name);
        let released: Vec<&str> = text.lines().filter(|line| line.contains("--release")).collect();
        assert!(!released.is_empty(), "{name} builds a release");
        assert!(
            !released.iter().any(|line| line.contains("feature")),
            "{released:?}"
        );
    }
    assert!(
        read("src/fault.rs")
            .contains("#[cfg(all(feature = \"faults\", not(debug_assertions)))]\ncompile_error!"),
        "a release with the feature does not compile"
    );
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "sdk-js/src", "web/src"] {
        for path in files(folder, &[".rs", ".ts", ".svelte", ".lua"]) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            for (number, line) in text.lines().enumerate() {
                if marks.iter().any(|mark| line.contains(mark)) {
                    wrong.push(format!("{}:{}", relative(&path), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
