//! From a query to a spec: defaults, limits, and what cannot be asked together.

use super::conflicts::conflicts;
use super::listing::Actors;
use super::preset;
use super::query::{ActorsQuery, ExclusionQuery, FunnelQuery, StepQuery, ViewName};
use super::spec::{
    Alternative, Attribution, Breakdown, Exclusion, FunnelSpec, FunnelStep, IGNORED, MAX_ACTORS,
    MAX_ALTERNATIVES, MAX_EXCLUSIONS, MAX_HELD, MAX_IGNORED, MAX_STEPS, MAX_TIE_MS, MAX_WINDOWS, MIN_STEPS,
    View,
};
use crate::event::Zone;
use crate::metrics::filter::{Filter, FilterQuery};
use crate::metrics::{SpecError, accepted, check_event_name, session, time};

/// The windows of a sweep when none are given.
const WINDOWS: [&str; 12] = [
    "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1d", "3d", "7d", "14d", "30d",
];
/// Values of a breakdown when nothing is said, and at most.
const BREAKDOWN_LIMITS: (usize, usize) = (25, 200);
/// Persons on a page when nothing is said.
const ACTORS: usize = 100;

impl FunnelQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<FunnelSpec, Vec<SpecError>> {
        let mut reader = Reader {
            zone,
            errors: Vec::new(),
        };
        let spec = reader.funnel(&preset::applied(self), now_ms);
        let mut errors = reader.errors;
        if errors.is_empty() {
            errors = conflicts(&spec);
        }
        accepted(spec, errors)
    }
}

/// Reads the parts of a query and keeps what is wrong with them.
struct Reader<'a> {
    zone: &'a Zone,
    errors: Vec<SpecError>,
}

