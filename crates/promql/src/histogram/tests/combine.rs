//! Sums and differences.

use super::*;

/// The sum, by an addition as it is and by one that keeps what it rounds; both must be the same here.
#[track_caller]
fn sum(one: &str, other: &str) -> (FloatHistogram, Combined) {
    let (mut sum, other) = (parse(one), parse(other));
    let mut compensated = KahanHistogram::new(sum.clone());
    let combined = sum.add(&other).unwrap();
    assert_eq!(compensated.add(&other), Ok(combined));
    let compensated = compensated.total();
    assert_eq!(sum.reset, compensated.reset);
    assert_close(&compensated, &sum.test_expression());
    (sum, combined)
}

#[track_caller]
fn difference(one: &str, other: &str) -> (FloatHistogram, Combined) {
    let mut difference = parse(one);
    let combined = difference.sub(&parse(other)).unwrap();
    (difference, combined)
}

const WIDE: &str = "{{count:41 sum:2345.6 z_bucket:5 z_bucket_w:0.001 buckets:[1 3 1 2 1 1 1] n_buckets:[0 1 4 2 7 0 0 0 0 5 5 2]}}";
const FINE: &str = "{{schema:1 count:11 sum:1234.5 z_bucket:3 z_bucket_w:0.001 buckets:[0 2 1] n_buckets:[0 0 3 2]}}";

#[test]
fn buckets_are_added_by_their_numbers() {
    let (both, combined) = sum(
        "{{sum:4 count:4 buckets:[1 2 1]}}",
        "{{sum:-4 count:4 n_buckets:[1 2 1]}}",
    );
    assert_close(&both, "{{count:8 buckets:[1 2 1] n_buckets:[1 2 1]}}");
    assert_eq!(combined, Combined::default());
    let (around, _) = sum(
        "{{count:3 offset:3 buckets:[1 1 1]}}",
        "{{count:7 offset:-2 buckets:[1 0 0 0 0 1 1 0 5]}}",
    );
    assert_close(
        &around,
        "{{count:10 offset:-2 buckets:[1 0 0 0 0 2 2 1 5]}}",
    );
    let (within, _) = sum(
        "{{count:3 buckets:[1 1 1]}}",
        "{{count:1 offset:1 buckets:[1]}}",
    );
    assert_close(&within, "{{count:4 buckets:[1 2 1]}}");
}

#[test]
fn the_coarser_schema_wins() {
    let (coarse_first, _) = difference(WIDE, FINE);
    assert_close(
        &coarse_first,
        "{{count:30 sum:1111.1 z_bucket:2 z_bucket_w:0.001 buckets:[1 0 1 2 1 1 1] n_buckets:[0 -2 2 2 7 0 0 0 0 5 5 2]}}",
    );
    let (fine_first, _) = difference(FINE, WIDE);
    assert_close(
        &fine_first,
        "{{count:-30 sum:-1111.1 z_bucket:-2 z_bucket_w:0.001 buckets:[-1 0 -1 -2 -1 -1 -1] n_buckets:[0 2 -2 -2 -7 0 0 0 0 -5 -5 -2]}}",
    );
    let added = "{{count:52 sum:3580.1 z_bucket:8 z_bucket_w:0.001 buckets:[1 6 1 2 1 1 1] n_buckets:[0 4 6 2 7 0 0 0 0 5 5 2]}}";
    assert_close(&sum(WIDE, FINE).0, added);
    assert_close(&sum(FINE, WIDE).0, added);
}

#[test]
fn the_wider_zero_bucket_takes_up_buckets_of_the_other() {
    let narrow = "{{count:10 z_bucket:1 z_bucket_w:0.01 offset:-3 buckets:[2 0 3] n_offset:-3 n_buckets:[4]}}";
    let wide = "{{count:5 z_bucket:5 z_bucket_w:0.25}}";
    let expected = "{{count:15 z_bucket:12 z_bucket_w:0.25 offset:-1 buckets:[3]}}";
    assert_close(&sum(narrow, wide).0, expected);
    assert_close(&sum(wide, narrow).0, expected);
    // 0.2 lies in an empty bucket, 0.3 in one that holds something.
    let wider = "{{count:5 z_bucket:5 z_bucket_w:0.2}}";
    let expected = "{{count:15 z_bucket:12 z_bucket_w:0.2 offset:-1 buckets:[3]}}";
    assert_close(&sum(narrow, wider).0, expected);
    assert_close(&sum(wider, narrow).0, expected);
    let cutting = "{{count:5 z_bucket:5 z_bucket_w:0.3}}";
    let expected = "{{count:15 z_bucket:15 z_bucket_w:0.5}}";
    assert_close(&sum(narrow, cutting).0, expected);
    assert_close(&sum(cutting, narrow).0, expected);
    let full = "{{count:5 z_bucket:5 z_bucket_w:0.7}}";
    let expected = "{{count:15 z_bucket:15 z_bucket_w:0.7}}";
    assert_close(&sum(narrow, full).0, expected);
    assert_close(&sum(full, narrow).0, expected);
    let negative = "{{count:2 z_bucket_w:0.01 offset:2 buckets:[1] n_buckets:[1]}}";
    let expected = "{{count:7 z_bucket:6 z_bucket_w:1 offset:2 buckets:[1]}}";
    assert_close(&sum(full, negative).0, expected);
    assert_close(&sum(negative, full).0, expected);
}

