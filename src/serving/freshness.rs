//! How far the tables are, and which revision a project has: read once for all questions that came before the
//! look, from Redis and nowhere else, so that it is never older than the question.

use std::sync::Arc;

use super::together::Together;
use crate::event::ProjectNumber;
use crate::stream::{EventStream, Standing};

/// What names the state of a project's tables: equal states give equal answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Raised by every commit, rebuild and removal.
    pub rev: u64,
    /// Moves when Redis was begun anew and its revisions with it.
    pub incarnations: u64,
}

/// How things stood for one question.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The revision; `None` while a commit is not announced: then nothing remembered may be used.
    pub revision: Option<Revision>,
    /// Whether sketches wait to be computed anew.
    pub rebuilding: bool,
    standing: Arc<Standing>,
}

impl Fresh {
    /// How far the tables are, for a question of `now_ms`.
    pub fn as_of(&self, now_ms: i64) -> crate::stream::AsOf {
        self.standing.as_of(now_ms)
    }

    /// Moves when stored events of any project are removed, or dead letters become events.
    pub fn upheavals(&self) -> u64 {
        self.standing.upheavals
    }
}

/// Looks for everybody. Cheap to clone.
#[derive(Clone)]
pub struct Freshness {
    together: Together<ProjectNumber, Result<Arc<Standing>, String>>,
}

impl Freshness {
    /// Looks at this stream.
    pub fn new(stream: EventStream) -> Freshness {
        let look = move |projects: Vec<ProjectNumber>| {
            let stream = stream.clone();
            async move {
                let standing = stream.standing(&projects).await;
                standing.map(Arc::new).map_err(|error| error.to_string())
            }
        };
        Freshness {
            together: Together::new(look),
        }
    }

    /// How things stand by a look that begins from now on.
    ///
    /// # Errors
    /// Why the stream does not answer.
    pub async fn of(&self, project: ProjectNumber) -> Result<Fresh, String> {
        let told = self.together.ask(project).await;
        let standing = told.unwrap_or_else(|| Err("the look broke off".to_owned()))?;
        let announced = !standing.unannounced.contains(&project);
        let rev = standing.revs.get(&project).filter(|_| announced);
        Ok(Fresh {
            revision: rev.map(|&rev| Revision {
                rev,
                incarnations: standing.incarnations,
            }),
            rebuilding: standing.rebuilding.contains(&project),
            standing,
        })
    }
}
