//! From rules as they are written to rules that can be evaluated: everything that is refused, by pointer.

use serde_json::Value;

use super::query::RuleQuery;
use super::spec::{CohortSpec, Leaf, Node, Rule, Span, Times, What, When};
use super::{MAX_CHILDREN, MAX_DEPTH, MAX_LAST_DAYS, MAX_RULES, MAX_SEQUENCE, MAX_TIMES};
use crate::event::Zone;
use crate::metrics::filter::{Filter, FilterQuery, Predicate, Test};
use crate::metrics::selection::{Selection, SelectionQuery};
use crate::metrics::time::{DEFAULT_WINDOW, parse_instant, parse_window};
use crate::metrics::{SpecError, accepted};

impl CohortSpec {
    /// The rules of a definition that was stored.
    ///
    /// # Errors
    /// Why it can no longer be evaluated, in words.
    pub fn read(definition: &Value, zone: &Zone) -> Result<CohortSpec, String> {
        let query: RuleQuery =
            serde_json::from_value(definition.clone()).map_err(|error| error.to_string())?;
        query
            .validate("", zone)
            .map_err(|errors| errors.first().map_or_else(String::new, SpecError::to_string))
    }
}

impl RuleQuery {
    /// The definition, with pointers below `pointer`. Dates are those of the zone.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn validate(&self, pointer: &str, zone: &Zone) -> Result<CohortSpec, Vec<SpecError>> {
        let mut check = Check {
            zone,
            root: pointer.len(),
            errors: Vec::new(),
            rules: Vec::new(),
        };
        let tree = check.node(self, pointer, 0);
        if check.rules.len() > MAX_RULES {
            let detail = format!(
                "a cohort has at most {MAX_RULES} rules, this one has {}",
                check.rules.len()
            );
            check.wrong(pointer, "too_many", detail);
        }
        let spec = CohortSpec {
            tree,
            rules: check.rules,
        };
        accepted(spec, check.errors)
    }
}

struct Check<'a> {
    zone: &'a Zone,
    /// Bytes of the pointer to the definition.
    root: usize,
    errors: Vec<SpecError>,
    rules: Vec<Leaf>,
}

