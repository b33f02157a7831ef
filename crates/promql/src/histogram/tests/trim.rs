//! What stays on one side of a value.

use super::*;

/// Each case: `</` or `>/`, the limit, and what stays.
#[track_caller]
fn assert_trims(histogram: &str, cases: &[(&str, f64, &str)]) {
    for (operator, limit, expected) in cases {
        let mut trimmed = parse(histogram);
        match *operator {
            "</" => trimmed.trim_upper(*limit),
            _ => trimmed.trim_lower(*limit),
        }
        assert_close(&trimmed, expected);
        let mut compact = trimmed.clone();
        compact.compact(0);
        let is_compact =
            trimmed.positive == compact.positive && trimmed.negative == compact.negative;
        assert!(
            is_compact || trimmed.equals(&parse(histogram)),
            "{operator} {limit}"
        );
    }
}

const INFINITY: f64 = f64::INFINITY;

#[test]
fn exponential_buckets_are_cut_on_a_logarithmic_scale() {
    let whole =
        "{{sum:123.75 count:34 z_bucket:1 z_bucket_w:0.001 buckets:[2 4 8 16] n_buckets:[1 2]}}";
    assert_trims(
        whole,
        &[
            (">/", -INFINITY, whole),
            ("</", INFINITY, whole),
            (">/", INFINITY, "{{z_bucket_w:0.001}}"),
            ("</", -INFINITY, "{{z_bucket_w:0.001}}"),
            (
                ">/",
                0.0,
                "{{sum:120.20840280171308 count:30.5 z_bucket:0.5 z_bucket_w:0.001 buckets:[2 4 8 16]}}",
            ),
            (
                "</",
                0.0,
                "{{sum:-3.53578390593273768 count:3.5 z_bucket:0.5 z_bucket_w:0.001 n_buckets:[1 2]}}",
            ),
            (
                "</",
                2.0,
                "{{count:10 sum:3.5355339059327373 z_bucket:1 z_bucket_w:0.001 buckets:[2 4] n_buckets:[1 2]}}",
            ),
            (
                ">/",
                2.0,
                "{{count:24 sum:113.13708498984761 z_bucket_w:0.001 offset:2 buckets:[8 16]}}",
            ),
            (
                ">/",
                -1.0,
                "{{count:32 sum:119.50104602052653 z_bucket:1 z_bucket_w:0.001 buckets:[2 4 8 16] n_buckets:[1]}}",
            ),
            (
                "</",
                -1.0,
                "{{count:2 sum:-2.8284271247461903 z_bucket_w:0.001 n_offset:1 n_buckets:[2]}}",
            ),
            (
                "</",
                std::f64::consts::SQRT_2,
                "{{count:8 sum:0.25709388644579956 z_bucket:1 z_bucket_w:0.001 buckets:[2 2] n_buckets:[1 2]}}",
            ),
        ],
    );
    assert_trims(
        "{{schema:2 sum:12.8286080906 count:28 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 4 7 3] n_buckets:[1 5 3 1]}}",
        &[
            (
                "</",
                1.13,
                "{{schema:2 count:13.410582181123704 sum:-9.385798726068233 z_bucket:1 z_bucket_w:0.001 buckets:[1 1.410582181123704] n_buckets:[1 5 3 1]}}",
            ),
            (
                ">/",
                1.13,
                "{{schema:2 count:14.589417818876296 sum:22.168126492693734 z_bucket_w:0.001 offset:1 buckets:[0.589417818876296 4 7 3]}}",
            ),
            (
                ">/",
                -1.3,
                "{{schema:2 count:25.54213947904476 sum:16.29588491217537 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 4 7 3] n_buckets:[1 5 1.54213947904476]}}",
            ),
            (
                "</",
                -1.3,
                "{{schema:2 count:2.45786052095524 sum:-3.5189307983595066 z_bucket_w:0.001 n_offset:2 n_buckets:[1.45786052095524 1]}}",
            ),
        ],
    );
}

