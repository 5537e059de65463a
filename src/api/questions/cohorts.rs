//! The cohorts that a question names, wherever in it: whether they are the project's, and of when.

use serde_json::Value;
use uuid::Uuid;

use super::{Asked, Question};
use crate::metrics::envelope::Warning;
use crate::problem::{FieldError, Problem};

/// The code of what is said about a cohort's age.
const AS_OF: &str = "cohort_as_of";

impl Asked {
    /// The same, knowing the cohorts that the question names: an unknown one is refused where it stands, of the others
    /// the envelope says when their members were written down.
    pub async fn knowing_cohorts(mut self, question: &Question) -> Result<Asked, Problem> {
        let text = serde_json::to_string(question).map_err(Problem::internal)?;
        if !text.contains("\"cohort\":") {
            return Ok(self);
        }
        let question: Value = serde_json::from_str(&text).map_err(Problem::internal)?;
        let mut named = Vec::new();
        find(&question, &mut String::new(), &mut named);
        let mut unknown = Vec::new();
        let mut known: Vec<Uuid> = Vec::new();
        for (pointer, id) in named {
            if known.contains(&id) {
                continue;
            }
            let Some(cohort) = self.meta.cohort(self.project.id, id).await? else {
                let detail = "the project has no such cohort";
                unknown.push(FieldError::new(pointer, "unknown_cohort", detail));
                continue;
            };
            known.push(id);
            let name = &cohort.name;
            let detail = match (cohort.computed_at, cohort.refreshed_at) {
                (None, _) => format!("the members of {name:?} have not been found yet: it has none"),
                (Some(at), None) => format!(
                    "the members of {name:?} ({}) are those of {}, by an older definition: the new one is being looked \
                     through",
                    cohort.size,
                    crate::metrics::time::Moment(at.0)
                ),
                (Some(at), Some(_)) => format!(
                    "the members of {name:?} ({}) are those of {}",
                    cohort.size,
                    crate::metrics::time::Moment(at.0)
                ),
            };
            self.cohorts.push(Warning::new(AS_OF, detail));
        }
        match unknown.is_empty() {
            true => Ok(self),
            false => Err(Problem::invalid(unknown)),
        }
    }
}

/// Every member `cohort` that is an id, with its pointer.
fn find(value: &Value, pointer: &mut String, into: &mut Vec<(String, Uuid)>) {
    let length = pointer.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                let id = member.as_str().and_then(|text| Uuid::try_parse(text).ok());
                match id.filter(|_| name == "cohort") {
                    Some(id) => into.push((pointer.clone(), id)),
                    None => find(member, pointer, into),
                }
                pointer.truncate(length);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&n.to_string());
                find(item, pointer, into);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cohorts_are_found_wherever_they_stand() {
        let id = Uuid::from_u128(5);
        let question = json!({"filter": {"and": [{"property": "cohort", "value": id}, {"cohort": id}]},
            "series": [{"filter": {"cohort": id, "op": "not_in"}}], "breakdown": [{"cohort": id}, {"cohort": "x"}]});
        let mut named = Vec::new();
        find(&question, &mut String::new(), &mut named);
        let places: Vec<&str> = named.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(
            places,
            [
                "/breakdown/0/cohort",
                "/filter/and/1/cohort",
                "/series/0/filter/cohort"
            ]
        );
    }
}
