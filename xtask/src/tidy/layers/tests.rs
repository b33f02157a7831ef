//! Small houses with one wall in the wrong place.

use super::*;

/// A house of `name -> direct dependencies`, in which a crate reaches what it depends on and what that reaches.
fn house(direct: &[(&str, &[&str])]) -> Dependencies {
    let mut built = Dependencies::default();
    for (name, dependencies) in direct {
        let dependencies: BTreeSet<String> =
            dependencies.iter().map(|name| (*name).to_owned()).collect();
        let mut reached = dependencies.clone();
        for dependency in &dependencies {
            reached.extend(built.reached.get(dependency).cloned().unwrap_or_default());
        }
        built.everything.extend(reached.iter().cloned());
        built.direct.insert((*name).to_owned(), dependencies);
        built.reached.insert((*name).to_owned(), reached);
    }
    built
}

#[track_caller]
fn check_house(direct: &[(&str, &[&str])], expected: &[&str]) {
    let problems: Vec<String> = check(&house(direct))
        .into_iter()
        .map(|finding| finding.problem)
        .collect();
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn the_house_as_designed_stands() {
    check_house(
        &[
            ("model", &["regex"]),
            ("wire", &["model", "snap"]),
            ("promql", &["model"]),
            ("rules", &["model", "promql"]),
            ("tsdb", &["model"]),
            ("collect", &["model", "wire", "tokio"]),
            ("server", &["model", "wire", "promql", "tokio"]),
            (
                "campanile",
                &["collect", "server", "tsdb", "wire", "model", "tokio"],
            ),
        ],
        &[],
    );
}

#[test]
fn an_arrow_that_points_up_is_found() {
    check_house(&[("model", &["wire"])], &["above it"]);
    check_house(&[("wire", &["server"])], &["above it"]);
    check_house(&[("promql", &["tsdb"])], &["above it"]);
    check_house(&[("collect", &["campanile"])], &["above it"]);
}

#[test]
fn an_edge_that_knows_another_edge_is_found_and_a_store_that_knows_formats() {
    check_house(&[("server", &["collect"])], &["they meet at a port"]);
    check_house(&[("tsdb", &["wire"])], &["it knows only model"]);
}

#[test]
fn async_in_a_pure_crate_is_found_even_behind_another_crate() {
    check_house(&[("tsdb", &["tokio"])], &["reaches `tokio`"]);
    let mut house = house(&[("wire", &["innocent"])]);
    house.reached.insert(
        "wire".to_owned(),
        BTreeSet::from(["innocent".to_owned(), "reqwest".to_owned()]),
    );
    assert_eq!(check(&house).len(), 1);
}

#[test]
fn testkit_in_a_release_is_found_and_in_tests_it_is_not() {
    check_house(
        &[("testkit", &["model"]), ("campanile", &["testkit"])],
        &["ships testkit"],
    );
    let mut house = house(&[("tsdb", &["model"])]);
    house
        .dev
        .insert("tsdb".to_owned(), BTreeSet::from(["testkit".to_owned()]));
    assert_eq!(check(&house), []);
}

#[test]
fn tests_keep_the_layers_too() {
    let mut house = house(&[("promql", &["model"])]);
    house
        .dev
        .insert("promql".to_owned(), BTreeSet::from(["tsdb".to_owned()]));
    assert_eq!(check(&house).len(), 1);
}

#[test]
fn banned_libraries_and_crates_without_a_layer_are_found() {
    check_house(
        &[("server", &["openssl-sys"])],
        &["`openssl-sys` is in the tree"],
    );
    check_house(
        &[("server", &["aws-lc-sys"])],
        &["`aws-lc-sys` is in the tree"],
    );
    check_house(&[("attic", &["model"])], &["`attic` has no layer"]);
}

#[test]
fn the_listing_of_cargo_is_read() {
    let listing =
        "0@wire v0.1.0 (/x/wire)\n1@model v0.1.0 (/x/model)\n2@regex v1.13.0\n1@snap v1.1.1 (*)\n";
    assert_eq!(
        at_depth_one(listing),
        BTreeSet::from(["model".to_owned(), "snap".to_owned()])
    );
    assert_eq!(names(listing).len(), 4);
}
