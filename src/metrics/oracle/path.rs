//! Paths by writing down every walk in full.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
mod walks;
#[cfg(test)]
mod worlds;

use std::collections::BTreeSet;

use self::walks::{between_steps, of_sessions};
use super::People;
use crate::metrics::funnel::spec::Count;
use crate::metrics::path::PathSpec;
use crate::metrics::path::report::{
    PathCounted, PathEdge, PathList, PathNode, PathPosition, PathRow, PathsReport,
};
use crate::metrics::path::spec::{Link, Listed, Mode, ShownKind, Which};
use crate::metrics::time::Moment;

/// A node as it is called: `Other` is made of these later.
type Called = (String, ShownKind);

/// A path, whole.
#[derive(Clone, Debug)]
struct Whole {
    person: u64,
    place: usize,
    at: i64,
    nodes: Vec<Called>,
}

/// The report over a project's events.
pub fn paths<'a>(spec: &PathSpec, now_ms: i64, events: impl Into<People<'a>>) -> PathsReport {
    let people = &events.into();
    let found: Vec<Whole> = match &spec.funnel {
        Some(link) => between_steps(spec, link, people),
        None => of_sessions(spec, people),
    };
    let shown: Vec<Vec<Called>> = found.iter().map(|whole| shown(spec, &whole.nodes)).collect();
    let columns: Vec<Vec<Called>> = (0..spec.steps).map(|place| kept(spec, &shown, place)).collect();
    let called = |place: usize, node: &Called| match columns[place].contains(node) {
        true => node.clone(),
        false => ("Other".to_owned(), ShownKind::Other),
    };
    // What the graph has: the nodes of each path as they are called in it.
    let graph: Vec<Vec<Called>> = shown
        .iter()
        .map(|nodes| {
            (0..nodes.len())
                .map(|place| called(place, &nodes[place]))
                .collect()
        })
        .collect();
    let ends = |n: usize| End::of(spec, &found[n].nodes);
    let mut positions = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        let mut nodes = Vec::new();
        let other = ("Other".to_owned(), ShownKind::Other);
        for node in column.iter().chain([&other]) {
            let here: Vec<usize> = (0..graph.len())
                .filter(|n| graph[*n].get(place) == Some(node))
                .collect();
            let ending = |end: End| {
                let last = here.iter().filter(|n| graph[**n].len() == place + 1);
                last.filter(|n| ends(**n) == end).count() as u64
            };
            if !here.is_empty() {
                nodes.push(PathNode {
                    label: node.0.clone(),
                    kind: node.1,
                    count: here.len() as u64,
                    drop_off: ending(End::DropOff),
                    arrived: ending(End::Arrived),
                    beyond: ending(End::Beyond),
                });
            }
        }
        if !nodes.is_empty() {
            positions.push(PathPosition {
                position: place + 1,
                count: graph.iter().filter(|nodes| nodes.len() > place).count() as u64,
                nodes,
            });
        }
    }
    let (from, to, over) = match &spec.funnel {
        Some(Link { funnel, .. }) => (funnel.from_ms, funnel.to_ms, funnel.to_ms + funnel.window_ms),
        None => (
            spec.range.from_ms,
            spec.range.to_ms,
            spec.range.to_ms + 24 * 3_600_000,
        ),
    };
    PathsReport {
        mode: spec.mode,
        nodes: spec.nodes,
        counted: match (&spec.funnel, spec.count) {
            (Some(_), _) => PathCounted::Chains,
            (None, Count::Unique) => PathCounted::Persons,
            (None, Count::Total) => PathCounted::Sessions,
        },
        paths: found.len() as u64,
        from: Moment(from),
        to: Moment(to),
        is_final: over <= now_ms,
        edges: edges(&positions, &graph),
        list: spec
            .list
            .as_ref()
            .map(|wanted| list(spec, wanted, &found, &graph, people)),
        positions,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    DropOff,
    Arrived,
    Beyond,
}

