//! What people and programs write into these files.

use super::*;

#[test]
fn hosts_have_several_names_and_addresses_and_remarks() {
    let hosts = parse_hosts(
        "# nothing\n127.0.0.1 localhost\n192.0.2.1\tShop.example.org shop # ours\n2001:db8::1 shop\n192.0.2.1 shop\nnonsense x\n",
    );
    let shown = |name: &str| format!("{:?}", hosts.get(name));
    assert_eq!(shown("shop.example.org"), "Some([192.0.2.1])");
    assert_eq!(shown("shop"), "Some([192.0.2.1, 2001:db8::1])");
    assert_eq!(shown("x"), "None");
}

#[test]
fn settings_are_read_as_the_c_library_does() {
    let settings = parse_settings(
        "; a remark\nnameserver 192.0.2.53\nnameserver 2001:db8::53 # second\nnameserver fe80::1%3\nnameserver 192.0.2.54\nsearch A.example.org. b.example.org\noptions timeout:1 ndots:2\n",
    );
    let servers: Vec<String> = settings.servers.iter().map(SocketAddr::to_string).collect();
    assert_eq!(
        servers,
        ["192.0.2.53:53", "[2001:db8::53]:53", "[fe80::1%3]:53"]
    );
    assert_eq!(settings.search, ["a.example.org", "b.example.org"]);
    assert_eq!(settings.ndots, 2);
    assert_eq!(
        parse_settings("").servers,
        ["127.0.0.1:53".parse().unwrap()]
    );
}

#[test]
fn names_with_few_dots_are_sought_below_the_domains_first() {
    let mut files = Files::new(PathBuf::new());
    files.settings = parse_settings("search x.org y.org\noptions ndots:2");
    for (host, expected) in [
        ("a", "a.x.org a.y.org a"),
        ("a.b", "a.b.x.org a.b.y.org a.b"),
        ("a.b.c", "a.b.c a.b.c.x.org a.b.c.y.org"),
    ] {
        assert_eq!(files.names(host).join(" "), expected);
    }
}

#[test]
fn a_file_that_changes_is_read_anew_and_one_that_goes_says_nothing() {
    let etc = tempfile::tempdir().unwrap();
    let path = etc.path().join("hosts");
    let mut files = Files::new(etc.path().to_owned());
    std::fs::write(&path, "192.0.2.1 shop").unwrap();
    files.refresh(Duration::ZERO);
    assert!(files.hosts("shop").is_some());
    std::fs::remove_file(&path).unwrap();
    files.refresh(LOOK_EVERY / 2);
    assert!(
        files.hosts("shop").is_some(),
        "it was looked at a moment ago"
    );
    files.refresh(LOOK_EVERY);
    assert!(files.hosts("shop").is_none());
}

#[test]
fn a_file_that_cannot_be_read_now_is_read_later() {
    let etc = tempfile::tempdir().unwrap();
    let path = etc.path().join("hosts");
    let mut files = Files::new(etc.path().to_owned());
    std::fs::write(&path, "192.0.2.1 shop").unwrap();
    files.refresh(Duration::ZERO);
    std::fs::remove_file(&path).unwrap();
    // A folder is there, but cannot be read, as a file cannot without descriptors.
    std::fs::create_dir(&path).unwrap();
    files.refresh(LOOK_EVERY);
    assert!(files.hosts("shop").is_some());
    assert_ne!(
        files.hosts_changed,
        path.metadata().unwrap().modified().ok(),
        "it is looked at again"
    );
}
