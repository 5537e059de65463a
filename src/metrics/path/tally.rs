//! Gathers walks, one person at a time, in any order of persons, and makes them a graph.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::PathEvent;
use super::linked::Stretch;
use super::report::{PathCounted, PathEdge, PathList, PathNode, PathPosition, PathRow, PathsReport};
use super::spec::{Listed, NodeRef, PathSpec, ShownKind, Which};
use super::walk::{End, Node, Walk, Words, of_sessions, of_stretches, visit};
use crate::metrics::filter::OTHER;
use crate::metrics::funnel::spec::Count;
use crate::metrics::session::may_begin_earlier;
use crate::metrics::time::Moment;

/// Gathers paths. Memory: 32 bytes a path and 8 a node of it.
#[derive(Clone, Debug)]
pub struct PathTally {
    spec: Arc<PathSpec>,
    words: Arc<Words>,
    /// By person, where paths lie between the steps of a funnel.
    stretches: Arc<HashMap<u64, Vec<Stretch>>>,
    walks: Vec<Brief>,
    /// The nodes of all walks, one after the other.
    nodes: Vec<Node>,
    /// Where the events that are taken begin; `None`: with the very first.
    since_ms: Option<i64>,
    put_aside: Vec<u64>,
}

/// A walk without its nodes.
#[derive(Clone, Copy, Debug)]
struct Brief {
    person: u64,
    at: i64,
    place: u32,
    /// Where its nodes begin.
    from: u32,
    length: u8,
    end: End,
}

impl PathTally {
    /// A tally of nobody so far.
    pub fn new(spec: &PathSpec, words: Words, stretches: HashMap<u64, Vec<Stretch>>) -> PathTally {
        PathTally {
            since_ms: Some(spec.facts_range().from_ms).filter(|since| *since > 0),
            spec: Arc::new(spec.clone()),
            words: Arc::new(words),
            stretches: Arc::new(stretches),
            walks: Vec::new(),
            nodes: Vec::new(),
            put_aside: Vec::new(),
        }
    }

    /// The same tally with other words, of persons whose events are taken from the very first one on.
    pub fn of_all_time(mut self, words: Words) -> PathTally {
        self.words = Arc::new(words);
        self.since_ms = None;
        self
    }

