//! What is refused, and how much memory is taken.

use std::time::Duration;

use model::RejectReason;

use super::*;

fn refused(limits: Limits, pairs: &[&[(&str, &str)]]) -> RejectReason {
    let index = SeriesIndex::new(limits);
    let (last, first) = pairs.split_last().unwrap();
    for pairs in first {
        let labels = Labels::from_pairs(pairs.iter().copied()).unwrap();
        index.create(&labels, NOW, None).unwrap();
        assert!(!index.create(&labels, NOW, None).unwrap().is_new);
    }
    let labels = Labels::from_pairs(last.iter().copied()).unwrap();
    let reason = index.create(&labels, NOW, None).unwrap_err();
    assert!(index.restore(&labels).unwrap().is_new);
    reason
}

#[test]
fn each_limit_says_which_it_is_and_how_to_raise_it() {
    let none = Limits::default;
    let two: [&[_]; 2] = [
        &[(NAME, "up"), ("job", "a")],
        &[(NAME, "down"), ("job", "a")],
    ];
    let cases = [
        (
            refused(
                Limits {
                    active_series: 1,
                    ..none()
                },
                &two,
            ),
            "limit of 1 active series reached: raise limits.active_series",
        ),
        (
            refused(
                Limits {
                    new_series_per_hour: 1,
                    ..none()
                },
                &two,
            ),
            "limit of 1 new series per hour reached: raise limits.new_series_per_hour",
        ),
        (
            refused(
                Limits {
                    labels_per_series: 1,
                    ..none()
                },
                &two[..1],
            ),
            "series up has 2 labels, at most 1 are allowed: raise limits.labels_per_series",
        ),
        (
            refused(
                Limits {
                    label_name_bytes: 7,
                    ..none()
                },
                &two[..1],
            ),
            "name of label \"__name__\" is 8 bytes long, at most 7 are allowed: raise limits.label_name_bytes",
        ),
        (
            refused(
                Limits {
                    label_value_bytes: 1,
                    ..none()
                },
                &two[..1],
            ),
            "value of label \"__name__\" is 2 bytes long, at most 1 are allowed: raise limits.label_value_bytes",
        ),
        (
            refused(
                Limits {
                    cardinality: 1,
                    ..none()
                },
                &two,
            ),
            "limit of 1 series with job=\"a\" reached: raise limits.cardinality",
        ),
    ];
    for (reason, message) in cases {
        assert_eq!(reason.to_string(), message);
    }
}

#[test]
fn the_limit_of_new_series_holds_for_an_hour() {
    let index = SeriesIndex::new(Limits {
        new_series_per_hour: 10,
        ..Limits::default()
    });
    let create = |number: u16, minutes: u64| {
        let labels = Labels::from_pairs([(NAME, &number.to_string())]).unwrap();
        index
            .create(&labels, NOW + Duration::from_secs(60 * minutes), None)
            .is_ok()
    };
    for number in 0..10 {
        assert!(create(number, number.into()));
    }
    assert!(!create(10, 9) && !create(10, 59));
    assert!(create(10, 60) && !create(11, 60));
    assert!(create(11, 500));
}

#[test]
fn a_series_without_a_metric_name_is_refused() {
    let index = SeriesIndex::default();
    let labels = Labels::from_pairs([("job", "a")]).unwrap();
    assert!(matches!(
        index.create(&labels, NOW, None),
        Err(RejectReason::InvalidLabels(_))
    ));
    assert_eq!(index.len(), 0);
}

/// As short-lived containers have them: all labels but one are shared by many.
fn container(number: u32, round: u32) -> Labels {
    let group = number / 20;
    let mixed = (u64::from(number) << 8 | u64::from(round)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Labels::from_pairs([
        (NAME, format!("container_metric_{}", number % 20)),
        ("cluster", ["east", "west"][group as usize % 2].to_owned()),
        ("container", format!("app-{}", group % 500)),
        (
            "image",
            format!("registry.example/app-{}:v1.{round}", group % 500),
        ),
        ("instance", format!("node-{}:10250", group % 200)),
        ("job", "kubelet".to_owned()),
        ("namespace", format!("team-{}", group % 50)),
        (
            "pod",
            format!(
                "app-{}-{:08x}-{:05x}",
                group % 500,
                mixed >> 32,
                mixed & 0xfffff
            ),
        ),
    ])
    .unwrap()
}

#[test]
fn a_series_of_eight_labels_takes_at_most_160_bytes() {
    let index = SeriesIndex::default();
    let count = 60_000;
    for number in 0..count {
        index.create(&container(number, 0), NOW, None).unwrap();
    }
    // What small stores take at least is no share of a series.
    let memory = index.memory() - (512 << 10);
    assert!(memory < 160 * count as usize, "{}", memory / count as usize);
}

#[test]
fn series_that_come_and_go_take_no_more_memory_in_the_end() {
    let index = SeriesIndex::default();
    let mut identity = Identity::default();
    let mut first = 0;
    for round in 0..12 {
        let create = |number| {
            index
                .create(&container(number, round), NOW, None)
                .unwrap()
                .id
        };
        let ids: Vec<u32> = (0..3_000).map(create).collect();
        identity.evict(&index, &ids);
        index.reclaim();
        if round == 1 {
            first = index.memory();
        }
    }
    let memory = index.memory();
    assert!(memory < first + first / 10, "{first} became {memory}");
    assert_eq!(index.len(), 0);
}

#[test]
fn keys_of_evicted_series_give_their_memory_back() {
    let index = SeriesIndex::default();
    let mut identity = Identity::default();
    let mut first = 0;
    for round in 0..20 {
        let mut create = |number| {
            let labels = container(number, round);
            let key = labels.as_packed().as_bytes();
            let created = identity.create(&index, &KeyEncoding::PACKED, key, NOW, None);
            created.unwrap().id
        };
        let ids: Vec<u32> = (0..3_000).map(&mut create).collect();
        identity.evict(&index, &ids);
        let mut next = Some(0);
        while let Some(part) = next {
            next = identity.sweep(&index, part);
        }
        index.reclaim();
        if round == 1 {
            first = identity.table_memory();
        }
    }
    let memory = identity.table_memory();
    // Its parts grow by a quarter, at random.
    assert!(memory < 2 * first, "{first} became {memory}");
}

#[test]
fn keys_take_bounded_memory() {
    let index = SeriesIndex::default();
    let mut identity = Identity::default();
    let labels = |number: u32| {
        let long = format!("{number:0>4000}");
        Labels::from_pairs([(NAME, "m"), ("long", &long)]).unwrap()
    };
    for number in 0..9_000 {
        let labels = labels(number % 8_000);
        for encoding in [KeyEncoding::PACKED, OPAQUE] {
            let key = labels.as_packed().as_bytes();
            let created = identity.create(&index, &encoding, key, NOW, None).unwrap();
            assert_eq!(created.is_new, number < 8_000 && encoding.id == 0);
        }
    }
    assert!(identity.memory() < 27 << 20, "{}", identity.memory());
}
