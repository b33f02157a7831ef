//! What is sent to a store, and what is asked of it: like real senders, and unlike them.

use model::{Labels, MatchKind, Matcher, stale_marker};

use super::super::random::Random;

/// A sample as it is sent.
pub(super) type Sent = (Labels, i64, u64);

const SECOND: i64 = 1_000;

/// Batches that are remembered, to be sent again.
const REMEMBERED: usize = 10;

/// Makes batches and selections.
pub(super) struct Work {
    series: Vec<Labels>,
    /// What was sent last, by series.
    last: Vec<f64>,
    remembered: Vec<Vec<Sent>>,
    /// How many series that are sent once there have been.
    passing: u64,
}

impl Work {
    pub(super) fn new() -> Self {
        let mut series = Vec::new();
        for (number, job) in ["a", "b", "c"].into_iter().enumerate() {
            for name in 0..5 {
                let name = format!("series_{name}");
                let mut pairs = vec![("__name__", name.as_str()), ("job", job)];
                if number == 2 {
                    pairs.push(("zone", "é 1"));
                }
                series.push(Labels::from_pairs(pairs).unwrap());
            }
        }
        Self {
            last: vec![0.0; series.len()],
            series,
            remembered: Vec::new(),
            passing: 0,
        }
    }

    pub(super) fn batch(&mut self, random: &mut Random, now: i64) -> Vec<Sent> {
        let batch = match random.below(16) {
            0..6 => self.scrape(random, now),
            6..8 => self.run(random, now),
            8..10 => self.scattered(random, now, 30 * SECOND),
            10..12 => self.scattered(random, now, 4_000 * SECOND),
            12 => self.scattered(random, now, 12 * 3_600 * SECOND),
            13 => self.ahead(random, now),
            14 => self.again(random, false),
            _ => self.again(random, true),
        };
        if self.remembered.len() == REMEMBERED {
            self.remembered.remove(0);
        }
        self.remembered.push(batch.clone());
        batch
    }

    /// Most series at one moment.
    fn scrape(&mut self, random: &mut Random, now: i64) -> Vec<Sent> {
        let at = now - now.rem_euclid(*random.choose(&[1, SECOND, 15 * SECOND]));
        let mut rows = Vec::new();
        for number in 0..self.series.len() {
            if !random.one_in(5) {
                rows.push((self.series[number].clone(), at, self.value(random, number)));
            }
        }
        if random.one_in(4) {
            self.passing += 1;
            let name = format!("passing_{}", self.passing);
            let labels = Labels::from_pairs([("__name__", name.as_str()), ("job", "a")]);
            rows.push((labels.unwrap(), at, random.next()));
        }
        rows
    }

    /// Many samples of one series in order, as a sender has that was cut off.
    fn run(&mut self, random: &mut Random, now: i64) -> Vec<Sent> {
        let number = random.below(self.series.len() as u64) as usize;
        let count = random.within(1..150) as i64;
        let step = *random.choose(&[1, SECOND, 10 * SECOND]);
        let mut rows = Vec::new();
        for back in (0..count).rev() {
            let value = self.value(random, number);
            rows.push((self.series[number].clone(), now - back * step, value));
        }
        rows
    }

    /// Samples with timestamps of their own, not in order, some of them twice.
    fn scattered(&mut self, random: &mut Random, now: i64, reach: i64) -> Vec<Sent> {
        let mut rows: Vec<Sent> = Vec::new();
        for _ in 0..random.within(1..25) {
            let number = random.below(self.series.len() as u64) as usize;
            let mut at = now - random.below(reach as u64) as i64;
            if random.one_in(2) {
                at -= at.rem_euclid(10 * SECOND);
            }
            if random.one_in(10)
                && let Some((labels, at, bits)) = rows.last().cloned()
            {
                let other = if random.one_in(2) { bits } else { bits ^ 1 };
                rows.push((labels, at, other));
            }
            rows.push((self.series[number].clone(), at, self.value(random, number)));
        }
        rows
    }

    /// Samples of clocks that are ahead, some too far.
    fn ahead(&mut self, random: &mut Random, now: i64) -> Vec<Sent> {
        let number = random.below(self.series.len() as u64) as usize;
        let at = now + random.below(5_000 * SECOND as u64) as i64 / 50;
        vec![(self.series[number].clone(), at, self.value(random, number))]
    }

    /// A batch that was sent already, perhaps with other values.
    fn again(&mut self, random: &mut Random, other: bool) -> Vec<Sent> {
        if self.remembered.is_empty() {
            return Vec::new();
        }
        let mut rows = random.choose(&self.remembered).clone();
        for (_, _, bits) in &mut rows {
            if other && random.one_in(2) {
                *bits = bits.wrapping_add(1 + random.below(3));
            }
        }
        rows
    }

    fn value(&mut self, random: &mut Random, number: usize) -> u64 {
        let last = &mut self.last[number];
        *last = match number % 6 {
            0 => 1.0,
            1 => *last + random.below(1_000) as f64,
            2 => random.below(10_000) as f64 / 100.0,
            3 => return random.next(),
            4 if random.one_in(4) => return special(random),
            4 => *last,
            _ => *last + 0.1,
        };
        last.to_bits()
    }

    /// Conditions that some of the series fulfil, and bounds of time.
    pub(super) fn question(&self, random: &mut Random, now: i64) -> (Vec<Matcher>, i64, i64) {
        let mut matchers = Vec::new();
        for _ in 0..random.below(3) {
            let (kind, name, value) = *random.choose(&[
                (MatchKind::Equal, "__name__", "series_1"),
                (MatchKind::Regex, "__name__", "series_[0-3]"),
                (MatchKind::Regex, "__name__", "passing_.*|series_4"),
                (MatchKind::NotEqual, "__name__", "series_2"),
                (MatchKind::Equal, "job", "a"),
                (MatchKind::NotRegex, "job", "a|c"),
                (MatchKind::Equal, "zone", ""),
                (MatchKind::NotEqual, "zone", ""),
                (MatchKind::Equal, "job", "absent"),
            ]);
            matchers.push(Matcher::new(kind, name, value).unwrap());
        }
        let hour = 3_600 * SECOND as u64;
        let (start, end) = match random.below(6) {
            0 => (i64::MIN, i64::MAX),
            1 => (now - random.below(hour) as i64, i64::MAX),
            2 => (i64::MIN, now - random.below(12 * hour) as i64),
            _ => {
                let start =
                    now - random.below(*random.clone().choose(&[hour / 6, hour, 12 * hour])) as i64;
                (start, start + random.below(2 * hour) as i64)
            }
        };
        // Now and then exactly where samples are.
        let sent = |random: &mut Random| {
            let rows = random.choose(&self.remembered);
            Some(rows.get(random.below(rows.len().max(1) as u64) as usize)?.1)
        };
        if !self.remembered.is_empty()
            && random.one_in(2)
            && let (Some(one), Some(other)) = (sent(random), sent(random))
        {
            return (matchers, one.min(other), one.max(other));
        }
        (matchers, start, end)
    }
}

fn special(random: &mut Random) -> u64 {
    let values = [
        0.0,
        -0.0,
        f64::NAN,
        -f64::NAN,
        stale_marker(),
        f64::from_bits(0x7ff8_0000_dead_beef),
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE / 2.0,
        f64::MAX,
        9_007_199_254_740_993.0,
        i64::MIN as f64,
    ];
    random.choose(&values).to_bits()
}
