//! A question that may be asked, and how it is answered: from memory, by joining whoever asks the same, or by
//! computing it.

mod memory;

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use uuid::Uuid;

use super::Questions;
use super::admission::{Admission, Place};
use super::served::Served;
use super::unknown;
use crate::api::{Accounts, Caller};
use crate::event::{ProjectNumber, Zone};
use crate::meta::{Meta, Project};
use crate::metrics::envelope::{Answer, Envelope, Warning};
use crate::metrics::naming::Naming;
use crate::metrics::time::{Moment, TimeRange};
use crate::metrics::turning::Turning;
use crate::problem::Problem;
use crate::serving::answers::{Key, Remembered};
use crate::serving::freshness::Fresh;
use crate::store::Store;
use crate::store::past::Past;

/// A question that may be asked: who asks has been checked, and the freshness was read *after* it came and
/// *before* any fact is.
pub struct Asked {
    /// The project, from the caller's rights.
    pub project: Project,
    /// Its number in ClickHouse and Redis.
    pub number: ProjectNumber,
    /// Its zone.
    pub zone: Zone,
    /// When the question came; of a question about the past, that instant.
    pub now_ms: i64,
    /// The state of the tables that is asked about; `None`: as they are. Then nothing but raw events may answer.
    pub past: Option<Past>,
    /// Facts.
    pub store: Arc<Store>,
    /// The control database.
    pub(super) meta: Meta,
    /// What to know of the cohorts that it names.
    pub(super) cohorts: Vec<Warning>,
    questions: Questions,
    fresh: Fresh,
    /// When the question came, whatever it is about.
    asked_ms: i64,
    started: Instant,
    /// A place among the project's questions or exports, until this value goes.
    _place: Option<Place>,
}

impl Asked {
    /// Checks the caller's right to read the project. Takes no place: [`Asked::serve`] does where it computes.
    pub async fn by(
        caller: &Caller,
        accounts: &Accounts,
        questions: &Questions,
        id: Uuid,
    ) -> Result<Asked, Problem> {
        let started = Instant::now();
        let project = caller.reads(accounts, id).await?;
        let now_ms = accounts.clock.now_ms();
        let fresh = questions
            .serving
            .freshness
            .of(project.number)
            .await
            .map_err(|error| {
                tracing::warn!(%error, "the stream does not say how fresh the tables are");
                Problem::unavailable(
                    "the event stream does not answer, so nothing can be said about freshness",
                    1,
                )
            })?;
        Ok(Asked {
            number: project.number,
            zone: project.zone(),
            now_ms,
            past: None,
            store: questions.store.clone(),
            meta: accounts.meta.clone(),
            cohorts: Vec::new(),
            questions: questions.clone(),
            fresh,
            asked_ms: now_ms,
            started,
            project,
            _place: None,
        })
    }

    /// The same with a place among the project's questions, for those that are always computed.
    pub async fn placed(
        caller: &Caller,
        accounts: &Accounts,
        questions: &Questions,
        id: Uuid,
    ) -> Result<Asked, Problem> {
        Asked::within(&questions.admission, caller, accounts, questions, id).await
    }

    /// The same for what has places of its own.
    pub async fn within(
        admission: &Admission,
        caller: &Caller,
        accounts: &Accounts,
        questions: &Questions,
        id: Uuid,
    ) -> Result<Asked, Problem> {
        let mut asked = Asked::by(caller, accounts, questions, id).await?;
        asked._place = Some(admission.enter(asked.number).await?);
        Ok(asked)
    }

