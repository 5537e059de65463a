//! From queries to filters: everything that is refused, by pointer.

use serde_json::Value;
use uuid::Uuid;

use super::pattern::Pattern;
use super::predicate::{Finite, Instant, Test};
use super::query::{FilterQuery, Op, PropertyQuery};
use super::text::{canonical, number_of};
use super::time::{instant_of, moment_of};
use super::{
    Filter, IN_COHORT, MAX_BREAKDOWN_LIMIT, MAX_CHILDREN, MAX_DEPTH, MAX_LIST_BYTES, MAX_PREDICATES,
    MAX_VALUE_CHARS, MAX_VALUES, Predicate, Property,
};
use crate::event::Zone;
use crate::metrics::{MAX_NAME_CHARS, SpecError};

impl FilterQuery {
    /// The filter. What is wrong is added to `errors`, with pointers below `pointer`; the result then means
    /// nothing.
    pub fn validate(&self, pointer: &str, zone: &Zone, errors: &mut Vec<SpecError>) -> Filter {
        let mut check = Check {
            zone,
            errors,
            predicates: 0,
        };
        let filter = check.filter(self, pointer, 0);
        if check.predicates > MAX_PREDICATES {
            let detail = format!(
                "a filter has at most {MAX_PREDICATES} predicates, this one has {}",
                check.predicates
            );
            errors.push(SpecError::new(pointer, "too_many", detail));
        }
        filter
    }
}

impl PropertyQuery {
    /// The property; what is wrong is added to `errors`.
    pub fn validate(&self, pointer: &str, errors: &mut Vec<SpecError>) -> Property {
        let (property, member) = match (&self.property, &self.person, self.cohort) {
            (Some(name), None, None) => (Property::Event(name.clone()), "property"),
            (None, Some(name), None) => (Property::Person(name.clone()), "person"),
            (None, None, Some(cohort)) => return Property::Cohort(cohort),
            (None, None, None) => {
                errors.push(SpecError::new(
                    pointer,
                    "required",
                    "name a `property`, a `person` property or a `cohort`",
                ));
                return Property::Event(String::new());
            }
            _ => {
                errors.push(one_subject(pointer));
                return Property::Event(String::new());
            }
        };
        check_name(&property, &format!("{pointer}/{member}"), errors);
        property
    }
}

/// A limit of shown values, checked; `None` is the default.
pub fn breakdown_limit(limit: Option<u32>, default: u32, errors: &mut Vec<SpecError>) -> u32 {
    let limit = limit.unwrap_or(default);
    if !(1..=MAX_BREAKDOWN_LIMIT).contains(&limit) {
        let detail = format!("a breakdown shows 1 to {MAX_BREAKDOWN_LIMIT} values");
        errors.push(SpecError::new("/breakdown_limit", "out_of_range", detail));
    }
    limit
}

fn one_subject(pointer: &str) -> SpecError {
    SpecError::new(
        pointer,
        "ambiguous",
        "one of `and`, `or`, `property`, `person`, `cohort` and `event_name`, not several",
    )
}

fn check_name(property: &Property, pointer: &str, errors: &mut Vec<SpecError>) {
    let (Property::Event(name) | Property::Person(name)) = property else {
        return;
    };
    if name.is_empty() {
        errors.push(SpecError::new(pointer, "required", "name the property"));
    } else if name.chars().count() > MAX_NAME_CHARS {
        let detail = format!("a property's name has at most {MAX_NAME_CHARS} characters");
        errors.push(SpecError::new(pointer, "name_too_long", detail));
    }
}

struct Check<'a> {
    zone: &'a Zone,
    errors: &'a mut Vec<SpecError>,
    predicates: usize,
}

