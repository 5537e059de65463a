//! The walks of one person: of each session (or each stretch between two steps of a funnel) the part that a question
//! asks about, as nodes.

use super::PathEvent;
use super::label::page_label;
use super::linked::Stretch;
use super::spec::{Matcher, Mode, NodeKind, PathSpec};
use crate::metrics::funnel::Values;
use crate::metrics::session::{Visit, sessions};

/// A node of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// The number of an event's name or of a page's label.
    Word(u32),
    /// So many nodes that are not shown.
    More(u32),
    /// The step at which a funnel's path begins.
    Step,
    /// The step at which it ends.
    Next,
}

/// How a walk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing follows.
    DropOff,
    /// At the second anchor, or at the next step.
    Arrived,
    /// It goes on beyond the last position.
    Beyond,
}

/// What is shown of a session (or of a stretch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Which of the person's sessions of the range (or stretches) it is, in order of their first events.
    pub place: u32,
    /// When its first node was.
    pub at: i64,
    /// One for each position.
    pub nodes: Vec<Node>,
    /// How it ends.
    pub end: End,
}

/// Names and pages by their numbers, made ready for a question: what each is called, and what it is to the question.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// Of a page's path as it was sent, from 1: the number of its label; 0: it is no node.
    labels: Vec<u32>,
    /// The texts of labels.
    texts: Values,
    names: Marks,
    pages: Marks,
}

/// What a text is to a question, by its number, from 1.
#[derive(Clone, Debug, Default)]
struct Marks {
    anchor: Vec<bool>,
    until: Vec<bool>,
    excluded: Vec<bool>,
}

impl Words {
    /// Reads the names of events, and the paths of pages as they were sent.
    pub fn new(spec: &PathSpec, names: &Values, pages: &Values) -> Words {
        let all = |values: &Values| -> Vec<String> {
            let numbers = 1..=u32::try_from(values.len()).unwrap_or(u32::MAX);
            numbers
                .filter_map(|number| values.text(number).map(str::to_owned))
                .collect()
        };
        let (names, pages) = (all(names), all(pages));
        let mut shown = Values::default();
        let labels = pages
            .iter()
            .map(|path| shown.number(page_label(spec, path).as_deref()))
            .collect();
        let called = all(&shown);
        let event = |matcher: &Matcher, text: &str| matches!(matcher, Matcher::Event(name) if name == text);
        let page = |matcher: &Matcher, text: &str| matches!(matcher, Matcher::Page(path) if path == text);
        let mut texts = shown;
        if spec.nodes == NodeKind::Event {
            texts = Values::default();
            for name in &names {
                texts.number(Some(name));
            }
        }
        Words {
            labels,
            texts,
            names: Marks::new(spec, &names, event),
            pages: Marks::new(spec, &called, page),
        }
    }

    /// What a node is called.
    pub fn text(&self, word: u32) -> &str {
        self.texts.text(word).unwrap_or_default()
    }

    fn label(&self, event: &PathEvent) -> u32 {
        let place = (event.page as usize).checked_sub(1);
        place
            .and_then(|place| self.labels.get(place))
            .copied()
            .unwrap_or(0)
    }
}

impl Marks {
    fn new(spec: &PathSpec, texts: &[String], is: impl Fn(&Matcher, &str) -> bool) -> Marks {
        let of = |matchers: &[&Matcher]| -> Vec<bool> {
            let is_one = |text: &String| matchers.iter().any(|matcher| is(matcher, text));
            std::iter::once(false).chain(texts.iter().map(is_one)).collect()
        };
        Marks {
            anchor: of(&spec.anchor.iter().collect::<Vec<_>>()),
            until: of(&spec.until.iter().collect::<Vec<_>>()),
            excluded: of(&spec.exclude.iter().collect::<Vec<_>>()),
        }
    }
}

/// Consecutive events that are one node.
#[derive(Clone, Copy, Debug)]
struct Run {
    word: u32,
    at: i64,
    is_anchor: bool,
    is_until: bool,
}

