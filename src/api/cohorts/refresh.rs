//! Looking for a cohort's members at once, for whoever changed it.

use uuid::Uuid;

use crate::api::questions::Questions;
use crate::api::{Accounts, Answered};
use crate::meta::Project;
use crate::metrics::cohort::CohortSpec;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::cohorts::Meant;

/// Writes the members down. What cannot be found at the cost of a question is noted with the cohort; the worker tries
/// again.
pub async fn refresh(
    accounts: &Accounts,
    questions: &Questions,
    project: &Project,
    cohort: Uuid,
) -> Answered<()> {
    let _place = questions.admission.enter(project.number).await?;
    let (number, zone, now_ms) = (project.number, project.zone(), accounts.clock.now_ms());
    let generation = questions
        .store
        .next_cohort_generation(number, cohort, now_ms)
        .await?;
    // Read after the number was drawn: whoever writes newer rules draws a larger one.
    let definition = accounts.meta.cohort_definition(cohort).await?;
    let definition = definition.ok_or_else(|| Problem::not_found("cohort"))?;
    let spec = definition.map(|definition| CohortSpec::read(&definition, &zone));
    let spec = match spec.transpose() {
        Ok(spec) => spec,
        Err(why) => return Ok(accounts.meta.cohort_refreshed(cohort, now_ms, Err(&why)).await?),
    };
    let meant = match &spec {
        Some(spec) => Meant::Rules(spec, &zone, now_ms),
        None => Meant::Listed,
    };
    let refreshed = questions
        .store
        .refresh_cohort(number, cohort, meant, generation, now_ms);
    match refreshed.await {
        Ok(refreshed) => {
            if refreshed.changed {
                questions.stream.raise_rev(&[number]).await.map_err(|error| {
                    tracing::warn!(%error, "the stream did not hear of a cohort's new members");
                    Problem::unavailable("the event stream does not answer", 1)
                })?;
            }
            Ok(accounts
                .meta
                .cohort_refreshed(cohort, now_ms, Ok(refreshed.size))
                .await?)
        }
        Err(StoreError::TooSlow(_) | StoreError::TooMuchMemory(_) | StoreError::TooManyRows(_)) => {
            let why = "looking for its members takes more time or memory than a question may use";
            Ok(accounts.meta.cohort_refreshed(cohort, now_ms, Err(why)).await?)
        }
        Err(error) => Err(error.into()),
    }
}