impl Check<'_> {
    fn wrong(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.errors.push(SpecError::new(pointer, code, detail));
    }

    fn filter(&mut self, query: &FilterQuery, pointer: &str, depth: usize) -> Filter {
        let subjects = [
            query.and.is_some(),
            query.or.is_some(),
            query.property.is_some(),
            query.person.is_some(),
            query.cohort.is_some(),
            query.event_name.is_some(),
        ];
        match subjects.iter().filter(|given| **given).count() {
            0 => {
                let detail =
                    "a filter is one of `and`, `or`, `property`, `person`, `cohort` and `event_name`";
                self.wrong(pointer, "required", detail);
                return Filter::everything();
            }
            1 => {}
            _ => {
                self.errors.push(one_subject(pointer));
                return Filter::everything();
            }
        }
        if let Some(children) = &query.and {
            Filter::And(self.children(query, children, &format!("{pointer}/and"), pointer, depth))
        } else if let Some(children) = &query.or {
            Filter::Or(self.children(query, children, &format!("{pointer}/or"), pointer, depth))
        } else {
            self.predicates += 1;
            Filter::Predicate(self.predicate(query, pointer))
        }
    }

    fn children(
        &mut self,
        query: &FilterQuery,
        children: &[FilterQuery],
        list: &str,
        pointer: &str,
        depth: usize,
    ) -> Vec<Filter> {
        for (given, member) in [(query.op.is_some(), "op"), (query.value.is_some(), "value")] {
            if given {
                self.wrong(
                    format!("{pointer}/{member}"),
                    "not_allowed",
                    "only a predicate has one",
                );
            }
        }
        if depth == MAX_DEPTH {
            let detail = format!("`and` and `or` may be nested {MAX_DEPTH} deep");
            self.wrong(list, "too_deep", detail);
            return Vec::new();
        }
        if children.is_empty() || children.len() > MAX_CHILDREN {
            let code = if children.is_empty() {
                "required"
            } else {
                "too_many"
            };
            self.wrong(list, code, format!("list 1 to {MAX_CHILDREN} filters"));
        }
        let children = children.iter().take(MAX_CHILDREN).enumerate();
        children
            .map(|(n, child)| self.filter(child, &format!("{list}/{n}"), depth + 1))
            .collect()
    }

    fn predicate(&mut self, query: &FilterQuery, pointer: &str) -> Predicate {
        if let Some(cohort) = query.cohort {
            return self.membership(query, cohort, pointer);
        }
        let property = if let Some(name) = &query.property {
            Some(Property::Event(name.clone()))
        } else {
            query.person.as_ref().map(|name| Property::Person(name.clone()))
        };
        match &property {
            Some(property) => {
                let member = match property {
                    Property::Event(_) => "property",
                    Property::Person(_) | Property::Cohort(_) => "person",
                };
                check_name(property, &format!("{pointer}/{member}"), self.errors);
            }
            None if query.event_name == Some(false) => {
                let detail = "`true` for the event's name, or leave it out";
                self.wrong(format!("{pointer}/event_name"), "not_allowed", detail);
            }
            None => {}
        }
        let value = format!("{pointer}/value");
        let test = self.test(query.op.unwrap_or_default(), query.value.as_ref(), &value);
        Predicate {
            property,
            test: test.unwrap_or(Test::IsSet),
        }
    }

    fn membership(&mut self, query: &FilterQuery, cohort: Uuid, pointer: &str) -> Predicate {
        if query.value.is_some() {
            let detail = "a cohort is compared with nothing: `in` or `not_in`";
            self.wrong(format!("{pointer}/value"), "not_allowed", detail);
        }
        let member = IN_COHORT.to_owned();
        let test = match query.op {
            None | Some(Op::In) => Test::Is(member),
            Some(Op::NotIn) => Test::IsNot(member),
            Some(_) => {
                let detail = "people are `in` a cohort or `not_in` it";
                self.wrong(format!("{pointer}/op"), "not_allowed", detail);
                Test::Is(member)
            }
        };
        Predicate {
            property: Some(Property::Cohort(cohort)),
            test,
        }
    }

    /// The test, unless its value is refused.
    fn test(&mut self, op: Op, value: Option<&Value>, pointer: &str) -> Option<Test> {
        if matches!(op, Op::IsSet | Op::IsNotSet) {
            if value.is_some() {
                self.wrong(
                    pointer,
                    "not_allowed",
                    "`is_set` and `is_not_set` compare with nothing",
                );
            }
            let test = if op == Op::IsSet {
                Test::IsSet
            } else {
                Test::IsNotSet
            };
            return Some(test);
        }
        let Some(value) = value else {
            self.wrong(pointer, "required", "say what to compare with");
            return None;
        };
        Some(match op {
            Op::Is => Test::Is(self.text(value, pointer)?),
            Op::IsNot => Test::IsNot(self.text(value, pointer)?),
            Op::Contains => Test::Contains(self.text(value, pointer)?),
            Op::NotContains => Test::NotContains(self.text(value, pointer)?),
            Op::StartsWith => Test::StartsWith(self.text(value, pointer)?),
            Op::EndsWith => Test::EndsWith(self.text(value, pointer)?),
            Op::Matches => Test::Matches {
                pattern: self.pattern(value, pointer)?,
            },
            Op::Gt => Test::Gt(self.number(value, pointer)?),
            Op::Gte => Test::Gte(self.number(value, pointer)?),
            Op::Lt => Test::Lt(self.number(value, pointer)?),
            Op::Lte => Test::Lte(self.number(value, pointer)?),
            Op::Between => {
                let [low, high] = self.list(value, pointer, 2..=2)? else {
                    return None;
                };
                let low = self.number(low, &format!("{pointer}/0"));
                let high = self.number(high, &format!("{pointer}/1"));
                Test::Between {
                    low: low?,
                    high: high?,
                }
            }
            Op::In => Test::In(self.texts(value, pointer)?),
            Op::NotIn => Test::NotIn(self.texts(value, pointer)?),
            Op::Before => Test::Before(self.moment(value, pointer)?),
            Op::After => Test::After(self.moment(value, pointer)?),
            Op::IsSet | Op::IsNotSet => return None,
        })
    }

    fn text(&mut self, value: &Value, pointer: &str) -> Option<String> {
        let text = match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => canonical(value)?,
            _ => {
                self.wrong(pointer, "wrong_type", "must be a text, a number or a boolean");
                return None;
            }
        };
        if text.chars().count() > MAX_VALUE_CHARS {
            let detail = format!("a text to compare with has at most {MAX_VALUE_CHARS} characters");
            self.wrong(pointer, "too_long", detail);
            return None;
        }
        Some(text)
    }

    fn texts(&mut self, value: &Value, pointer: &str) -> Option<Vec<String>> {
        let items = self.list(value, pointer, 1..=MAX_VALUES)?;
        let texts: Vec<Option<String>> = items
            .iter()
            .enumerate()
            .map(|(n, item)| self.text(item, &format!("{pointer}/{n}")))
            .collect();
        let texts: Vec<String> = texts.into_iter().collect::<Option<_>>()?;
        if texts.iter().map(String::len).sum::<usize>() > MAX_LIST_BYTES {
            let detail = format!("a list to compare with has at most {MAX_LIST_BYTES} bytes");
            self.wrong(pointer, "too_long", detail);
            return None;
        }
        Some(texts)
    }

    fn list<'v>(
        &mut self,
        value: &'v Value,
        pointer: &str,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> Option<&'v [Value]> {
        let Value::Array(items) = value else {
            self.wrong(pointer, "wrong_type", "must be a list");
            return None;
        };
        if !lengths.contains(&items.len()) {
            let code = if items.len() < *lengths.start() {
                "too_few"
            } else {
                "too_many"
            };
            let detail = match *lengths.end() {
                2 => "must be a list of two numbers".to_owned(),
                most => format!("must be a list of 1 to {most} values"),
            };
            self.wrong(pointer, code, detail);
            return None;
        }
        Some(items)
    }

    fn number(&mut self, value: &Value, pointer: &str) -> Option<Finite> {
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => number_of(text),
            _ => None,
        };
        let number = number.and_then(Finite::new);
        if number.is_none() {
            self.wrong(pointer, "wrong_type", "must be a finite number");
        }
        number
    }

    fn moment(&mut self, value: &Value, pointer: &str) -> Option<Instant> {
        let moment = value.as_str().and_then(moment_of);
        if moment.is_none() {
            let detail =
                "must be a date (2026-11-01) or an instant (2026-11-01T00:00:00Z) of the years 1900 to 2299";
            self.wrong(pointer, "invalid_time", detail);
        }
        moment.map(|moment| Instant::new(instant_of(moment, self.zone), self.zone))
    }

    fn pattern(&mut self, value: &Value, pointer: &str) -> Option<Pattern> {
        let Some(text) = value.as_str() else {
            self.wrong(pointer, "wrong_type", "must be a pattern, as a text");
            return None;
        };
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                self.wrong(pointer, "invalid_pattern", reason);
                None
            }
        }
    }
}
