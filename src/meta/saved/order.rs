//! The order that people give their lists.

use sqlx::{Any, Row, Transaction};
use uuid::Uuid;

use super::change::hold;
use super::{Hand, SavedItem, SavedKind, item_in};
use crate::meta::{Meta, MetaError, Result, uuid_at};

/// Between two places there is room for others.
const STEP: i64 = 1 << 20;

impl Meta {
    /// Moves something before another of its kind, or to the end.
    ///
    /// # Errors
    /// [`MetaError::NotFound`] where either is not there; annotations have no order but their time's.
    pub async fn move_saved(&self, id: Uuid, before: Option<Uuid>, hand: Hand) -> Result<SavedItem> {
        let mut tx = self.write().await?;
        let held = hold(&mut tx, id, None, hand).await?;
        if held.kind == SavedKind::Annotation {
            return Err(MetaError::NotFound(
                "list of one's own order: annotations stand by time",
            ));
        }
        let others: Vec<(Uuid, i64)> = sqlx::query(
            "SELECT id, rank FROM saved WHERE project_id = $1 AND kind = $2 AND id <> $3 AND deleted_at IS NULL
             ORDER BY rank, id",
        )
        .bind(hand.project.to_string())
        .bind(held.kind.as_str())
        .bind(id.to_string())
        .fetch_all(&mut *tx)
        .await?
        .iter()
        .map(|row| Ok((uuid_at(row, "id")?, row.try_get("rank")?)))
        .collect::<Result<_>>()?;
        let place = match before {
            None => others.len(),
            Some(before) => others
                .iter()
                .position(|(other, _)| *other == before)
                .ok_or(MetaError::NotFound("neighbour"))?,
        };
        for (id, rank) in places(&others, place, id) {
            sqlx::query("UPDATE saved SET rank = $2 WHERE id = $1")
                .bind(id.to_string())
                .bind(rank)
                .execute(&mut *tx)
                .await?;
        }
        let item = item_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(item)
    }
}

/// The new ranks where `id` comes to stand at `place` among the others: its own, or where there is no room, all.
fn places(others: &[(Uuid, i64)], place: usize, id: Uuid) -> Vec<(Uuid, i64)> {
    let below = place.checked_sub(1).map(|n| others[n].1);
    let above = others.get(place).map(|(_, rank)| *rank);
    let rank = match (below, above) {
        (None, None) => Some(STEP),
        (Some(below), None) => below.checked_add(STEP),
        (None, Some(above)) => above.checked_sub(STEP),
        (Some(below), Some(above)) => (above - below >= 2).then(|| below + (above - below) / 2),
    };
    if let Some(rank) = rank {
        return vec![(id, rank)];
    }
    let mut all: Vec<Uuid> = others.iter().map(|(id, _)| *id).collect();
    all.insert(place, id);
    let ranks = (1..).map(|n| n * STEP);
    all.into_iter().zip(ranks).collect()
}

/// The place behind all of its kind, deleted ones too: they come back to where they were.
pub(super) async fn end(tx: &mut Transaction<'static, Any>, project: Uuid, kind: SavedKind) -> Result<i64> {
    let row =
        sqlx::query("SELECT COALESCE(MAX(rank), 0) AS last FROM saved WHERE project_id = $1 AND kind = $2")
            .bind(project.to_string())
            .bind(kind.as_str())
            .fetch_one(&mut **tx)
            .await?;
    Ok(row.try_get::<i64, _>("last")?.saturating_add(STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is moved wherever, the list reads as it was meant to.
    #[test]
    fn a_list_stands_as_it_was_moved() {
        let id = Uuid::from_u128;
        let mut list: Vec<(Uuid, i64)> = (0..5).map(|n| (id(n), n as i64 * 3)).collect();
        let mut expected: Vec<Uuid> = (0..5).map(id).collect();
        let mut renumbered = 0;
        for turn in 0..400_u128 {
            let moved = id(turn * 7 % 5);
            // Mostly between the same two, where room runs out.
            let place = if turn % 50 == 0 {
                4
            } else {
                1 + (turn % 2) as usize
            };
            expected.retain(|other| *other != moved);
            expected.insert(place, moved);
            list.retain(|(other, _)| *other != moved);
            let ranks = places(&list, place, moved);
            renumbered += usize::from(ranks.len() > 1);
            list.push((moved, 0));
            for (id, rank) in ranks {
                let entry = list.iter_mut().find(|(other, _)| *other == id);
                entry.expect("in the list").1 = rank;
            }
            list.sort_by_key(|(id, rank)| (*rank, *id));
            let ids: Vec<Uuid> = list.iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, expected, "turn {turn}");
        }
        assert!(renumbered > 0 && renumbered < 200, "{renumbered}");
    }
}