#[test]
fn the_zero_bucket_lies_where_other_observations_are() {
    let positive = "{{sum:8.0210678118654755 count:12 z_bucket:2 z_bucket_w:0.5 buckets:[10]}}";
    assert_trims(
        positive,
        &[
            (
                ">/",
                0.5,
                "{{count:10 sum:7.0710678118654755 z_bucket:0 z_bucket_w:0.5 buckets:[10]}}",
            ),
            (
                ">/",
                0.1,
                "{{count:11.6 sum:7.551067811865476 z_bucket:1.6 z_bucket_w:0.5 buckets:[10]}}",
            ),
            (">/", 0.0, positive),
            ("</", 0.5, "{{count:2 sum:0.5 z_bucket:2 z_bucket_w:0.5}}"),
            (
                "</",
                0.1,
                "{{count:0.4 sum:0.02 z_bucket:0.4 z_bucket_w:0.5}}",
            ),
            ("</", 0.0, "{{z_bucket_w:0.5}}"),
        ],
    );
    let negative = "{{sum:-8.0210678118654755 count:12 z_bucket:2 z_bucket_w:0.5 n_buckets:[10]}}";
    assert_trims(
        negative,
        &[
            (
                "</",
                -0.5,
                "{{count:10 sum:-7.0710678118654755 z_bucket_w:0.5 n_buckets:[10]}}",
            ),
            (
                "</",
                -0.1,
                "{{count:11.6 sum:-7.551067811865476 z_bucket:1.6 z_bucket_w:0.5 n_buckets:[10]}}",
            ),
            ("</", 0.0, negative),
            (">/", -0.5, "{{count:2 sum:-0.5 z_bucket:2 z_bucket_w:0.5}}"),
            (
                ">/",
                -0.1,
                "{{count:0.4 sum:-0.02 z_bucket:0.4 z_bucket_w:0.5}}",
            ),
            (">/", 0.0, "{{z_bucket_w:0.5}}"),
        ],
    );
    let alone = "{{count:5 sum:0 z_bucket:5 z_bucket_w:0.1 }}";
    assert_trims(
        alone,
        &[
            (">/", 0.1, "{{z_bucket_w:0.1}}"),
            ("</", 0.1, alone),
            (
                ">/",
                0.05,
                "{{count:1.25 sum:0.09375 z_bucket:1.25 z_bucket_w:0.1}}",
            ),
            (
                "</",
                0.05,
                "{{count:3.75 sum:-0.09375 z_bucket:3.75 z_bucket_w:0.1}}",
            ),
            (
                ">/",
                0.0,
                "{{count:2.5 sum:0.125 z_bucket:2.5 z_bucket_w:0.1}}",
            ),
            (
                "</",
                0.0,
                "{{count:2.5 sum:-0.125 z_bucket:2.5 z_bucket_w:0.1}}",
            ),
            (
                ">/",
                -0.05,
                "{{count:3.75 sum:0.09375 z_bucket:3.75 z_bucket_w:0.1}}",
            ),
            ("</", -0.1, "{{z_bucket_w:0.1}}"),
            (">/", -0.1, alone),
        ],
    );
    assert_trims(
        "{{sum:-6.75 z_bucket:5 z_bucket_w:0.01 buckets:[2 3] n_buckets:[1 2 3]}}",
        &[
            (
                "</",
                -0.005,
                "{{count:7.25 sum:-12.03019028017131 z_bucket:1.25 z_bucket_w:0.01 n_buckets:[1 2 3]}}",
            ),
            (
                ">/",
                0.0,
                "{{count:7.5 sum:5.669354249492381 z_bucket:2.5 z_bucket_w:0.01 buckets:[2 3]}}",
            ),
        ],
    );
}

#[test]
fn custom_buckets_are_cut_evenly() {
    let whole = "{{schema:-53 sum:172.5 count:15 custom_values:[5 10 15 20] buckets:[1 6 4 3 1]}}";
    let empty = "{{schema:-53 custom_values:[5 10 15 20]}}";
    assert_trims(
        whole,
        &[
            (
                "</",
                15.0,
                "{{schema:-53 count:11 sum:97.5 custom_values:[5 10 15 20] buckets:[1 6 4]}}",
            ),
            (
                ">/",
                15.0,
                "{{schema:-53 count:4 sum:72.5 custom_values:[5 10 15 20] offset:3 buckets:[3 1]}}",
            ),
            (
                "</",
                13.0,
                "{{schema:-53 count:9.4 sum:75.1 custom_values:[5 10 15 20] buckets:[1 6 2.4]}}",
            ),
            (
                ">/",
                13.0,
                "{{schema:-53 count:5.6 sum:94.9 custom_values:[5 10 15 20] offset:2 buckets:[1.6 3 1]}}",
            ),
            (
                "</",
                7.5,
                "{{schema:-53 count:4 sum:21.25 custom_values:[5 10 15 20] buckets:[1 3]}}",
            ),
            (
                "</",
                50.0,
                "{{schema:-53 count:14 sum:150.0 custom_values:[5 10 15 20] buckets:[1 6 4 3]}}",
            ),
            ("</", -INFINITY, empty),
            (">/", INFINITY, empty),
            ("</", INFINITY, whole),
            (">/", -INFINITY, whole),
            (">/", 0.0, whole),
            ("</", 0.0, empty),
        ],
    );
    assert_trims(
        "{{schema:-53 sum:172.5 count:15 custom_values:[-10 5 10 15 20] buckets:[2 1 6 4 3 1]}}",
        &[
            (
                "</",
                2.0,
                "{{schema:-53 count:2.8 sum:-23.2 custom_values:[-10 5 10 15 20] buckets:[2 0.8]}}",
            ),
            (
                "</",
                -4.0,
                "{{schema:-53 count:2.4 sum:-22.8 custom_values:[-10 5 10 15 20] buckets:[2 0.4]}}",
            ),
            (
                "</",
                -15.0,
                "{{schema:-53 count:2 sum:-30 custom_values:[-10 5 10 15 20] buckets:[2]}}",
            ),
        ],
    );
}

