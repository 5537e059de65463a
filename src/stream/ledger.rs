//! What entries carry for the ledger beside their rows, and the rows that wait by project, minute and source.
//!
//! Field `l` of an entry holds ledger rows, field `q` stretches of clients' own numbering; each is a version
//! byte and postcard, and missing where there are none.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use futures_util::future::try_join_all;

use super::codec::CodecError;
use super::shard::batch_number;
use super::{EventStream, StreamError, scripts};
use crate::event::ProjectNumber;
use crate::event::ledger::{ClientSequence, LedgerRow};

/// Today's layout of `l` and `q`: postcard of a list.
const V1: u8 = 1;

/// Most ledger rows, and most client sequences, of one entry. What gathers notes keeps to it.
pub const MAX_NOTES: usize = 1_000;

/// What the ledger is to know beside an entry's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Counts that cannot be seen from the entry's rows.
    pub rows: Vec<LedgerRow>,
    /// Stretches of clients' own numbering that arrived.
    pub sequences: Vec<ClientSequence>,
}

/// What most requests have.
pub(super) static NO_NOTES: Notes = Notes::NONE;

impl Notes {
    /// Nothing to note.
    pub const NONE: Notes = Notes {
        rows: Vec::new(),
        sequences: Vec::new(),
    };

    /// Number of notes.
    pub fn len(&self) -> usize {
        self.rows.len() + self.sequences.len()
    }

    /// Whether there is nothing to note.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of field `l`; empty for no rows.
    ///
    /// # Errors
    /// [`CodecError::Notes`] for more than [`MAX_NOTES`] rows.
    pub fn pack_rows(&self) -> Result<Vec<u8>, CodecError> {
        pack(&self.rows)
    }

    /// The bytes of field `q`; empty for no sequences.
    ///
    /// # Errors
    /// [`CodecError::Notes`] for more than [`MAX_NOTES`] sequences.
    pub fn pack_sequences(&self) -> Result<Vec<u8>, CodecError> {
        pack(&self.sequences)
    }

    /// Reads both fields of an entry.
    ///
    /// # Errors
    /// When the bytes are not ours or of a newer layout.
    pub fn unpack(rows: &[u8], sequences: &[u8]) -> Result<Notes, CodecError> {
        Ok(Notes {
            rows: unpack(rows)?,
            sequences: unpack(sequences)?,
        })
    }
}

fn pack<T: Serialize>(list: &[T]) -> Result<Vec<u8>, CodecError> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    if list.len() > MAX_NOTES {
        return Err(CodecError::Notes(list.len()));
    }
    Ok(postcard::to_extend(list, vec![V1])?)
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, CodecError> {
    match bytes.split_first() {
        None => Ok(Vec::new()),
        Some((&V1, list)) => Ok(postcard::from_bytes(list)?),
        Some((&layout, _)) => Err(CodecError::Layout(Some(layout))),
    }
}

/// Rows of one project, minute and source that are taken and not yet committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    pub project: ProjectNumber,
    /// As [`LedgerRow::minute`].
    pub minute: u32,
    pub source: Arc<str>,
    pub rows: u64,
    /// Whether they are dead letters that are tried again: the tables still count them as quarantined.
    pub replayed: bool,
}

impl Waited {
    /// The name of its field in `pend`.
    pub(super) fn field(&self) -> String {
        let field = pend_field(self.project, self.minute, &self.source);
        if self.replayed {
            replay_field(&field)
        } else {
            field
        }
    }
}

/// The field of `pend` that counts the rows of this project, minute and source.
pub(super) fn pend_field(project: ProjectNumber, minute: u32, source: &str) -> String {
    format!("{project}:{minute}:{source}")
}

/// The same for dead letters that are tried again.
pub(super) fn replay_field(field: &str) -> String {
    format!("z{field}")
}

