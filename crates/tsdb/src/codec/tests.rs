//! Every column comes back bit for bit, and takes what it should.

use proptest::prelude::*;

use super::*;

fn encoded(values: &[f64], effort: Effort) -> Vec<u8> {
    let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
    let mut out = Vec::new();
    encode_values(&bits, effort, &mut out);
    out
}

fn assert_comes_back(values: &[f64]) {
    for effort in [Effort::Fast, Effort::Thorough] {
        let mut bytes = encoded(values, effort);
        let length = bytes.len();
        bytes.extend_from_slice(b"next");
        let mut rest = &bytes[..];
        let mut back = vec![7.0];
        decode_values(&mut rest, values.len(), &mut back).expect("what was encoded decodes");
        assert_eq!(rest, b"next", "{length} bytes");
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back[1..]), bits(values));
    }
}

/// Columns as they come, and as nobody would make them.
fn columns() -> impl Strategy<Value = Vec<f64>> {
    let special = prop::sample::select(vec![
        f64::from_bits(STALE_MARKER),
        f64::from_bits(0xfff8_0000_0000_1234),
        f64::NAN,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE / 8.0,
        9_007_199_254_740_994.0,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
        f64::MAX,
        0.1 + 0.2,
    ]);
    let bits = any::<u64>().prop_map(f64::from_bits);
    let decimal =
        (-20_000_000_i64..20_000_000, 0_i32..9).prop_map(|(m, e)| m as f64 / 10_f64.powi(e));
    let small = (0_u8..4).prop_map(f64::from);
    let mixed =
        prop_oneof![1 => special, 2 => bits.clone(), 10 => decimal.clone(), 20 => small.clone()];
    let running = (
        prop::collection::vec((-50_i64..1_000, 0_u8..20), 1..600),
        any::<i32>(),
        0_i32..6,
        1_i64..5_000,
    )
        .prop_map(|(steps, first, exponent, unit)| {
            let mut ticks = i64::from(first);
            steps
                .into_iter()
                .map(|(step, burst)| {
                    ticks += if burst == 0 { step * 1_000_003 } else { step };
                    (ticks * unit) as f64 / 10_f64.powi(exponent)
                })
                .collect()
        });
    let sums =
        (prop::collection::vec(0_u32..5_000_000, 1..600), 0.0..1e5).prop_map(|(steps, first)| {
            let mut sum = first;
            steps
                .into_iter()
                .map(|step| {
                    sum += f64::from(step) / 1e9;
                    sum
                })
                .collect()
        });
    let products = prop::collection::vec(0_u32..5_000_000, 1..600).prop_map(|ticks| {
        ticks
            .into_iter()
            .map(|ticks| f64::from(ticks) * 0.001)
            .collect()
    });
    prop_oneof![
        sums,
        products,
        prop::collection::vec(bits, 0..70),
        prop::collection::vec(decimal, 0..300),
        prop::collection::vec(small, 0..600),
        prop::collection::vec(mixed, 0..300),
        running,
    ]
}

