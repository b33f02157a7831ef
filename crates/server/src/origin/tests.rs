//! Whom the headers of proxies name, and whom headers that somebody has forged do not.

use proptest::prelude::*;

use super::*;

fn proxies(networks: &[&str]) -> TrustedProxies {
    TrustedProxies {
        networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
        forwarded: false,
    }
}

fn origin(peer: &str, proxies: &TrustedProxies, headers: &[(&'static str, &str)]) -> RequestOrigin {
    let mut extensions = Extensions::new();
    extensions.insert(Peer {
        address: peer.parse().ok(),
        is_tls: false,
    });
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    RequestOrigin::of(&extensions, &map, proxies)
}

fn shown(origin: &RequestOrigin) -> String {
    let address = origin
        .address
        .map_or_else(String::new, |address| address.to_string());
    let scheme = if origin.is_https { "https" } else { "http" };
    let host = origin.forwarded_host.as_deref().unwrap_or("-");
    format!("{address} {scheme} {host}")
}

#[test]
fn the_client_is_the_last_that_no_proxy_of_ours_is() {
    let proxies = proxies(&["10.0.0.0/8", "2001:db8:1::/48"]);
    for (peer, lists, expected) in [
        ("10.0.0.1", &["198.51.100.7"][..], "198.51.100.7"),
        ("10.0.0.1", &["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        (
            "10.0.0.1",
            &["1.1.1.1", "198.51.100.7, 10.0.0.2"],
            "198.51.100.7",
        ),
        ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
        ("2001:db8:1::5", &["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", &["1.1.1.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &["1.1.1.1, \u{fc}"], "10.0.0.1"),
        ("10.0.0.1", &[], "10.0.0.1"),
        // Forged.
        ("192.0.2.9", &["198.51.100.7"], "192.0.2.9"),
        ("192.0.2.9", &["10.0.0.1"], "192.0.2.9"),
        ("", &["198.51.100.7"], ""),
    ] {
        let headers: Vec<_> = lists
            .iter()
            .map(|list| ("x-forwarded-for", *list))
            .collect();
        let origin = origin(peer, &proxies, &headers);
        let address = origin
            .address
            .map_or_else(String::new, |address| address.to_string());
        assert_eq!(address, expected, "{peer} {lists:?}");
    }
}

#[test]
fn scheme_and_host_are_a_trusted_proxys_or_the_connections() {
    let headers = [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "http, https"),
        ("x-forwarded-host", "evil.example, watch.example.org:8443"),
        ("forwarded", "for=1.1.1.1;proto=http;host=forged.example"),
    ];
    let trusted = proxies(&["10.0.0.1"]);
    let told = shown(&origin("10.0.0.1", &trusted, &headers));
    assert_eq!(told, "198.51.100.7 https watch.example.org:8443");
    for nobody in [&proxies(&[]), &proxies(&["10.0.0.2"])] {
        assert_eq!(
            shown(&origin("10.0.0.1", nobody, &headers)),
            "10.0.0.1 http -"
        );
    }
    let odd = [("x-forwarded-host", "a.example/path?\"")];
    assert_eq!(
        shown(&origin("10.0.0.1", &trusted, &odd)),
        "10.0.0.1 http -"
    );
}

#[test]
fn a_proxy_that_writes_forwarded_is_read_by_that_alone() {
    let mut proxies = proxies(&["10.0.0.0/8"]);
    proxies.forwarded = true;
    for (value, expected) in [
        (
            "for=198.51.100.7;proto=https;host=watch.example.org",
            "198.51.100.7 https watch.example.org",
        ),
        (
            "For=\"[2001:db8::7]:4711\"; Proto=HTTPS",
            "2001:db8::7 https -",
        ),
        (
            "for=1.1.1.1, for=198.51.100.7, for=10.0.0.2;proto=https",
            "198.51.100.7 https -",
        ),
        ("for=_hidden", "10.0.0.1 http -"),
        ("for=unknown;host=\"a b\"", "10.0.0.1 http -"),
        (";;=;for", "10.0.0.1 http -"),
    ] {
        let headers = [
            ("forwarded", value),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "forged.example"),
        ];
        assert_eq!(
            shown(&origin("10.0.0.1", &proxies, &headers)),
            expected,
            "{value}"
        );
    }
}

proptest! {
    #[test]
    fn nothing_in_the_headers_makes_it_panic(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..5),
        is_forwarded: bool,
    ) {
        let mut extensions = Extensions::new();
        let address = Some([10, 0, 0, 1].into());
        extensions.insert(Peer { address, is_tls: true });
        let mut headers = HeaderMap::new();
        for line in lines {
            let Ok(value) = HeaderValue::from_bytes(&line) else { continue };
            for name in [&FORWARDED_FOR, &FORWARDED_PROTO, &FORWARDED_HOST, &header::FORWARDED] {
                headers.append(name, value.clone());
            }
        }
        let mut proxies = proxies(&["0.0.0.0/0", "::/0"]);
        proxies.forwarded = is_forwarded;
        let origin = RequestOrigin::of(&extensions, &headers, &proxies);
        prop_assert!(origin.address.is_some());
    }

    /// Whatever a client writes in front, the address that our own proxies have seen is found, unless there are too many.
    #[test]
    fn what_a_client_forges_stands_before_what_is_believed(
        forged in prop::collection::vec("[ -~]{0,20}", 0..40),
        client: [u8; 3],
        hops in 0_usize..40,
        is_forwarded: bool,
    ) {
        let client: IpAddr = [198, client[0], client[1], client[2]].into();
        let mut list = forged;
        list.push(client.to_string());
        list.extend((0..hops).map(|hop| format!("10.0.1.{hop}")));
        let mut proxies = proxies(&["10.0.0.0/8"]);
        proxies.forwarded = is_forwarded;
        let (name, list) = match is_forwarded {
            true => {
                let own = list.len() - hops - 1;
                let mark = |(at, text): (usize, String)| match at >= own {
                    true => format!("for={text}"),
                    false => text,
                };
                let list: Vec<_> = list.into_iter().enumerate().map(mark).collect();
                ("forwarded", list)
            }
            false => ("x-forwarded-for", list),
        };
        let found = origin("10.0.0.1", &proxies, &[(name, &list.join(", "))]);
        let expected = match hops < HOPS_MAX {
            true => client,
            false => format!("10.0.1.{}", hops - HOPS_MAX).parse().unwrap(),
        };
        prop_assert_eq!(found.address, Some(expected));
    }
}
