//! What monitors look at, and how they are set up.

use std::fmt::Write as _;

use uptime::Monitor;

use super::model::Setting;
use crate::random::Random;
use crate::{HOUR, MINUTE, SECOND};

/// What a monitor looks at.
#[derive(Clone)]
pub(crate) struct Target {
    random: Random,
    mode: Mode,
    until: i64,
}

#[derive(Clone, Copy)]
enum Mode {
    Good,
    Bad,
    Flapping,
    Blind,
}

impl Target {
    /// One that is well, for now.
    pub(crate) fn new(random: Random, now: i64) -> Self {
        Self {
            random,
            mode: Mode::Good,
            until: now,
        }
    }

    /// Well, for ever.
    pub(crate) fn heal(&mut self) {
        (self.mode, self.until) = (Mode::Good, i64::MAX);
    }

    /// How a check ends: `+` well, `-` badly, `?` by our own fault.
    pub(crate) fn look(&mut self, now: i64) -> u8 {
        let random = &mut self.random;
        while now >= self.until {
            let (mode, first, last) = match (self.mode, random.within(0, 99)) {
                (Mode::Good, 0..60) => (Mode::Bad, 5 * SECOND, 4 * HOUR),
                (Mode::Good, 60..85) => (Mode::Flapping, MINUTE, HOUR),
                (Mode::Good, _) => (Mode::Blind, 10 * SECOND, HOUR),
                (Mode::Bad, 0..15) => (Mode::Blind, 10 * SECOND, 10 * MINUTE),
                (Mode::Blind, 0..30) => (Mode::Bad, 10 * SECOND, HOUR),
                _ => (Mode::Good, 10 * MINUTE, 72 * HOUR),
            };
            self.mode = mode;
            self.until = self.until.max(now - HOUR) + random.long_tailed(first, last);
        }
        match self.mode {
            Mode::Good if self.until == i64::MAX => b'+',
            Mode::Good if random.chance(3) => b'-',
            Mode::Good => b'+',
            Mode::Bad if random.chance(10) => b'?',
            Mode::Bad => b'-',
            Mode::Flapping => random.pick(b"++---?"),
            Mode::Blind => random.pick(b"????-"),
        }
    }
}

/// A monitor like any other.
pub(crate) fn setting(index: usize, random: &mut Random) -> Setting {
    // Few are quick, since those make most of the checks.
    let interval = match index % 40 {
        0 => 10,
        1..4 => 30,
        4..16 => 60,
        16..18 => 45,
        18..30 => 300,
        _ => random.pick(&[600, 900, 3_600]),
    };
    let mut labels = vec![("team".to_owned(), format!("team-{}", index % 4))];
    if random.chance(500) {
        labels.push((
            "severity".to_owned(),
            random.pick(&["page", "ticket"]).to_owned(),
        ));
    }
    Setting {
        name: format!("site-{index}"),
        interval: interval * SECOND,
        retries: random.within(0, 3) as u32,
        retry_interval: random.pick(&[2, 5, 10, 20, 60]) * SECOND,
        labels,
    }
}

/// The monitors of settings, by the way of a configuration.
pub(crate) fn read(settings: &[Setting]) -> Vec<Monitor> {
    let mut text = String::new();
    for setting in settings {
        let labels = setting.labels.iter();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let Setting {
            name,
            interval,
            retries,
            retry_interval,
            ..
        } = setting;
        let (interval, retry) = (interval / SECOND, retry_interval / SECOND);
        writeln!(
            text,
            "- {{name: {name}, type: http, url: 'http://{name}.test/', interval: {interval}s, timeout: 5s, \
             retries: {retries}, retry_interval: {retry}s, labels: {{{}}}}}",
            labels.join(", ")
        )
        .unwrap();
    }
    let source = document::Source::new("monitors.yml", text);
    let options = document::Options::default();
    let document = document::Document::parse(&source, document::Syntax::Yaml, &options).unwrap();
    let read = uptime::read_monitors(document.root());
    assert_eq!(document.into_problems(), []);
    read.monitors
}
