//! A filter as a condition.

use super::value::{current_of_person, member, path};
use super::{Bind, value};
use crate::metrics::filter::{Filter, IN_COHORT, Property, Test, column_of};

/// The filter as a boolean (never NULL) over the columns of `events`. `{project:UInt32}` has to be bound.
pub fn condition(filter: &Filter, bind: &mut Bind) -> String {
    match filter {
        Filter::And(children) => joined(children, "AND", "1", bind),
        Filter::Or(children) => joined(children, "OR", "0", bind),
        Filter::Predicate(predicate) => match &predicate.property {
            None => test("event", &predicate.test, bind),
            Some(Property::Event(name))
                if column_of(name).is_none() && compares_plain_texts(&predicate.test) =>
            {
                // What is no text, or missing, is empty here: equal to none of these either.
                let (path, name) = path(name, bind);
                let text = format!("JSONExtractString(props, {path}{name})");
                test(&text, &predicate.test, bind)
            }
            Some(Property::Cohort(cohort)) => {
                let member = member(*cohort, bind);
                match predicate.test.holds(Some(IN_COHORT)) {
                    true => member,
                    false => format!("NOT {member}"),
                }
            }
            // The persons of whom it holds are found once, before the events are read.
            Some(Property::Person(name)) => {
                let current = current_of_person(name, bind);
                let holds = test("text", &predicate.test, bind);
                match predicate.test.holds(None) {
                    // Who has no such property passes: all but those of whom it does not hold.
                    true => format!("(person NOT IN (SELECT who FROM ({current}) WHERE NOT {holds}))"),
                    false => format!("(person IN (SELECT who FROM ({current}) WHERE {holds}))"),
                }
            }
            Some(Property::Event(_)) => {
                let property = predicate.property.as_ref().map(|property| value(property, bind));
                test(&property.unwrap_or_default(), &predicate.test, bind)
            }
        },
    }
}

/// Whether it asks for equality with texts that only a text can equal: no number, truth value, list or object is written
/// like that, so the cheaper look at texts alone will do.
fn compares_plain_texts(test: &Test) -> bool {
    let plain = |text: &String| {
        let other = text.starts_with(|c: char| c.is_ascii_digit() || "-[{".contains(c));
        !(text.is_empty() || other || text == "true" || text == "false")
    };
    match test {
        Test::Is(text) | Test::IsNot(text) => plain(text),
        Test::In(texts) | Test::NotIn(texts) => texts.iter().all(plain),
        _ => false,
    }
}

fn joined(children: &[Filter], by: &str, empty: &str, bind: &mut Bind) -> String {
    let conditions: Vec<String> = children.iter().map(|child| condition(child, bind)).collect();
    if conditions.is_empty() {
        return empty.to_owned();
    }
    format!("({})", conditions.join(&format!(" {by} ")))
}

/// A text that is an instant, of the years 1900 to 2299 in every calendar.
const INSTANT: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-](0[0-9]|1[0-8]):[0-5][0-9])$";
/// A text that is a number.
const NUMBER: &str = r"^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]{1,5})?$";

