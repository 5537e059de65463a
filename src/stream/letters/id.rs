//! What a letter is called: outside, in its shard's stream, in the index.

use std::str::FromStr;

use crate::event::ProjectNumber;

/// Names a letter: `<shard>-<ms>-<n>`. Ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    pub(super) ms: u64,
    pub(super) n: u64,
    pub(super) shard: u16,
}

impl std::fmt::Display for LetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.shard, self.ms, self.n)
    }
}

impl FromStr for LetterId {
    type Err = ();

    fn from_str(text: &str) -> Result<LetterId, ()> {
        let mut parts = text.split('-').map(|part| match part.as_bytes() {
            // As we write it: no sign, no zero in front.
            [b'0'] | [b'1'..=b'9', ..] => part.parse::<u64>().map_err(drop),
            _ => Err(()),
        });
        let mut next = || parts.next().ok_or(())?;
        let (shard, ms, n) = (next()?, next()?, next()?);
        let shard = u16::try_from(shard).map_err(drop)?;
        if parts.next().is_some() {
            return Err(());
        }
        Ok(LetterId { ms, n, shard })
    }
}

impl LetterId {
    pub(super) fn of(shard: u16, id: &str) -> Option<LetterId> {
        let (ms, n) = id.split_once('-')?;
        Some(LetterId {
            ms: ms.parse().ok()?,
            n: n.parse().ok()?,
            shard,
        })
    }

    /// The id in the shard's stream.
    pub(super) fn in_stream(self) -> String {
        format!("{}-{}", self.ms, self.n)
    }

    /// The letter's member of `dead`.
    pub(super) fn member(self, project: ProjectNumber) -> String {
        format!("{}:{:015}-{:010}", indexed(project), self.ms, self.n)
    }
}

/// The project as members of `dead` begin: all of one length, so that they sort by project, then time.
pub(in crate::stream) fn indexed(project: ProjectNumber) -> String {
    format!("{:010}", project.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is() {
        let id: LetterId = "3-1795000000000-12".parse().unwrap();
        assert_eq!(id.to_string(), "3-1795000000000-12");
        assert_eq!(
            id.member(ProjectNumber(7)),
            "0000000007:001795000000000-0000000012"
        );
        for wrong in [
            "",
            "3",
            "3-4",
            "3-4-5-6",
            "70000-1-1",
            "+3-4-5",
            "3-04-5",
            "3-4-x",
        ] {
            assert!(wrong.parse::<LetterId>().is_err(), "{wrong}");
        }
    }
}
