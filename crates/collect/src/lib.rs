//! Where samples are pulled from: this machine, later scrape targets and probes.
//!
//! It is no agent framework: a collector is one file that reads a few kernel files and yields metric families. What
//! it yields goes to whoever implements `model::SampleSink`; the store, the server and the configuration are unknown here.

mod error;
pub mod host;
pub mod probe;

use error::{CollectError, Problem};
