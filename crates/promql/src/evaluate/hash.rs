//! The hash by which Prometheus draws series for `limit_ratio`: the same series are drawn here.
//!
//! It is xxHash64 with seed 0 over the labels sorted by name: of each name and value its length in bytes, in one byte,
//! or from 255 on in a byte 255 and three bytes with the lowest first, and then its bytes.

use model::Labels;

const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

/// Where a series lies between 0 and 1, as if by chance but always at the same place.
pub(super) fn share(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(text.len()) {
            Ok(length) if length < 255 => bytes.push(length),
            _ => {
                bytes.push(255);
                bytes.extend_from_slice(&text.len().to_le_bytes()[..3]);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    xxhash64(&bytes) as f64 / u64::MAX as f64
}

fn round(state: u64, input: u64) -> u64 {
    state
        .wrapping_add(input.wrapping_mul(PRIME_2))
        .rotate_left(31)
        .wrapping_mul(PRIME_1)
}

fn xxhash64(bytes: &[u8]) -> u64 {
    let eight = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
    };
    let stripes = bytes.chunks_exact(32);
    let mut rest = stripes.remainder();
    let mut hash = PRIME_5;
    if bytes.len() >= 32 {
        let mut states = [
            PRIME_1.wrapping_add(PRIME_2),
            PRIME_2,
            0,
            0_u64.wrapping_sub(PRIME_1),
        ];
        for stripe in stripes {
            for (state, lane) in states.iter_mut().zip(stripe.chunks_exact(8)) {
                *state = round(*state, eight(lane));
            }
        }
        hash = 0;
        for (state, turn) in states.iter().zip([1, 7, 12, 18]) {
            hash = hash.wrapping_add(state.rotate_left(turn));
        }
        for state in states {
            hash = (hash ^ round(0, state))
                .wrapping_mul(PRIME_1)
                .wrapping_add(PRIME_4);
        }
    }
    hash = hash.wrapping_add(bytes.len() as u64);
    while rest.len() >= 8 {
        hash = (hash ^ round(0, eight(&rest[..8])))
            .rotate_left(27)
            .wrapping_mul(PRIME_1)
            .wrapping_add(PRIME_4);
        rest = &rest[8..];
    }
    if rest.len() >= 4 {
        hash = (hash ^ eight(&rest[..4]).wrapping_mul(PRIME_1))
            .rotate_left(23)
            .wrapping_mul(PRIME_2)
            .wrapping_add(PRIME_3);
        rest = &rest[4..];
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIME_5))
            .rotate_left(11)
            .wrapping_mul(PRIME_1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIME_2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_its_specification() {
        for (text, expected) in [
            ("", 0xef46_db37_51d8_e999_u64),
            ("a", 0xd24e_c4f1_a98c_6e5b),
            ("abc", 0x44bc_2cf5_ad77_0999),
        ] {
            assert_eq!(xxhash64(text.as_bytes()), expected, "{text}");
        }
    }
}
