//! What PostgreSQL's error codes mean, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use super::{damaged, message};
use crate::place::Place;

/// Classes of what may pass by itself: connections, transactions that met, resources, an administrator's hand, the system.
const PASSING: [&str; 6] = ["08", "40", "53", "55", "57", "58"];

/// `read_only_sql_transaction`: a standby, which may become the primary.
const READ_ONLY: &str = "25006";

/// Whether it may pass by itself, and the reason in words.
pub(super) fn judge(at: &Place, error: &sqlx::Error) -> (bool, String) {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.as_deref().unwrap_or_default();
    let message = message(error);
    let class = code.get(..2).unwrap_or_default();
    if PASSING.contains(&class) || code == READ_ONLY {
        return (true, message);
    }
    let reason = match (class, code) {
        ("28", _) => format!("the server does not let us in ({message}): check database_url"),
        ("3D", _) => format!("{message}: make it, or check database_url"),
        (_, "42501") => format!("{message}: give the user of database_url all rights on it"),
        // Tables or columns that are not ours, or no longer there.
        ("XX" | "42", _) => damaged(at, &message),
        _ => message,
    };
    (false, reason)
}