/// A project's rows that wait, and up to where nothing waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// What waits behind the cuts, in no order; the same key may stand there once for each shard.
    pub waiting: Vec<Waited>,
    /// For each shard its last committed batch, as [`EventStream::cuts`] gives them, seen at the same moment
    /// as what waits in it: tables read up to here and `waiting` hold every row once between them.
    pub cuts: Vec<u64>,
}

impl EventStream {
    /// What waits of a project.
    ///
    /// # Errors
    /// When Redis does not answer, or holds what is not ours.
    pub async fn pending(&self, project: ProjectNumber) -> Result<Pending, StreamError> {
        let shards = try_join_all((0..self.shards()).map(|shard| self.pending_in(shard, project))).await?;
        let mut pending = Pending::default();
        for (cut, waiting) in shards {
            pending.cuts.push(cut);
            pending.waiting.extend(waiting);
        }
        Ok(pending)
    }

    async fn pending_in(
        &self,
        shard: u16,
        project: ProjectNumber,
    ) -> Result<(u64, Vec<Waited>), StreamError> {
        let mut call = scripts::PENDING.prepare_invoke();
        call.key(self.keys().st(shard))
            .key(self.keys().pend(shard))
            .arg(project.0);
        let (incarnation, seq, fields): (u64, u64, Vec<(String, u64)>) =
            call.invoke_async(&mut self.front()).await?;
        // A later incarnation begins with a cut behind every batch of the ones before; the first with none.
        let cut = if seq == 0 && incarnation <= 1 {
            0
        } else {
            batch_number(incarnation, seq)
        };
        let waited = |(field, rows): (String, u64)| {
            let mut parts = field.splitn(3, ':').skip(1);
            let minute = parts.next().and_then(|minute| minute.parse().ok());
            let (Some(minute), Some(source)) = (minute, parts.next()) else {
                return Err(StreamError::Content {
                    key: self.keys().pend(shard),
                    detail: format!("the field {field:?}"),
                });
            };
            Ok(Waited {
                replayed: field.starts_with('z'),
                project,
                minute,
                source: Arc::from(source),
                rows,
            })
        };
        let waiting = fields.into_iter().map(waited).collect::<Result<_, _>>()?;
        Ok((cut, waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ledger::Outcome;

    fn row(count: i64) -> LedgerRow {
        LedgerRow {
            project: ProjectNumber(7),
            minute: 29_923_815,
            source: "native curl/8.5.0".into(),
            outcome: Outcome::Rejected,
            reason: "missing_field".into(),
            count,
        }
    }

    #[test]
    fn notes_come_back_as_they_went_in_and_none_cost_nothing() {
        let notes = Notes {
            rows: vec![row(3), row(-1)],
            sequences: vec![ClientSequence {
                project: ProjectNumber(7),
                minute: 29_923_815,
                source: String::new(),
                client: u64::MAX,
                first: 1 << 40,
                last: (1 << 40) + 49,
                count: 50,
            }],
        };
        let (rows, sequences) = (notes.pack_rows().unwrap(), notes.pack_sequences().unwrap());
        assert_eq!(Notes::unpack(&rows, &sequences).unwrap(), notes);
        assert_eq!(Notes::NONE.pack_rows().unwrap(), Vec::<u8>::new());
        assert_eq!(Notes::unpack(&[], &[]).unwrap(), Notes::NONE);
    }

    #[test]
    fn foreign_cut_and_too_many_notes_are_refused() {
        let rows = Notes {
            rows: vec![row(1)],
            ..Notes::NONE
        };
        let packed = rows.pack_rows().unwrap();
        assert!(matches!(
            Notes::unpack(&packed[..packed.len() - 1], &[]),
            Err(CodecError::Rows(_))
        ));
        assert!(matches!(
            Notes::unpack(&[9], &[]),
            Err(CodecError::Layout(Some(9)))
        ));
        let many = Notes {
            rows: vec![row(1); MAX_NOTES + 1],
            ..Notes::NONE
        };
        assert!(matches!(many.pack_rows(), Err(CodecError::Notes(1_001))));
    }
}
