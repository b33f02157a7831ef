//! What a query of a large step needs to know of a chunk without reading its samples.

/// Of the values that are numbers: NaN, and with it the stale marker, is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Aggregates {
    pub(crate) count: u32,
    /// Infinity without numbers.
    pub(crate) min: f64,
    /// Minus infinity without numbers.
    pub(crate) max: f64,
    /// Added up in the order of time.
    pub(crate) sum: f64,
}

/// Sums up the bits of floats.
pub(crate) fn aggregate(bits: &[u64]) -> Aggregates {
    let mut all = Aggregates {
        count: 0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum: 0.0,
    };
    for value in bits.iter().map(|bits| f64::from_bits(*bits)) {
        if value.is_nan() {
            continue;
        }
        all.count += 1;
        all.min = all.min.min(value);
        all.max = all.max.max(value);
        all.sum += value;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_left_out() {
        let stale = f64::from_bits(0x7ff0_0000_0000_0002);
        let bits = [2.5, f64::NAN, -1.0, stale, 4.0].map(f64::to_bits);
        let expected = Aggregates {
            count: 3,
            min: -1.0,
            max: 4.0,
            sum: 5.5,
        };
        assert_eq!(aggregate(&bits), expected);
        let nothing = aggregate(&[f64::NAN.to_bits()]);
        assert_eq!((nothing.count, nothing.sum), (0, 0.0));
        assert!(nothing.min > nothing.max);
    }
}
