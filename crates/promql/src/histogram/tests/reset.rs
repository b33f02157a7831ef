//! Resets of counters, and equality.

use super::*;

#[track_caller]
fn was_reset(previous: &str, current: &str) -> bool {
    parse(current).detect_reset(&parse(previous))
}

#[test]
fn a_hint_decides() {
    let (more, less) = ("{{count:4 buckets:[4]}}", "{{count:2 buckets:[2]}}");
    let hinted = |hint| less.replace("}}", &format!(" counter_reset_hint:{hint}}}}}"));
    assert!(was_reset(more, less));
    assert!(!was_reset(less, more));
    assert!(!was_reset(more, &hinted("not_reset")));
    assert!(was_reset(more, &hinted("gauge")));
    assert!(was_reset("{{}}", &hinted("reset")));
}

#[test]
fn a_count_that_falls_is_a_reset() {
    let previous = "{{count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 0 1] n_buckets:[1 3]}}";
    let resets = [
        "{{count:8 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 0 1] n_buckets:[1 3]}}",
        "{{count:9 z_bucket:0 z_bucket_w:0.01 buckets:[1 2 0 1] n_buckets:[1 3]}}",
        "{{count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 1 0 2] n_buckets:[1 3]}}",
        "{{count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 0 0] n_buckets:[1 3]}}",
        "{{count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2] n_buckets:[1 3]}}",
        "{{count:9 z_bucket:1 z_bucket_w:0.01 offset:1 buckets:[2 0 1] n_buckets:[1 3]}}",
        "{{count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 0 1] n_buckets:[1 2]}}",
        "{{count:9 z_bucket:1 z_bucket_w:0.01}}",
        "{{schema:1 count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 0 1] n_buckets:[1 3]}}",
        "{{count:9 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 0 1] n_buckets:[1 3]}}",
        "{{schema:-53 count:9 custom_values:[1]}}",
    ];
    for current in resets {
        assert!(was_reset(previous, current), "{current}");
    }
    let none = [
        previous,
        "{{count:9 z_bucket:1 z_bucket_w:0.01 sum:-4 buckets:[1 2 0 1] n_buckets:[1 3]}}",
        "{{count:99 z_bucket:1 z_bucket_w:0.01 offset:-1 buckets:[5 1 2 0 1 6] n_buckets:[1 3]}}",
        "{{schema:-1 count:9 z_bucket:1 z_bucket_w:0.01 buckets:[1 2 1] n_buckets:[1 3]}}",
    ];
    for current in none {
        assert!(!was_reset(previous, current), "{current}");
    }
    assert!(was_reset(
        "{{schema:-53 count:1 custom_values:[1] buckets:[1]}}",
        "{{count:1}}"
    ));
}

#[test]
fn a_wider_zero_bucket_takes_up_buckets() {
    let previous = "{{count:6 z_bucket:1 z_bucket_w:0.01 offset:-2 buckets:[2 0 3]}}";
    let current = |zero, width| {
        let text =
            format!("{{{{count:6 z_bucket:{zero} z_bucket_w:{width} offset:0 buckets:[3]}}}}");
        was_reset(previous, &text)
    };
    assert!(!current(3, 0.25));
    assert!(current(2, 0.25));
    // 0.3 lies in an empty bucket, 0.2 in one that holds something.
    assert!(!current(3, 0.3));
    assert!(current(3, 0.2));
    let cut = "{{count:8 z_bucket:3 z_bucket_w:0.2 offset:-2 buckets:[2 0 3]}}";
    assert!(was_reset(previous, cut));
}

#[test]
fn custom_buckets_are_compared_at_the_bounds_that_both_have() {
    let previous = "{{schema:-53 count:15 custom_values:[2 4 6] buckets:[1 2 5 7]}}";
    let current = |text| was_reset(previous, text);
    assert!(current(
        "{{schema:-53 count:15 custom_values:[2 3 4 6] buckets:[1 0 1 5 8]}}"
    ));
    assert!(!current(
        "{{schema:-53 count:15 custom_values:[2 3 4 6] buckets:[1 1 1 5 7]}}"
    ));
    assert!(!current(
        "{{schema:-53 count:15 custom_values:[6] buckets:[8 7]}}"
    ));
    assert!(current(
        "{{schema:-53 count:15 custom_values:[6] buckets:[7 8]}}"
    ));
    assert!(!current(
        "{{schema:-53 count:15 custom_values:[9] buckets:[15]}}"
    ));
    assert!(current(
        "{{schema:-53 count:15 custom_values:[2 4 6] buckets:[1 3 4 7]}}"
    ));
}

#[test]
fn equal_histograms_have_equal_bits() {
    let text = "{{schema:1 count:9 sum:5 z_bucket:1 z_bucket_w:0.01 buckets:[1 2] n_buckets:[1]}}";
    let histogram = parse(text);
    let differs = |change: &dyn Fn(&mut FloatHistogram)| {
        let mut other = histogram.clone();
        change(&mut other);
        !histogram.equals(&other)
    };
    assert!(!differs(&|_| {}));
    assert!(!differs(&|it| it.reset = CounterReset::Gauge));
    assert!(!differs(&|it| it
        .positive
        .spans
        .insert(0, BucketSpan::default())));
    assert!(differs(&|it| it.schema = 2));
    assert!(differs(&|it| it.sum = f64::NAN));
    assert!(differs(&|it| it.count = 8.0));
    assert!(differs(&|it| it.zero_count = 0.0));
    assert!(differs(&|it| it.zero_threshold = 0.0));
    assert!(differs(&|it| it.positive.counts[1] = 3.0));
    assert!(differs(&|it| it.positive.spans[0].offset = 1));
    assert!(differs(&|it| it.negative = Buckets::default()));
    let nan = parse("{{count:1 sum:NaN}}");
    assert!(nan.equals(&nan.clone()));
    assert!(!parse("{{sum:0}}").equals(&parse("{{sum:-0}}")));
    let custom = |bounds| {
        parse(&format!(
            "{{{{schema:-53 custom_values:[{bounds}] buckets:[1]}}}}"
        ))
    };
    assert!(custom("1 2").equals(&custom("1 2")));
    assert!(!custom("1 2").equals(&custom("1 3")));
}
