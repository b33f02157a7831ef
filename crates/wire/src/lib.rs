//! Bytes to model and back, without I/O: each format of the outside world has one module here.
//!
//! Every decoder takes bytes from strangers: it allocates no more than in proportion to its input or to a limit
//! that it is given, never panics, and names the place of what it refuses. What the model means is not decided
//! here, only how it is written.

pub mod chunk;
pub mod exposition;
pub mod float;
pub mod json_ingest;
mod problem;
mod protobuf;
pub mod remote_read;
pub mod remote_write;
pub mod time;

pub use problem::Problem;