#[test]
fn buckets_without_end_go_or_stay_as_a_whole() {
    let whole = "{{schema:-53 sum:100.0 count:100 buckets:[100]}}";
    assert_trims(
        whole,
        &[
            ("</", 10.0, "{{schema:-53}}"),
            (">/", 10.0, "{{schema:-53}}"),
            ("</", INFINITY, whole),
            (">/", INFINITY, "{{schema:-53}}"),
            (">/", -INFINITY, whole),
            ("</", -INFINITY, "{{schema:-53}}"),
        ],
    );
    assert_trims(
        "{{schema:-53 sum:33.0 count:100 custom_values:[0] buckets:[1 100]}}",
        &[
            (
                "</",
                10.0,
                "{{schema:-53 sum:0 count:1 custom_values:[0] buckets:[1]}}",
            ),
            (
                "</",
                0.0,
                "{{schema:-53 sum:0 count:1 custom_values:[0] buckets:[1]}}",
            ),
            (
                "</",
                -10.0,
                "{{schema:-53 sum:-10 count:1 custom_values:[0] buckets:[1]}}",
            ),
            (
                ">/",
                -10.0,
                "{{schema:-53 sum:0 count:100 custom_values:[0] buckets:[0 100]}}",
            ),
            (
                ">/",
                0.0,
                "{{schema:-53 sum:0 count:100 custom_values:[0] buckets:[0 100]}}",
            ),
            (
                ">/",
                10.0,
                "{{schema:-53 sum:1000 count:100 custom_values:[0] buckets:[0 100]}}",
            ),
        ],
    );
    let positive = "{{schema:-53 sum:33 count:101 custom_values:[5] buckets:[1 100]}}";
    assert_trims(
        positive,
        &[
            (
                "</",
                10.0,
                "{{schema:-53 sum:2.5 count:1 custom_values:[5] buckets:[1]}}",
            ),
            (
                "</",
                2.0,
                "{{schema:-53 sum:0.4 count:0.4 custom_values:[5] buckets:[0.4]}}",
            ),
            ("</", 0.0, "{{schema:-53 custom_values:[5]}}"),
            ("</", -10.0, "{{schema:-53 custom_values:[5]}}"),
            (
                ">/",
                -10.0,
                "{{schema:-53 sum:500 count:100 custom_values:[5] buckets:[0 100]}}",
            ),
            (">/", 0.0, positive),
            (
                ">/",
                2.0,
                "{{schema:-53 sum:502.1 count:100.6 custom_values:[5] buckets:[0.6 100]}}",
            ),
            (
                ">/",
                10.0,
                "{{schema:-53 sum:1000 count:100 custom_values:[5] buckets:[0 100]}}",
            ),
        ],
    );
    assert_trims(
        "{{schema:-53 sum:33 count:101 custom_values:[-5] buckets:[1 100]}}",
        &[
            (
                "</",
                10.0,
                "{{schema:-53 sum:-5 count:1 custom_values:[-5] buckets:[1]}}",
            ),
            (
                "</",
                -2.0,
                "{{schema:-53 sum:-5 count:1 custom_values:[-5] buckets:[1]}}",
            ),
            (
                "</",
                -10.0,
                "{{schema:-53 sum:-10 count:1 custom_values:[-5] buckets:[1]}}",
            ),
            (
                ">/",
                -10.0,
                "{{schema:-53 sum:-500 count:100 custom_values:[-5] buckets:[0 100]}}",
            ),
            (
                ">/",
                -2.0,
                "{{schema:-53 sum:-200 count:100 custom_values:[-5] buckets:[0 100]}}",
            ),
            (
                ">/",
                10.0,
                "{{schema:-53 sum:1000 count:100 custom_values:[-5] buckets:[0 100]}}",
            ),
        ],
    );
}

#[test]
fn what_stays_is_the_fraction_of_all() {
    for text in [
        "{{count:34 z_bucket:1 z_bucket_w:0.001 buckets:[2 4 8 16] n_buckets:[1 2]}}",
        "{{schema:2 count:28 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 4 7 3] n_buckets:[1 5 3 1]}}",
        "{{schema:-53 count:14 custom_values:[5 10 15 20] buckets:[1 6 4 3]}}",
    ] {
        let histogram = parse(text);
        for limit in [
            -3.0, -1.3, -1.0, -0.0005, 0.0, 0.7, 1.0, 1.13, 2.0, 13.0, 15.0,
        ] {
            // A custom bucket without beginning goes as a whole if it is cut below 0.
            if limit < 0.0 && histogram.has_custom_buckets() {
                continue;
            }
            let (mut below, mut above) = (histogram.clone(), histogram.clone());
            below.trim_upper(limit);
            above.trim_lower(limit);
            let part = histogram.fraction(f64::NEG_INFINITY, limit).value;
            assert_number(below.count, part * histogram.count);
            assert_number(below.count + above.count, histogram.count);
        }
    }
}
