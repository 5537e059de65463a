pub async fn run(
    _: crate::stream::EventStream,
    _: crate::store::Store,
    _: crate::meta::Meta,
    _: crate::clock::Clock,
    _: tokio_util::sync::CancellationToken,
) -> anyhow::Result<()> {
    Ok(())
}
