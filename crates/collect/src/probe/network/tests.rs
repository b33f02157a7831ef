//! Routes as kernels print them, and cables that are in or out.

use proptest::prelude::*;

use super::*;

/// As on a machine with a network card, containers, and a way to the world through the card.
const V4: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
";
const V6: &str = "\
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth2
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

fn leads(v4: &str, v6: &str, plugged: &[&str], address: &str) -> bool {
    let has_carrier = |interface: &str| plugged.contains(&interface);
    let network = Network {
        v4,
        v6,
        has_carrier: &has_carrier,
    };
    match address {
        "out" => network.leads_out(),
        address => network.leads_to(address.parse().unwrap()),
    }
}

#[test]
#[cfg(target_endian = "little")]
fn the_cable_of_the_longest_route_counts() {
    for (plugged, address, expected) in [
        (&["eth0"][..], "192.0.2.7", true),
        (&["eth0"], "203.0.113.7", true),
        (&["eth0"], "172.17.0.2", false),
        (&["eth0"], "out", true),
        (&["docker0"], "192.0.2.7", false),
        (&["docker0"], "203.0.113.7", false),
        (&["docker0"], "172.17.0.2", true),
        (&["docker0"], "out", false),
        (&["eth1"], "2001:db8::7", true),
        (&["eth0"], "2001:db8::7", false),
        (&[], "127.0.0.1", true),
        (&[], "::1", true),
    ] {
        let told = leads(V4, V6, plugged, address);
        assert_eq!(told, expected, "{plugged:?} {address}");
    }
}

#[test]
fn without_a_route_any_cable_will_do() {
    for (v4, v6, plugged, expected) in [
        ("", V6, &["eth1"][..], true),
        ("", V6, &["eth0"], false),
        ("", V6, &["eth2"], false),
        ("", "", &["eth0"], false),
        ("", "nonsense", &["eth0"], false),
    ] {
        for address in ["203.0.113.7", "2001:db9::7", "out"] {
            let told = leads(v4, v6, plugged, address);
            assert_eq!(told, expected, "{v6} {plugged:?} {address}");
        }
    }
}

#[test]
fn this_machine_reaches_itself() {
    assert!(leads_to(Ipv4Addr::LOCALHOST.into()));
}

#[test]
fn silence_is_explained_for_a_while_after_there_was_no_way_to_the_address() {
    let cut_off = CutOff::default();
    let address: IpAddr = "203.0.113.7".parse().unwrap();
    let seen = Duration::from_secs(100);
    assert!(!cut_off.explains(address, seen));
    cut_off.note(address, seen);
    let moment = Duration::from_millis(1);
    assert!(cut_off.explains(address, seen - moment));
    assert!(cut_off.explains(address, seen + SETTLING - moment));
    assert!(!cut_off.explains(address, seen + SETTLING));
    let other = "203.0.113.8".parse().unwrap();
    assert!(!cut_off.explains(other, seen));
    for index in 0..ADDRESSES_MAX as u32 {
        cut_off.note(Ipv4Addr::from(index).into(), seen);
    }
    assert!(cut_off.lock().len() <= ADDRESSES_MAX);
}

proptest! {
    #[test]
    fn any_files_of_the_kernel_are_read_without_a_panic(v4 in "[ 0-9a-fA-F\n]{0,200}", v6 in "[ 0-9a-f\n]{0,200}", address: u128) {
        for address in [IpAddr::from(Ipv6Addr::from(address)), Ipv4Addr::from(address as u32).into()] {
            leads(&v4, &v6, &[], &address.to_string());
        }
    }
}
