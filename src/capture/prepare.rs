//! From the text of a body to rows for the stream and a verdict on each event. Pure.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::account::Account;
use super::answer::{CaptureAnswer, EventResult, EventStatus};
use super::envelope::{Envelope, Form, reason};
use super::keys::{self, Presented};
use super::source::source_of;
use crate::event::accept::{MAX_EVENT_BYTES, Receipt, Rejection, RejectionCode, accept};
use crate::event::enrich::agent::Agent;
use crate::event::wire::WireEvent;
use crate::event::{Event, flag};
use crate::meta::{Gone, KeyInfo, KeyKind, KeySnapshot};
use crate::problem::{FieldError, Problem};

/// Most fields that a refusal lists.
const MAX_ERRORS: usize = 100;

/// What the head of a request says, and when it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    /// The key in headers or query.
    pub key: Option<Presented>,
    /// Whether it has an `Origin`: it comes from a page.
    pub browser: bool,
    /// Whether its content type is NDJSON.
    pub lines: bool,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    pub user_agent: Option<String>,
    /// UTC milliseconds.
    pub received_at: i64,
}

/// A request that was read to its end and has a valid key.
#[derive(Debug)]
pub(super) struct Prepared {
    pub key: KeyInfo,
    /// Version of the tombstones that the rows were judged by.
    pub tombstones: i64,
    /// What the stream recognises this request by when it is sent again.
    pub request_key: Option<String>,
    /// Rows for the stream, in the order of the request.
    pub rows: Vec<Event>,
    request_id: Option<String>,
    form: Form,
    verdicts: Vec<Verdict>,
    /// What the ledger is to know beside the rows.
    pub account: Account,
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Accepted {
        id: Uuid,
        /// The id was made up by this receipt of the request.
        given: bool,
    },
    /// Without an id where only the event that was stored before knows it.
    Duplicate(Option<Uuid>),
    Rejected {
        /// The client's id of the event, as far as it can be read.
        id: Option<String>,
        rejection: Rejection,
    },
}

/// Judges a body. `Err` is what is wrong with the request as a whole; that all events are refused is seen by
/// [`Prepared::refusal`].
pub(super) fn prepare(text: &str, head: &Head, keys: &KeySnapshot) -> Result<Prepared, Problem> {
    let envelope = Envelope::read(text, head.lines)?;
    let presented = Presented::with_body(head.key.clone(), envelope.write_key.as_deref())?;
    let key = presented.ok_or_else(keys::missing)?.open(keys, head.browser)?;
    let agent = match (&head.user_agent, key.kind) {
        // With a secret key the sender is a server, not the person's browser.
        (Some(agent), KeyKind::Write) => Agent::parse(agent),
        _ => Agent::default(),
    };
    let mut account = Account {
        source: source_of(envelope.context.sender(), head.user_agent.as_deref()),
        received_at: head.received_at,
        dropped: envelope.dropped,
        sequence: envelope.sequence,
        ..Account::default()
    };
    let named = !envelope.context.sender().is_empty();
    let receipt = Receipt {
        project: key.project,
        zone: key.zone.clone(),
        received_at: head.received_at,
        sent_at: envelope.sent_at,
        agent,
        context: envelope.context,
    };

    let mut rows: Vec<Event> = Vec::with_capacity(envelope.events.len());
    let mut verdicts = Vec::with_capacity(envelope.events.len());
    let mut seen = HashSet::new();
    let mut times = Xxh3::new();
    for (seq, event) in (0..).zip(envelope.events) {
        let mut id = None;
        let text = event.as_ref().map_or_else(|(_, text)| *text, |raw| raw.get());
        let judged = event.map_err(|(rejection, _)| rejection).and_then(|raw| {
            let wire = wire_event(raw)?;
            if account.sequence.is_some() && account.device.is_none() {
                account.device = wire.device_id.as_ref().and_then(Value::as_str).map(str::to_owned);
            }
            id = wire
                .id
                .as_ref()
                .and_then(Value::as_str)
                .filter(|id| id.len() <= 64)
                .map(str::to_owned);
            let time = wire.timestamp.as_ref().map(Value::to_string).unwrap_or_default();
            let row = accept(wire, seq, &receipt)?;
            match key.tombstones.as_ref().and_then(|stones| stones.refuses(&row)) {
                Some(gone) => Err(refusal_of(gone)),
                None => Ok((row, time)),
            }
        });
        verdicts.push(match judged {
            Err(rejection) => {
                // What was erased is not kept aside either.
                let removed = matches!(rejection.code, RejectionCode::Erased | RejectionCode::TooOld);
                let stones = key.tombstones.as_ref();
                if !removed && account.takes_samples() && stones.is_none_or(|stones| !stones.was_erased(text))
                {
                    account.sample(verdicts.len(), text);
                }
                Verdict::Rejected { id, rejection }
            }
            // The first of two events with one id counts.
            Ok((row, _)) if !seen.insert(row.id) => Verdict::Duplicate(Some(row.id)),
            Ok((row, time)) => {
                times.update(&(time.len() as u64).to_le_bytes());
                times.update(time.as_bytes());
                let verdict = Verdict::Accepted {
                    id: row.id,
                    given: row.flags & flag::ID_GIVEN != 0,
                };
                rows.push(row);
                verdict
            }
        });
    }
    if !named && let Some(row) = rows.iter().find(|row| !row.lib.is_empty()) {
        account.source = source_of(&row.lib, None);
    }
    let request_id = envelope.request_id.or_else(|| head.idempotency_key.clone());
    Ok(Prepared {
        request_key: match &request_id {
            // The stream compares what the rows say but for their times, which a clock correction may change
            // from one sending to the next; the times as sent do not change.
            Some(id) => Some(format!("{id}:{:032x}", times.digest128())),
            None => of_own_ids(&rows),
        },
        key,
        tombstones: keys.version,
        rows,
        request_id,
        form: envelope.form,
        verdicts,
        account,
    })
}

