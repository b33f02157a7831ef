//! A process without descriptors: the test starts itself again, with a low limit, and uses them all up.

use std::fs::File;
use std::process::Command;

use super::*;

const CHILD: &str = "CAMPANILE_TEST_WITHOUT_DESCRIPTORS";
const NAME: &str = "probe::tests::descriptors::without_descriptors_a_check_is_own_trouble";

#[test]
fn without_descriptors_a_check_is_own_trouble() {
    if std::env::var_os(CHILD).is_some() {
        return exhaust_and_check();
    }
    let itself = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --exact \"$1\""])
        .arg(itself)
        .arg(NAME)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

fn exhaust_and_check() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let prober = prober();
    let taken: Vec<File> = std::iter::repeat_with(|| File::open("/dev/null"))
        .map_while(Result::ok)
        .collect();
    let by_address = runtime.block_on(prober.check(&monitor("url: 'http://127.0.0.1:1/'")));
    drop(taken);
    assert!(
        own_trouble(&by_address).contains("too many open files"),
        "{}",
        own_trouble(&by_address)
    );
}
