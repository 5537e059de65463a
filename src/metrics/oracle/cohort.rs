//! Cohorts by looking at every event, every pair and every chain of each person.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{date_exists, first_copies, wall_clock};
use crate::event::{Event, Zone};
use crate::metrics::cohort::{CohortSpec, Leaf, Node, Rule, What, When};
use crate::metrics::filter::{PersonProperties, value_of};

/// Who belongs to a cohort at `now_ms`, and of each rule of those who do and do not whether it holds, how often it was
/// done, and when last. `person` says whose an event is.
pub fn cohort<P: Ord>(
    spec: &CohortSpec,
    zone: &Zone,
    now_ms: i64,
    events: &[Event],
    person: impl Fn(&Event) -> P,
) -> BTreeMap<P, (bool, Vec<Told>)> {
    let mut persons: BTreeMap<P, Vec<&Event>> = BTreeMap::new();
    for event in first_copies(events) {
        persons.entry(person(event)).or_default().push(event);
    }
    let told = persons.into_iter().map(|(person, mut events)| {
        events.sort_by_key(|event| (event.ts, event.seq, event.id));
        let rules = spec.rules.iter();
        let told: Vec<Told> = rules.map(|rule| tell(rule, zone, now_ms, &events)).collect();
        (person, (holds(&spec.tree, &told), told))
    });
    told.collect()
}

/// What a rule says of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whether it holds.
    pub holds: bool,
    /// How often.
    pub times: usize,
    /// When last.
    pub last_ms: Option<i64>,
}

fn holds(node: &Node, told: &[Told]) -> bool {
    match &node.rule {
        Rule::And(children) => children.iter().all(|child| holds(child, told)),
        Rule::Or(children) => children.iter().any(|child| holds(child, told)),
        Rule::Not(child) => !holds(child, told),
        Rule::Leaf(n) => told[*n].holds,
    }
}

fn tell(rule: &Leaf, zone: &Zone, now_ms: i64, events: &[&Event]) -> Told {
    let person = PersonProperties::of(events.iter().copied());
    let within = |event: &Event| match rule.when {
        When::Ever => true,
        When::Between(span) => {
            span.from_ms.is_none_or(|from| event.ts >= from) && span.to_ms.is_none_or(|to| event.ts < to)
        }
        When::LastDays(days) => {
            let today = wall_clock(zone, now_ms).date();
            last_dates(zone, today, days).contains(&wall_clock(zone, event.ts).date())
        }
    };
    let (found, holds): (Vec<&Event>, bool) = match &rule.what {
        What::Did(selection, times) => {
            let done = events.iter().copied();
            let done = done.filter(|event| within(event) && selection.matches(event, &person));
            let done: Vec<&Event> = done.collect();
            let often = done.len() as u64;
            let most = times.most.unwrap_or(u64::MAX);
            (done, times.least <= often && often <= most)
        }
        What::First(selection) => {
            let done = events.iter().copied();
            let done: Vec<&Event> = done.filter(|event| selection.matches(event, &person)).collect();
            let holds = done.first().is_some_and(|first| within(first));
            (done, holds)
        }
        What::Sequence(steps, window) => {
            // Every chain of places in the list, longer by one step each time.
            let is = |step: usize, place: usize| {
                within(events[place]) && steps[step].matches(events[place], &person)
            };
            let places = 0..events.len();
            let mut chains: Vec<Vec<usize>> = places.filter(|at| is(0, *at)).map(|at| vec![at]).collect();
            for step in 1..steps.len() {
                let longer = chains.iter().flat_map(|chain| {
                    let later = chain[step - 1] + 1..events.len();
                    let later = later.filter(|at| is(step, *at));
                    later.map(|at| [chain.as_slice(), &[at]].concat())
                });
                chains = longer.collect();
            }
            chains.retain(|chain| events[chain[steps.len() - 1]].ts - events[chain[0]].ts <= *window);
            let mut ends: Vec<usize> = chains.iter().map(|chain| chain[steps.len() - 1]).collect();
            ends.sort_unstable();
            ends.dedup();
            let holds = !ends.is_empty();
            (ends.into_iter().map(|at| events[at]).collect(), holds)
        }
        What::Person(predicate) => {
            let property = predicate.property.as_ref();
            let value = property.and_then(|property| value_of(property, events[0], &person));
            (Vec::new(), predicate.test.holds(value.as_deref()))
        }
    };
    Told {
        holds,
        times: found.len(),
        last_ms: found.iter().map(|event| event.ts).max(),
    }
}

