//! A copy of the control database, for backups of the embedded one.

use std::path::Path;

use super::{Engine, Meta, MetaError, Result};

impl Meta {
    /// Writes the database as it is at this moment into a new file, while it is being used.
    ///
    /// # Errors
    /// On PostgreSQL, which is backed up with its own tools; when the file is there or cannot be written.
    pub async fn copy_to(&self, file: &Path) -> Result<()> {
        let (Engine::Sqlite, Some(name)) = (self.engine, file.to_str()) else {
            return Err(MetaError::UnknownEngine);
        };
        sqlx::query("VACUUM INTO $1")
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
