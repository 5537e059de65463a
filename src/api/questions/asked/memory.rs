//! Facts that are kept in memory and brought up to date for a question.

use super::Asked;
use crate::event::Day;
use crate::metrics::time::{DayRange, TimeRange};
use crate::metrics::visit::{Column, Columns, VisitSpec};
use crate::problem::Problem;
use crate::serving::countbook::Page as CountPage;
use crate::serving::sketchbook::Page;
use crate::serving::visitbook::Look;
use crate::serving::visitbook::reading::{Found as Sessions, Source};

impl Asked {
    /// The decoded days of an event name (`""`: any activity) for `range`, and the rows read to bring them up to date.
    pub async fn days<T>(
        &self,
        event: &str,
        range: DayRange,
        tell: impl FnOnce(&mut Page) -> T,
    ) -> Result<(T, u64), Problem> {
        self.only_of_now()?;
        let book = &self.questions.serving.sketchbook;
        let read = book.read(self.number, event, range, self.fresh.revision, tell);
        Ok(read.await?)
    }

    /// The project's counts by quarter hour of some event names in `range` (instants), and the rows read to bring them
    /// up to date.
    pub async fn counts<T>(
        &self,
        events: &[String],
        range: TimeRange,
        tell: impl FnOnce(&CountPage) -> T,
    ) -> Result<(T, u64), Problem> {
        self.only_of_now()?;
        let days = DayRange {
            from: Day::of_utc(range.from_ms),
            to: Day::of_utc(range.to_ms - 1).plus(1),
        };
        let book = &self.questions.serving.countbook;
        let read = book.read(self.number, events, days, self.fresh.revision, tell);
        Ok(read.await?)
    }

    /// The sessions that a question chooses, with these texts; from memory, or made of events.
    pub async fn sessions(&self, spec: &VisitSpec, wanted: &[Column]) -> Result<Sessions, Problem> {
        if self.past.is_none() {
            let look = Look {
                store: &self.store,
                project: self.number,
                as_of: self.as_of().0,
                now_ms: self.now_ms,
                revision: self.fresh.revision,
                upheavals: self.fresh.upheavals(),
            };
            let known = self.questions.serving.visitbook.sessions(&look, spec).await?;
            if let Some(sessions) = known {
                return Ok(sessions);
            }
        }
        let source = Source {
            store: &self.store,
            project: self.number,
            spec,
            wanted,
        };
        Ok(source.all(&Columns::default()).await?)
    }
}
