//! Rules, and what tells whether they hold of a person.

use crate::event::{Day, Zone};
use crate::metrics::filter::Predicate;
use crate::metrics::selection::Selection;
use crate::metrics::time::FIRST_DAY;

/// A validated definition: the tree, and its rules in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CohortSpec {
    /// What has to hold.
    pub tree: Node,
    /// The rules, by the numbers that the tree knows them by.
    pub rules: Vec<Leaf>,
}

/// A node of the tree, and where it stands in the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// JSON pointer into the definition.
    pub pointer: String,
    /// What it is.
    pub rule: Rule,
}

/// What has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Every one of them.
    And(Vec<Node>),
    /// At least one of them.
    Or(Vec<Node>),
    /// Not this one.
    Not(Box<Node>),
    /// The rule of this number.
    Leaf(usize),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What is asked.
    pub what: What,
    /// When.
    pub when: When,
}

/// What a rule asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// So many of these events.
    Did(Selection, Times),
    /// The first of these events.
    First(Selection),
    /// These, one after the other, the last at most so many milliseconds after the first.
    Sequence(Vec<Selection>, i64),
    /// A property of the person.
    Person(Predicate),
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: Option<u64>,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Whenever.
    Ever,
    /// Within so many existing local days that end with the day of evaluation.
    LastDays(u32),
    /// Within a half-open range of instants.
    Between(Span),
}

/// A half-open range of UTC milliseconds, either end of which may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its first instant.
    pub from_ms: Option<i64>,
    /// The first instant behind it.
    pub to_ms: Option<i64>,
}

/// What is known of one person about one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// How often: of `first` all events ever, of `sequence` the events that end one.
    pub times: u64,
    /// When first.
    pub first_ms: Option<i64>,
    /// When last.
    pub last_ms: Option<i64>,
    /// The property's canonical text.
    pub value: Option<String>,
}

impl Times {
    /// Whether so often is what was asked.
    pub fn hold(&self, times: u64) -> bool {
        self.least <= times && self.most.is_none_or(|most| times <= most)
    }

    /// Whether only none or some matters, not how many.
    pub fn is_whether(&self) -> bool {
        matches!((self.least, self.most), (0 | 1, None) | (0, Some(0)))
    }
}

impl When {
    /// The instants that are meant at the evaluation.
    pub fn span(&self, zone: &Zone, now_ms: i64) -> Span {
        match *self {
            When::Ever => Span::default(),
            When::Between(span) => span,
            When::LastDays(days) => {
                let today = zone.local_day(now_ms);
                let (mut day, mut left) = (today, days.saturating_sub(1));
                while left > 0 && day > FIRST_DAY {
                    day = Day(day.0 - 1);
                    left -= u32::from(zone.day_exists(day));
                }
                Span {
                    from_ms: Some(zone.day_start(day)),
                    to_ms: Some(zone.day_start(today.plus(1))),
                }
            }
        }
    }
}

impl Span {
    /// Whether the instant lies within.
    pub fn contains(&self, ts: i64) -> bool {
        self.from_ms.is_none_or(|from| from <= ts) && self.to_ms.is_none_or(|to| ts < to)
    }
}

impl Leaf {
    /// Whether the rule holds of a person of whom this is known, at the evaluation.
    pub fn holds(&self, known: &Evidence, zone: &Zone, now_ms: i64) -> bool {
        match &self.what {
            What::Did(_, times) => times.hold(known.times),
            What::First(_) => known
                .first_ms
                .is_some_and(|first| self.when.span(zone, now_ms).contains(first)),
            What::Sequence(..) => known.times > 0,
            What::Person(predicate) => predicate.test.holds(known.value.as_deref()),
        }
    }
}

impl CohortSpec {
    /// Whether a person is a member, from what holds of each rule.
    pub fn holds(&self, of: &[bool]) -> bool {
        self.tree.holds(of)
    }

    /// Whether nobody can be a member without an event of some rule: then no others need to be looked at.
    pub fn needs_events(&self) -> bool {
        // What a property says is not known beforehand.
        let without = |leaf: &Leaf| match &leaf.what {
            What::Did(_, times) => Some(times.hold(0)),
            What::First(_) | What::Sequence(..) => Some(false),
            What::Person(_) => None,
        };
        let without: Vec<Option<bool>> = self.rules.iter().map(without).collect();
        self.tree.perhaps(&without) == Some(false)
    }
}

impl Node {
    fn holds(&self, of: &[bool]) -> bool {
        match &self.rule {
            Rule::And(children) => children.iter().all(|child| child.holds(of)),
            Rule::Or(children) => children.iter().any(|child| child.holds(of)),
            Rule::Not(child) => !child.holds(of),
            Rule::Leaf(n) => of.get(*n).copied().unwrap_or(false),
        }
    }

    /// The same where some rules are unknown.
    fn perhaps(&self, of: &[Option<bool>]) -> Option<bool> {
        let among = |children: &[Node], decides: bool| {
            let known: Vec<Option<bool>> = children.iter().map(|child| child.perhaps(of)).collect();
            if known.contains(&Some(decides)) {
                Some(decides)
            } else if known.contains(&None) {
                None
            } else {
                Some(!decides)
            }
        };
        match &self.rule {
            Rule::And(children) => among(children, false),
            Rule::Or(children) => among(children, true),
            Rule::Not(child) => child.perhaps(of).map(|holds| !holds),
            Rule::Leaf(n) => of.get(*n).copied().flatten(),
        }
    }
}
