//! The suite that every store must pass.

use std::path::Path;
use std::sync::Arc;

use testkit::SimulatedDisk;

use crate::{Config, Store};

#[test]
fn the_store_keeps_the_contract_of_its_ports() {
    testkit::contract::store(|clock| {
        let disk = Arc::new(SimulatedDisk::new(1));
        let config = Config {
            threads: false,
            ..Config::default()
        };
        Store::open(disk, Path::new("/data"), clock, config)
            .unwrap()
            .0
    });
}
