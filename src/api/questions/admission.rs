//! How many questions a project may have under way: a few at once, the rest wait a moment, then 429. One
//! project's heavy dashboard must not take the engine away from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::event::ProjectNumber;
use crate::problem::Problem;

/// Questions of one project under way at once.
const AT_ONCE: usize = 8;
/// How long a question waits for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// The places of every project. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    places: Arc<Mutex<HashMap<ProjectNumber, Arc<Semaphore>>>>,
}

/// A place among a project's questions, given back when it goes.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// Takes a place, waiting up to two seconds for one.
    pub async fn enter(&self, project: ProjectNumber) -> Result<Place, Problem> {
        let places = {
            let mut all = self
                .places
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            all.entry(project)
                .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)))
                .clone()
        };
        match tokio::time::timeout(PATIENCE, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit }),
            _ => Err(Problem {
                retry_after: Some(2),
                ..Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_questions",
                    format!(
                        "{AT_ONCE} questions of this project are under way already: ask again in a moment"
                    ),
                )
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_ninth_question_waits_and_is_then_refused_while_other_projects_go_on() {
        let admission = Admission::default();
        let busy = ProjectNumber(1);
        let mut places = Vec::new();
        for _ in 0..AT_ONCE {
            places.push(admission.enter(busy).await.unwrap());
        }
        let refused = admission.enter(busy).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (429, "too_many_questions")
        );
        assert!(admission.enter(ProjectNumber(2)).await.is_ok());
        places.pop();
        assert!(admission.enter(busy).await.is_ok());
    }
}
