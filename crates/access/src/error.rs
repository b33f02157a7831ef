//! Why a change was not made, or nothing could be read.

/// Why a change was not made, or nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The name is taken, such as `user "ann"`.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such thing, such as `user "ann"`.
    #[error("there is no {0}")]
    Missing(String),
    /// Nobody could administer afterwards.
    #[error("nobody could administer any more: make another admin first")]
    LastAdmin,
    /// Somebody else has changed it in the meantime.
    #[error("it was changed in the meantime: read it again")]
    Stale,
    /// There are as many as there may be.
    #[error("there are {0} already, as many as there may be")]
    Full(String),
    /// The database refuses; the same may succeed later.
    #[error("the catalog cannot be used now: {0}")]
    Unavailable(String),
}
