//! The index of dead letters by project: where lists are read from.

use std::collections::BTreeSet;

use redis::streams::StreamRangeReply;

use super::id::{LetterId, indexed};
use crate::event::ProjectNumber;
use crate::stream::{EventStream, StreamError, scripts};

/// Letters that one read asks for while the index is brought in line.
const READ: usize = 500;

impl EventStream {
    /// Ids of the project's letters in the shard, the latest first, and how many it has there.
    pub(super) async fn letter_ids(
        &self,
        shard: u16,
        project: ProjectNumber,
        before: Option<LetterId>,
        limit: usize,
    ) -> Result<(Vec<LetterId>, u64), StreamError> {
        self.index_letters(shard).await?;
        let project = indexed(project);
        let (first, end) = (format!("[{project}:"), format!("({project};"));
        let from = before.map_or(end.clone(), |before| {
            // Of letters of one moment those of lower shards come later.
            let open = if shard < before.shard { '[' } else { '(' };
            format!("{open}{project}:{:015}-{:010}", before.ms, before.n)
        });
        let mut both = redis::pipe();
        both.cmd("ZREVRANGEBYLEX")
            .arg(self.keys().dead(shard))
            .arg(from)
            .arg(&first);
        both.arg("LIMIT").arg(0).arg(limit);
        both.cmd("ZLEXCOUNT")
            .arg(self.keys().dead(shard))
            .arg(first)
            .arg(end);
        let (members, count): (Vec<String>, u64) = both.query_async(&mut self.back()).await?;
        let ids = members.iter().filter_map(|member| {
            let (_, id) = member.split_once(':')?;
            LetterId::of(shard, id)
        });
        Ok((ids.collect(), count))
    }

    /// Brings the index in line where it does not have as many letters as there are: letters of a version that
    /// had no index, or what was taken away behind its back.
    async fn index_letters(&self, shard: u16) -> Result<(), StreamError> {
        let (letters, indexed) = self.letter_counts(shard).await?;
        if letters == indexed {
            return Ok(());
        }
        let (dlq, dead) = (self.keys().dlq(shard), self.keys().dead(shard));
        let members: Vec<String> = redis::cmd("ZRANGE")
            .arg(&dead)
            .arg(0)
            .arg(-1)
            .query_async(&mut self.back())
            .await?;
        let mut pairs = BTreeSet::new();
        for member in members {
            if let Some(id) = member.split_once(':').and_then(|(_, id)| LetterId::of(shard, id)) {
                pairs.insert((id, member));
            }
        }
        let mut after = "-".to_owned();
        loop {
            let page: StreamRangeReply = redis::cmd("XRANGE")
                .arg(&dlq)
                .arg(&after)
                .arg("+")
                .arg("COUNT")
                .arg(READ)
                .query_async(&mut self.back())
                .await?;
            for entry in &page.ids {
                if let Some(id) = LetterId::of(shard, &entry.id) {
                    let letter = self.opened(id, entry)?;
                    pairs.insert((id, id.member(letter.event.project)));
                }
            }
            match page.ids.last() {
                Some(last) if page.ids.len() == READ => after = format!("({}", last.id),
                _ => break,
            }
        }
        let pairs: Vec<_> = pairs.into_iter().collect();
        for part in pairs.chunks(READ) {
            let mut call = scripts::INDEX.prepare_invoke();
            call.key(&dlq).key(&dead);
            for (id, member) in part {
                call.arg(id.in_stream()).arg(member);
            }
            let _: String = call.invoke_async(&mut self.back()).await?;
        }
        Ok(())
    }

    /// Letters of the shard, and members of its index.
    async fn letter_counts(&self, shard: u16) -> Result<(u64, u64), StreamError> {
        let mut both = redis::pipe();
        both.cmd("XLEN").arg(self.keys().dlq(shard));
        both.cmd("ZCARD").arg(self.keys().dead(shard));
        Ok(both.query_async(&mut self.back()).await?)
    }
}