fn test(of: &str, test: &Test, bind: &mut Bind) -> String {
    let holds = match test {
        Test::Is(text) | Test::IsNot(text) => {
            let sign = if matches!(test, Test::Is(_)) { "=" } else { "!=" };
            format!("{of} {sign} {}", bind.text(text))
        }
        Test::Contains(text) => format!("position({of}, {}) > 0", bind.text(text)),
        Test::NotContains(text) => format!("position({of}, {}) = 0", bind.text(text)),
        Test::StartsWith(text) => format!("startsWith({of}, {})", bind.text(text)),
        Test::EndsWith(text) => format!("endsWith({of}, {})", bind.text(text)),
        Test::Matches { pattern } => format!("match({of}, {})", bind.text(pattern.as_str())),
        Test::Gt(than) => format!("{} > {}", number(of, bind), bind.number(than.get())),
        Test::Gte(than) => format!("{} >= {}", number(of, bind), bind.number(than.get())),
        Test::Lt(than) => format!("{} < {}", number(of, bind), bind.number(than.get())),
        Test::Lte(than) => format!("{} <= {}", number(of, bind), bind.number(than.get())),
        Test::Between { low, high } => {
            let (low, high) = (bind.number(low.get()), bind.number(high.get()));
            let (number, read) = (number(of, bind), bind.alias());
            format!("(({number} AS {read}) >= {low} AND {read} <= {high})")
        }
        Test::In(texts) => format!("has({}, {of})", bind.texts(texts)),
        Test::NotIn(texts) => format!("NOT has({}, {of})", bind.texts(texts)),
        Test::IsSet => return format!("({of} IS NOT NULL)"),
        Test::IsNotSet => return format!("({of} IS NULL)"),
        Test::Before(moment) => {
            let (day, at) = (bind.text(moment.before.to_string()), bind.integer(moment.at_ms));
            moments(of, &format!("<= {day}"), &format!("< {at}"), bind)
        }
        Test::After(moment) => {
            let (day, at) = (bind.text(moment.until.to_string()), bind.integer(moment.at_ms));
            moments(of, &format!("> {day}"), &format!("> {at}"), bind)
        }
    };
    let missing = u8::from(test.holds_of_missing());
    format!("ifNull({holds}, {missing})")
}

/// The finite number that a text stands for, else NULL.
pub(crate) fn number(of: &str, bind: &mut Bind) -> String {
    let (text, read) = (bind.alias(), bind.alias());
    format!(
        "if(match(({of} AS {text}), '{NUMBER}') AND isFinite((toFloat64OrNull({text}) AS {read})), {read}, NULL)"
    )
}

/// A comparison of a text that is a date or an instant. Dates compare as they are written.
fn moments(of: &str, date: &str, instant: &str, bind: &mut Bind) -> String {
    let (text, day, offset) = (bind.alias(), bind.alias(), bind.alias());
    let clock = |at: u8| format!("toInt64OrZero(substring({text}, {at}, 2))");
    let at = format!(
        "((toInt64(toDate32OrZero({day})) * 86400 + {h} * 3600 + {m} * 60 + {s}) * 1000 \
         + toInt64OrZero(rightPad(extract({text}, '[.]([0-9]{{1,3}})'), 3, '0')) \
         - if((extract({text}, '([+-][0-9]{{2}}:[0-9]{{2}})$') AS {offset}) = '', 0, \
             (toInt64OrZero(substring({offset}, 2, 2)) * 60 + toInt64OrZero(substring({offset}, 5, 2))) \
             * if(startsWith({offset}, '-'), -60000, 60000)))",
        h = clock(12),
        m = clock(15),
        s = clock(18),
    );
    format!(
        "if(toString(toDate32OrNull((substring(({of} AS {text}), 1, 10) AS {day}))) = {day}, \
         multiIf(length({text}) = 10, {text} {date}, match({text}, '{INSTANT}'), {at} {instant}, 0), 0)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Zone;
    use crate::metrics::filter::FilterQuery;

    #[test]
    fn several_of_the_largest_filters_stay_below_what_clickhouse_takes_in_a_statement() {
        let costly = r#"{"person": "since", "op": "before", "value": "2026-11-01"}"#;
        let list = |n: usize| vec![costly; n].join(",");
        let text = format!(
            r#"{{"and": [{{"and": [{}]}}, {{"and": [{}]}}, {{"and": [{}]}}]}}"#,
            list(20),
            list(20),
            list(10)
        );
        let query: FilterQuery = serde_json::from_str(&text).unwrap();
        let mut errors = Vec::new();
        let filter = query.validate("/filter", &Zone::utc(), &mut errors);
        assert_eq!(errors, []);
        let sql = condition(&filter, &mut Bind::new());
        assert!(sql.len() < 256 << 10, "{} bytes", sql.len());
    }
}
