//! The index against comparing each series with each matcher.

use std::collections::BTreeSet;

use model::Labels;
use proptest::prelude::*;

use super::*;

fn labels() -> impl Strategy<Value = Labels> {
    let value = prop::sample::select(vec!["", "a", "b", "ab", "c"]);
    let host = (0u32..300).prop_map(|host| host.to_string());
    (value.clone(), value, host).prop_map(|(job, zone, host)| {
        Labels::from_pairs([
            ("__name__", "up"),
            ("job", job),
            ("zone", zone),
            ("host", &host),
        ])
        .unwrap()
    })
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let kinds = [
        MatchKind::Equal,
        MatchKind::NotEqual,
        MatchKind::Regex,
        MatchKind::NotRegex,
    ];
    let names = vec!["job", "zone", "host", "absent", "__name__"];
    let values = vec!["", "a", "b", "a|b", "a.*", ".+", ".*", "a|", "1.", "up"];
    let parts = (
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(names),
        prop::sample::select(values),
    );
    parts.prop_map(|(kind, name, value)| Matcher::new(kind, name, value).unwrap())
}

fn sorted(series: Vec<Arc<Series>>) -> Vec<Labels> {
    let mut labels: Vec<_> = series.iter().map(|series| series.labels.clone()).collect();
    labels.sort();
    labels
}

proptest! {
    #[test]
    fn it_answers_like_a_comparison_one_by_one(
        present in prop::collection::btree_set(labels(), 0..300),
        removed in prop::collection::btree_set(0u32..300, 0..60),
        selectors in prop::collection::vec(prop::collection::vec(matcher(), 0..4), 0..3),
    ) {
        let mut index = Index::default();
        let mut expected = BTreeSet::new();
        for (id, labels) in present.into_iter().enumerate() {
            index.insert(id as u32, Arc::new(Series::new(labels.clone())));
            if removed.contains(&(id as u32)) {
                index.remove(id as u32);
            } else {
                expected.insert(labels);
            }
        }
        let fulfils = |labels: &Labels, matchers: &[Matcher]| {
            matchers.iter().all(|matcher| matcher.matches_labels(labels))
        };
        for matchers in &selectors {
            let one: Vec<_> = expected.iter().filter(|labels| fulfils(labels, matchers)).cloned().collect();
            prop_assert_eq!(sorted(index.select(matchers)), one);
        }
        let any = |labels: &&Labels| selectors.is_empty()
            || selectors.iter().any(|matchers| fulfils(labels, matchers));
        let any: Vec<_> = expected.iter().filter(any).cloned().collect();
        prop_assert_eq!(sorted(index.select_any(&selectors)), any);
    }
}

#[test]
fn nothing_is_left_of_removed_series() {
    let mut index = Index::default();
    let labels = Labels::from_pairs([("__name__", "up"), ("job", "a")]).unwrap();
    index.insert(3, Arc::new(Series::new(labels)));
    index.remove(3);
    index.remove(3);
    assert!(index.labels.is_empty() && index.all.is_empty());
}