impl Check<'_> {
    fn wrong(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.errors.push(SpecError::new(pointer, code, detail));
    }

    fn node(&mut self, query: &RuleQuery, pointer: &str, depth: usize) -> Node {
        let rule = self.rule(query, pointer, depth);
        Node {
            pointer: pointer[self.root..].to_owned(),
            rule,
        }
    }

    fn rule(&mut self, query: &RuleQuery, pointer: &str, depth: usize) -> Rule {
        let given = [
            query.and.is_some(),
            query.or.is_some(),
            query.not.is_some(),
            query.did.is_some(),
            query.first.is_some(),
            query.sequence.is_some(),
            query.person.is_some(),
        ];
        let subjects = given.iter().filter(|given| **given).count();
        if subjects != 1 {
            let (code, detail) = match subjects {
                0 => (
                    "required",
                    "a rule is one of `and`, `or`, `not`, `did`, `first`, `sequence` and `person`",
                ),
                _ => (
                    "ambiguous",
                    "one of `and`, `or`, `not`, `did`, `first`, `sequence` and `person`, not several",
                ),
            };
            self.wrong(pointer, code, detail);
            return Rule::And(Vec::new());
        }
        self.members(query, pointer);
        if depth == MAX_DEPTH && given[..3].contains(&true) {
            let detail = format!("`and`, `or` and `not` may be nested {MAX_DEPTH} deep");
            self.wrong(pointer, "too_deep", detail);
            return Rule::And(Vec::new());
        }
        if let Some(children) = &query.and {
            return Rule::And(self.children(children, &format!("{pointer}/and"), depth));
        }
        if let Some(children) = &query.or {
            return Rule::Or(self.children(children, &format!("{pointer}/or"), depth));
        }
        if let Some(child) = &query.not {
            let child = self.node(child, &format!("{pointer}/not"), depth + 1);
            return Rule::Not(Box::new(child));
        }
        let leaf = self.leaf(query, pointer);
        self.rules.push(leaf);
        Rule::Leaf(self.rules.len() - 1)
    }

    fn children(&mut self, children: &[RuleQuery], list: &str, depth: usize) -> Vec<Node> {
        if children.is_empty() || children.len() > MAX_CHILDREN {
            let code = match children.is_empty() {
                true => "required",
                false => "too_many",
            };
            self.wrong(list, code, format!("list 1 to {MAX_CHILDREN} rules"));
        }
        let children = children.iter().take(MAX_CHILDREN).enumerate();
        children
            .map(|(n, child)| self.node(child, &format!("{list}/{n}"), depth + 1))
            .collect()
    }

    /// Refuses members that mean nothing here.
    fn members(&mut self, query: &RuleQuery, pointer: &str) {
        let timed = query.did.is_some() || query.first.is_some() || query.sequence.is_some();
        let (did, person) = (query.did.is_some(), query.person.is_some());
        for (given, allowed, member, whose) in [
            (query.at_least.is_some(), did, "at_least", "`did`"),
            (query.at_most.is_some(), did, "at_most", "`did`"),
            (query.exactly.is_some(), did, "exactly", "`did`"),
            (
                query.last_days.is_some(),
                timed,
                "last_days",
                "`did`, `first` and `sequence`",
            ),
            (
                query.from.is_some(),
                timed,
                "from",
                "`did`, `first` and `sequence`",
            ),
            (query.to.is_some(), timed, "to", "`did`, `first` and `sequence`"),
            (
                query.within.is_some(),
                query.sequence.is_some(),
                "within",
                "`sequence`",
            ),
            (query.op.is_some(), person, "op", "`person`"),
            (query.value.is_some(), person, "value", "`person`"),
        ] {
            if given && !allowed {
                let detail = format!("this belongs to {whose}");
                self.wrong(format!("{pointer}/{member}"), "not_allowed", detail);
            }
        }
    }

    fn leaf(&mut self, query: &RuleQuery, pointer: &str) -> Leaf {
        let when = self.when(query, pointer);
        let what = if let Some(selection) = &query.did {
            let times = self.times(query, pointer);
            What::Did(self.selection(selection, &format!("{pointer}/did")), times)
        } else if let Some(selection) = &query.first {
            if when == When::Ever {
                let detail = "say when the first time was: `last_days`, or `from` and `to`";
                self.wrong(pointer, "required", detail);
            }
            What::First(self.selection(selection, &format!("{pointer}/first")))
        } else if let Some(steps) = &query.sequence {
            self.sequence(steps, query.within.as_deref(), pointer)
        } else {
            self.person(query, pointer)
        };
        Leaf { what, when }
    }

    fn selection(&mut self, query: &SelectionQuery, pointer: &str) -> Selection {
        let selection = query.validate(pointer, self.zone, &mut self.errors);
        if selection.filter.names_cohorts() {
            let detail = "a cohort is not defined by another one: combine them where they are used";
            self.wrong(format!("{pointer}/filter"), "not_allowed", detail);
        }
        selection
    }

    fn sequence(&mut self, steps: &[SelectionQuery], within: Option<&str>, pointer: &str) -> What {
        let list = format!("{pointer}/sequence");
        if !(2..=MAX_SEQUENCE).contains(&steps.len()) {
            let code = match steps.len() {
                0 | 1 => "too_few",
                _ => "too_many",
            };
            self.wrong(list.clone(), code, format!("list 2 to {MAX_SEQUENCE} selections"));
        }
        let window = parse_window(&format!("{pointer}/within"), within.unwrap_or(DEFAULT_WINDOW));
        let window = window.unwrap_or_else(|error| {
            self.errors.push(error);
            0
        });
        let steps = steps.iter().take(MAX_SEQUENCE).enumerate();
        let steps = steps
            .map(|(n, step)| self.selection(step, &format!("{list}/{n}")))
            .collect();
        What::Sequence(steps, window)
    }

    fn person(&mut self, query: &RuleQuery, pointer: &str) -> What {
        let filter = FilterQuery {
            person: query.person.clone(),
            op: query.op,
            value: query.value.clone(),
            ..FilterQuery::default()
        };
        match filter.validate(pointer, self.zone, &mut self.errors) {
            Filter::Predicate(predicate) => What::Person(predicate),
            Filter::And(_) | Filter::Or(_) => What::Person(Predicate {
                property: None,
                test: Test::IsSet,
            }),
        }
    }

    fn times(&mut self, query: &RuleQuery, pointer: &str) -> Times {
        for (member, times) in [
            ("at_least", query.at_least),
            ("at_most", query.at_most),
            ("exactly", query.exactly),
        ] {
            if times.is_some_and(|times| times > MAX_TIMES) {
                let detail = format!("at most {MAX_TIMES} times");
                self.wrong(format!("{pointer}/{member}"), "out_of_range", detail);
            }
        }
        if let Some(exactly) = query.exactly {
            if query.at_least.is_some() || query.at_most.is_some() {
                let detail = "give either `exactly`, or `at_least` and `at_most`";
                self.wrong(format!("{pointer}/exactly"), "conflict", detail);
            }
            return Times {
                least: exactly.into(),
                most: Some(exactly.into()),
            };
        }
        let least = query.at_least.unwrap_or(u32::from(query.at_most.is_none()));
        if query.at_most.is_some_and(|most| most < least) {
            let detail = "nobody does something at least more often than at most";
            self.wrong(format!("{pointer}/at_most"), "out_of_range", detail);
        }
        Times {
            least: least.into(),
            most: query.at_most.map(u64::from),
        }
    }

    fn when(&mut self, query: &RuleQuery, pointer: &str) -> When {
        let zone = self.zone;
        let mut instant = |member: &str, text: &Option<String>| {
            let text = text.as_ref()?;
            let read = parse_instant(&format!("{pointer}/{member}"), text, zone);
            read.map_err(|error| self.errors.push(error)).ok()
        };
        let (from_ms, to_ms) = (instant("from", &query.from), instant("to", &query.to));
        if from_ms.zip(to_ms).is_some_and(|(from, to)| from >= to) {
            self.wrong(format!("{pointer}/to"), "empty_range", "it ends before it begins");
        }
        let ranged = query.from.is_some() || query.to.is_some();
        match query.last_days {
            Some(days) => {
                if !(1..=MAX_LAST_DAYS).contains(&days) {
                    let detail = format!("1 to {MAX_LAST_DAYS} days");
                    self.wrong(format!("{pointer}/last_days"), "out_of_range", detail);
                }
                if ranged {
                    let detail = "give either `last_days`, or `from` and `to`";
                    self.wrong(format!("{pointer}/last_days"), "conflict", detail);
                }
                When::LastDays(days.clamp(1, MAX_LAST_DAYS))
            }
            None if ranged => When::Between(Span { from_ms, to_ms }),
            None => When::Ever,
        }
    }
}
