//! What can go wrong in the control database, in a user's words where a user caused it.

/// Why a call of [`super::Meta`] failed.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// Another account has the address.
    #[error("an account with this email address exists already")]
    EmailTaken,
    /// The user is a member of the organization already.
    #[error("this user is a member of the organization already")]
    AlreadyMember,
    /// No account has the address, so a password for a new one is needed.
    #[error("no account has this email address: give a password (and a name) to create one")]
    PasswordNeeded,
    /// The change would leave the organization without an owner.
    #[error("an organization needs an owner: make somebody else owner first")]
    LastOwner,
    /// Too many erasures wait, or too much is remembered as erased.
    #[error("{0}")]
    ErasureLimit(String),
    /// As many things are saved as may be.
    #[error("{0}")]
    SavedLimit(String),
    /// Something saved was changed since its writer looked at it; the version that stands there now.
    #[error(
        "it was changed meanwhile: version {0} stands there now. Look at it and send yours again with If-Match: \"{0}\""
    )]
    SavedChanged(i64),
    /// There is no earlier version.
    #[error("there is nothing to undo: this is the oldest version that is kept")]
    NothingToUndo,
    /// The project has as many cohorts as it may have.
    #[error(
        "a project has at most {} cohorts: delete one that is not needed",
        super::MAX_COHORTS
    )]
    CohortLimit,
    /// Too many names are marked in a project.
    #[error("a project has at most {0} marked names: take marks away that nobody needs")]
    MarkLimit(i64),
    /// Registration is over: the first account exists and sign-up is not open.
    #[error("registration is closed: ask an administrator of your organization to add you")]
    RegistrationClosed,
    /// The named thing does not exist (or not for this caller).
    #[error("no such {0}")]
    NotFound(&'static str),
    /// `FOOTFALL_DATABASE_URL` is of no known kind.
    #[error("the database URL must start with sqlite: or postgres:")]
    UnknownEngine,
    /// A released migration was edited, or the database belongs to a newer version.
    #[error("{0}")]
    Migration(String),
    /// A password could not be hashed, or a stored hash not be read.
    #[error("password hash: {0}")]
    Password(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
    /// A stored value has no meaning here.
    #[error("a stored value is not readable: {0}")]
    Stored(String),
    /// The database does not answer; later it may.
    #[error("control database: {0}")]
    Away(sqlx::Error),
    /// The database refused.
    #[error("control database: {0}")]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for MetaError {
    fn from(error: sqlx::Error) -> MetaError {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => MetaError::Away(error),
            error => MetaError::Database(error),
        }
    }
}

impl MetaError {
    /// Turns a violated unique constraint into `taken`; everything else stays what it is.
    pub(super) fn or_taken(error: sqlx::Error, taken: MetaError) -> MetaError {
        match &error {
            sqlx::Error::Database(cause) if cause.is_unique_violation() => taken,
            _ => error.into(),
        }
    }
}