    /// Answers a validated question of this kind. Remembered answers and those that somebody else is waiting for
    /// already take no place.
    pub async fn serve<S, T, F>(
        self,
        kind: &'static str,
        spec: S,
        compute: impl FnOnce(Arc<Asked>, S) -> F + Send + 'static,
    ) -> Result<Served, Problem>
    where
        S: Serialize + Turning + Naming + Send + 'static,
        T: Serialize + Send,
        F: Future<Output = Result<Answer<T>, Problem>> + Send + 'static,
    {
        let asked = Arc::new(self);
        let written = serde_json::to_string(&spec).map_err(Problem::internal)?;
        // Some points are final by the clock, others by what was received.
        let turns = [asked.now_ms, asked.as_of().0].map(|now| spec.next_turn(&asked.zone, now));
        let kept_from = asked.project.kept_from.map(|kept| kept.0);
        // How the past was does not change, but for what is erased, which raises the revision.
        let key_kind = match asked.past {
            None => kind.to_owned(),
            Some(past) => format!("{kind} as of {} {}", past.received_ms, past.identity_version),
        };
        let key = Key::new(
            asked.number,
            &key_kind,
            asked.zone.name(),
            turns,
            kept_from,
            &written,
        );
        let serving = &asked.questions.serving;
        let Some(revision) = asked.fresh.revision else {
            let computed = asked.clone().computed(spec, compute).await?;
            return Ok(asked.served(&computed, false));
        };
        if let Some(known) = serving.answers.get(&key, revision).await {
            return Ok(asked.served(&known, true));
        }
        let flight = serving.flights.join((key.clone(), revision), || {
            let asked = asked.clone();
            Box::pin(async move {
                let computed = asked.clone().computed(spec, compute).await?;
                let answers = &asked.questions.serving.answers;
                answers.put(key, revision, computed.clone()).await;
                Ok(computed)
            })
        });
        let computed = flight.await?;
        Ok(asked.served(&computed, false))
    }

    /// Computes an answer, at a place among the project's questions.
    async fn computed<S, T, F>(
        self: Arc<Self>,
        spec: S,
        compute: impl FnOnce(Arc<Asked>, S) -> F,
    ) -> Result<Arc<Remembered>, Problem>
    where
        S: Naming,
        T: Serialize,
        F: Future<Output = Result<Answer<T>, Problem>>,
    {
        let _place = self.questions.admission.enter(self.number).await?;
        // Beside the facts, not after them; the envelope finds it.
        let serving = &self.questions.serving;
        let late = serving.late.look(self.number, self.fresh.revision);
        let version = serving.versions.of(self.number, self.fresh.revision);
        let names: Vec<String> = spec.named_events().into_iter().map(str::to_owned).collect();
        let unknown = serving.names.unknown(self.number, &names);
        let (answer, _, _, unknown) = tokio::join!(compute(self.clone(), spec), late, version, unknown);
        let mut answer = answer?;
        answer.meta.warnings.extend(unknown::warning(&unknown?));
        let data = serde_json::to_vec(&answer.data).map_err(Problem::internal)?;
        Ok(Arc::new(Remembered::new(data, answer.meta)))
    }

    /// Up to when everything received is counted: what was in the tables when the question came, or the instant that it
    /// is about.
    pub fn as_of(&self) -> Moment {
        Moment(match self.past {
            Some(past) => past.received_ms,
            None => self.fresh.as_of(self.now_ms).as_of,
        })
    }

    /// A warning where an answer looks back to the first event ever, and older ones were removed.
    pub fn history_removed(&self) -> Option<Warning> {
        self.project.kept_from.map(|_| {
            Warning::new(
                "history_removed",
                "older events were removed by the project's retention: the first one ever is the first that is left",
            )
        })
    }