/// So many dates that exist, back from today.
fn last_dates(zone: &Zone, today: Date, days: u32) -> Vec<Date> {
    let back = std::iter::successors(Some(today), |date| date.yesterday().ok());
    back.filter(|date| date_exists(zone, *date))
        .take(days as usize)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::worlds;
    use super::*;
    use crate::metrics::cohort::{Evidence, Leaf, Span, Times};
    use crate::metrics::selection::Selection;

    /// Facts of a rule in one pass over a person's events, as the store's SQL gathers them.
    fn gathered(rule: &Leaf, zone: &Zone, now_ms: i64, events: &[&Event]) -> Evidence {
        let span = rule.when.span(zone, now_ms);
        let person = PersonProperties::default();
        let mut known = Evidence::default();
        let mut note = |event: &Event| {
            known.times += 1;
            known.first_ms.get_or_insert(event.ts);
            known.last_ms = Some(event.ts);
        };
        match &rule.what {
            What::Did(selection, _) => {
                let done = events.iter().filter(|event| span.contains(event.ts));
                done.filter(|event| selection.matches(event, &person))
                    .for_each(|event| note(event));
            }
            What::First(selection) => {
                let done = events.iter();
                done.filter(|event| selection.matches(event, &person))
                    .for_each(|event| note(event));
            }
            What::Sequence(steps, window) => {
                // The latest start of a chain of each length.
                let mut starts: Vec<Option<i64>> = vec![None; steps.len()];
                for event in events.iter().filter(|event| span.contains(event.ts)) {
                    for step in (0..steps.len()).rev() {
                        if !steps[step].matches(event, &person) {
                            continue;
                        }
                        let start = match step {
                            0 => Some(event.ts),
                            _ => starts[step - 1],
                        };
                        starts[step] = starts[step].max(start);
                        let ends = step + 1 == steps.len();
                        if ends && start.is_some_and(|start| event.ts - start <= *window) {
                            note(event);
                        }
                    }
                }
            }
            What::Person(_) => {}
        }
        known
    }

    fn rule() -> impl Strategy<Value = Leaf> {
        let names = prop::sample::subsequence(vec!["A", "B", "C"], 0..=2);
        let selection = names.prop_map(|names| Selection {
            events: names.into_iter().map(str::to_owned).collect(),
            ..Selection::default()
        });
        let times = (0..4_u64, prop::option::of(0..3_u64)).prop_map(|(least, more)| Times {
            least,
            most: more.map(|more| least + more),
        });
        let what = prop_oneof![
            (selection.clone(), times).prop_map(|(selection, times)| What::Did(selection, times)),
            selection.clone().prop_map(What::First),
            (prop::collection::vec(selection, 2..=4), 1..4_i64 * 86_400_000)
                .prop_map(|(steps, window)| What::Sequence(steps, window)),
        ];
        let day = 86_400_000_i64;
        let end = prop::option::of(-day..6 * day);
        let when = prop_oneof![
            Just(When::Ever),
            (1..8_u32).prop_map(When::LastDays),
            (end.clone(), end).prop_map(|(from_ms, to_ms)| When::Between(Span { from_ms, to_ms })),
        ];
        (what, when).prop_map(|(what, when)| Leaf { what, when })
    }

    proptest! {
        #![proptest_config(worlds::seeded(worlds::count(400)))]

        #[test]
        fn one_pass_over_the_events_says_what_all_chains_say(
            (zone, at) in worlds::transition(),
            mut rule in rule(),
            mut events in worlds::events(2, 1..14, (0..5 * 96_i64).prop_map(|quarter| quarter * 900_000)),
            now in 0..7 * 86_400_000_i64,
        ) {
            if let When::Between(span) = &mut rule.when {
                span.from_ms = span.from_ms.map(|from| from + at);
                span.to_ms = span.to_ms.map(|to| to + at);
            }
            for event in &mut events {
                event.ts += at;
            }
            let now = worlds::moment(&zone, at + now);
            let tree = Node { pointer: String::new(), rule: Rule::Leaf(0) };
            let spec = CohortSpec { tree, rules: vec![rule.clone()] };
            let told = cohort(&spec, &zone, now, &events, |event| event.distinct_id.clone());
            let mut persons: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
            for event in first_copies(&events) {
                persons.entry(&event.distinct_id).or_default().push(event);
            }
            prop_assert_eq!(persons.len(), told.len());
            for (person, mut events) in persons {
                events.sort_by_key(|event| (event.ts, event.seq, event.id));
                let known = gathered(&rule, &zone, now, &events);
                let explained = spec.explain(std::slice::from_ref(&known), &zone, now);
                let (member, rules) = &told[person];
                prop_assert_eq!(explained.holds, *member, "{:?} {:?}", rule, known);
                prop_assert_eq!(known.times as usize, rules[0].times);
                prop_assert_eq!(known.last_ms, rules[0].last_ms);
                prop_assert!(!spec.needs_events() || known.times > 0 || !*member);
            }
        }
    }
}
