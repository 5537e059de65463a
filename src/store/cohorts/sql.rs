//! A cohort's rules as one pass over the events of persons.

use crate::event::Zone;
use crate::metrics::cohort::{CohortSpec, Node, Rule, Span, What};
use crate::metrics::selection::Selection;
use crate::store::filter::{Bind, condition, value};
use crate::store::people::{PEOPLE, maybe_of};
use crate::store::selection::selected;

/// An instant before all others that is no start of a sequence.
const NEVER: i64 = -(1 << 60);

/// What is counted for each person, rule by rule.
struct Gathered {
    /// Of each event that is read: what it is to the rules.
    columns: Vec<String>,
    /// The columns that say whether an event matters to any rule.
    matters: Vec<String>,
    /// Whether each rule holds.
    holds: Vec<String>,
    /// What there is to know of each: how often, when first, when last (0: never), and the property.
    known: Vec<[String; 4]>,
}

/// The persons who are members: a statement of one column, `person`. `{project:UInt32}` has to be bound.
pub fn members(spec: &CohortSpec, zone: &Zone, now_ms: i64, bind: &mut Bind) -> String {
    let gathered = gather(spec, zone, now_ms, bind);
    let only = match spec.needs_events() {
        true => format!("AND ({})", gathered.matters.join(" OR ")),
        false => String::new(),
    };
    format!(
        "SELECT person FROM (SELECT person, id, seq, toUnixTimestamp64Milli(ts) AS at{} FROM {PEOPLE} AS e \
         WHERE project = {{project:UInt32}} {only}) GROUP BY person HAVING {}",
        listed(&gathered.columns),
        holds(&spec.tree, &gathered.holds)
    )
}

/// What there is to know of one person, all rules in order: a statement of four arrays. `{project:UInt32}` and the person,
/// as `{persons:Array(UInt64)}`, have to be bound.
pub fn evidence(spec: &CohortSpec, zone: &Zone, now_ms: i64, bind: &mut Bind) -> String {
    let gathered = gather(spec, zone, now_ms, bind);
    let all = |of: usize| {
        let known = gathered.known.iter().map(|known| known[of].as_str());
        known.collect::<Vec<_>>().join(", ")
    };
    format!(
        "SELECT [{}] AS times, [{}] AS firsts, [{}] AS lasts, [{}] AS values \
         FROM (SELECT person, id, seq, toUnixTimestamp64Milli(ts) AS at{} FROM {PEOPLE} AS e \
         WHERE project = {{project:UInt32}} AND person IN {{persons:Array(UInt64)}} AND {}) GROUP BY person",
        all(0),
        all(1),
        all(2),
        all(3),
        listed(&gathered.columns),
        maybe_of("{persons:Array(UInt64)}"),
    )
}

fn listed(columns: &[String]) -> String {
    columns.iter().map(|column| format!(", {column}")).collect()
}

fn gather(spec: &CohortSpec, zone: &Zone, now_ms: i64, bind: &mut Bind) -> Gathered {
    let mut gathered = Gathered {
        columns: Vec::new(),
        matters: Vec::new(),
        holds: Vec::new(),
        known: Vec::new(),
    };
    for (n, rule) in spec.rules.iter().enumerate() {
        let column = format!("c{n}");
        let span = rule.when.span(zone, now_ms);
        match &rule.what {
            What::Did(selection, times) => {
                gathered.mark(&column, done(selection, span, bind));
                // Copies of an event are one event; where any will do they need not be told apart.
                let often = match times.is_whether() {
                    true => format!("countIf({column})"),
                    false => format!("uniqExactIf(id, {column})"),
                };
                let most = times
                    .most
                    .map(|most| format!(" AND {often} <= {}", whole(most, bind)));
                let holds = format!("{often} >= {}", whole(times.least, bind));
                gathered.holds.push(holds + &most.unwrap_or_default());
                gathered.known.push(seen(&column));
            }
            What::First(selection) => {
                gathered.mark(&column, done(selection, Span::default(), bind));
                let first = format!("minIf(at, {column})");
                let holds = format!("countIf({column}) > 0 AND {}", within(&first, span, bind));
                gathered.holds.push(holds);
                gathered.known.push(seen(&column));
            }
            What::Sequence(steps, window) => {
                // Step by step, so that the primary key finds the events of each.
                for (step, selection) in steps.iter().enumerate() {
                    gathered.mark(&format!("{column}s{step}"), done(selection, span, bind));
                }
                let marks = (0..steps.len()).map(|step| format!("if({column}s{step}, {}, 0)", 1 << step));
                let marks = marks.collect::<Vec<_>>().join(" + ");
                gathered.columns.push(format!("toUInt8({marks}) AS {column}"));
                let ended = ended(&column, steps.len(), *window, bind);
                let part = |of: usize| format!("tupleElement({ended}, {})", steps.len() + of);
                gathered.holds.push(format!("{} > 0", part(0)));
                let none = "CAST(NULL, 'Nullable(String)')".to_owned();
                gathered.known.push([part(0), part(1), part(2), none]);
            }
            What::Person(predicate) => {
                let text = predicate.property.as_ref().map(|property| value(property, bind));
                let text = text.unwrap_or_else(|| "CAST(NULL, 'Nullable(String)')".to_owned());
                let filter = crate::metrics::filter::Filter::Predicate(predicate.clone());
                let holds = condition(&filter, bind);
                // The same for all events of a person.
                gathered.columns.push(format!("({holds}) AS {column}"));
                gathered.columns.push(format!("{text} AS v{n}"));
                gathered.holds.push(format!("any({column})"));
                let zero = |kind: &str| format!("to{kind}(0)");
                gathered
                    .known
                    .push([zero("UInt64"), zero("Int64"), zero("Int64"), format!("any(v{n})")]);
            }
        }
    }
    gathered
}

