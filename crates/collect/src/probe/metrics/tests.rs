//! Checks are counted however they end.

use super::*;

fn shown(metrics: &Metrics) -> Vec<String> {
    let families = metrics.families(&Pulse::default());
    let points = families.into_iter().flat_map(|family| family.points);
    points
        .map(|point| format!("{} {}", point.labels, point.value))
        .collect()
}

#[test]
fn each_end_has_its_counter_and_its_bucket() {
    let metrics = Metrics::default();
    let ends = [
        (Outcome::Success, 1),
        (Outcome::Success, 30),
        (Outcome::Failure(String::new()), 10_000),
        (Outcome::OwnTrouble(String::new()), 90_000),
    ];
    for (outcome, millis) in ends {
        metrics.start().end(&outcome, Duration::from_millis(millis));
    }
    let _running = metrics.start();
    // A check that is dropped before its end is not counted.
    drop(metrics.start());
    let shown = shown(&metrics);
    for expected in [
        r#"campanile_checks_total{result="success"} 2"#,
        r#"campanile_checks_total{result="failure"} 1"#,
        r#"campanile_checks_total{result="unknown"} 1"#,
        "campanile_checks_in_flight 1",
        r#"campanile_check_duration_seconds_bucket{le="0.001"} 1"#,
        r#"campanile_check_duration_seconds_bucket{le="0.1"} 2"#,
        r#"campanile_check_duration_seconds_bucket{le="10"} 3"#,
        r#"campanile_check_duration_seconds_bucket{le="+Inf"} 4"#,
        "campanile_check_duration_seconds_count 4",
        "campanile_check_duration_seconds_sum 100.031",
        "campanile_pulse_late_seconds_total 0",
    ] {
        assert!(
            shown.iter().any(|line| line == expected),
            "{expected}: {shown:#?}"
        );
    }
}
