//! Which series a check has, and when one ends.

use super::*;
use crate::probe::tests::monitor;

fn probe(facts: Facts) -> Probe {
    Probe {
        outcome: Outcome::Success,
        started: Timestamp::from_millis(1),
        duration: Duration::from_secs(1),
        facts,
    }
}

fn session(version: &'static str) -> Session {
    Session {
        version,
        cipher: None,
        leaf: None,
        earliest_expiry: Some(5),
        chain_expiry: None,
    }
}

/// `name value` of those samples whose names begin with `probe_tls` or `probe_ssl`.
fn of_tls(samples: &[(Labels, Timestamp, f64)]) -> Vec<String> {
    let shown = samples.iter().map(|(labels, _, value)| {
        let value = if model::is_stale(*value) {
            "ends".to_owned()
        } else {
            value.to_string()
        };
        format!("{labels} {value}")
    });
    shown
        .filter(|text| text.starts_with("probe_tls") || text.starts_with("probe_ssl"))
        .collect()
}

#[test]
fn a_series_that_a_check_does_not_have_any_more_ends_once() {
    let series = Series::of(&monitor("url: 'http://a.example.org', labels: {team: web}"));
    let facts = |version| Facts {
        address: Some("192.0.2.1".parse().unwrap()),
        session: Some(session(version)),
        ..Facts::default()
    };
    let expiry = r#"probe_ssl_earliest_cert_expiry{monitor="shop",team="web"}"#;
    let version = |version: &str| {
        format!(r#"probe_tls_version_info{{monitor="shop",team="web",version="{version}"}}"#)
    };
    let first = probe(facts("TLS 1.2")).samples(&series);
    assert_eq!(
        of_tls(&first),
        [format!("{expiry} 5"), format!("{} 1", version("TLS 1.2"))]
    );
    let second = probe(facts("TLS 1.3")).samples(&series);
    assert_eq!(
        of_tls(&second),
        [
            format!("{expiry} 5"),
            format!("{} ends", version("TLS 1.2")),
            format!("{} 1", version("TLS 1.3")),
        ]
    );
    let third = probe(Facts::default()).samples(&series);
    assert_eq!(
        of_tls(&third),
        [
            format!("{expiry} ends"),
            format!("{} ends", version("TLS 1.3"))
        ]
    );
    assert_eq!(of_tls(&probe(Facts::default()).samples(&series)), [""; 0]);
}

#[test]
fn addresses_have_the_hash_that_blackbox_exporter_gives_them() {
    // Seen with 0.23 for http://127.0.0.1/.
    assert_eq!(hash("127.0.0.1".parse().unwrap()), 3_668_918_509);
    assert_eq!(hash("::ffff:127.0.0.1".parse().unwrap()), 3_668_918_509);
}

#[test]
fn every_metric_is_described() {
    let series = Series::of(&monitor("url: 'http://a.example.org'"));
    let described: Vec<String> = descriptions().into_iter().map(|(name, _)| name).collect();
    for labels in series.all() {
        let name = labels.metric_name();
        assert!(
            described.iter().any(|described| described == name),
            "{name}"
        );
    }
}