#[test]
fn custom_buckets_keep_the_bounds_that_both_have() {
    let one =
        |bounds| format!("{{{{schema:-53 sum:1 count:1 custom_values:[{bounds}] buckets:[1]}}}}");
    let cases = [
        (
            "10",
            "2 10",
            "{{schema:-53 count:2 sum:2 custom_values:[10] buckets:[2]}}",
            true,
        ),
        (
            "5 10",
            "5 10",
            "{{schema:-53 count:2 sum:2 custom_values:[5 10] buckets:[2]}}",
            false,
        ),
        (
            "5",
            "5 10",
            "{{schema:-53 count:2 sum:2 custom_values:[5] buckets:[2]}}",
            true,
        ),
        ("5", "6", "{{schema:-53 count:2 sum:2 buckets:[2]}}", true),
        ("", "6", "{{schema:-53 count:2 sum:2 buckets:[2]}}", true),
    ];
    for (mine, theirs, expected, reconciled) in cases {
        let (sum, combined) = sum(&one(mine), &one(theirs));
        assert_close(&sum, expected);
        assert_eq!(combined.bounds_reconciled, reconciled);
        let (none, combined) = difference(&one(mine), &one(theirs));
        assert_eq!(
            (none.count, none.positive.counts.iter().sum::<f64>()),
            (0.0, 0.0)
        );
        assert_eq!(combined.bounds_reconciled, reconciled);
    }
    let (all, _) = sum(
        "{{schema:-53 count:15 custom_values:[2 4 6] buckets:[1 2 5 7]}}",
        "{{schema:-53 count:15 custom_values:[2 3 4 6 9] buckets:[1 0 1 5 4 4]}}",
    );
    assert_close(
        &all,
        "{{schema:-53 count:30 custom_values:[2 4 6] buckets:[2 3 10 15]}}",
    );
}

#[test]
fn exponential_and_custom_buckets_do_not_mix() {
    let custom = parse("{{schema:-53 count:1 custom_values:[5] buckets:[1]}}");
    let exponential = parse(FINE);
    for (one, other) in [(&custom, &exponential), (&exponential, &custom)] {
        let mut sum = one.clone();
        assert_eq!(sum.add(other), Err(IncompatibleSchemas));
        assert_eq!(sum.sub(other), Err(IncompatibleSchemas));
        assert!(sum.equals(one));
        let mut sum = KahanHistogram::new(one.clone());
        assert_eq!(sum.add(other), Err(IncompatibleSchemas));
        assert!(sum.total().equals(one));
    }
}

#[test]
fn gauges_dominate_and_colliding_hints_are_told() {
    let of = |hint| {
        let mut histogram = parse("{{count:1 buckets:[1]}}");
        histogram.reset = hint;
        histogram
    };
    for mine in CounterReset::ALL {
        for theirs in CounterReset::ALL {
            let pair = [mine, theirs];
            let collide = pair.contains(&CounterReset::Yes) && pair.contains(&CounterReset::No);
            let expected = match pair {
                _ if pair.contains(&CounterReset::Gauge) => CounterReset::Gauge,
                _ if mine == theirs => mine,
                _ => CounterReset::Unknown,
            };
            let mut sum = of(mine);
            assert_eq!(sum.add(&of(theirs)).unwrap().resets_collide, collide);
            assert_eq!(sum.reset, expected);
            let mut sum = of(mine);
            assert_eq!(sum.sub(&of(theirs)).unwrap().resets_collide, collide);
            let mut sum = KahanHistogram::new(of(mine));
            assert_eq!(sum.add(&of(theirs)).unwrap().resets_collide, collide);
            assert_eq!(sum.total().reset, expected);
        }
    }
}