    /// The persons that were put aside: their events have to be taken from the very first one on.
    pub fn take_put_aside(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.put_aside)
    }

    /// Takes all events of one person, in total order. Somebody whose sessions may have begun before the events did is
    /// put aside.
    pub fn add(&mut self, person: u64, events: &[PathEvent]) {
        let (spec, words) = (self.spec.clone(), self.words.clone());
        let mut walks = if spec.funnel.is_some() {
            let own = self.stretches.get(&person);
            of_stretches(&spec, &words, events, own.map_or(&[], Vec::as_slice))
        } else {
            let visits = events.iter().map(visit);
            let is_cut = |since: i64| may_begin_earlier(visits, since, spec.range.from_ms);
            if self.since_ms.is_some_and(is_cut) {
                self.put_aside.push(person);
                return;
            }
            of_sessions(&spec, &words, events)
        };
        if spec.funnel.is_none() && spec.count == Count::Unique {
            walks.truncate(1);
        }
        for walk in walks {
            self.push(person, walk);
        }
    }

    fn push(&mut self, person: u64, walk: Walk) {
        self.walks.push(Brief {
            person,
            at: walk.at,
            place: walk.place,
            from: u32::try_from(self.nodes.len()).unwrap_or(u32::MAX),
            length: u8::try_from(walk.nodes.len()).unwrap_or(u8::MAX),
            end: walk.end,
        });
        self.nodes.extend(walk.nodes);
    }

    /// Takes what another tally of the same question gathered. Its words are the same or go on from these.
    pub fn absorb(&mut self, other: PathTally) {
        self.words = other.words;
        let offset = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let moved = other.walks.into_iter().map(|walk| Brief {
            from: walk.from.saturating_add(offset),
            ..walk
        });
        self.walks.extend(moved);
        self.nodes.extend(other.nodes);
        self.put_aside.extend(other.put_aside);
    }

    fn nodes_of(&self, walk: &Brief) -> &[Node] {
        let from = walk.from as usize;
        &self.nodes[from..from + usize::from(walk.length)]
    }

    /// What a node is called, and what it is.
    fn shown(&self, node: Node) -> NodeRef {
        let step = |of: fn(&super::spec::Link) -> usize| {
            let link = self.spec.funnel.as_ref();
            link.map_or_else(String::new, |link| link.funnel.steps[of(link)].label())
        };
        let (label, kind) = match node {
            Node::Word(word) => (self.words.text(word).to_owned(), ShownKind::Node),
            Node::More(hidden) => (format!("… {hidden} more"), ShownKind::More),
            Node::Step => (step(|link| link.step), ShownKind::Step),
            Node::Next => (step(|link| link.next), ShownKind::Step),
        };
        NodeRef { label, kind }
    }

    /// The report.
    pub fn finish(self, now_ms: i64) -> PathsReport {
        let columns: Vec<Column> = (0..self.spec.steps).map(|place| self.column(place)).collect();
        let (from, to) = match &self.spec.funnel {
            Some(link) => (link.funnel.from_ms, link.funnel.to_ms),
            None => (self.spec.range.from_ms, self.spec.range.to_ms),
        };
        PathsReport {
            mode: self.spec.mode,
            nodes: self.spec.nodes,
            counted: match (&self.spec.funnel, self.spec.count) {
                (Some(_), _) => PathCounted::Chains,
                (None, Count::Unique) => PathCounted::Persons,
                (None, Count::Total) => PathCounted::Sessions,
            },
            paths: self.walks.len() as u64,
            from: Moment(from),
            to: Moment(to),
            is_final: self.spec.final_from() <= now_ms,
            edges: self.edges(&columns),
            list: self.spec.list.as_ref().map(|wanted| self.list(wanted, &columns)),
            positions: columns
                .into_iter()
                .enumerate()
                .filter(|(_, column)| !column.shown.is_empty())
                .map(|(place, column)| PathPosition {
                    position: place + 1,
                    count: column.shown.iter().map(|node| node.count).sum(),
                    nodes: column.shown,
                })
                .collect(),
        }
    }

    /// The largest nodes of a position, and the rest.
    fn column(&self, place: usize) -> Column {
        let mut counts: HashMap<Node, PathNode> = HashMap::new();
        for walk in &self.walks {
            let nodes = self.nodes_of(walk);
            let Some(node) = nodes.get(place) else {
                continue;
            };
            let counted = counts.entry(*node).or_insert_with(|| {
                let NodeRef { label, kind } = self.shown(*node);
                empty(label, kind)
            });
            counted.count += 1;
            if place + 1 == nodes.len() {
                match walk.end {
                    End::DropOff => counted.drop_off += 1,
                    End::Arrived => counted.arrived += 1,
                    End::Beyond => counted.beyond += 1,
                }
            }
        }
        let mut ranked: Vec<(Node, PathNode)> = counts.into_iter().collect();
        ranked.sort_by(|(_, a), (_, b)| (b.count, &a.label, a.kind).cmp(&(a.count, &b.label, b.kind)));
        let rest = ranked.split_off(self.spec.top.min(ranked.len()));
        let kept = ranked
            .iter()
            .enumerate()
            .map(|(at, (node, _))| (*node, at))
            .collect();
        let mut shown: Vec<PathNode> = ranked.into_iter().map(|(_, node)| node).collect();
        if !rest.is_empty() {
            let mut other = empty(OTHER.to_owned(), ShownKind::Other);
            for (_, node) in rest {
                other.count += node.count;
                other.drop_off += node.drop_off;
                other.arrived += node.arrived;
                other.beyond += node.beyond;
            }
            shown.push(other);
        }
        Column { kept, shown }
    }

    fn edges(&self, columns: &[Column]) -> Vec<PathEdge> {
        let mut edges = Vec::new();
        for (place, pair) in columns.windows(2).enumerate() {
            let mut counts: HashMap<(usize, usize), u64> = HashMap::new();
            for walk in &self.walks {
                if let [from, to, ..] = self.nodes_of(walk).get(place..).unwrap_or_default() {
                    *counts.entry((pair[0].at(*from), pair[1].at(*to))).or_default() += 1;
                }
            }
            let mut of_position: Vec<PathEdge> = counts
                .into_iter()
                .map(|((from, to), count)| PathEdge {
                    position: place + 1,
                    from,
                    to,
                    count,
                })
                .collect();
            of_position.sort_by_key(|edge| (Reverse(edge.count), edge.from, edge.to));
            edges.extend(of_position);
        }
        edges
    }

    /// A page of those behind a number.
    fn list(&self, wanted: &Listed, columns: &[Column]) -> PathList {
        let place = wanted.position - 1;
        let at = |place: usize, node: &NodeRef| columns.get(place).and_then(|column| column.place_of(node));
        let node = at(place, &wanted.node);
        let is_meant = |walk: &&Brief| {
            let nodes = self.nodes_of(walk).get(place..).unwrap_or_default();
            let is_there = nodes.first().map(|first| columns[place].at(*first));
            let goes_on = match &wanted.which {
                Which::All => true,
                Which::DropOff => nodes.len() == 1 && walk.end == End::DropOff,
                Which::To(next) => {
                    let next = at(place + 1, next);
                    let there = nodes.get(1).map(|second| columns[place + 1].at(*second));
                    next.is_some() && there == next
                }
            };
            node.is_some() && is_there == node && goes_on
        };
        let mut meant: Vec<&Brief> = self.walks.iter().filter(is_meant).collect();
        meant.sort_unstable_by_key(|walk| (walk.person, walk.place));
        let total = meant.len() as u64;
        let from = wanted.after.map_or(0, |after| {
            meant.partition_point(|walk| (walk.person, walk.place) <= after)
        });
        let mut page = meant.split_off(from);
        let more = page.len() > wanted.limit;
        page.truncate(wanted.limit);
        let last = page.last().filter(|_| more);
        PathList {
            total,
            next: last.map(|walk| format!("{:x}-{}", walk.person, walk.place)),
            rows: page
                .iter()
                .map(|walk| PathRow {
                    actor: format!("{:016x}", walk.person),
                    distinct_id: None,
                    at: Moment(walk.at),
                    path: self
                        .nodes_of(walk)
                        .iter()
                        .map(|node| self.shown(*node).label)
                        .collect(),
                })
                .collect(),
        }
    }
}

/// A position's nodes: the places of those that are kept, and what is shown.
struct Column {
    kept: HashMap<Node, usize>,
    shown: Vec<PathNode>,
}

impl Column {
    /// The place of a node; that of `Other` for one that is not kept.
    fn at(&self, node: Node) -> usize {
        self.kept.get(&node).copied().unwrap_or(self.kept.len())
    }

    fn place_of(&self, node: &NodeRef) -> Option<usize> {
        self.shown
            .iter()
            .position(|shown| shown.label == node.label && shown.kind == node.kind)
    }
}

fn empty(label: String, kind: ShownKind) -> PathNode {
    PathNode {
        label,
        kind,
        count: 0,
        drop_off: 0,
        arrived: 0,
        beyond: 0,
    }
}
