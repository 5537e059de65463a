//! Sessions that are kept, each with the texts that tell it: all of a time, for questions of which each chooses some.

use std::collections::HashSet;
use std::sync::Arc;

use super::fold::Chosen;
use super::{Chunk, Columns, Session, VisitSpec};

/// Parts of persons: those of whom nothing is new keep theirs as it is.
const PARTS: usize = 64;

/// All sessions that begin in some time. Cheap to clone; clones share what does not change.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    parts: Vec<Arc<Chunk>>,
    columns: Arc<Columns>,
}

impl Kept {
    /// The texts that are known, for columns that are read to be [put](Kept::put) here.
    pub fn texts(&self) -> Columns {
        self.columns.without_rows()
    }

    /// Puts the sessions of `found` in the place of those of `persons` that begin at `since_ms` or later. `read` holds
    /// their texts and began as [`Kept::texts`].
    pub fn put(&mut self, persons: &HashSet<u64>, since_ms: i64, found: &[Chunk], mut read: Columns) {
        self.parts.resize_with(PARTS, Arc::default);
        let columns = Arc::make_mut(&mut self.columns);
        let gone: HashSet<usize> = persons.iter().map(|person| part_of(*person)).collect();
        for part in gone {
            let chunk = &mut self.parts[part];
            let is_left =
                |session: &Session| session.start_ms < since_ms || !persons.contains(&session.person);
            if !chunk.sessions.iter().all(is_left) {
                *chunk = Arc::new(chunk.where_each(is_left));
            }
        }
        for chunk in found {
            for session in &chunk.sessions {
                let part = Arc::make_mut(&mut self.parts[part_of(session.person)]);
                part.take(session, chunk, columns.copy(&read, session.first));
            }
        }
        columns.adopt_texts(&mut read);
        if columns.rows() > 2 * self.sessions() + PARTS {
            self.tidy();
        }
    }

    /// Drops the texts' rows of sessions that are gone.
    fn tidy(&mut self) {
        let mut columns = self.columns.without_rows();
        for part in &mut self.parts {
            for session in &mut Arc::make_mut(part).sessions {
                session.first = columns.copy(&self.columns, session.first);
            }
        }
        columns.settle();
        self.columns = Arc::new(columns);
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.parts.iter().map(|part| part.sessions.len()).sum()
    }

    /// About how much memory they take, in bytes.
    pub fn bytes(&self) -> u64 {
        let pages: usize = self.parts.iter().map(|part| part.pages.len()).sum();
        let rows = self.columns.rows() * Columns::ROW_BYTES;
        let sessions = self.sessions() * size_of::<Session>();
        (sessions + pages * size_of::<u32>() + rows + self.columns.texts.len() * TEXT_BYTES) as u64
    }

    /// The parts, each to be [chosen from](Chunk::chosen) on its own, and the texts of all.
    pub fn parts(&self) -> (Vec<Arc<Chunk>>, Arc<Columns>) {
        (self.parts.clone(), self.columns.clone())
    }
}

/// A text, which is there twice, and its number.
const TEXT_BYTES: usize = 120;

fn part_of(person: u64) -> usize {
    (person >> (u64::BITS - PARTS.ilog2())) as usize
}

impl Chunk {
    /// The sessions that a question chooses; it has to have no filters, which ask events.
    pub fn chosen(&self, spec: &VisitSpec, columns: &Columns) -> Chunk {
        let chosen = Chosen::new(spec, columns);
        self.where_each(|session| {
            spec.side(session.start_ms).is_some()
                && (!spec.with_page_view || session.views > 0)
                && chosen.takes(session, self, columns)
        })
    }

    fn where_each(&self, is_wanted: impl Fn(&Session) -> bool) -> Chunk {
        let mut chunk = Chunk::default();
        for session in self.sessions.iter().filter(|session| is_wanted(session)) {
            chunk.take(session, self, session.first);
        }
        chunk
    }

    fn take(&mut self, session: &Session, of: &Chunk, first: u32) {
        let pages = self.pages.len() as u32;
        self.pages.extend(session.pages(of));
        self.sessions.push(Session {
            first,
            pages,
            ..*session
        });
    }
}
