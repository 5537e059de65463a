//! Whose paths there are, each in full.

use regex::Regex;

use super::Whole;
use crate::event::Event;
use crate::metrics::filter::PersonProperties;
use crate::metrics::funnel::spec::Count;
use crate::metrics::oracle::{People, funnel};
use crate::metrics::path::PathSpec;
use crate::metrics::path::spec::{Link, Matcher, Mode, NodeKind, ShownKind};

/// What is asked, with what pages are called made ready.
struct Asked<'a> {
    spec: &'a PathSpec,
    /// Rules of cleaning with what they put in.
    clean: Vec<(Regex, &'a str)>,
    /// Wildcards with what they are called.
    group: Vec<(Regex, &'a str)>,
}

impl Asked<'_> {
    fn of(spec: &PathSpec) -> Asked<'_> {
        let clean = spec.clean.iter().filter_map(|rule| {
            let pattern = Regex::new(&format!("(?s:{})", rule.pattern.as_str())).ok()?;
            Some((pattern, rule.replace.as_str()))
        });
        let group = spec.group.iter().filter_map(|group| {
            let pieces: Vec<String> = group.split('*').map(regex::escape).collect();
            let whole = Regex::new(&format!("(?s)^{}$", pieces.join(".*"))).ok()?;
            Some((whole, group.as_str()))
        });
        Asked {
            clean: clean.collect(),
            group: group.collect(),
            spec,
        }
    }
}

/// The paths of sessions.
pub fn of_sessions(spec: &PathSpec, people: &People) -> Vec<Whole> {
    let asked = Asked::of(spec);
    let mut found = Vec::new();
    for (person, events) in people.by_person() {
        let properties = PersonProperties::of(events.iter().copied());
        let mut own = Vec::new();
        let begins_there =
            |session: &Vec<&Event>| spec.range.from_ms <= session[0].ts && session[0].ts < spec.range.to_ms;
        let there = sessions(&events).into_iter().filter(begins_there);
        for (place, session) in there.enumerate() {
            let runs = runs(&asked, &session, &properties);
            if let Some(part) = part(&asked, &runs) {
                own.push(Whole {
                    person,
                    place,
                    at: part[0].events[0].ts,
                    nodes: part.into_iter().map(|run| (run.label, ShownKind::Node)).collect(),
                });
            }
        }
        if spec.count == Count::Unique {
            own.truncate(1);
        }
        found.extend(own);
    }
    found
}

/// A person's sessions, in order of their first events: of each device and given id; without one, half an hour of
/// silence ends them; after a day all are cut.
fn sessions<'a>(events: &[&'a Event]) -> Vec<Vec<&'a Event>> {
    const MINUTE: i64 = 60_000;
    let mut sessions: Vec<Vec<&Event>> = Vec::new();
    for event in events {
        let same = |session: &&mut Vec<&Event>| {
            session[0].device_id == event.device_id && session[0].session == event.session
        };
        // Only the latest of a device and id can go on.
        let latest = sessions.iter_mut().rev().find(same);
        let goes_on = |session: &&mut Vec<&'a Event>| {
            let silent = event.ts - session[session.len() - 1].ts >= 30 * MINUTE;
            let old = event.ts - session[0].ts >= 24 * 60 * MINUTE;
            !old && (event.session != 0 || !silent)
        };
        match latest.filter(goes_on) {
            Some(session) => session.push(event),
            None => sessions.push(vec![event]),
        }
    }
    sessions
}

/// A node with the events that are it.
#[derive(Clone, Debug)]
struct Run<'a> {
    label: String,
    events: Vec<&'a Event>,
}

impl Run<'_> {
    fn is(&self, asked: &Asked, matcher: Option<&Matcher>) -> bool {
        matcher.is_none_or(|matcher| self.events.iter().any(|event| is(asked, matcher, event)))
    }
}

fn is(asked: &Asked, matcher: &Matcher, event: &Event) -> bool {
    match matcher {
        Matcher::Event(name) => event.event == *name,
        Matcher::Page(path) => page(asked, &event.path).as_ref() == Some(path),
    }
}

