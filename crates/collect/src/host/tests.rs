//! The host as a whole: this machine, fixtures of others, collectors that hang or fail.

mod node_exporter;
