//! One table of a batch: insert, check where in doubt, repair under a new try. And the lease that all of it
//! needs: an owner that lost its shard must not begin anything.

use std::future::Future;

use crate::fault::{self, Fault};
use crate::identity::Learner;
use crate::store::Store;
use crate::store::batch::{InsertError, Table, Verdict};
use crate::stream::shard::Lease;
use crate::stream::{EventStream, StreamError};

use super::batch::Batch;
use super::deliver::DeliverError;

impl From<Fault> for DeliverError {
    fn from(fault: Fault) -> DeliverError {
        DeliverError::Waiting(fault.to_string())
    }
}

/// Brings the due table to hold the batch whole and once.
pub(super) async fn insert(
    stream: &EventStream,
    store: &Store,
    lease: &mut Lease,
    batch: &mut Batch,
) -> Result<(), DeliverError> {
    loop {
        fresh(stream, lease).await?;
        if batch.must_repair() {
            holding(stream, lease, repair(store, batch)).await??;
            fresh(stream, lease).await?;
        }
        let table = batch.due().map_or("", Table::name);
        fault::point_in("deliver.before_insert", table).await?;
        let sent = holding(stream, lease, batch.send(store)).await?;
        fault::point_in("deliver.after_insert", table).await?;
        let whole_refused = match sent {
            Ok(()) => false,
            Err(InsertError::Refused { .. }) if batch.due() == Some(Table::Events) && !batch.plan.split => {
                true
            }
            Err(error) => return Err(error.into()),
        };
        if !whole_refused && (!batch.in_doubt() || fault::left_out("verify")) {
            return Ok(());
        }
        match holding(stream, lease, batch.verify(store)).await?? {
            Verdict::Whole if !whole_refused => return Ok(()),
            Verdict::Differs { found: 0, .. } if whole_refused => {
                stream.mark_split(lease, batch.plan.seq).await?;
                fault::point("deliver.after_split").await?;
                batch.split();
            }
            verdict => {
                // Noted but never attached, the block would be dropped again under its old token.
                tracing::warn!(
                    shard = lease.shard,
                    seq = batch.plan.seq,
                    table,
                    ?verdict,
                    "repairing a batch"
                );
                still(store, batch).await?;
                fault::point("repair.before_try").await?;
                let attempt = stream.try_again(lease, batch.plan.seq).await?;
                fault::point("repair.after_try").await?;
                batch.retry_as(attempt);
            }
        }
    }
}

/// What has to happen to pairs of ids before the due table: they are known before they are inserted, or learned before
/// the sketches that count persons.
pub(super) async fn learn(
    stream: &EventStream,
    learner: &Learner,
    lease: &mut Lease,
    batch: &mut Batch,
) -> Result<(), DeliverError> {
    match batch.due() {
        Some(Table::IdentityEdges) => batch.leave_out_known(learner),
        Some(Table::SketchDeltas) => {
            fresh(stream, lease).await?;
            holding(stream, lease, batch.learn(learner)).await??;
        }
        _ => {}
    }
    Ok(())
}

/// Makes sure that nothing of older tries is in the due table, nor can come into it later.
async fn repair(store: &Store, batch: &mut Batch) -> Result<(), DeliverError> {
    still(store, batch).await?;
    if let Some(table) = batch.due() {
        batch.burn_older_tokens(store).await?;
        let name = batch.name();
        fault::point("repair.before_delete").await?;
        store.repair(table, name.shard, name.batch, name.attempt).await?;
        fault::point("repair.after_delete").await?;
    }
    batch.repaired();
    Ok(())
}

/// No insert of this batch may be running when its rows are counted for a repair.
async fn still(store: &Store, batch: &Batch) -> Result<(), DeliverError> {
    let Some(table) = batch.due() else { return Ok(()) };
    let name = batch.name();
    if store.query_running(table, name.shard, name.batch).await? {
        let table = table.name();
        return Err(DeliverError::Waiting(format!(
            "an earlier insert into {table} is still running"
        )));
    }
    Ok(())
}

/// Makes sure that enough of the lease is left to begin something.
pub(super) async fn fresh(stream: &EventStream, lease: &mut Lease) -> Result<(), DeliverError> {
    if lease.renewed.elapsed() >= lease.ttl / 4 {
        stream.renew(lease).await?;
    }
    if lease.is_fresh() {
        Ok(())
    } else {
        Err(DeliverError::Lost("the lease ran out".to_owned()))
    }
}

/// Renews the lease while `work` runs; gives the work up when the lease is lost.
pub(super) async fn holding<T>(
    stream: &EventStream,
    lease: &mut Lease,
    work: impl Future<Output = T>,
) -> Result<T, StreamError> {
    let keep = async {
        loop {
            tokio::time::sleep(lease.ttl / 4).await;
            if let Err(lost @ StreamError::Fenced(_)) = stream.renew(lease).await {
                return lost;
            }
        }
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        lost = keep => Err(lost),
    }
}