/// Why an event that was removed is not taken again.
fn refusal_of(gone: Gone) -> Rejection {
    match gone {
        Gone::Erased => Rejection::new(
            RejectionCode::Erased,
            "",
            "events of this person, this time or this project were erased; what happens from now on is taken",
        ),
        Gone::TooOld => Rejection::new(
            RejectionCode::TooOld,
            "/timestamp",
            "the project keeps no events of that time",
        ),
    }
}

/// Reads one event as it stands in the body.
fn wire_event(raw: &RawValue) -> Result<WireEvent, Rejection> {
    let size = raw.get().len();
    if size > MAX_EVENT_BYTES {
        return Err(Rejection::new(
            RejectionCode::EventTooLarge,
            "",
            format!("an event has at most {MAX_EVENT_BYTES} bytes, this one has {size}"),
        ));
    }
    if !raw.get().starts_with('{') {
        return Err(Rejection::new(
            RejectionCode::WrongType,
            "",
            "an event must be an object",
        ));
    }
    serde_json::from_str(raw.get()).map_err(|error| {
        let reason = reason(&error);
        let code = if reason.starts_with("recursion limit") {
            RejectionCode::TooDeep
        } else {
            // The grammar was checked before: what is left are numbers beyond all range.
            RejectionCode::WrongType
        };
        Rejection::new(code, "", reason)
    })
}

/// A request key out of the events' own ids, if each has one.
fn of_own_ids(rows: &[Event]) -> Option<String> {
    if rows.is_empty() || rows.iter().any(|row| row.flags & flag::ID_GIVEN != 0) {
        return None;
    }
    let mut ids = Xxh3::new();
    for row in rows {
        ids.update(row.id.as_bytes());
    }
    Some(format!("ids:{:032x}", ids.digest128()))
}

impl Prepared {
    /// What becomes of each event, in order.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Number of events with their reasons, for counting.
    pub fn rejections(&self) -> impl Iterator<Item = RejectionCode> {
        self.verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Rejected { rejection, .. } => Some(rejection.code),
            _ => None,
        })
    }

    /// Judges rows by newer tombstones: answers those that may still be stored.
    pub fn judge_again(&mut self, rows: Vec<Event>, keys: &KeySnapshot) -> Vec<Event> {
        self.tombstones = keys.version;
        let Some(stones) = keys.tombstones.get(&self.key.project) else {
            return rows;
        };
        let mut left = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(gone) = stones.refuses(&row) else {
                left.push(row);
                continue;
            };
            let refused =
                |verdict: &Verdict| matches!(verdict, Verdict::Accepted { id, .. } if *id == row.id);
            if let Some(verdict) = self.verdicts.iter_mut().find(|verdict| refused(verdict)) {
                *verdict = Verdict::Rejected {
                    id: Some(row.id.to_string()),
                    rejection: refusal_of(gone),
                };
            }
        }
        left
    }

    /// 422 where there are events and none of them can be taken.
    pub fn refusal(&self) -> Option<Problem> {
        let mut errors = Vec::new();
        for (index, verdict) in self.verdicts.iter().enumerate() {
            let Verdict::Rejected { rejection, .. } = verdict else {
                return None;
            };
            if errors.len() < MAX_ERRORS {
                let pointer = self.form.pointer(index) + &rejection.field;
                errors.push(FieldError::new(
                    pointer,
                    rejection.code.as_str(),
                    rejection.detail.clone(),
                ));
            }
        }
        let first = errors.first()?;
        let detail = match self.verdicts.len() {
            1 => first.sentence(),
            n => format!(
                "none of the {n} events can be taken; the first, {}",
                first.sentence()
            ),
        };
        Some(Problem {
            errors,
            ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_events", detail)
        })
    }

    /// Notes what the stream found out: ids that it knew, or that the whole request was there already.
    pub fn note_duplicates(&mut self, known: &[Uuid], replayed: bool) {
        if known.is_empty() && !replayed {
            return;
        }
        let known: HashSet<&Uuid> = known.iter().collect();
        for verdict in &mut self.verdicts {
            if let Verdict::Accepted { id, given } = verdict
                && (replayed || known.contains(id))
            {
                *verdict = Verdict::Duplicate((!*given).then_some(*id));
            }
        }
    }

    /// The answer; `verbose` lists the accepted events too.
    pub fn answer(self, verbose: bool) -> CaptureAnswer {
        let mut answer = CaptureAnswer {
            accepted: 0,
            duplicates: 0,
            rejected: 0,
            request_id: self.request_id,
            results: Vec::new(),
        };
        for (index, verdict) in (0..).zip(self.verdicts) {
            let result = |status, id| EventResult {
                index,
                id,
                status,
                code: None,
                field: None,
                detail: None,
            };
            match verdict {
                Verdict::Accepted { id, .. } => {
                    answer.accepted += 1;
                    if verbose {
                        let id = Some(id.to_string());
                        answer.results.push(result(EventStatus::Accepted, id));
                    }
                }
                Verdict::Duplicate(id) => {
                    answer.duplicates += 1;
                    let id = id.map(|id| id.to_string());
                    answer.results.push(result(EventStatus::Duplicate, id));
                }
                Verdict::Rejected { id, rejection } => {
                    answer.rejected += 1;
                    answer.results.push(EventResult {
                        code: Some(rejection.code),
                        field: Some(rejection.field),
                        detail: Some(rejection.detail),
                        ..result(EventStatus::Rejected, id)
                    });
                }
            }
        }
        answer
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
