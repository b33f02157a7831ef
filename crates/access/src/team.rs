//! People who belong together.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{Role, UserName};

/// People who belong together, and what they may do for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its name, of the same form as a user's.
    pub name: Arc<str>,
    /// The role that each member has at least; none if each has only their own.
    pub role: Option<Role>,
    /// Who is in it.
    pub members: BTreeSet<UserName>,
}
