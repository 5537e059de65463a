//! The real scripts against [`super::model`]: any order of calls by several owners, with leases that run out at any
//! moment and letters that come and go. After each call the answer and the whole shard are those of the model, and
//! the books balance.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::harness::*;
use super::model::{Answer, Entry, Model, Op, Shard};
use super::real::Real;

const OWNERS: usize = 3;
/// Interleavings, and calls of each.
const CASES: u32 = 300;
const CALLS: usize = 40;

fn op() -> impl Strategy<Value = Op> {
    let owner = || 0..OWNERS;
    let ingest = (
        proptest::option::weighted(0.7, 0_u8..3),
        0_u8..2,
        proptest::collection::vec(0_u8..12, 1..4),
        0_u8..2,
    );
    prop_oneof![
        6 => ingest.prop_map(|(request, person, ids, source)| Op::Ingest { request, person, ids, source }),
        3 => owner().prop_map(Op::Acquire),
        1 => owner().prop_map(Op::Renew),
        1 => owner().prop_map(Op::Release),
        2 => Just(Op::Expire),
        5 => (owner(), 1_usize..4).prop_map(|(owner, entries)| Op::Plan(owner, entries)),
        1 => owner().prop_map(Op::Try),
        1 => owner().prop_map(Op::Split),
        5 => (owner(), 0_usize..3).prop_map(|(owner, dead)| Op::Commit(owner, dead)),
        2 => owner().prop_map(Op::Announce),
        1 => (0_usize..4).prop_map(Op::Replay),
        1 => (0_usize..4).prop_map(Op::Discard),
    ]
}

/// What must hold of a shard at every moment, whatever the model says.
fn balances(shard: &Shard, real: &Real) -> Result<(), TestCaseError> {
    let waiting: u64 = shard.entries.iter().map(|entry| entry.kept.len() as u64).sum();
    let ended = shard.rows_out + shard.rows_dead + shard.rows_discarded;
    prop_assert_eq!(shard.rows_in, ended + waiting, "every row taken is somewhere");
    prop_assert_eq!(shard.pend.values().sum::<u64>(), waiting, "pend is what waits");
    prop_assert_eq!(
        shard.letters.len() as u64,
        shard.rows_dead,
        "a letter for each dead row"
    );
    let twice: Vec<_> = real.stored.iter().filter(|(_, times)| **times > 1).collect();
    prop_assert!(twice.is_empty(), "committed twice: {:?}", twice);
    prop_assert_eq!(real.stored.len() as u64, shard.rows_out, "committed is counted");
    if let Some(plan) = &shard.plan {
        let batch: Vec<&Entry> = shard
            .entries
            .iter()
            .filter(|entry| entry.number <= plan.to)
            .collect();
        prop_assert_eq!(
            batch.last().map(|entry| entry.number),
            Some(plan.to),
            "the boundary is there"
        );
        prop_assert_eq!(
            batch.iter().map(|entry| entry.sent).sum::<u64>(),
            plan.rows,
            "the plan's rows are there"
        );
        prop_assert_eq!(plan.seq, shard.seq + 1);
    }
    let done_is_gone = shard
        .done
        .is_none_or(|done| shard.entries.iter().all(|entry| entry.number > done));
    prop_assert!(done_is_gone, "a commit trims up to its boundary, and no further");
    Ok(())
}

async fn interleaved(redis: &Redis, number: u32, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut real = Real::new(redis, number).await;
    let mut model = Model::default();
    let mut acknowledged = BTreeSet::new();
    for (n, op) in ops.iter().enumerate() {
        let answer = real.apply(op).await;
        let seen = real.shard().await;
        prop_assert_eq!(&answer, &model.apply(op), "answer to call {}: {:?}", n, op);
        prop_assert_eq!(&seen, &model.shard, "after call {}: {:?}", n, op);
        balances(&seen, &real)?;
        if let (Op::Ingest { person, ids, .. }, Answer::Taken(_) | Answer::Replayed) = (op, &answer) {
            acknowledged.extend(ids.iter().map(|&id| (*person, id)));
        }
    }
    // Everything acknowledged is committed, waits, or is a letter, or was discarded: each once.
    let waiting = model
        .shard
        .entries
        .iter()
        .map(|entry| entry.kept.len() as u64)
        .sum::<u64>();
    let known = real.stored.len() as u64 + waiting + model.shard.rows_dead + model.shard.rows_discarded;
    prop_assert_eq!(acknowledged.len() as u64, known, "acknowledged and somewhere");
    prop_assert_eq!(model.letters_ever(), real.letter_ids.len());
    // The product's own books say the same.
    for books in real.stream.books().await.unwrap() {
        let ours = (
            Some(waiting),
            Some(waiting),
            Some(waiting),
            model.shard.rows_dead,
            model.shard.rows_dead,
        );
        let theirs = (
            books.rows_waiting,
            books.rows_noted,
            books.notes,
            books.letters,
            books.letters_indexed,
        );
        prop_assert_eq!(theirs, ours);
    }
    Ok(())
}

#[test]
fn any_interleaving_of_the_scripts_does_what_the_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(Redis::start());
    // Nothing is killed here; without fsyncs ten times as many interleavings fit.
    redis.run("CONFIG SET appendonly no");
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let number = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&proptest::collection::vec(op(), 1..CALLS), |ops| {
        number.set(number.get() + 1);
        runtime.block_on(interleaved(&redis, number.get(), &ops))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