    /// Wraps a report over events of `range`: while its end lies behind what has been received so far the
    /// answer is complete.
    pub async fn answer<T>(
        &self,
        data: T,
        range: TimeRange,
        rows_read: u64,
        error: Option<f64>,
    ) -> Result<Answer<T>, Problem> {
        let mut warnings = Vec::new();
        // By local days, the first and the last included whole.
        let (first, last) = (
            self.zone.local_day(range.from_ms),
            self.zone.local_day(range.to_ms - 1),
        );
        let serving = &self.questions.serving;
        let revision = self.fresh.revision;
        let identity_version = match self.past {
            Some(past) => past.identity_version,
            None => serving.versions.of(self.number, revision).await?,
        };
        // Of the past nothing is late: what had not come by then is not counted.
        let late = match self.past {
            Some(_) => 0,
            None => {
                serving
                    .late
                    .between(self.number, revision, (first, last.plus(1)))
                    .await?
            }
        };
        if late > 0 {
            let detail = format!(
                "{late} events of these days arrived more than 24 hours after they happened: earlier answers did not \
                 have them, and more may come"
            );
            warnings.push(Warning::new("late_events", detail).of(late));
        }
        // Windows of 30 days look back from each of these.
        let overcount_bound = match error.is_some() && self.fresh.rebuilding {
            true => {
                let bound = self
                    .store
                    .overcount_bound(self.number, first.plus(-30), last.plus(1));
                Some(bound.await?).filter(|bound| *bound > 0)
            }
            false => None,
        };
        let meta = Envelope {
            as_of: self.as_of(),
            complete: true,
            approximate: error.is_some(),
            error,
            overcount_bound,
            identity_version,
            rows_read,
            elapsed_ms: 0.0,
            cached: false,
            timezone: self.zone.name().to_owned(),
            warnings,
            range: Some(range),
        };
        Ok(Answer {
            data,
            meta: self.current(&meta, false),
        })
    }

    /// Wraps what is told of the moment, without a range: a preview, persons and what is known of them.
    pub fn told<T>(&self, data: T, rows_read: u64) -> Answer<T> {
        let meta = Envelope {
            as_of: self.as_of(),
            complete: true,
            approximate: false,
            error: None,
            overcount_bound: None,
            identity_version: self.past.map_or(0, |past| past.identity_version),
            rows_read,
            elapsed_ms: 0.0,
            cached: false,
            timezone: self.zone.name().to_owned(),
            warnings: Vec::new(),
            range: None,
        };
        Answer {
            data,
            meta: self.current(&meta, false),
        }
    }

    fn served(&self, known: &Remembered, cached: bool) -> Served {
        Served::new(known, self.current(&known.meta, cached))
    }

    /// An envelope as it is for this question: what its own moment says is written anew.
    fn current(&self, computed: &Envelope, cached: bool) -> Envelope {
        let mut meta = computed.clone();
        let as_of = self.fresh.as_of(self.asked_ms);
        meta.as_of = self.as_of();
        // Of the past nothing is missing that the tables have by now.
        let settled = self.past.is_none_or(|past| past.received_ms <= as_of.as_of);
        // From sketches, which may be those of days that are being counted anew.
        let rebuilding = meta.approximate && self.fresh.rebuilding;
        meta.complete = meta.range.is_none_or(|range| range.to_ms <= meta.as_of.0) && settled && !rebuilding;
        meta.cached = cached;
        if cached {
            meta.rows_read = 0;
        }
        meta.warnings
            .retain(|warning| !OF_THE_MOMENT.contains(&warning.code.as_str()));
        let begins_before = |kept: &Moment| meta.range.is_some_and(|range| range.from_ms < kept.0);
        if let Some(kept_from) = self
            .project
            .kept_from
            .map(|kept| Moment(kept.0))
            .filter(begins_before)
        {
            meta.warnings.push(Warning::new(
                "beyond_retention",
                format!("the project keeps no events from before {kept_from}: the range begins earlier"),
            ));
        }
        meta.warnings.extend(self.cohorts.iter().cloned());
        if as_of.pending_rows > 0 && (self.past.is_none() || !settled) {
            // Without a number: it counts the events of all tenants.
            meta.warnings.push(Warning::new(
                "events_pending",
                "received events are on their way into the tables",
            ));
        }
        if rebuilding {
            meta.warnings.push(Warning::new(
                "rebuild_pending",
                "days are being counted anew, as after an erasure or a change of the project's time zone: until that \
                 is done, in some seconds or minutes, these numbers may still be the old ones; `exact=true` counts \
                 the new ones now",
            ));
        }
        meta.elapsed_ms = (self.started.elapsed().as_secs_f64() * 1e4).round() / 10.0;
        meta
    }
}

/// Warnings that say how things stood when one question came. They are never remembered.
const OF_THE_MOMENT: [&str; 4] = [
    "beyond_retention",
    "cohort_as_of",
    "events_pending",
    "rebuild_pending",
];
