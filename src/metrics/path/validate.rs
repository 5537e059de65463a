//! From a query to a spec: defaults, limits, and what cannot be asked together.

use super::query::{LinkOutcome, LinkQuery, ListQuery, MatcherQuery, NodeQuery, PathsQuery};
use super::spec::{
    CleanRule, Link, Listed, MAX_EXCLUSIONS, MAX_GROUPS, MAX_LISTED, MAX_PATH_CHARS, MAX_RULES, MAX_STEPS,
    MAX_TOP, MIN_STEPS, Matcher, Mode, NodeRef, PathSpec, STEPS, TOP, Which,
};
use crate::event::Zone;
use crate::metrics::filter::{Filter, FilterQuery, Pattern};
use crate::metrics::funnel::spec::{Entity, FunnelSpec, Order};
use crate::metrics::{SpecError, accepted, check_event_name, time};

/// Persons on a page when nothing is said.
const LISTED: usize = 100;

impl PathsQuery {
    /// The spec, or everything that is wrong with the query.
    pub fn validate(&self, zone: &Zone, now_ms: i64) -> Result<PathSpec, Vec<SpecError>> {
        let mut reader = Reader {
            zone,
            now_ms,
            errors: Vec::new(),
        };
        let spec = reader.paths(self);
        accepted(spec, reader.errors)
    }
}

/// Reads the parts of a query and keeps what is wrong with them.
struct Reader<'a> {
    zone: &'a Zone,
    now_ms: i64,
    errors: Vec<SpecError>,
}