fn runs<'a>(asked: &Asked, events: &[&'a Event], person: &PersonProperties) -> Vec<Run<'a>> {
    let spec = asked.spec;
    let mut runs: Vec<Run> = Vec::new();
    for event in events {
        let label = match spec.nodes {
            NodeKind::Event => Some(event.event.clone()),
            NodeKind::Page => page(asked, &event.path),
        };
        let Some(label) = label else { continue };
        let excluded = spec.exclude.iter().any(|matcher| is(asked, matcher, event));
        if excluded || !spec.filter.matches(event, person) {
            continue;
        }
        match runs.last_mut() {
            Some(last) if spec.collapse && last.label == label => last.events.push(event),
            _ => runs.push(Run {
                label,
                events: vec![event],
            }),
        }
    }
    runs
}

/// Trailing slashes off, then each rule, then the first wildcard that fits.
fn page(asked: &Asked, path: &str) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    let mut label = path.to_owned();
    while label.len() > 1 && label.ends_with('/') {
        label.pop();
    }
    for (pattern, replace) in &asked.clean {
        label = pattern
            .replace_all(&label, |found: &regex::Captures| match &found[0] {
                "" => String::new(),
                _ => (*replace).to_owned(),
            })
            .into_owned();
    }
    for (whole, name) in &asked.group {
        if whole.is_match(&label) {
            return Some((*name).to_owned());
        }
    }
    if label.is_empty() { None } else { Some(label) }
}

fn part<'a>(asked: &Asked, runs: &[Run<'a>]) -> Option<Vec<Run<'a>>> {
    let spec = asked.spec;
    let anchors: Vec<usize> = (0..runs.len())
        .filter(|place| runs[*place].is(asked, spec.anchor.as_ref()))
        .collect();
    match spec.mode {
        Mode::After => Some(runs[*anchors.first()?..].to_vec()),
        Mode::Before => {
            let mut part = runs[..=*anchors.last()?].to_vec();
            part.reverse();
            Some(part)
        }
        Mode::Between => {
            let first = *anchors.first()?;
            let is_end = |place: &usize| runs[*place].is(asked, spec.until.as_ref());
            let end = (first + 1..runs.len()).find(is_end)?;
            Some(runs[first..=end].to_vec())
        }
    }
}

/// The paths between two steps of a funnel, which its own twin tells.
pub fn between_steps(spec: &PathSpec, link: &Link, people: &People) -> Vec<Whole> {
    let mandatory = |step: usize| {
        link.funnel.steps[..=step]
            .iter()
            .filter(|step| !step.optional)
            .count()
    };
    let (depth, next_depth) = (mandatory(link.step), mandatory(link.next));
    let place = |event: &Event| (event.ts, event.seq, event.id);
    let asked = Asked::of(spec);
    let mut found: Vec<Whole> = Vec::new();
    for (person, events_of) in people.by_person() {
        let properties = PersonProperties::of(events_of.iter().copied());
        let own = people.among(&events_of);
        // Properties of a person are read from all that they ever did, which is what is here.
        for (n, row) in funnel::actors(&link.funnel, &own).into_iter().enumerate() {
            let meant = match link.dropped {
                true => row.depth == depth,
                false => row.depth >= next_depth,
            };
            let at = |step: usize| {
                let link = row.chain.iter().find(|link| link.step == step + 1)?;
                events_of.iter().find(|event| event.id == link.event_id)
            };
            let (true, Some(from)) = (meant, at(link.step)) else {
                continue;
            };
            let next = at(link.next).filter(|_| !link.dropped);
            let over = row.chain[0].at.0 + link.funnel.window_ms;
            let is_between = |event: &&&Event| {
                let early = match next {
                    Some(next) => place(event) < place(next),
                    None => event.ts <= over,
                };
                place(event) > place(from) && early
            };
            let inner: Vec<&Event> = events_of.iter().filter(is_between).copied().collect();
            let step = |step: usize| (link.funnel.steps[step].label(), ShownKind::Step);
            let mut nodes = vec![step(link.step)];
            let inner = runs(&asked, &inner, &properties);
            nodes.extend(inner.into_iter().map(|run| (run.label, ShownKind::Node)));
            nodes.extend(next.map(|_| step(link.next)));
            found.push(Whole {
                person,
                place: n,
                at: from.ts,
                nodes,
            });
        }
    }
    found
}
