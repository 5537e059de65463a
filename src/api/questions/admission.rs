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
/// Exports of one project under way at once. They last as long as their readers, so they have places of their
/// own and never take those of the questions.
const EXPORTS_AT_ONCE: usize = 2;
/// How long a question waits for a place.
const PATIENCE: Duration = Duration::from_secs(2);

/// The places of every project. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admission {
    at_once: usize,
    /// What the places are for, in the plural.
    what: &'static str,
    places: Arc<Mutex<HashMap<ProjectNumber, Arc<Semaphore>>>>,
}

/// A place among a project's questions, given back when it goes.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// Places for questions.
    pub fn of_questions() -> Admission {
        Admission::new(AT_ONCE, "questions")
    }

    /// Places for exports.
    pub fn of_exports() -> Admission {
        Admission::new(EXPORTS_AT_ONCE, "exports")
    }

    fn new(at_once: usize, what: &'static str) -> Admission {
        Admission {
            at_once,
            what,
            places: Arc::default(),
        }
    }

    /// Takes a place, waiting up to two seconds for one.
    pub async fn enter(&self, project: ProjectNumber) -> Result<Place, Problem> {
        let places = {
            let mut all = self
                .places
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            all.entry(project)
                .or_insert_with(|| Arc::new(Semaphore::new(self.at_once)))
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
                        "{} {} of this project are under way already: ask again in a moment",
                        self.at_once, self.what
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
        let admission = Admission::of_questions();
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
