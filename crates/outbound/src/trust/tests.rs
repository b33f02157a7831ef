//! Which addresses are public, whatever they look like.

use proptest::prelude::*;

use super::*;

const INSIDE: [&str; 34] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.0.9",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001:db8::1",
    "2001:2::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
];

const OUTSIDE: [&str; 10] = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.0.1",
    "100.128.0.0",
    "172.32.0.1",
    "192.167.0.1",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450::1",
];

#[test]
fn what_is_inside_is_refused_on_behalf_of_a_person() {
    for text in INSIDE {
        let address: IpAddr = text.parse().unwrap();
        let refused = Trust::Person.check(address, &Allowed::default());
        assert_eq!(refused.map_err(|refused| refused.address), Err(address));
        let configured = Trust::Configuration.check(address, &Allowed::default());
        assert_eq!(configured, Ok(()), "{text}");
    }
    for text in OUTSIDE {
        let address: IpAddr = text.parse().unwrap();
        let asked = Trust::Person.check(address, &Allowed::default());
        assert_eq!(asked, Ok(()), "{text}");
    }
}

#[test]
fn what_the_configuration_allows_is_allowed_and_nothing_beside_it() {
    let allowed = Allowed::new(["10.1.0.0/16".parse().unwrap()]);
    let check = |text: &str| Trust::Person.check(text.parse().unwrap(), &allowed).is_ok();
    assert!(check("10.1.2.3") && check("::ffff:10.1.2.3"));
    assert!(!check("10.2.0.1") && !check("127.0.0.1") && !check("::ffff:127.0.0.1"));
}

#[test]
fn a_redirect_from_outside_does_not_lead_inside() {
    let after = |trust: Trust, text: &str| trust.after_redirect_from(text.parse().unwrap());
    assert_eq!(after(Trust::Configuration, "1.1.1.1"), Trust::Person);
    assert_eq!(
        after(Trust::Configuration, "10.0.0.1"),
        Trust::Configuration
    );
    assert_eq!(after(Trust::Person, "10.0.0.1"), Trust::Person);
}

proptest! {
    /// An address of IPv4 is judged alike in every address of IPv6 that carries it.
    #[test]
    fn an_address_is_no_better_in_other_clothes(number: u32) {
        let plain = Ipv4Addr::from(number);
        let [a, b, c, d] = plain.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let expected = is_public(plain.into());
        for carrying in [
            plain.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ] {
            prop_assert_eq!(is_public(carrying.into()), expected, "{}", carrying);
        }
        let compatible = Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low);
        prop_assert!(!is_public(compatible.into()));
    }

    /// The naive model: what std says, where it says something.
    #[test]
    fn what_std_knows_to_be_inside_is_inside(number: u32, wide: u128) {
        let plain = Ipv4Addr::from(number);
        if plain.is_private() || plain.is_loopback() || plain.is_link_local() || plain.is_multicast()
            || plain.is_broadcast() || plain.is_documentation() || plain.is_unspecified() {
            prop_assert!(!is_public(plain.into()));
        }
        let wide = Ipv6Addr::from(wide);
        if wide.is_unique_local() || wide.is_unicast_link_local() || wide.is_multicast()
            || wide.segments()[0] & 0xe000 != 0x2000 {
            prop_assert!(!is_public(wide.into()) || wide.segments()[0] == 0x64);
        }
    }
}
