//! Pages: many chunks compressed together, since neighbours resemble each other.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// The largest page, uncompressed.
pub(crate) const PAGE_BYTES_MAX: usize = 1 << 20;

/// Higher levels win nothing on packed chunks.
const LEVEL: i32 = 1;

/// The first byte says whether the rest is compressed.
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends a page, never more than one byte longer than it was.
pub(crate) fn compress_page(raw: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    if compress(raw, out).is_none_or(|length| length >= raw.len()) {
        out.truncate(start);
        out.push(PLAIN);
        out.extend_from_slice(raw);
    }
}

/// The compressed length, or none if zstd refused, which leaves rubbish behind.
fn compress(raw: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.push(ZSTD);
    let start = out.len();
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut compressor = Compressor::new(LEVEL).ok()?;
            // The length and a checksum are the caller's own.
            compressor.include_contentsize(false).ok()?;
            compressor.include_checksum(false).ok()?;
            *slot = Some(compressor);
        }
        out.resize(start + zstd::zstd_safe::compress_bound(raw.len()), 0);
        let length = slot
            .as_mut()?
            .compress_to_buffer(raw, &mut out[start..])
            .ok()?;
        out.truncate(start + length);
        Some(length)
    })
}

/// Appends the `raw_length` bytes of a page; none if there are more or fewer, or if it is broken.
pub(crate) fn decompress_page(packed: &[u8], raw_length: usize, out: &mut Vec<u8>) -> Option<()> {
    let (form, packed) = packed.split_first()?;
    if raw_length > PAGE_BYTES_MAX {
        return None;
    }
    match *form {
        PLAIN => {
            out.extend_from_slice(packed);
            (packed.len() == raw_length).then_some(())
        }
        ZSTD => DECOMPRESSOR.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Some(Decompressor::new().ok()?);
            }
            let start = out.len();
            out.resize(start + raw_length, 0);
            let length = slot
                .as_mut()?
                .decompress_to_buffer(packed, &mut out[start..])
                .ok()?;
            (length == raw_length).then_some(())
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_come_back_and_hardly_grow(raw: Vec<u8>, repeated in 1_usize..200) {
            let raw = raw.repeat(repeated);
            let mut packed = Vec::new();
            compress_page(&raw, &mut packed);
            prop_assert!(packed.len() <= raw.len() + 1);
            let mut back = Vec::new();
            prop_assert_eq!(decompress_page(&packed, raw.len(), &mut back), Some(()));
            prop_assert_eq!(&back, &raw);
            prop_assert_eq!(decompress_page(&packed, raw.len() + 1, &mut Vec::new()), None);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, length in 0_usize..100_000) {
            let mut back = Vec::new();
            if decompress_page(&bytes, length, &mut back).is_some() {
                prop_assert_eq!(back.len(), length);
            }
        }
    }

    #[test]
    fn a_page_that_claims_too_much_is_refused() {
        assert_eq!(
            decompress_page(&[ZSTD], PAGE_BYTES_MAX + 1, &mut Vec::new()),
            None
        );
    }
}
