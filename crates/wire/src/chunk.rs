//! Prometheus' chunks: samples of one series, compressed, as its blocks hold them and remote read streams them.
//!
//! 1. A chunk begins with the number of its samples, two bytes, the high one first; a chunk of histograms has a third
//!    byte that tells whether the counter began anew there.
//! 2. What follows are bits, the high one of each byte first ([`bits`]).
//! 3. Timestamps are written as the change of their distance, values as the bits in which they differ from the one before.
//!
//! The method is that of Facebook's Gorilla (Pelkonen et al., VLDB 2015), with the widths that Prometheus chose.

mod bits;
mod histogram;
mod xor;

#[cfg(test)]
mod tests;

pub use histogram::histogram_chunk;
pub use xor::float_chunk;

/// Samples of a chunk, as in Prometheus' own; a reader decodes a chunk as a whole.
pub const CHUNK_SAMPLES_MAX: usize = 120;

/// Samples of one series, compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The timestamp of the first sample in milliseconds since 1970-01-01 UTC.
    pub first: i64,
    /// That of the last.
    pub last: i64,
    /// How they are written.
    pub encoding: ChunkEncoding,
    /// The chunk itself.
    pub data: Vec<u8>,
}

/// What a chunk holds, by the number that Prometheus gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkEncoding {
    /// Numbers.
    Xor = 1,
    /// Native histograms of whole observations.
    Histogram = 2,
    /// Native histograms of fractions.
    FloatHistogram = 3,
}
