//! The matcher is the twin, over small worlds in which everything is common: ties, overlaps, exclusions.

use proptest::prelude::*;

use super::super::worlds::{self, tally};
use super::funnel;
use crate::event::{Event, Zone};
use crate::metrics::filter::Property;
use crate::metrics::funnel::spec::{
    Attribution, Breakdown, Count, Entity, Exclusion, FunnelSpec, FunnelStep, OnExclusion, Order,
    RangeAppliesTo, Reentry, View,
};
use crate::metrics::funnel::{FunnelReport, FunnelTally};
use crate::metrics::time::{Interval, TimeRange, WeekStart};

const NOW: i64 = 40_000;

/// How many worlds each test tries: `FOOTFALL_WORLDS`, by default enough for the rare ones.
pub fn many() -> ProptestConfig {
    worlds::seeded(worlds::count(1_500))
}

fn run(spec: &FunnelSpec, events: &[Event]) -> FunnelReport {
    tally(spec, &Zone::utc(), NOW, events)
}

fn twin(spec: &FunnelSpec, events: &[Event]) -> FunnelReport {
    funnel(spec, &Zone::utc(), NOW, events)
}

/// Funnels with every wish that goes together.
pub fn any_spec() -> impl Strategy<Value = FunnelSpec> {
    let exclusion = (prop::sample::select(vec!["X", "D", "B"]), 0..4_usize, 1..4_usize);
    let wishes = (
        prop::collection::vec(any::<bool>(), 4),
        prop::sample::select(vec![
            Order::Sequential,
            Order::Sequential,
            Order::Strict,
            Order::Any,
        ]),
        prop::option::weighted(0.3, 1..6_i64),
        any::<(bool, bool, bool)>(),
        prop::collection::vec(exclusion, 0..=2),
        prop::bool::weighted(0.25),
    );
    (worlds::funnel_spec(), wishes).prop_map(|(mut spec, wishes)| {
        let (optional, order, gap, (first, total, drop), exclusions, all) = wishes;
        let last = spec.steps.len() - 1;
        spec.order = order;
        if all {
            spec.range_applies_to = RangeAppliesTo::All;
        }
        if first {
            spec.reentry = Reentry::First;
        }
        let place = |after: usize, before: usize| match order {
            Order::Any => (0, last),
            _ => (after.min(last - 1), before.clamp(after.min(last - 1) + 1, last)),
        };
        spec.exclusions = exclusions
            .into_iter()
            .map(|(name, after, before)| {
                let (after, before) = place(after, before);
                Exclusion {
                    events: FunnelStep::of(&[name]).events,
                    after,
                    before,
                }
            })
            .collect();
        if order == Order::Any {
            return spec;
        }
        if spec.exclusions.is_empty() {
            spec.max_gap_ms = gap.map(|gap| gap * 1_000);
        }
        if total {
            spec.count = Count::Total;
        }
        if drop {
            spec.on_exclusion = OnExclusion::Drop;
        }
        for (i, optional) in optional.into_iter().enumerate().take(last).skip(1) {
            let is_end = spec
                .exclusions
                .iter()
                .any(|exclusion| exclusion.after == i || exclusion.before == i);
            spec.steps[i].optional = optional && !is_end;
        }
        spec
    })
}

pub fn tied_spec() -> impl Strategy<Value = FunnelSpec> {
    let tie = prop::sample::select(vec![1, 1_000, 2_000, 5_000]);
    let sequential =
        any_spec().prop_filter("in any order there are no ties", |spec| spec.order != Order::Any);
    (sequential, tie).prop_map(|(spec, tie_ms)| FunnelSpec { tie_ms, ..spec })
}

#[test]
fn of_up_to_8_ambiguous_events_at_once_every_order_is_tried_and_beyond_it_is_known_that_none_is() {
    let steps = ["X", "Y", "Y", "X"].map(|name| FunnelStep::of(&[name]));
    let range = TimeRange {
        from_ms: 0,
        to_ms: 10_000,
    };
    let depth = |ys: u128, tie_ms: i64| {
        let spec = FunnelSpec {
            tie_ms,
            ..FunnelSpec::plain(steps.to_vec(), 5_000, range)
        };
        // Every event fits two steps, and in total order no X precedes a Y.
        let names = (0..ys).map(|_| "Y").chain(["X", "X"]);
        let world: Vec<Event> = (0..)
            .zip(names)
            .map(|(n, name)| worlds::event("p", name, 500, 0, n))
            .collect();
        let (persons, values) = worlds::step_events(&spec, &world);
        let mut tally = FunnelTally::new(&spec, &Zone::utc());
        persons
            .iter()
            .for_each(|(person, events)| tally.add(*person, events));
        let fell_back = tally.fell_back();
        let report = tally.finish(&values, NOW);
        (
            report.steps.iter().filter(|step| step.reached == 1).count(),
            fell_back,
        )
    };
    assert_eq!(depth(6, 1_000), (4, false));
    assert_eq!(depth(7, 1_000), (1, true));
    assert_eq!(depth(6, 0), (1, false));
}

