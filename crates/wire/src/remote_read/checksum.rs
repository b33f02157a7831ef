//! CRC-32C (Castagnoli, polynomial 0x1EDC6F41 as RFC 3720 names it), by which a reader knows that a frame is whole.

/// The polynomial with its bits in reverse.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The remainders of each byte behind 0 to 7 bytes of zeros: so eight bytes are taken at a time.
static TABLES: [[u32; 256]; 8] = tables();

/// The checksum of some bytes.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = !0u32;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let low = sum ^ u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        sum = 0;
        for (index, byte) in low.to_le_bytes().iter().chain(&chunk[4..]).enumerate() {
            sum ^= TABLES[7 - index][usize::from(*byte)];
        }
    }
    for byte in chunks.remainder() {
        sum = sum >> 8 ^ TABLES[0][(sum as u8 ^ byte) as usize];
    }
    !sum
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = sum >> 1 ^ (POLYNOMIAL * (sum & 1));
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let sum = tables[table - 1][byte];
            tables[table][byte] = sum >> 8 ^ tables[0][(sum & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One bit at a time.
    fn slow(bytes: &[u8]) -> u32 {
        let mut sum = !0u32;
        for byte in bytes {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = sum >> 1 ^ (POLYNOMIAL * (sum & 1));
            }
        }
        !sum
    }

    #[test]
    fn the_examples_of_rfc_3720_are_met() {
        let rising: Vec<u8> = (0..32).collect();
        for (bytes, sum) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
            (b"123456789", 0xe306_9283),
        ] {
            assert_eq!(checksum(bytes), sum);
        }
    }

    proptest! {
        #[test]
        fn eight_bytes_at_a_time_are_as_one_bit_at_a_time(bytes: Vec<u8>) {
            prop_assert_eq!(checksum(&bytes), slow(&bytes));
        }
    }
}
