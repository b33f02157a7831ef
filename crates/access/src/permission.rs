//! What a route asks of whoever calls it.

/// What a route asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// To read samples, their series and what is computed of them.
    Query,
    /// To see everything else that is no secret: monitors, notifications, settings.
    View,
    /// To write samples.
    Ingest,
    /// To change what is watched and who is told.
    Edit,
    /// To decide about users, tokens and the store itself.
    Administer,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Query,
        Self::View,
        Self::Ingest,
        Self::Edit,
        Self::Administer,
    ];

    /// Its name, such as `query`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::View => "view",
            Self::Ingest => "ingest",
            Self::Edit => "edit",
            Self::Administer => "administer",
        }
    }
}