#[test]
fn of_entries_at_one_instant_the_last_is_reported_and_of_later_steps_the_first() {
    let range = TimeRange {
        from_ms: 0,
        to_ms: 10_000,
    };
    let values = ["x", "y", "z", "w", "v"];
    let names = ["A", "A", "B", "B", "C"];
    let world: Vec<Event> = (0..)
        .zip(names)
        .map(|(n, name)| Event {
            props: format!(r#"{{"p":"{}"}}"#, values[n as usize]),
            ..worlds::event(
                "p",
                name,
                if name == "C" { 6_000 } else { 5_000 },
                n,
                u128::from(n),
            )
        })
        .collect();
    for (gap, step, value) in [
        (None, 0, "y"),
        (Some(1_000), 0, "y"),
        (None, 1, "z"),
        (Some(1_000), 1, "w"),
    ] {
        for steps in [["A", "B", "C"].as_slice(), &["A", "B"]] {
            let steps = steps.iter().map(|name| FunnelStep::of(&[name])).collect();
            let breakdown = Breakdown {
                property: Property::Event("p".to_owned()),
                attribution: Attribution::Step(step),
                limit: 5,
            };
            let spec = FunnelSpec {
                max_gap_ms: gap,
                breakdown: Some(breakdown),
                ..FunnelSpec::plain(steps, 5_000, range)
            };
            // Whoever converts with the first B has no other.
            let value = if spec.steps.len() == 2 && step == 1 {
                "z"
            } else {
                value
            };
            for report in [run(&spec, &world), twin(&spec, &world)] {
                let slices = report.breakdown.unwrap();
                assert_eq!(
                    slices[0].value,
                    value,
                    "gap {gap:?}, step {step}, {:?}",
                    spec.steps.len()
                );
            }
        }
    }
}

/// What ties decide the same way whatever chain is reported.
fn numbers(mut report: FunnelReport) -> FunnelReport {
    for step in &mut report.steps {
        (step.median_from_previous_ms, step.median_from_start_ms) = (None, None);
        // whether an optional step is on the reported chain
        if step.optional {
            (step.reached, step.rate_from_start, step.rate_from_previous) = (0, None, None);
        }
    }
    report.overall.median_ms = None;
    report
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn the_matcher_finds_what_trying_every_chain_finds(spec in any_spec(), world in worlds::seconds()) {
        prop_assert_eq!(run(&spec, &world), twin(&spec, &world));
    }

    #[test]
    fn in_ties_too(spec in tied_spec(), world in worlds::seconds()) {
        prop_assert_eq!(numbers(run(&spec, &world)), numbers(twin(&spec, &world)));
    }

    #[test]
    fn with_values_sessions_and_groups(
        spec in any_spec(), world in worlds::rich(), sessions in 0..4_u8, hold in 0..3_usize, attribution in 0..6_usize,
        limit in 1..3_usize,
    ) {
        let property = |name: &str| Property::Event(name.to_owned());
        let mut spec = spec;
        match sessions {
            1 => (spec.by_session, spec.window_ms) = (true, 86_400_000),
            2 => spec.entity = Entity::Session,
            3 => (spec.entity, spec.group) = (Entity::Group, Some(property("g"))),
            _ => {}
        }
        if spec.order != Order::Any {
            spec.hold = [property("p"), property("g")].into_iter().take(hold).collect();
        }
        let any = spec.order == Order::Any;
        let attribution = match attribution {
            0 => Attribution::Last,
            1 => Attribution::All,
            2 if !any => Attribution::Step(0),
            3 if !any => Attribution::Step(1),
            _ => Attribution::First,
        };
        spec.breakdown = Some(Breakdown { property: property("p"), attribution, limit });
        prop_assert_eq!(run(&spec, &world), twin(&spec, &world));
    }

    #[test]
    fn by_time_of_entry_and_times(
        spec in any_spec(), world in worlds::rich(), interval in 0..2_u8, from in 0..3_usize, to in 1..4_usize,
    ) {
        // An hour is a second here.
        let mut spec = spec;
        let mut world = world;
        for event in &mut world {
            event.ts *= 3_600;
        }
        for ms in [&mut spec.window_ms, &mut spec.from_ms, &mut spec.to_ms] {
            *ms *= 3_600;
        }
        spec.max_gap_ms = spec.max_gap_ms.map(|gap| gap * 3_600);
        let interval = if interval == 0 { Interval::Hour } else { Interval::Day };
        spec.view = View::Trend(interval, WeekStart::Monday);
        let report = run(&spec, &world);
        prop_assert_eq!(&report, &twin(&spec, &world));
        let entered: u64 = report.trend.unwrap().iter().map(|point| point.entered).sum();
        if spec.reentry == Reentry::First || spec.count == Count::Total {
            prop_assert_eq!(entered, report.overall.entered);
        } else {
            prop_assert!(entered >= report.overall.entered);
        }
        let to = to.min(spec.steps.len() - 1);
        spec.view = View::Time(from.min(to - 1), to);
        prop_assert_eq!(run(&spec, &world), twin(&spec, &world));
    }

    #[test]
    fn by_time_of_entry_where_clocks_change(
        spec in any_spec(), world in worlds::rich(), (zone, at) in worlds::transition(), interval in 0..4_usize,
        week in 0..3_usize, session in prop::bool::weighted(0.2), as_of in 0..200_i64,
    ) {
        // A second is six hours here, so that a world takes three days.
        const HOURS: i64 = 6 * 3_600;
        let mut spec = spec;
        let mut world = world;
        for event in &mut world {
            event.ts = at + event.ts * HOURS;
        }
        spec.window_ms *= HOURS;
        if session {
            (spec.by_session, spec.window_ms) = (true, 86_400_000);
        }
        (spec.from_ms, spec.to_ms) = (at + spec.from_ms * HOURS, at + spec.to_ms * HOURS);
        spec.max_gap_ms = spec.max_gap_ms.map(|gap| gap * HOURS);
        let interval = [Interval::Hour, Interval::Day, Interval::Week, Interval::Month][interval];
        let week = [WeekStart::Monday, WeekStart::Sunday, WeekStart::Saturday][week];
        spec.view = View::Trend(interval, week);
        let now = worlds::moment(&zone, at + as_of * 3_600_000) + as_of % 2 * spec.window_ms;
        let report = tally(&spec, &zone, now, &world);
        prop_assert_eq!(&report, &funnel(&spec, &zone, now, &world));
        for point in report.trend.unwrap() {
            prop_assert!(point.is_final || point.start.0 + spec.window_ms + 32 * 86_400_000 > now, "in time it is");
        }
    }

    #[test]
    fn a_sweep_is_a_run_for_each_window(
        spec in any_spec(), world in worlds::seconds(), windows in prop::collection::btree_set(1..14_i64, 1..5),
        tie in prop::sample::select(vec![0, 0, 1_000]),
    ) {
        let spec = FunnelSpec {
            order: Order::Sequential,
            count: Count::Unique,
            on_exclusion: OnExclusion::Stop,
            tie_ms: tie,
            view: View::Sweep(windows.iter().map(|window| window * 1_000).collect()),
            ..spec
        };
        let report = run(&spec, &world);
        let sweep = report.sweep.as_ref().unwrap();
        for window in &sweep.windows {
            let one = FunnelSpec { window_ms: window.window_ms, view: View::Steps, ..spec.clone() };
            prop_assert_eq!(window.converted, run(&one, &world).overall.converted);
        }
        let twin = twin(&spec, &world).sweep;
        prop_assert_eq!(sweep, twin.as_ref().unwrap());
    }

    #[test]
    fn totals_are_never_below_uniques(spec in any_spec(), tie in 0..2_i64, world in worlds::seconds()) {
        prop_assume!(spec.order != Order::Any);
        let unique = FunnelSpec { count: Count::Unique, tie_ms: tie * 1_000, ..spec };
        let total = FunnelSpec { count: Count::Total, ..unique.clone() };
        let (unique_report, total_report) = (run(&unique, &world), run(&total, &world));
        for (i, (unique_step, total_step)) in unique_report.steps.iter().zip(&total_report.steps).enumerate() {
            if !unique.steps[i].optional {
                prop_assert!(unique_step.reached <= total_step.reached);
            }
        }
    }

    #[test]
    fn removing_an_unrelated_event_changes_nothing(spec in any_spec(), world in worlds::seconds()) {
        prop_assume!(spec.order != Order::Strict);
        let world = worlds::by_one_id(world);
        let names = spec.event_names();
        let mut related = world.clone();
        related.retain(|event| names.contains(&event.event));
        prop_assert_eq!(run(&spec, &related), run(&spec, &world));
    }

    #[test]
    fn removing_a_step_event_never_raises_a_number(
        spec in any_spec(), world in worlds::seconds(), which in any::<prop::sample::Index>(),
    ) {
        let spec = FunnelSpec { exclusions: Vec::new(), reentry: Reentry::Any, count: Count::Unique, ..spec };
        prop_assume!(spec.order != Order::Strict);
        let world = worlds::by_one_id(world);
        let gone = which.get(&world).id;
        let mut fewer = world.clone();
        fewer.retain(|event| event.id != gone);
        for (i, (less, more)) in run(&spec, &fewer).steps.iter().zip(run(&spec, &world).steps).enumerate() {
            prop_assert!(spec.steps[i].optional || less.reached <= more.reached);
        }
    }

    #[test]
    fn a_longer_window_never_lowers_a_number_and_steps_never_rise(
        spec in worlds::funnel_spec(), world in worlds::seconds(), more_ms in 0..5_000_i64,
    ) {
        let mut wider = spec.clone();
        wider.window_ms += more_ms;
        let (narrow, wide) = (run(&spec, &world), run(&wider, &world));
        for (narrow, wide) in narrow.steps.iter().zip(&wide.steps) {
            prop_assert!(narrow.reached <= wide.reached);
        }
        for pair in wide.steps.windows(2) {
            prop_assert!(pair[0].reached >= pair[1].reached);
            prop_assert_eq!(pair[0].dropped, pair[0].reached - pair[1].reached);
        }
    }
}