impl Reader<'_> {
    fn refuse(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.errors.push(SpecError::new(pointer, code, detail));
    }

    fn paths(&mut self, query: &PathsQuery) -> PathSpec {
        let link = query.funnel.as_ref();
        let link = link.map(|link| (link.outcome == Some(LinkOutcome::Dropped), self.link(link)));
        if link.is_some() {
            self.decided_by_funnel(query);
        }
        let mode = match &link {
            Some((true, _)) => Mode::After,
            Some((false, _)) => Mode::Between,
            None => query.mode.unwrap_or_default(),
        };
        let funnel = link.and_then(|(_, link)| link);
        if query.funnel.is_none() {
            self.anchors(query, mode);
        }
        let range = match &funnel {
            Some(link) => link.funnel.entry_range(),
            None => {
                let (from, to) = (query.from.as_deref(), query.to.as_deref());
                time::time_range(from, to, self.zone, self.now_ms, &mut self.errors)
            }
        };
        let fewest = if mode == Mode::Between {
            MIN_STEPS + 1
        } else {
            MIN_STEPS
        };
        let steps = self.within("/steps", query.steps, STEPS, fewest..=MAX_STEPS);
        let top = self.within("/top", query.top, TOP, 1..=MAX_TOP);
        self.at_most("/exclude", query.exclude.len(), MAX_EXCLUSIONS, "exclusions");
        self.at_most("/clean", query.clean.len(), MAX_RULES, "rules");
        self.at_most("/group", query.group.len(), MAX_GROUPS, "wildcards");
        let exclude = query.exclude.iter().take(MAX_EXCLUSIONS).enumerate();
        let exclude = exclude
            .filter_map(|(i, one)| self.matcher(&format!("/exclude/{i}"), one))
            .collect();
        for (i, group) in query.group.iter().take(MAX_GROUPS).enumerate() {
            self.path(&format!("/group/{i}"), group);
        }
        PathSpec {
            mode,
            anchor: query.anchor.as_ref().and_then(|one| self.matcher("/anchor", one)),
            until: query.until.as_ref().and_then(|one| self.matcher("/until", one)),
            nodes: query.nodes.unwrap_or_default(),
            steps,
            top,
            range,
            collapse: query.collapse.unwrap_or(true),
            count: query.count.unwrap_or_default(),
            exclude,
            clean: self.rules(query),
            group: query.group.clone(),
            filter: self.filter(query.filter.as_ref()),
            list: query.list.as_ref().and_then(|list| self.list(list, steps)),
            funnel,
        }
    }

    fn anchors(&mut self, query: &PathsQuery, mode: Mode) {
        match (mode, &query.anchor, &query.until) {
            (Mode::Between, None, _) => self.refuse("/anchor", "required", "between needs two anchors"),
            (Mode::Between, _, None) => self.refuse("/until", "required", "between needs two anchors"),
            (Mode::After | Mode::Before, _, Some(_)) => {
                self.refuse("/until", "not_allowed", "only `between` has a second anchor");
            }
            _ => {}
        }
    }

    /// What the funnel says already.
    fn decided_by_funnel(&mut self, query: &PathsQuery) {
        for (pointer, is_given) in [
            ("/mode", query.mode.is_some()),
            ("/anchor", query.anchor.is_some()),
            ("/until", query.until.is_some()),
            ("/count", query.count.is_some()),
            ("/from", query.from.is_some()),
            ("/to", query.to.is_some()),
        ] {
            if is_given {
                self.refuse(pointer, "conflict", "the funnel says this");
            }
        }
    }

    fn within(
        &mut self,
        pointer: &str,
        given: Option<usize>,
        usual: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> usize {
        let value = given.unwrap_or(usual);
        if !range.contains(&value) {
            let detail = format!("from {} to {}", range.start(), range.end());
            self.refuse(pointer, "out_of_range", detail);
        }
        value.clamp(*range.start(), *range.end())
    }

    fn at_most(&mut self, pointer: &str, n: usize, most: usize, what: &str) {
        if n > most {
            let detail = format!("at most {most} {what}, these are {n}");
            self.refuse(pointer, "too_many", detail);
        }
    }

    fn path(&mut self, pointer: &str, path: &str) {
        if path.is_empty() {
            self.refuse(pointer, "required", "name a path");
        } else if path.chars().count() > MAX_PATH_CHARS {
            let detail = format!("at most {MAX_PATH_CHARS} characters");
            self.refuse(pointer, "too_long", detail);
        }
    }

    fn matcher(&mut self, pointer: &str, query: &MatcherQuery) -> Option<Matcher> {
        match (&query.event, &query.page) {
            (Some(_), Some(_)) => {
                self.refuse(
                    format!("{pointer}/page"),
                    "conflict",
                    "give either event or page, not both",
                );
                None
            }
            (None, None) => {
                self.refuse(
                    format!("{pointer}/event"),
                    "required",
                    "name the event or the page",
                );
                None
            }
            (Some(name), None) => {
                check_event_name(&format!("{pointer}/event"), name, &mut self.errors);
                Some(Matcher::Event(name.clone()))
            }
            (None, Some(path)) => {
                self.path(&format!("{pointer}/page"), path);
                Some(Matcher::Page(path.clone()))
            }
        }
    }

    fn rules(&mut self, query: &PathsQuery) -> Vec<CleanRule> {
        let mut rules = Vec::new();
        for (i, rule) in query.clean.iter().take(MAX_RULES).enumerate() {
            if rule.replace.chars().count() > MAX_PATH_CHARS {
                let detail = format!("at most {MAX_PATH_CHARS} characters");
                self.refuse(format!("/clean/{i}/replace"), "too_long", detail);
            }
            match Pattern::parse(&rule.pattern) {
                Ok(pattern) => rules.push(CleanRule {
                    pattern,
                    replace: rule.replace.clone(),
                }),
                Err(detail) => self.refuse(format!("/clean/{i}/pattern"), "invalid_pattern", detail),
            }
        }
        rules
    }

    fn filter(&mut self, filter: Option<&FilterQuery>) -> Filter {
        filter.map_or_else(Filter::everything, |filter| {
            filter.validate("/filter", self.zone, &mut self.errors)
        })
    }

    fn link(&mut self, link: &LinkQuery) -> Option<Link> {
        let funnel = match link.query.validate(self.zone, self.now_ms) {
            Ok(funnel) => funnel,
            Err(errors) => {
                let below = errors.into_iter().map(|error| SpecError {
                    pointer: format!("/funnel/query{}", error.pointer),
                    ..error
                });
                self.errors.extend(below);
                return None;
            }
        };
        self.can_be_linked(&funnel);
        let mandatory = funnel.mandatory();
        let place = link
            .step
            .checked_sub(1)
            .and_then(|step| mandatory.iter().position(|one| *one == step));
        let next = place.and_then(|place| mandatory.get(place + 1));
        let (Some(place), Some(next)) = (place, next) else {
            let detail = format!(
                "step {} is none of the mandatory steps before the last",
                link.step
            );
            self.refuse("/funnel/step", "out_of_range", detail);
            return None;
        };
        Some(Link {
            step: mandatory[place],
            next: *next,
            dropped: link.outcome == Some(LinkOutcome::Dropped),
            funnel,
        })
    }

    /// Paths lie between the times of two named steps of a person.
    fn can_be_linked(&mut self, funnel: &FunnelSpec) {
        for (pointer, refused, detail) in [
            (
                "order",
                funnel.order == Order::Any,
                "steps in any order have no next one",
            ),
            (
                "entity",
                funnel.entity != Entity::Person,
                "only funnels of persons have paths",
            ),
            (
                "window",
                funnel.by_session,
                "only funnels with a window of time have paths",
            ),
        ] {
            if refused {
                self.refuse(format!("/funnel/query/{pointer}"), "unsupported", detail);
            }
        }
    }

    fn list(&mut self, list: &ListQuery, steps: usize) -> Option<Listed> {
        let limit = self.within("/list/limit", list.limit, LISTED, 1..=MAX_LISTED);
        if !(1..=steps).contains(&list.position) {
            self.refuse("/list/position", "out_of_range", format!("from 1 to {steps}"));
        }
        let shown = |node: &NodeQuery| NodeRef {
            label: node.label.clone(),
            kind: node.kind.unwrap_or_default(),
        };
        let which = match (&list.to, list.drop_off) {
            (Some(_), true) => {
                self.refuse(
                    "/list/drop_off",
                    "conflict",
                    "give either to or drop_off, not both",
                );
                Which::DropOff
            }
            (Some(_), false) if list.position == steps => {
                self.refuse(
                    "/list/to",
                    "out_of_range",
                    "nothing is shown after the last position",
                );
                Which::All
            }
            (Some(to), false) => Which::To(shown(to)),
            (None, true) => Which::DropOff,
            (None, false) => Which::All,
        };
        let after = list.cursor.as_deref().map(|cursor| {
            let parts = cursor.split_once('-');
            let numbers = parts.and_then(|(person, place)| {
                Some((u64::from_str_radix(person, 16).ok()?, place.parse().ok()?))
            });
            numbers.unwrap_or_else(|| {
                self.refuse("/list/cursor", "invalid_cursor", "this is no cursor of ours");
                (0, 0)
            })
        });
        Some(Listed {
            position: list.position.clamp(1, steps),
            node: shown(&list.node),
            which,
            after,
            limit,
        })
    }
}
