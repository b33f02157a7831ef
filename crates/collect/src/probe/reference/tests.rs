//! RFC 3986's own examples, and what servers write.

use proptest::prelude::*;

use super::*;

fn resolved(reference: &str) -> String {
    let base = "http://a/b/c/d;p?q".parse().unwrap();
    resolve(&base, reference.as_bytes()).map_or("none".to_owned(), |url| url.to_string())
}

/// Section 5.4; fragments are left out, and the base's scheme is one that we follow.
#[test]
fn the_examples_of_the_standard_lead_where_it_says() {
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        (";x", "http://a/b/c/;x"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        ("..g", "http://a/b/c/..g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/../h", "http://a/b/c/h"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
    ] {
        assert_eq!(resolved(reference), expected, "{reference:?}");
    }
}

#[test]
fn other_hosts_are_taken_without_a_login_and_nonsense_is_none() {
    for (reference, expected) in [
        (
            "HTTPS://b.example.org:8443/x?y=z#a",
            "https://b.example.org:8443/x?y=z",
        ),
        ("https://b.example.org?x", "https://b.example.org/?x"),
        (
            "https://user:secret@b.example.org/",
            "https://b.example.org/",
        ),
        (" /with space/ä ", "http://a/with%20space/%C3%A4"),
        ("ftp://b.example.org/", "ftp://b.example.org/"),
        ("http://", "none"),
        ("http:", "none"),
        ("mailto:someone@example.org", "none"),
        ("http://[::1", "none"),
    ] {
        assert_eq!(resolved(reference), expected, "{reference:?}");
    }
}

proptest! {
    #[test]
    fn any_location_is_a_url_or_refused(reference in prop::collection::vec(any::<u8>(), 0..60)) {
        let base = "https://a.example.org/b?c".parse().unwrap();
        if let Some(url) = resolve(&base, &reference) {
            prop_assert!(url.host().is_some());
            prop_assert!(!url.authority().unwrap().as_str().contains('@'));
        }
    }
}
