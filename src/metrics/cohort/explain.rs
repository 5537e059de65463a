//! Why somebody is a member, or is not.

use serde::Serialize;
use utoipa::ToSchema;

use super::spec::{CohortSpec, Evidence, Node, Rule};
use crate::event::Zone;
use crate::metrics::time::Moment;

/// Whether a person belongs to a cohort, and what each part of the definition says of them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Explained {
    /// Whether the whole definition holds.
    pub holds: bool,
    /// Each part of the definition, the whole first, in the order in which it is written.
    pub rules: Vec<RuleVerdict>,
}

/// What one part of a definition says of a person.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"pointer": "/and/0", "holds": true, "times": 4,
    "first_at": "2026-11-02T08:10:00Z", "last_at": "2026-11-20T19:44:12Z"}))]
pub struct RuleVerdict {
    /// JSON pointer into the definition; empty: the whole.
    pub pointer: String,
    /// Whether it holds.
    pub holds: bool,
    /// How often the person did it within the time given; `first`: ever; `sequence`: how many events ended one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// When the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_at: Option<Moment>,
    /// When the last of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_at: Option<Moment>,
    /// The person's value of the property; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl CohortSpec {
    /// What the definition says of a person of whom this is known, rule by rule.
    pub fn explain(&self, known: &[Evidence], zone: &Zone, now_ms: i64) -> Explained {
        let nothing = Evidence::default();
        let of = |n: usize| known.get(n).unwrap_or(&nothing);
        let rules = self.rules.iter().enumerate();
        let holds: Vec<bool> = rules.map(|(n, rule)| rule.holds(of(n), zone, now_ms)).collect();
        let mut verdicts = Vec::new();
        let whole = verdict(&self.tree, &holds, &of, &mut verdicts);
        Explained {
            holds: whole,
            rules: verdicts,
        }
    }
}

fn verdict<'e>(
    node: &Node,
    holds: &[bool],
    of: &impl Fn(usize) -> &'e Evidence,
    into: &mut Vec<RuleVerdict>,
) -> bool {
    let place = into.len();
    let mut told = RuleVerdict {
        pointer: node.pointer.clone(),
        holds: false,
        times: None,
        first_at: None,
        last_at: None,
        value: None,
    };
    into.push(told.clone());
    let mut each = |children: &[Node]| -> Vec<bool> {
        let children = children.iter();
        children.map(|child| verdict(child, holds, of, into)).collect()
    };
    told.holds = match &node.rule {
        Rule::And(children) => !each(children).contains(&false),
        Rule::Or(children) => each(children).contains(&true),
        Rule::Not(child) => !verdict(child, holds, of, into),
        Rule::Leaf(n) => {
            let known = of(*n);
            if known.value.is_none() {
                told.times = Some(known.times);
                told.first_at = known.first_ms.map(Moment);
                told.last_at = known.last_ms.map(Moment);
            }
            told.value.clone_from(&known.value);
            holds.get(*n).copied().unwrap_or(false)
        }
    };
    let holds = told.holds;
    into[place] = told;
    holds
}