impl Reader<'_> {
    fn refuse(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.errors.push(SpecError::new(pointer, code, detail));
    }

    fn funnel(&mut self, query: &FunnelQuery, now_ms: i64) -> FunnelSpec {
        let n = query.steps.len();
        if !(MIN_STEPS..=MAX_STEPS).contains(&n) {
            let code = if n < MIN_STEPS { "too_few" } else { "too_many" };
            let detail = format!("a funnel has {MIN_STEPS} to {MAX_STEPS} steps, this one has {n}");
            self.refuse("/steps", code, detail);
        }
        let steps = query.steps.iter().take(MAX_STEPS).enumerate();
        let steps = steps
            .map(|(i, step)| self.step(&format!("/steps/{i}"), step, i == 0 || i + 1 == n))
            .collect();
        let by_session = query.window.as_deref() == Some("session");
        let window_ms = match by_session {
            true => session::LONGEST_MS,
            false => time::window(query.window.as_deref(), &mut self.errors),
        };
        let (from, to) = (query.from.as_deref(), query.to.as_deref());
        let range = time::time_range(from, to, self.zone, now_ms, &mut self.errors);
        let mut spec = FunnelSpec::plain(steps, window_ms, range);
        spec.by_session = by_session;
        spec.order = query.order.unwrap_or_default();
        spec.max_gap_ms = query.max_gap.as_deref().map(|text| self.length("/max_gap", text));
        spec.range_applies_to = query.range_applies_to.unwrap_or_default();
        spec.entity = query.entity.unwrap_or_default();
        let errors = &mut self.errors;
        spec.group = query.group.as_ref().map(|group| group.validate("/group", errors));
        spec.count = query.count.unwrap_or_default();
        spec.reentry = query.reentry.unwrap_or_default();
        self.at_most("/hold", query.hold.len(), MAX_HELD, "held properties");
        let held = query.hold.iter().take(MAX_HELD).enumerate();
        spec.hold = held
            .map(|(i, property)| property.validate(&format!("/hold/{i}"), &mut self.errors))
            .collect();
        self.at_most(
            "/exclusions",
            query.exclusions.len(),
            MAX_EXCLUSIONS,
            "exclusions",
        );
        let exclusions = query.exclusions.iter().take(MAX_EXCLUSIONS).enumerate();
        spec.exclusions = exclusions
            .map(|(i, exclusion)| self.exclusion(&format!("/exclusions/{i}"), exclusion, &query.steps))
            .collect();
        spec.on_exclusion = query.on_exclusion.unwrap_or_default();
        spec.tie_ms = query.tie_ms.unwrap_or(0);
        if !(0..=MAX_TIE_MS).contains(&spec.tie_ms) {
            self.refuse(
                "/tie_ms",
                "out_of_range",
                format!("from 0 to {MAX_TIE_MS} milliseconds"),
            );
        }
        spec.ignore_events = self.ignored(query);
        spec.filter = self.filter("/filter", query.filter.as_ref());
        spec.breakdown = self.breakdown(query);
        spec.view = self.view(query);
        spec.why_not = query.why_not;
        spec.actors = query
            .actors
            .as_ref()
            .and_then(|actors| self.actors(actors, query));
        spec.preset = query.preset;
        spec
    }

    fn at_most(&mut self, pointer: &str, n: usize, most: usize, what: &str) {
        if n > most {
            self.refuse(
                pointer,
                "too_many",
                format!("at most {most} {what}, these are {n}"),
            );
        }
    }

    fn length(&mut self, pointer: &str, text: &str) -> i64 {
        time::parse_window(pointer, text).unwrap_or_else(|error| {
            self.errors.push(error);
            0
        })
    }

    fn filter(&mut self, pointer: &str, filter: Option<&FilterQuery>) -> Filter {
        filter.map_or_else(Filter::everything, |filter| {
            filter.validate(pointer, self.zone, &mut self.errors)
        })
    }

    fn ignored(&mut self, query: &FunnelQuery) -> Vec<String> {
        let Some(names) = &query.ignore_events else {
            return IGNORED.map(str::to_owned).to_vec();
        };
        self.at_most("/ignore_events", names.len(), MAX_IGNORED, "ignored names");
        for (i, name) in names.iter().enumerate() {
            check_event_name(&format!("/ignore_events/{i}"), name, &mut self.errors);
        }
        names.clone()
    }

    /// The alternatives of a step or an exclusion that are given as names, with one filter for all.
    fn named(
        &mut self,
        pointer: &str,
        (event, events): (Option<&String>, &[String]),
        filter: Option<&FilterQuery>,
    ) -> Vec<Alternative> {
        let names: Vec<String> = match event {
            Some(name) => vec![name.clone()],
            None => events.to_vec(),
        };
        if event.is_some() && !events.is_empty() {
            let detail = "give either event or events, not both";
            self.refuse(format!("{pointer}/events"), "conflict", detail);
        } else if names.is_empty() {
            self.refuse(format!("{pointer}/event"), "required", "name the event");
        } else {
            self.at_most(
                &format!("{pointer}/events"),
                names.len(),
                MAX_ALTERNATIVES,
                "alternatives",
            );
        }
        for (i, name) in names.iter().enumerate() {
            let at = match event {
                Some(_) => format!("{pointer}/event"),
                None => format!("{pointer}/events/{i}"),
            };
            check_event_name(&at, name, &mut self.errors);
            if names[..i].contains(name) {
                self.refuse(at, "duplicate", format!("{name:?} is listed twice"));
            }
        }
        let filter = self.filter(&format!("{pointer}/filter"), filter);
        let alternative = |event| Alternative {
            event,
            filter: filter.clone(),
        };
        names.into_iter().map(alternative).collect()
    }

    fn step(&mut self, pointer: &str, step: &StepQuery, is_end: bool) -> FunnelStep {
        let events = if step.any_of.is_empty() {
            self.named(pointer, (step.event.as_ref(), &step.events), step.filter.as_ref())
        } else {
            self.any_of(pointer, step)
        };
        if let Some(name) = &step.name {
            check_event_name(&format!("{pointer}/name"), name, &mut self.errors);
        }
        if step.optional && is_end {
            let detail = "the first and the last step cannot be optional";
            self.refuse(format!("{pointer}/optional"), "unsupported", detail);
        }
        FunnelStep {
            events,
            name: step.name.clone(),
            optional: step.optional,
        }
    }

    fn any_of(&mut self, pointer: &str, step: &StepQuery) -> Vec<Alternative> {
        let at = format!("{pointer}/any_of");
        if step.event.is_some() || !step.events.is_empty() || step.filter.is_some() {
            let detail = "give either any_of, or event or events with a filter";
            self.refuse(&at, "conflict", detail);
        }
        self.at_most(&at, step.any_of.len(), MAX_ALTERNATIVES, "alternatives");
        let alternatives = step.any_of.iter().take(MAX_ALTERNATIVES).enumerate();
        alternatives
            .map(|(i, alternative)| {
                check_event_name(&format!("{at}/{i}/event"), &alternative.event, &mut self.errors);
                Alternative {
                    event: alternative.event.clone(),
                    filter: self.filter(&format!("{at}/{i}/filter"), alternative.filter.as_ref()),
                }
            })
            .collect()
    }

    fn exclusion(&mut self, pointer: &str, exclusion: &ExclusionQuery, steps: &[StepQuery]) -> Exclusion {
        let named = (exclusion.event.as_ref(), exclusion.events.as_slice());
        let events = self.named(pointer, named, exclusion.filter.as_ref());
        let after = exclusion.after.unwrap_or(1);
        let before = exclusion.before.unwrap_or(steps.len());
        for (name, step) in [("after", after), ("before", before)] {
            let mandatory = step
                .checked_sub(1)
                .and_then(|i| steps.get(i))
                .is_some_and(|step| !step.optional);
            if !mandatory {
                let detail = format!("step {step} is none of the mandatory steps");
                self.refuse(format!("{pointer}/{name}"), "out_of_range", detail);
            }
        }
        if after >= before {
            let detail = "an exclusion stands between a step and a later one";
            self.refuse(format!("{pointer}/before"), "out_of_range", detail);
        }
        Exclusion {
            events,
            after: after.saturating_sub(1),
            before: before.saturating_sub(1),
        }
    }

    fn breakdown(&mut self, query: &FunnelQuery) -> Option<Breakdown> {
        self.at_most("/breakdown", query.breakdown.len(), 1, "breakdown of a funnel");
        let (default, most) = BREAKDOWN_LIMITS;
        let limit = query.breakdown_limit.unwrap_or(default);
        if !(1..=most).contains(&limit) {
            self.refuse("/breakdown_limit", "out_of_range", format!("from 1 to {most}"));
        }
        let step = |text: &str| {
            let step: usize = text.strip_prefix("step:")?.parse().ok()?;
            (1..=query.steps.len())
                .contains(&step)
                .then(|| Attribution::Step(step - 1))
        };
        let attribution = match query.attribution.as_deref() {
            None | Some("first") => Attribution::First,
            Some("last") => Attribution::Last,
            Some("all") => Attribution::All,
            Some(text) => step(text).unwrap_or_else(|| {
                let detail =
                    format!("{text:?} is neither first, last, all nor one of the steps, such as step:1");
                self.refuse("/attribution", "unknown_value", detail);
                Attribution::First
            }),
        };
        let property = query
            .breakdown
            .first()?
            .validate("/breakdown/0", &mut self.errors);
        Some(Breakdown {
            property,
            attribution,
            limit,
        })
    }

    fn view(&mut self, query: &FunnelQuery) -> View {
        match query.view.unwrap_or_default() {
            ViewName::Steps => View::Steps,
            ViewName::Trend => View::Trend(
                query.interval.unwrap_or_default(),
                query.week_start.unwrap_or_default(),
            ),
            ViewName::Time => {
                let from = query.time_from.unwrap_or(1);
                let to = query.time_to.unwrap_or(query.steps.len());
                if from < 1 || to > query.steps.len() || from >= to {
                    let detail = "time is taken from a step to a later one";
                    self.refuse("/time_to", "out_of_range", detail);
                }
                View::Time(from.saturating_sub(1), to.saturating_sub(1))
            }
            ViewName::Sweep => {
                let given = query.windows.clone();
                let texts = given.unwrap_or_else(|| WINDOWS.map(str::to_owned).to_vec());
                if texts.is_empty() {
                    self.refuse("/windows", "too_few", "name a window");
                }
                self.at_most("/windows", texts.len(), MAX_WINDOWS, "windows");
                let texts = texts.iter().take(MAX_WINDOWS).enumerate();
                let mut windows: Vec<i64> = texts
                    .map(|(i, text)| self.length(&format!("/windows/{i}"), text))
                    .collect();
                windows.sort_unstable();
                windows.dedup();
                View::Sweep(windows)
            }
        }
    }

    fn actors(&mut self, actors: &ActorsQuery, query: &FunnelQuery) -> Option<Actors> {
        let limit = actors.limit.unwrap_or(ACTORS);
        if !(1..=MAX_ACTORS).contains(&limit) {
            self.refuse("/actors/limit", "out_of_range", format!("from 1 to {MAX_ACTORS}"));
        }
        let mandatory = |step: &usize| !query.steps[*step].optional;
        let step = actors
            .step
            .checked_sub(1)
            .filter(|step| *step < query.steps.len());
        let Some(step) = step.filter(mandatory) else {
            let detail = format!("step {} is none of the mandatory steps", actors.step);
            self.refuse("/actors/step", "out_of_range", detail);
            return None;
        };
        if actors.reason.is_some() && !query.why_not {
            self.refuse("/actors/reason", "conflict", "reasons are told with why_not");
        }
        let after = actors.cursor.as_deref().map(|cursor| {
            let parts = cursor.split_once('-');
            let numbers = parts.and_then(|(entity, place)| {
                Some((u64::from_str_radix(entity, 16).ok()?, place.parse().ok()?))
            });
            numbers.unwrap_or_else(|| {
                self.refuse("/actors/cursor", "invalid_cursor", "this is no cursor of ours");
                (0, 0)
            })
        });
        Some(Actors {
            depth: (0..=step).filter(mandatory).count(),
            outcome: actors.outcome,
            reason: actors.reason,
            after,
            limit,
        })
    }
}
