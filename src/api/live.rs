//! What happens now: a stream of server-sent events that moves when the project's numbers do.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{ApiPath, Named, SignedIn};
use super::events::EventView;
use super::questions::{Loaded, Questions};
use super::{Accounts, Answered, Caller, Need};
use crate::clock::Clock;
use crate::event::{ProjectNumber, Zone};
use crate::metrics::time::Moment;
use crate::problem::Problem;

/// How often the project's revision is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Whether the caller may still look is asked again every five seconds.
const CHECK_EVERY_LOOKS: u32 = 12;
/// The counts move with time too, not only with events.
const COUNT_EVERY_LOOKS: u32 = 25;
/// Shards commit in no common order: every look begins this far back and leaves out what was sent.
const LOOK_BACK_MS: i64 = 15_000;
/// Events of one frame; a burst beyond it is sampled, which a live view can bear.
const MOST_EVENTS: u32 = 100;
/// Ids remembered as sent.
const MOST_IDS: usize = 4_000;

/// The numbers of the moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Now {
    /// Distinct persons active in the last 5 minutes.
    active_5m: u64,
    /// Events of the last minute.
    events_1m: u64,
    /// Events of the local day so far.
    events_today: u64,
    /// Every event received before it is counted.
    #[schema(value_type = String, format = DateTime)]
    as_of: Moment,
}

/// Events that arrived since the last frame.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewEvents {
    /// The oldest received first, at most 100.
    events: Vec<EventView>,
}

/// Live: `event: now` with the numbers of the moment (at once, then whenever they may have moved) and
/// `event: events` with what arrived. `event: problem` before the stream ends for a reason of ours.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/live",
    operation_id = "live",
    tag = "events",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "Frames until the client leaves", content_type = "text/event-stream", body = Now), SignedIn, Named, Loaded),
    security(("access_token" = []), ("secret_key" = []))
)]
pub async fn live(
    caller: Caller,
    State(accounts): State<Accounts>,
    State(questions): State<Questions>,
    State(stop): State<CancellationToken>,
    ApiPath(id): ApiPath<Uuid>,
) -> Answered<Sse<impl Stream<Item = Result<Frame, Infallible>>>> {
    let project = caller.project(&accounts.meta, id, Need::Read).await?;
    let clock = accounts.clock.clone();
    let began = clock.now_ms();
    let tail = Tail {
        questions,
        caller,
        id,
        zone: project.zone(),
        project: project.number,
        accounts,
        clock,
        stop,
        rev: None,
        looks: 0,
        began,
        sent: HashSet::new(),
        order: VecDeque::new(),
        waiting: VecDeque::new(),
        over: false,
    };
    let frames = stream::unfold(tail, |mut tail| async move {
        let frame = tail.next().await?;
        Some((Ok(frame), tail))
    });
    Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Tail {
    questions: Questions,
    caller: Caller,
    accounts: Accounts,
    /// The project's id, for the caller's right to it.
    id: Uuid,
    project: ProjectNumber,
    zone: Zone,
    clock: Clock,
    stop: CancellationToken,
    /// The revision whose facts were sent last.
    rev: Option<u64>,
    looks: u32,
    began: i64,
    sent: HashSet<Uuid>,
    order: VecDeque<Uuid>,
    waiting: VecDeque<Frame>,
    over: bool,
}

impl Tail {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return Some(frame);
            }
            if self.over {
                return None;
            }
            if self.rev.is_some() {
                tokio::select! {
                    () = self.stop.cancelled() => return None,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
            if let Err(problem) = self.look().await {
                self.over = true;
                self.push("problem", &problem);
            }
        }
    }

    async fn look(&mut self) -> Result<(), Problem> {
        if self.looks > 0 && self.looks.is_multiple_of(CHECK_EVERY_LOOKS) {
            self.caller.still_reads(&self.accounts, self.id).await?;
        }
        // The revision is read before the facts: what comes in between is seen at the next look.
        let rev = self.questions.stream.rev(self.project).await.map_err(|error| {
            tracing::warn!(%error, "the live view lost the stream");
            Problem::unavailable("the event stream does not answer", 1)
        })?;
        let moved = self.rev != Some(rev);
        if moved {
            self.send_events().await?;
        }
        if moved || self.looks.is_multiple_of(COUNT_EVERY_LOOKS) {
            self.send_now().await?;
        }
        self.looks = self.looks.wrapping_add(1);
        self.rev = Some(rev);
        Ok(())
    }

    async fn send_events(&mut self) -> Result<(), Problem> {
        let since = self.clock.now_ms() - LOOK_BACK_MS;
        let found = self
            .questions
            .store
            .newer_than(self.project, since.max(self.began), MOST_EVENTS)
            .await?;
        let fresh: Vec<EventView> = found
            .rows
            .into_iter()
            .filter(|event| self.sent.insert(event.id))
            .map(EventView::from)
            .collect();
        for event in &fresh {
            self.order.push_back(event.id());
        }
        while self.order.len() > MOST_IDS {
            if let Some(oldest) = self.order.pop_front() {
                self.sent.remove(&oldest);
            }
        }
        if !fresh.is_empty() {
            self.push("events", &NewEvents { events: fresh });
        }
        Ok(())
    }

    async fn send_now(&mut self) -> Result<(), Problem> {
        let now = self.clock.now_ms();
        let as_of = self
            .questions
            .stream
            .as_of(now)
            .await
            .map_err(Problem::internal)?;
        let today = self.zone.day_start(self.zone.local_day(now));
        let pulse = self
            .questions
            .store
            .count_since(self.project, now - 300_000, now - 60_000, today)
            .await?
            .rows;
        self.push(
            "now",
            &Now {
                active_5m: pulse.active,
                events_1m: pulse.recent,
                events_today: pulse.today,
                as_of: Moment(as_of.as_of),
            },
        );
        Ok(())
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        match Frame::default().event(name).json_data(data) {
            Ok(frame) => self.waiting.push_back(frame),
            Err(error) => tracing::error!(%error, "a live frame could not be written"),
        }
    }
}