impl Gathered {
    fn mark(&mut self, column: &str, condition: String) {
        self.columns.push(format!("({condition}) AS {column}"));
        self.matters.push(column.to_owned());
    }
}

fn whole(number: u64, bind: &mut Bind) -> String {
    bind.integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The events of a selection that happened then.
fn done(selection: &Selection, span: Span, bind: &mut Bind) -> String {
    let mut bounds = vec![selected(selection, bind)];
    // By UTC days too, for the primary key.
    for (end, sign, day) in [(span.from_ms, ">=", ">="), (span.to_ms, "<", "<=")] {
        if let Some(end) = end {
            let end = format!("fromUnixTimestamp64Milli({}, 'UTC')", bind.integer(end));
            bounds.push(format!("e.day {day} toDate({end}) AND e.ts {sign} {end}"));
        }
    }
    bounds.join(" AND ")
}

fn within(at: &str, span: Span, bind: &mut Bind) -> String {
    let mut bounds = vec!["1".to_owned()];
    bounds.extend(span.from_ms.map(|from| format!("{at} >= {}", bind.integer(from))));
    bounds.extend(span.to_ms.map(|to| format!("{at} < {}", bind.integer(to))));
    bounds.join(" AND ")
}

fn seen(column: &str) -> [String; 4] {
    [
        format!("uniqExactIf(id, {column})"),
        format!("minIf(at, {column})"),
        format!("maxIf(at, {column})"),
        "CAST(NULL, 'Nullable(String)')".to_owned(),
    ]
}

/// A person's events that end a sequence: a tuple whose members from the number of steps on are how many they are, when
/// the first was and when the last. The members before are, for each step but the last, the latest start of a chain up
/// to it: the events are gone through in the total order, each once, however often it was delivered.
fn ended(column: &str, steps: usize, window: i64, bind: &mut Bind) -> String {
    let window = bind.integer(window);
    let last = steps - 1;
    let ends = format!("bitTest(x.4, {last}) AND x.1 - a.{last} <= {window}");
    let mut next: Vec<String> = (1..steps)
        .map(|step| {
            let start = match step {
                1 => "x.1".to_owned(),
                _ => format!("a.{}", step - 1),
            };
            format!(
                "if(bitTest(x.4, {}), greatest(a.{step}, {start}), a.{step})",
                step - 1
            )
        })
        .collect();
    let (first, latest) = (steps + 1, steps + 2);
    next.push(format!("a.{steps} + if({ends}, toUInt64(1), toUInt64(0))"));
    next.push(format!("if(a.{steps} = 0 AND {ends}, x.1, a.{first})"));
    next.push(format!("if({ends}, x.1, a.{latest})"));
    let mut begin: Vec<String> = (1..steps).map(|_| format!("toInt64({NEVER})")).collect();
    begin.extend(["toUInt64(0)", "toInt64(0)", "toInt64(0)"].map(str::to_owned));
    let events = format!("arraySort(groupArrayIf((at, seq, UUIDToNum(id), {column}), {column} > 0))");
    format!(
        "arrayFold((a, x) -> ({}), \
           arrayFilter((x, n) -> n = 1, {events}, arrayEnumerateUniq(tupleElement({events}, 3))), ({}))",
        next.join(", "),
        begin.join(", ")
    )
}

fn holds(node: &Node, of: &[String]) -> String {
    let joined = |children: &[Node], by: &str, empty: &str| match children {
        [] => empty.to_owned(),
        _ => {
            let children: Vec<String> = children.iter().map(|child| holds(child, of)).collect();
            format!("({})", children.join(by))
        }
    };
    match &node.rule {
        Rule::And(children) => joined(children, " AND ", "1"),
        Rule::Or(children) => joined(children, " OR ", "0"),
        Rule::Not(child) => format!("NOT ({})", holds(child, of)),
        Rule::Leaf(n) => format!("({})", of[*n]),
    }
}
