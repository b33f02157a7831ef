//! Mean, spread, quantiles and fractions.

use std::f64::consts::SQRT_2;

use super::*;

const LOW: &str = "{{count:12 sum:100 z_bucket:2 z_bucket_w:0.001 buckets:[2 3 0 1 4]}}";
const BOTH: &str =
    "{{count:24 sum:100 z_bucket:4 z_bucket_w:0.001 buckets:[2 3 0 1 4] n_buckets:[2 3 0 1 4]}}";

#[track_caller]
fn assert_quantiles(histogram: &str, expected: &[(f64, f64)]) {
    for (q, value) in expected {
        let found = parse(histogram).quantile(*q);
        assert!(
            is_close(found.value, *value),
            "{q}: {} is not {value}",
            found.value
        );
        assert_eq!(found.nans, ObservedNans::None);
    }
}

#[track_caller]
fn assert_fractions(histogram: &str, expected: &[(f64, f64, f64)]) {
    for (lower, upper, value) in expected {
        let found = parse(histogram).fraction(*lower, *upper);
        assert!(
            is_close(found.value, *value),
            "{lower}..{upper}: {} is not {value}",
            found.value
        );
        assert!(!found.nans_excluded);
    }
}

#[test]
fn a_histogram_without_observations_has_no_measures() {
    for empty in ["{{}}", "{{schema:-53 custom_values:[-2 3]}}"] {
        let empty = parse(empty);
        let measures = [
            empty.avg(),
            empty.stddev(),
            empty.quantile(0.5).value,
            empty.fraction(f64::NEG_INFINITY, f64::INFINITY).value,
        ];
        assert!(
            measures.iter().all(|measure| measure.is_nan()),
            "{measures:?}"
        );
        assert_eq!(empty.buckets().count(), 0);
    }
}

#[test]
fn spread_is_taken_from_the_middles_of_buckets() {
    let spreads = [
        (
            "{{schema:2 count:4 sum:10 buckets:[1 0 0 0 1 0 0 1 1]}}",
            1.0787993180043811,
        ),
        (
            "{{schema:8 count:10 sum:10 buckets:[1 2 3 4]}}",
            0.0048960313898237465,
        ),
        (
            "{{count:10 sum:-100 z_bucket:0 n_buckets:[0 0 0 0 10]}}",
            1.3137084989848,
        ),
    ];
    for (histogram, expected) in spreads {
        let histogram = parse(histogram);
        assert_number(histogram.stddev(), expected);
        assert_number(histogram.stdvar(), expected * expected);
    }
    let custom = parse("{{schema:-53 count:3 sum:6 custom_values:[0 2 4] buckets:[0 2 1]}}");
    assert_number(custom.stdvar(), (2.0 * 1.0 + 1.0) / 3.0);
}

#[test]
fn quantiles_lie_evenly_on_a_logarithmic_scale() {
    assert_quantiles("{{sum:5 count:4 buckets:[1 2 1]}}", &[(0.5, SQRT_2)]);
    assert_quantiles(
        "{{sum:-4 count:4 n_buckets:[1 2 1]}}",
        &[(0.5, -SQRT_2), (0.3, -1.8660659830736148)],
    );
    assert_quantiles(
        "{{count:8 buckets:[1 2 1] n_buckets:[1 2 1]}}",
        &[(0.5, 0.5)],
    );
    assert_quantiles(
        LOW,
        &[
            (1.001, f64::INFINITY),
            (1.0, 16.0),
            (0.99, 15.67072476139083),
            (0.9, 12.99603834169977),
            (0.6, 4.594793419988138),
            (0.5, 1.5874010519681994),
            (0.0, 0.0),
            (-1.0, f64::NEG_INFINITY),
            (f64::NAN, f64::NAN),
        ],
    );
    for (schema, expected) in [(-1, 2.0), (0, SQRT_2), (1, 1.189207115002721)] {
        let text = format!("{{{{schema:{schema} sum:6 count:5 buckets:[0 5]}}}}");
        assert_quantiles(&text, &[(0.5, expected)]);
        assert_fractions(&text, &[(0.0, expected, 0.5)]);
    }
}

#[test]
fn quantiles_lie_evenly_in_the_zero_bucket_and_in_custom_ones() {
    assert_quantiles(LOW, &[(0.1, 0.0006)]);
    assert_quantiles(
        "{{z_bucket:1 z_bucket_w:0.5 sum:0.25 count:1}}",
        &[(0.5, 0.0)],
    );
    assert_quantiles(
        BOTH,
        &[(0.5416666666666666, 0.0005), (0.4583333333333333, -0.0005)],
    );
    assert_quantiles(
        "{{schema:-53 sum:5 count:4 custom_values:[5 10] buckets:[1 2 1]}}",
        &[(0.5, 7.5), (0.1, 2.0), (0.99, 10.0)],
    );
    assert_quantiles(
        "{{schema:-53 sum:5 count:3 custom_values:[-5 10] buckets:[1 2]}}",
        &[(0.1, -5.0), (1.0, 10.0)],
    );
}

