//! The pages of actors are the twin's list, and everybody on them is told the twin's reason.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::People;
use super::super::worlds::{self, tally};
use super::chains::{Run, Step};
use super::doer::{Seen, doers};
use super::tests::{any_spec, many, tied_spec};
use super::{actors, entry, why};
use crate::event::{Event, Zone};
use crate::metrics::filter::Property;
use crate::metrics::funnel::listing::{ActorOutcome, Actors};
use crate::metrics::funnel::report::{ActorRow, FunnelReport};
use crate::metrics::funnel::spec::{Count, Entity, FunnelSpec, Order};
use crate::metrics::funnel::why::Reason;

const EVERYBODY: (ActorOutcome, Option<Reason>) = (ActorOutcome::Converted, None);

fn run(spec: &FunnelSpec, events: &[Event]) -> FunnelReport {
    tally(spec, &Zone::utc(), 40_000, events)
}

/// All pages of a list, and the number of the chart that each of them told.
fn pages(
    spec: &FunnelSpec,
    events: &[Event],
    depth: usize,
    (outcome, reason): (ActorOutcome, Option<Reason>),
    limit: usize,
) -> Vec<ActorRow> {
    let mut found: Vec<ActorRow> = Vec::new();
    let mut after = None;
    for page in 0.. {
        assert!(page <= events.len(), "pages end");
        let wanted = Actors {
            depth,
            outcome,
            reason,
            after,
            limit,
        };
        let asked = FunnelSpec {
            actors: Some(wanted),
            ..spec.clone()
        };
        let page = run(&asked, events).actors.unwrap();
        assert!(page.actors.len() <= limit);
        found.extend(page.actors);
        let Some(next) = page.next else {
            assert_eq!(
                page.total,
                found.len() as u64,
                "the list's length is the chart's number"
            );
            break;
        };
        let (entity, place) = next.split_once('-').unwrap();
        after = Some((u64::from_str_radix(entity, 16).unwrap(), place.parse().unwrap()));
    }
    found
}

/// In any order, which step an event stands for may be chosen in several ways.
fn in_some_order(spec: &FunnelSpec, mut rows: Vec<ActorRow>) -> Vec<ActorRow> {
    if spec.order == Order::Any {
        let links = rows.iter_mut().flat_map(|row| &mut row.chain);
        links.for_each(|link| link.step = 0);
    }
    rows.sort_by_cached_key(|row| format!("{row:?}"));
    rows
}

/// Sessions, groups and held values, which take a person's events apart.
fn apart(mut spec: FunnelSpec, sessions: u8, hold: usize) -> FunnelSpec {
    let property = |name: &str| Property::Event(name.to_owned());
    match sessions {
        1 => (spec.by_session, spec.window_ms) = (true, 86_400_000),
        2 => spec.entity = Entity::Session,
        3 => (spec.entity, spec.group) = (Entity::Group, Some(property("g"))),
        _ => {}
    }
    spec.hold = [property("p"), property("g")].into_iter().take(hold).collect();
    spec
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn everybody_is_listed_once_and_told_why(
        spec in any_spec(), world in worlds::rich(), sessions in 0..4_u8, hold in 0..3_usize, limit in 1..4_usize,
        reason in prop::option::weighted(0.3, prop::sample::select(vec![Reason::StepMissing, Reason::WindowOver])),
    ) {
        let spec = match spec.order {
            Order::Any => spec,
            _ => FunnelSpec { why_not: spec.count == Count::Unique, ..apart(spec, sessions, hold) },
        };
        let report = run(&spec, &world);
        let twin = actors(&spec, &world);
        let told = spec.why_not.then(|| why::counts(&twin));
        prop_assert_eq!(&report.why_not, &told);
        for depth in 1..=spec.mandatory().len() {
            for outcome in [ActorOutcome::Converted, ActorOutcome::Dropped, ActorOutcome::NotConverted] {
                let reason = reason.filter(|_| spec.why_not);
                let is_there = |row: &&ActorRow| match outcome {
                    ActorOutcome::Converted => row.depth >= depth,
                    ActorOutcome::Dropped => row.depth == depth,
                    ActorOutcome::NotConverted => row.depth >= depth && row.depth < spec.mandatory().len(),
                };
                let is_told = |row: &&ActorRow| reason.is_none() || row.why_not.as_ref().map(|why| why.reason) == reason;
                let wanted = twin.iter().filter(is_there).filter(is_told);
                let wanted = in_some_order(&spec, wanted.cloned().collect());
                let listed = in_some_order(&spec, pages(&spec, &world, depth, (outcome, reason), limit));
                prop_assert_eq!(listed, wanted);
            }
        }
    }

    /// In ties several chains may be as good. The one that is shown is as good as the twin's, and it does not depend on
    /// the order of arrival.
    #[test]
    fn in_ties_a_reported_chain_is_one_of_the_best_and_told_why(
        spec in tied_spec(), world in worlds::seconds(), turn in 0..16_usize,
    ) {
        let spec = FunnelSpec { count: Count::Unique, why_not: true, ..spec };
        let listed = pages(&spec, &world, 1, EVERYBODY, 1_000);
        let mut turned = world.clone();
        turned.rotate_left(turn % world.len());
        prop_assert_eq!(&listed, &pages(&spec, &turned, 1, EVERYBODY, 1_000));
        let people = People::from(&world);
        let doers = doers(&spec, &people);
        let whole: BTreeMap<u64, &Vec<Seen>> =
            doers.iter().flatten().filter_map(|own| Some((people.person(own.first()?.event), own))).collect();
        for row in listed {
            let own = whole[&u64::from_str_radix(&row.actor, 16).unwrap()];
            let place = |id| own.iter().position(|seen| seen.event.id == id).unwrap();
            let chain: Vec<Step> = row.chain.iter().map(|link| (link.step - 1, place(link.event_id))).collect();
            let run = Run::new(&spec, own, entry(&spec));
            prop_assert!(run.chains.contains(&chain), "it keeps the rules: {:?}", chain);
            let rank = |chain: &Vec<Step>| {
                let (step, last) = chain[chain.len() - 1];
                (step, std::cmp::Reverse(run.moment(last)), run.ts(chain[0].1), chain.len(), last)
            };
            prop_assert_eq!(rank(&run.reported()), rank(&chain));
            prop_assert_eq!(&row.why_not, &why::why_not(&spec, &chain, own, &people));
        }
    }
}

#[test]
fn every_reason_is_met_in_the_random_worlds() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::new(worlds::seeded(1));
    let drawn = (any_spec(), worlds::rich(), 0..4_u8, 0..3_usize);
    let mut met: BTreeMap<Reason, u64> = BTreeMap::new();
    for _ in 0..6_000 {
        let (spec, world, sessions, hold) = drawn.new_tree(&mut runner).unwrap().current();
        if spec.order == Order::Any {
            continue;
        }
        let spec = FunnelSpec {
            why_not: true,
            count: Count::Unique,
            ..apart(spec, sessions, hold)
        };
        for told in run(&spec, &world).why_not.unwrap() {
            *met.entry(told.reason).or_default() += told.count;
        }
    }
    assert_eq!(met.len(), 8, "{met:?}");
    assert!(met.values().all(|times| *times > 20), "{met:?}");
}
