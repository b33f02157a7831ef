//! Who is told what.

use super::*;

fn target(url: &str) -> Target {
    Target::of(&url.parse().unwrap()).unwrap()
}

#[test]
fn secrets_are_shared_with_the_same_host_and_its_move_to_https_only() {
    for (from, to, expected) in [
        ("http://a.example.org/", "http://A.example.org:80/x", true),
        ("http://a.example.org/", "https://a.example.org/", true),
        ("https://a.example.org/", "https://a.example.org:443/", true),
        ("https://a.example.org/", "http://a.example.org/", false),
        ("https://a.example.org/", "http://a.example.org:443/", false),
        (
            "http://a.example.org:8080/",
            "https://a.example.org/",
            false,
        ),
        ("http://a.example.org/", "http://a.example.org:8080/", false),
        ("http://a.example.org/", "http://b.a.example.org/", false),
        ("http://a.example.org/", "http://example.org/", false),
    ] {
        let shared = target(to).may_share_secrets_of(&target(from));
        assert_eq!(shared, expected, "{from} {to}");
    }
}

#[test]
fn the_host_header_names_the_port_only_where_it_is_unusual() {
    for (url, header, shown) in [
        ("http://a.example.org/", "a.example.org", "a.example.org:80"),
        (
            "https://a.example.org:443/",
            "a.example.org",
            "a.example.org:443",
        ),
        (
            "https://a.example.org:80/",
            "a.example.org:80",
            "a.example.org:80",
        ),
        (
            "http://[2001:db8::1]:8080/",
            "[2001:db8::1]:8080",
            "[2001:db8::1]:8080",
        ),
        (
            "http://a.example.org./",
            "a.example.org",
            "a.example.org:80",
        ),
    ] {
        let target = target(url);
        assert_eq!(target.host_header().unwrap(), header);
        assert_eq!(target.to_string(), shown);
    }
}
