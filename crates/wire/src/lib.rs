//! Bytes to model and back, without I/O: each format of the outside world has one module here.
