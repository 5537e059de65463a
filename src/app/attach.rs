//! A command against an installation, whether it runs or not.

use super::rooms::{Rooms, check_urls, connected, engine_options};
use crate::config::Config;
use crate::engines::Engines;

/// Connects to the installation of these settings: to the engines of the server that runs on its data directory,
/// else to engines that are started for this command. Of what runs already nothing is migrated, and
/// [`Engines::stop`] stops nothing.
///
/// # Errors
/// As [`super::open`]; another command that has started the engines for itself is waited for, a minute at most.
pub async fn attach(config: &Config) -> anyhow::Result<(Engines, Rooms)> {
    check_urls(config)?;
    let engines = Engines::attach(engine_options(config)?).await?;
    connected(config, engines).await
}