proptest! {
    #[test]
    fn values_come_back_bit_for_bit(column in columns()) {
        assert_comes_back(&column);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>, head in prop_oneof![0_u8..80, any::<u8>()], count in 0_usize..1_000) {
        let with_head = [&[head][..], &bytes].concat();
        for bytes in [&bytes[..], &with_head] {
            let mut values = Vec::new();
            if decode_values(&mut &bytes[..], count, &mut values).is_some() {
                prop_assert_eq!(values.len(), count);
            }
            let mut timestamps = Vec::new();
            if decode_timestamps(&mut &bytes[..], count, &mut timestamps).is_some() {
                prop_assert_eq!(timestamps.len(), count);
            }
        }
    }

    #[test]
    fn broken_columns_are_read_without_panic(column in columns(), place: usize, bit in 0_u32..8, thorough: bool) {
        let effort = if thorough { Effort::Thorough } else { Effort::Fast };
        let mut bytes = encoded(&column, effort);
        if !bytes.is_empty() {
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
            let mut values = Vec::new();
            if decode_values(&mut &bytes[..], column.len(), &mut values).is_some() {
                prop_assert_eq!(values.len(), column.len());
            }
            let _ = decode_values(&mut &bytes[..place], column.len(), &mut Vec::new());
        }
    }

    #[test]
    fn timestamps_come_back(
        timestamps in prop::collection::btree_set(crate::tests::timestamps(), 0..600),
        close in prop::collection::vec(1_i64..40_000, 0..600),
    ) {
        let sum = close.iter().scan(1_700_000_000_000, |sum, step| { *sum += step; Some(*sum) });
        for timestamps in [timestamps.into_iter().collect::<Vec<_>>(), sum.collect()] {
            let mut bytes = Vec::new();
            encode_timestamps(&timestamps, &mut bytes);
            bytes.push(9);
            let mut rest = &bytes[..];
            let mut back = Vec::new();
            prop_assert_eq!(decode_timestamps(&mut rest, timestamps.len(), &mut back), Some(()));
            prop_assert_eq!(rest, [9]);
            prop_assert_eq!(back, timestamps);
        }
    }
}

#[test]
fn the_ends_of_time_come_back() {
    for timestamps in [
        vec![i64::MIN, 0, i64::MAX],
        vec![i64::MIN, i64::MAX],
        vec![i64::MIN, -5],
    ] {
        let mut bytes = Vec::new();
        encode_timestamps(&timestamps, &mut bytes);
        let mut back = Vec::new();
        assert_eq!(
            decode_timestamps(&mut &bytes[..], timestamps.len(), &mut back),
            Some(())
        );
        assert_eq!(back, timestamps);
    }
}

#[test]
fn regular_columns_take_a_few_bytes() {
    let even: Vec<i64> = (0..480).map(|i| 1_700_000_000_123 + i * 15_000).collect();
    let mut bytes = Vec::new();
    encode_timestamps(&even, &mut bytes);
    assert!(bytes.len() <= 10, "{} bytes", bytes.len());
    let mut stale = vec![3.0; 480];
    stale[479] = f64::from_bits(STALE_MARKER);
    let products = (0..480).map(|i| f64::from(i * i % 1000 + i * 500) * 0.001);
    for (values, most) in [
        (products.collect(), 800),
        (vec![1.0; 480], 2),
        (vec![0.0; 480], 1),
        ((0..480).map(|i| f64::from(i) * 0.25).collect(), 8),
        (stale, 8),
    ] {
        let length = encoded(&values, Effort::Thorough).len();
        assert!(length <= most, "{length} bytes");
    }
}

#[test]
fn noise_takes_little_more_than_its_entropy() {
    let mut mixed = 1_u64;
    let mut sum = 5_000_000.0;
    let steps = (0..480).map(|_| {
        mixed = mixed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        sum += (mixed >> 40) as f64 % 280.0 + 1_000.0;
        sum
    });
    let column: Vec<f64> = steps.collect();
    // 480 times the logarithm of 280 are 488 bytes.
    for (effort, most) in [(Effort::Fast, 570), (Effort::Thorough, 510)] {
        let length = encoded(&column, effort).len();
        assert!((480..=most).contains(&length), "{length} bytes");
    }
}

#[test]
fn a_second_copy_in_a_page_takes_hardly_anything() {
    let column: Vec<f64> = (0..480).map(|i| f64::from(i * i % 977)).collect();
    let once = encoded(&column, Effort::Thorough);
    let (mut page, mut pages) = (Vec::new(), Vec::new());
    compress_page(&once, &mut page);
    compress_page(&once.repeat(20), &mut pages);
    assert!(pages.len() < page.len() + 40, "{} bytes", pages.len());
    let mut raw = Vec::new();
    assert_eq!(decompress_page(&pages, 20 * once.len(), &mut raw), Some(()));
    let mut rest = &raw[..];
    let mut values = Vec::new();
    for _ in 0..20 {
        decode_values(&mut rest, column.len(), &mut values).expect("a whole chunk is there");
    }
    assert!(rest.is_empty());
    assert_eq!(values, column.repeat(20));
}