/// The nodes of some events, which are in total order: what passes, is not excluded and is called something.
fn runs<'a>(spec: &PathSpec, words: &Words, events: impl IntoIterator<Item = &'a PathEvent>) -> Vec<Run> {
    let has = |marks: &[bool], number: u32| marks.get(number as usize).copied().unwrap_or(false);
    let mut runs: Vec<Run> = Vec::new();
    for event in events {
        let (name, label) = (event.name, words.label(event));
        let word = match spec.nodes {
            NodeKind::Event => name,
            NodeKind::Page => label,
        };
        let is = |names: &[bool], labels: &[bool]| has(names, name) || has(labels, label);
        if !event.passes || word == 0 || is(&words.names.excluded, &words.pages.excluded) {
            continue;
        }
        let is_anchor = spec.anchor.is_none() || is(&words.names.anchor, &words.pages.anchor);
        let is_until = is(&words.names.until, &words.pages.until);
        match runs.last_mut() {
            Some(last) if spec.collapse && last.word == word => {
                last.is_anchor |= is_anchor;
                last.is_until |= is_until;
            }
            _ => runs.push(Run {
                word,
                at: event.ts,
                is_anchor,
                is_until,
            }),
        }
    }
    runs
}

/// The walks of a person's events, which are in total order: one for each session of the range that has one.
pub fn of_sessions(spec: &PathSpec, words: &Words, events: &[PathEvent]) -> Vec<Walk> {
    let numbers = sessions(events.iter().map(visit));
    let mut found: Vec<Vec<&PathEvent>> = Vec::new();
    for (event, number) in events.iter().zip(numbers) {
        if found.len() <= number {
            found.resize_with(number + 1, Vec::new);
        }
        found[number].push(event);
    }
    let mut walks = Vec::new();
    // What came before the range is read to different depths: only its own sessions are numbered.
    let begins_there =
        |session: &Vec<&PathEvent>| session.first().is_some_and(|first| spec.range.contains(first.ts));
    for (place, session) in (0..).zip(found.into_iter().filter(begins_there)) {
        let runs = runs(spec, words, session.iter().copied());
        let Some(part) = part(spec.mode, &runs) else {
            continue;
        };
        walks.push(Walk {
            place,
            at: part[0].at,
            ..shown(spec, part.iter().map(|run| Node::Word(run.word)).collect())
        });
    }
    walks
}

/// What sessions are derived from.
pub fn visit(event: &PathEvent) -> Visit {
    Visit {
        ts: event.ts,
        device: event.device,
        given: event.session,
    }
}

/// The part of a session's nodes that is asked about; in `before` its end comes first.
fn part(mode: Mode, runs: &[Run]) -> Option<Vec<Run>> {
    match mode {
        Mode::After => {
            let first = runs.iter().position(|run| run.is_anchor)?;
            Some(runs[first..].to_vec())
        }
        Mode::Before => {
            let last = runs.iter().rposition(|run| run.is_anchor)?;
            Some(runs[..=last].iter().rev().copied().collect())
        }
        Mode::Between => {
            let first = runs.iter().position(|run| run.is_anchor)?;
            let later = &runs[first + 1..];
            let length = later.iter().position(|run| run.is_until)?;
            Some(runs[first..=first + 1 + length].to_vec())
        }
    }
}

/// As many nodes as there are positions.
fn shown(spec: &PathSpec, mut nodes: Vec<Node>) -> Walk {
    let between = spec.mode == Mode::Between;
    let end = match (between, nodes.len() > spec.steps) {
        (true, _) => End::Arrived,
        (false, true) => End::Beyond,
        (false, false) => End::DropOff,
    };
    if nodes.len() > spec.steps {
        let last = nodes[nodes.len() - 1];
        let hidden = nodes.len() - (spec.steps - 1);
        nodes.truncate(spec.steps);
        if between {
            nodes[spec.steps - 2] = Node::More(u32::try_from(hidden).unwrap_or(u32::MAX));
            nodes[spec.steps - 1] = last;
        }
    }
    Walk {
        place: 0,
        at: 0,
        nodes,
        end,
    }
}

/// The walks of a person's stretches between two steps, in order of time. The events are in total order.
pub fn of_stretches(
    spec: &PathSpec,
    words: &Words,
    events: &[PathEvent],
    stretches: &[Stretch],
) -> Vec<Walk> {
    let place_of = |id: u128| events.iter().position(|event| event.id == id);
    let mut walks = Vec::new();
    for stretch in stretches {
        let from = place_of(stretch.from);
        let after = from.map_or(0, |place| place + 1);
        let until = match stretch.next {
            Some(next) => place_of(next).unwrap_or(after),
            None => events.partition_point(|event| event.ts <= stretch.until_ms),
        };
        let inner = events.get(after..until).unwrap_or_default();
        let inner = runs(spec, words, inner);
        let mut nodes = vec![Node::Step];
        nodes.extend(inner.iter().map(|run| Node::Word(run.word)));
        nodes.extend(stretch.next.map(|_| Node::Next));
        walks.push(Walk {
            place: stretch.place,
            at: stretch.from_ms,
            ..shown(spec, nodes)
        });
    }
    walks
}
