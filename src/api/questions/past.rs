//! Questions about the tables as they were.

use super::{Asked, refused_query};
use crate::metrics::SpecError;
use crate::metrics::time::parse_instant;
use crate::problem::Problem;
use crate::store::past::Past;

/// The state of the tables that a question names; `None`: as they are. `pointer` names the members.
pub fn past_of(
    asked: &Asked,
    as_of: Option<&str>,
    identity_version: Option<u64>,
) -> Result<Option<Past>, Vec<SpecError>> {
    let Some(text) = as_of else {
        return match identity_version {
            None => Ok(None),
            Some(_) => Err(vec![SpecError::new(
                "/identity_version",
                "missing_field",
                "say as_of which instant, too",
            )]),
        };
    };
    let received_ms = parse_instant("/as_of", text, &asked.zone).map_err(|error| vec![error])?;
    if received_ms > asked.now_ms {
        let why = "nobody knows yet what will have been received by then";
        return Err(vec![SpecError::new("/as_of", "in_future", why)]);
    }
    Ok(Some(Past {
        received_ms,
        // Versions are the milliseconds at which they were learned.
        identity_version: identity_version.unwrap_or(received_ms.max(0) as u64),
    }))
}

impl Asked {
    /// The question as of what its query string names.
    pub fn as_of_query(self, as_of: Option<&str>, identity_version: Option<u64>) -> Result<Asked, Problem> {
        let past = past_of(&self, as_of, identity_version).map_err(refused_query)?;
        Ok(match past {
            Some(past) => self.about(past),
            None => self,
        })
    }
}
