//! A sample of the newest events, and how much of everything it is.

use crate::api::Answered;
use crate::api::questions::Asked;
use crate::metrics::filter::column_of;
use crate::metrics::schema::{SAMPLE, Sample};
use crate::store::schema::sample::MOST_CARRIERS;
use crate::store::schema::{SampleOf, Whose};

/// Of persons some events tell nothing: so many more are gone through.
const FOR_PERSONS: u64 = 10;

/// What a sample shall be of, once it is known where it lies.
pub(super) struct Sampling {
    whose: Whose,
    events: Option<Vec<String>>,
    since: i64,
    /// Events among which it is taken.
    of: u64,
    pub(super) rows_read: u64,
}

impl Sampling {
    /// The newest events of a name (`None`: of any) that may carry the property (`None`: any).
    pub(super) async fn find(
        asked: &Asked,
        whose: Whose,
        event: Option<&str>,
        property: Option<&str>,
    ) -> Answered<Sampling> {
        let mut rows_read = 0;
        let of_columns = property.is_some_and(|name| column_of(name).is_some());
        let anything = whose == Whose::Event && (property.is_none() || of_columns);
        let events = match event {
            Some(event) => Some(vec![event.to_owned()]),
            None if anything => None,
            // Else a property of a rare event would be missed among the frequent ones.
            None => {
                let carriers = asked.store.carriers(asked.number, whose, property, MOST_CARRIERS);
                let carriers = carriers.await?;
                rows_read += carriers.rows_read;
                Some(carriers.rows)
            }
        };
        let quarters = asked
            .store
            .quarter_totals(asked.number, events.as_deref())
            .await?;
        let enough = match whose {
            Whose::Event => u64::from(SAMPLE),
            Whose::Person => u64::from(SAMPLE) * FOR_PERSONS,
        };
        let (mut since, mut newest) = (0, 0);
        for (start, count) in &quarters.rows {
            since = i64::from(*start) * 1000;
            newest += count;
            if newest >= enough {
                break;
            }
        }
        Ok(Sampling {
            whose,
            events,
            since,
            of: quarters.rows.iter().map(|(_, count)| count).sum(),
            rows_read: rows_read + quarters.rows_read,
        })
    }

    /// Whether there is nothing to look at.
    pub(super) fn is_empty(&self) -> bool {
        self.of == 0
    }

    pub(super) fn of(&self) -> SampleOf<'_> {
        SampleOf {
            whose: self.whose,
            events: self.events.as_deref(),
            since: self.since,
            limit: SAMPLE,
        }
    }

    /// What was looked at, when it held so many events.
    pub(super) fn told(&self, events: u64) -> Sample {
        let whole = match self.whose {
            Whose::Event => self.of <= u64::from(SAMPLE),
            Whose::Person => events < u64::from(SAMPLE) && self.of <= u64::from(SAMPLE) * FOR_PERSONS,
        };
        Sample {
            events,
            of: if whole { events } else { self.of },
            sampled: !whole,
        }
    }
}
