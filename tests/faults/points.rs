//! No point without a case.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of the points in a folder's sources: the literals that `fault::point…` is called with.
fn named_in(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            named_in(&path, names);
        } else {
            let text = std::fs::read_to_string(&path).expect("text");
            let calls = text.split("fault::point").skip(1);
            let literals = calls.filter_map(|call| call.split('"').nth(1));
            names.extend(literals.map(str::to_owned));
        }
    }
}

#[test]
fn every_point_of_the_program_is_struck_by_a_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut points, mut tests) = (BTreeSet::new(), String::new());
    named_in(&root.join("src"), &mut points);
    for entry in std::fs::read_dir(root.join("tests/faults"))
        .expect("a folder")
        .flatten()
    {
        tests += &std::fs::read_to_string(entry.path()).expect("text");
    }
    let untouched: Vec<&String> = points
        .iter()
        .filter(|point| !tests.contains(&format!("\"{point}\"")) && !tests.contains(&format!("\"{point}.")))
        .collect();
    assert!(points.len() > 20, "{points:?}");
    assert!(untouched.is_empty(), "points without a case: {untouched:?}");
}
