//! End to end: each test starts the real program and talks to it as its users do.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "clippy knows the functions of a test binary as tests only where they bear #[test]"
)]

mod access;
mod access_peers;
mod alerting;
mod alerting_reload;
mod browser;
mod check;
mod configuration;
mod crashes;
mod database;
mod deployment;
mod disk_trouble;
mod durability;
mod first_admin;
mod first_start;
mod live_feed;
mod machines;
mod name_server;
mod openid;
mod own_trouble;
mod peer;
mod program;
mod prometheus;
mod queries;
mod queries_of_death;
mod reading;
mod receiver_trouble;
mod receivers;
mod rules_api;
mod scripts;
mod shutdown;
mod small_disk;
mod storage;
mod systemd;
mod terminal;
mod throttle;
mod tls;
mod web_access;
mod web_pages;
mod web_server;