#[test]
fn observed_nans_count_as_highest() {
    let histogram = parse("{{count:4 sum:NaN buckets:[1 2]}}");
    let high = histogram.quantile(0.9);
    assert!(high.value.is_nan());
    assert_eq!(high.nans, ObservedNans::Result);
    let low = histogram.quantile(0.5);
    assert_number(low.value, SQRT_2);
    assert_eq!(low.nans, ObservedNans::Skew);
    // Both infinities make the sum NaN as well, but are in buckets.
    let infinities = parse("{{count:3 sum:NaN buckets:[1 2]}}").quantile(0.5);
    assert_eq!(infinities.nans, ObservedNans::None);
    let all = histogram.fraction(f64::NEG_INFINITY, f64::INFINITY);
    assert_number(all.value, 0.75);
    assert!(all.nans_excluded);
    let all = parse("{{count:3 sum:NaN buckets:[1 2]}}").fraction(0.0, 1.0);
    assert_number(all.value, 1.0 / 3.0);
    assert!(!all.nans_excluded);
}

#[test]
fn fractions_are_quantiles_the_other_way_round() {
    let (nan, infinity) = (f64::NAN, f64::INFINITY);
    assert_fractions(
        "{{z_bucket:1 z_bucket_w:0.5 sum:0.25 count:1}}",
        &[(-0.5, 0.5, 1.0)],
    );
    assert_fractions(
        "{{sum:5 count:4 buckets:[1 2 1]}}",
        &[(1.0, 2.0, 0.5), (0.0, 8.0, 1.0)],
    );
    assert_fractions(
        "{{schema:-53 sum:5 count:4 custom_values:[5 10] buckets:[1 2 1]}}",
        &[
            (5.0, 10.0, 0.5),
            (0.0, 2.5, 0.125),
            (10.0, infinity, 0.25),
            (20.0, 30.0, 0.0),
        ],
    );
    assert_fractions(
        BOTH,
        &[
            (0.0, infinity, 0.5),
            (-infinity, 0.0, 0.5),
            (-0.001, 0.0, 0.08333333333333333),
            (0.0, 0.001, 0.08333333333333333),
            (-0.0005, 0.0005, 0.08333333333333333),
            (-infinity, 0.0005, 0.5416666666666666),
            (-infinity, -0.0005, 0.4583333333333333),
            (0.001, infinity, 0.4166666666666667),
            (-infinity, -0.001, 0.4166666666666667),
            (1.0, 2.0, 0.125),
            (1.5, 2.0, 0.051879687409855414),
            (1.0, 8.0, 0.16666666666666666),
            (1.0, 6.0, 0.14937343753004825),
            (1.5, 6.0, 0.07625312493990366),
            (-2.0, -1.0, 0.125),
            (-2.0, -1.5, 0.051879687409855456),
            (-6.0, -1.0, 0.14937343753004817),
            (-6.0, -1.5, 0.07625312493990362),
            (42.0, 3.5, 0.0),
            (0.0, 0.0, 0.0),
            (-3.1, -3.1, 0.0),
            (3.5, nan, nan),
            (nan, 42.0, nan),
            (-infinity, infinity, 1.0),
        ],
    );
}

#[test]
fn buckets_come_in_the_order_of_their_bounds() {
    let histogram = parse("{{count:9 z_bucket:2 z_bucket_w:0.6 buckets:[1 0 3] n_buckets:[4 5]}}");
    let shown = |bucket: Bucket| {
        let Bucket {
            lower,
            upper,
            count,
            ..
        } = bucket;
        (bucket.boundary_rule(), lower, upper, count)
    };
    let forward: Vec<_> = histogram.buckets().map(shown).collect();
    let expected = [
        (1, -2.0, -1.0, 5.0),
        (1, -1.0, -0.6, 4.0),
        (3, -0.6, 0.6, 2.0),
        (0, 0.6, 1.0, 1.0),
        (0, 1.0, 2.0, 0.0),
        (0, 2.0, 4.0, 3.0),
    ];
    assert_eq!(forward, expected);
    let mut backward: Vec<_> = histogram.buckets().rev().map(shown).collect();
    backward.reverse();
    assert_eq!(backward, expected);
    let custom = parse("{{schema:-53 custom_values:[5 10] buckets:[1 2 3]}}");
    let found: Vec<_> = custom.buckets().map(shown).collect();
    let expected = [
        (3, f64::NEG_INFINITY, 5.0, 1.0),
        (0, 5.0, 10.0, 2.0),
        (0, 10.0, f64::INFINITY, 3.0),
    ];
    assert_eq!(found, expected);
}