#[test]
fn a_compensated_sum_loses_nothing() {
    const BIG: f64 = 9_007_199_254_740_992.0;
    let exponential = |size: f64| {
        parse(&format!(
            "{{{{count:{size} sum:{size} z_bucket:{size} z_bucket_w:0.01 buckets:[{size}] n_buckets:[{size}]}}}}"
        ))
    };
    let fine = |size: f64| {
        parse(&format!(
            "{{{{schema:1 count:{size} sum:{size} z_bucket:{size} z_bucket_w:0.01 offset:-1 buckets:[{size}] n_buckets:[{size}]}}}}"
        ))
    };
    let custom = |bounds: &str, size: f64| {
        parse(&format!(
            "{{{{schema:-53 count:{size} sum:{size} custom_values:[{bounds}] buckets:[{size}]}}}}"
        ))
    };
    let sums = [
        [exponential(BIG), exponential(1.0), exponential(1.0)],
        [fine(BIG), fine(1.0), exponential(1.0)],
        [exponential(BIG), fine(1.0), fine(1.0)],
        [custom("5", BIG), custom("5", 1.0), custom("5", 1.0)],
        [custom("5", BIG), custom("5", 1.0), custom("5 10", 1.0)],
    ];
    for [first, second, third] in sums {
        let mut plain = first.clone();
        let mut sum = KahanHistogram::new(first);
        for addend in [&second, &third] {
            plain.add(addend).unwrap();
            sum.add(addend).unwrap();
        }
        assert_eq!(plain.count, BIG);
        let total = sum.total();
        let zero = if total.has_custom_buckets() {
            0.0
        } else {
            BIG + 2.0
        };
        assert_eq!(
            [total.count, total.sum, total.zero_count],
            [BIG + 2.0, BIG + 2.0, zero]
        );
        for count in total.positive.counts.iter().chain(&total.negative.counts) {
            assert_eq!(*count, BIG + 2.0);
        }
    }
}

#[test]
fn a_compensated_sum_is_scaled_with_its_compensation() {
    let mut sum = KahanHistogram::new(parse("{{count:9007199254740992 buckets:[1]}}"));
    for _ in 0..2 {
        sum.add(&parse("{{count:1 buckets:[1]}}")).unwrap();
    }
    sum.div(2.0);
    sum.mul(4.0);
    assert!(!sum.has_overflow());
    assert_eq!(sum.clone().total().count, 2.0 * 9_007_199_254_740_994.0);
    sum.mul(1e308);
    assert!(sum.has_overflow());
}

#[test]
fn equal_and_covered_buckets_are_added_where_they_are() {
    for other in [
        "{{count:3 buckets:[1 1 1] n_buckets:[1]}}",
        "{{count:2 offset:1 buckets:[1] n_buckets:[1]}}",
        "{{schema:1 count:2 offset:1 buckets:[1 1 0 1]}}",
    ] {
        let mut sum = parse("{{count:3 buckets:[1 1 1] n_buckets:[1]}}");
        let places = |it: &FloatHistogram| {
            let (positive, negative) = (&it.positive, &it.negative);
            [positive.counts.as_ptr(), negative.counts.as_ptr()]
        };
        let before = places(&sum);
        sum.add(&parse(other)).unwrap();
        sum.sub(&parse(other)).unwrap();
        assert_eq!(places(&sum), before);
        let mut sum = KahanHistogram::new(sum);
        sum.add(&parse(other)).unwrap();
        assert_eq!(places(&sum.value), before);
    }
}

#[test]
fn what_was_rounded_moves_with_its_bucket() {
    const BIG: f64 = 9_007_199_254_740_992.0;
    let total = |addends: [String; 3]| {
        let [first, rest @ ..] = addends.map(|text| parse(&text));
        let mut sum = KahanHistogram::new(first);
        for addend in &rest {
            sum.add(addend).unwrap();
        }
        sum.total()
    };
    let inserted = total([
        format!("{{{{offset:2 buckets:[{BIG}]}}}}"),
        "{{offset:2 buckets:[1]}}".to_owned(),
        "{{buckets:[7 0 1 5]}}".to_owned(),
    ]);
    assert_eq!(inserted.positive.counts, [7.0, 0.0, BIG + 2.0, 5.0]);
    // The sum is 3 more, and the nearest number that there is 4 more.
    let reduced = total([
        format!("{{{{schema:1 offset:-1 buckets:[1 {BIG}]}}}}"),
        "{{schema:1 buckets:[1]}}".to_owned(),
        "{{buckets:[1]}}".to_owned(),
    ]);
    assert_eq!(reduced.positive.counts, [BIG + 4.0]);
    let taken_up = total([
        format!("{{{{z_bucket:1 z_bucket_w:0.5 buckets:[{BIG}]}}}}"),
        "{{z_bucket_w:0.5 buckets:[1]}}".to_owned(),
        "{{z_bucket:1 z_bucket_w:1}}".to_owned(),
    ]);
    assert_eq!(
        (taken_up.zero_count, taken_up.zero_threshold),
        (BIG + 4.0, 1.0)
    );
    assert_eq!(taken_up.bucket_count(), 0);
}
