//! Histograms as text, and classic ones as such.

use super::*;

#[test]
fn histograms_are_printed_without_empty_buckets() {
    let shown = [
        ("{{}}", "{count:0, sum:0}"),
        (
            "{{count:24.5 sum:1e6 z_bucket:4 z_bucket_w:0.001 buckets:[2 0 3] n_buckets:[0 1]}}",
            "{count:24.5, sum:1e+06, [-2,-1):1, [-0.001,0.001]:4, (0.5,1]:2, (2,4]:3}",
        ),
        (
            "{{schema:-53 count:5 sum:-0.00001 custom_values:[5 1e7] buckets:[1 2 2]}}",
            "{count:5, sum:-1e-05, [-Inf,5]:1, (5,1e+07]:2, (1e+07,+Inf]:2}",
        ),
        ("{{count:NaN sum:Inf}}", "{count:NaN, sum:+Inf}"),
        (
            "{{count:123456.5 sum:0.0001}}",
            "{count:123456.5, sum:0.0001}",
        ),
    ];
    for (histogram, expected) in shown {
        assert_eq!(parse(histogram).to_string(), expected);
    }
}

#[test]
fn the_test_language_is_written_as_it_is_read() {
    for text in [
        "{{}}",
        "{{schema:1 count:9 sum:5.5 z_bucket:1 z_bucket_w:0.01 counter_reset_hint:gauge offset:-2 buckets:[1 0 0 4] n_offset:3 n_buckets:[5]}}",
        "{{schema:-53 count:3 sum:1e+06 custom_values:[-2 3] counter_reset_hint:not_reset buckets:[1 2]}}",
        "{{schema:-53 custom_values:[] counter_reset_hint:reset buckets:[1]}}",
    ] {
        assert_eq!(parse(text).test_expression(), text);
    }
}

fn classic(buckets: &[(f64, f64)], count: Option<f64>, sum: f64) -> ClassicHistogram {
    let mut classic = ClassicHistogram::default();
    for (bound, count) in buckets {
        classic.add_bucket(*bound, *count);
    }
    if let Some(count) = count {
        classic.set_count(count);
    }
    classic.set_sum(sum);
    classic
}

#[test]
fn classic_histograms_become_custom_buckets() {
    let infinity = f64::INFINITY;
    let buckets = [(0.5, 50.0), (infinity, 1000.0), (1.0, 950.0), (1.0, 7.0)];
    let expected = "{{schema:-53 count:1000 sum:3 custom_values:[0.5 1] buckets:[50 900 50]}}";
    for count in [None, Some(1000.0)] {
        assert_close(&classic(&buckets, count, 3.0).convert().unwrap(), expected);
    }
    let unbounded = classic(&[(0.0, 2.0), (0.5, 2.0)], Some(4.0), 1.0)
        .convert()
        .unwrap();
    assert_close(
        &unbounded,
        "{{schema:-53 count:4 sum:1 custom_values:[0 0.5] buckets:[2 0 2]}}",
    );
    assert_eq!(unbounded.validate(), Ok(()));
    let none = ClassicHistogram::default().convert().unwrap();
    assert_close(&none, "{{schema:-53}}");
}

#[test]
fn what_is_no_classic_histogram_is_refused() {
    let infinity = f64::INFINITY;
    let found = [
        classic(&[(f64::NAN, 1.0)], None, 0.0).convert(),
        classic(&[(1.0, -1.0)], None, 0.0).convert(),
        classic(&[(1.0, 1.0)], Some(f64::NAN), 0.0).convert(),
        classic(&[(1.0, 2.0), (2.0, 1.0)], None, 0.0).convert(),
        classic(&[(1.0, 2.0), (infinity, 3.0)], Some(4.0), 0.0).convert(),
        classic(&[(1.0, 2.0)], Some(1.0), 0.0).convert(),
    ];
    let found = found.map(|result| result.err());
    let expected = [
        ClassicHistogramFault::Bound,
        ClassicHistogramFault::Count,
        ClassicHistogramFault::Count,
        ClassicHistogramFault::Falling,
        ClassicHistogramFault::Total,
        ClassicHistogramFault::Total,
    ];
    assert_eq!(found, expected.map(Some));
}
