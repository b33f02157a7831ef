//! How many files and connections the process may have open: as many as it is allowed, since a server with a thousand
//! monitors needs more than the thousand that a shell gives.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Fewer are too few for checks, requests and files together.
const ENOUGH: u64 = 4096;

/// Raises the soft limit to the hard one, and says so if even that is little.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            warn!(%error, "the limit of open files stays as it is");
            current
        }
    };
    debug!(?now, "open files are limited");
    if now.is_some_and(|now| now < ENOUGH) {
        warn!(
            limit = now,
            "few files may be open at once: with many monitors or clients some will be refused; raise the hard limit (ulimit -Hn)"
        );
    }
}