impl End {
    fn of(spec: &PathSpec, nodes: &[Called]) -> End {
        match (spec.mode, nodes.len() > spec.steps) {
            (Mode::Between, _) => End::Arrived,
            (_, true) => End::Beyond,
            (_, false) => End::DropOff,
        }
    }
}

/// The part of a path for which there are positions.
fn shown(spec: &PathSpec, nodes: &[Called]) -> Vec<Called> {
    if nodes.len() <= spec.steps {
        return nodes.to_vec();
    }
    if spec.mode != Mode::Between {
        return nodes[..spec.steps].to_vec();
    }
    let mut shown = nodes[..spec.steps - 2].to_vec();
    let hidden = nodes.len() - shown.len() - 1;
    shown.push((format!("… {hidden} more"), ShownKind::More));
    shown.push(nodes[nodes.len() - 1].clone());
    shown
}

/// The nodes that a position keeps, the largest first.
fn kept(spec: &PathSpec, shown: &[Vec<Called>], place: usize) -> Vec<Called> {
    let here = || shown.iter().filter_map(|nodes| nodes.get(place));
    let all: BTreeSet<&Called> = here().collect();
    let mut all: Vec<&Called> = all.into_iter().collect();
    // They are in order of bytes, and stay so where counts are equal.
    all.sort_by_key(|node| std::cmp::Reverse(here().filter(|other| other == node).count()));
    all.into_iter().take(spec.top).cloned().collect()
}

fn edges(positions: &[PathPosition], graph: &[Vec<Called>]) -> Vec<PathEdge> {
    let mut edges = Vec::new();
    for pair in positions.windows(2) {
        let mut of_pair = Vec::new();
        for (from, first) in pair[0].nodes.iter().enumerate() {
            for (to, second) in pair[1].nodes.iter().enumerate() {
                let is = |called: &Called, node: &PathNode| called.0 == node.label && called.1 == node.kind;
                let place = pair[0].position - 1;
                let count = graph
                    .iter()
                    .filter(|nodes| {
                        nodes.len() > place + 1 && is(&nodes[place], first) && is(&nodes[place + 1], second)
                    })
                    .count() as u64;
                if count > 0 {
                    of_pair.push(PathEdge {
                        position: pair[0].position,
                        from,
                        to,
                        count,
                    });
                }
            }
        }
        of_pair.sort_by_key(|edge| std::cmp::Reverse(edge.count));
        edges.extend(of_pair);
    }
    edges
}

fn list(
    spec: &PathSpec,
    wanted: &Listed,
    found: &[Whole],
    graph: &[Vec<Called>],
    people: &People,
) -> PathList {
    let place = wanted.position - 1;
    let node = (wanted.node.label.clone(), wanted.node.kind);
    let mut meant = Vec::new();
    for (whole, nodes) in found.iter().zip(graph) {
        let goes_on = match &wanted.which {
            Which::All => true,
            Which::DropOff => nodes.len() == place + 1 && End::of(spec, &whole.nodes) == End::DropOff,
            Which::To(next) => nodes.get(place + 1) == Some(&(next.label.clone(), next.kind)),
        };
        if nodes.get(place) == Some(&node) && goes_on {
            meant.push(whole);
        }
    }
    meant.sort_by_key(|whole| (whole.person, whole.place));
    let total = meant.len() as u64;
    let place = |whole: &Whole| (whole.person, u32::try_from(whole.place).unwrap_or(u32::MAX));
    meant.retain(|whole| wanted.after.is_none_or(|after| place(whole) > after));
    let more = meant.len() > wanted.limit;
    meant.truncate(wanted.limit);
    let next = meant.last().filter(|_| more);
    PathList {
        total,
        next: next.map(|whole| format!("{:x}-{}", whole.person, whole.place)),
        rows: meant
            .into_iter()
            .map(|whole| PathRow {
                actor: format!("{:016x}", whole.person),
                distinct_id: people.name(whole.person, spec.facts_range()).map(str::to_owned),
                at: Moment(whole.at),
                path: shown(spec, &whole.nodes).into_iter().map(|node| node.0).collect(),
            })
            .collect(),
    }
}
