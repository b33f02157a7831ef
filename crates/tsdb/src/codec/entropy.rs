//! Integers as tokens of few kinds and the bits below them: frequent tokens take less than a bit.
//!
//! Steps of encoding:
//! 1. an integer becomes a token and some lower bits, which are stored as they are. There are two rules for that:
//!    either equal steps above the minimum, for noise within bounds, or steps that grow with the distance from zero,
//!    for what mostly stays the same;
//! 2. how often each token occurs is rounded to half powers of two, so that four bits tell it;
//! 3. tokens are coded with an asymmetric numeral system of 256 states in tables (known as tANS). It codes
//!    backwards, and decodes forwards.
//!
//! The integers have two systems in turn, since a processor can follow two at a time as fast as one.
//!
//! Form: the rule's numbers, the first token and how many kinds follow (bytes), their weights (half bytes), then bits:
//! the two first states, and for each integer what leads to the next state and the lower bits.

use super::bits::{BitReader, BitWriter, low_bits};
use super::pack::bounds;
use crate::coding::{Cursor, put_signed};

const STATE_BITS: u32 = 8;
const STATES: usize = 1 << STATE_BITS;

/// Kinds of tokens: 65 widths of integers, each with the highest bit but one.
const KINDS_MAX: usize = 128;

/// With more kinds their weights take more than they save in a column of some hundred integers.
const LINEAR_KIND_BITS: u32 = 5;

/// How many steps are tried: 32 kinds, 16, 8.
const LINEAR_TRIED: u32 = 3;

/// What the numbers of the linear rule take, nearly.
const MINIMUM_BYTES: usize = 4;

/// Half powers of two, which tell how often a token occurs; the most frequent one has the last.
const WEIGHTS: [u32; 16] = [
    0, 181, 256, 362, 512, 724, 1024, 1448, 2048, 2896, 4096, 5793, 8192, 11585, 16384, 23170,
];

/// How an integer becomes a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The distance from `minimum` without its `low` lowest bits.
    Linear { minimum: i64, low: u32 },
    /// The width of the integer, and its highest bit but one.
    Logarithmic,
}

impl Rule {
    /// Token, lower bits, and how many they are.
    #[inline]
    fn split(self, integer: i64) -> (usize, u64, u32) {
        match self {
            Self::Linear { minimum, low } => {
                let above = integer.wrapping_sub(minimum) as u64;
                ((above >> low) as usize, above & low_bits(low), low)
            }
            Self::Logarithmic => {
                let zigzag = ((integer << 1) ^ (integer >> 63)) as u64;
                let low = (64 - zigzag.leading_zeros()).saturating_sub(2);
                let token = 2 * low as usize + (zigzag >> low) as usize;
                (token, zigzag & low_bits(low), low)
            }
        }
    }

    /// The least distance or zigzag form of a token, and how many bits are below it.
    fn lowest(self, token: usize) -> (u64, u32) {
        match self {
            Self::Linear { low, .. } => ((token as u64) << low, low),
            Self::Logarithmic if token < 4 => (token as u64, 0),
            Self::Logarithmic => {
                let low = (token as u32 - 2) / 2;
                ((2 | token as u64 & 1) << low, low)
            }
        }
    }
}

/// How a column would be encoded, and the bytes that it would take, nearly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rule: Rule,
    pub(crate) bytes: usize,
}

/// The better rule for at least one integer.
pub(crate) fn plan(integers: &[i64]) -> Plan {
    let mut counts = [0; KINDS_MAX];
    let below = count(integers, Rule::Logarithmic, &mut counts);
    let mut best = Plan {
        rule: Rule::Logarithmic,
        bytes: bytes(&counts, below, integers.len()),
    };
    let (minimum, maximum) = bounds(integers);
    let range = maximum.wrapping_sub(minimum) as u64;
    let lowest = (64 - range.leading_zeros()).saturating_sub(LINEAR_KIND_BITS);
    counts.fill(0);
    let rule = |low| Rule::Linear { minimum, low };
    count(integers, rule(lowest), &mut counts);
    for low in lowest..lowest + LINEAR_TRIED {
        let below = integers.len() * low as usize;
        let bytes = bytes(&counts, below, integers.len()) + MINIMUM_BYTES;
        if bytes < best.bytes {
            let rule = rule(low);
            best = Plan { rule, bytes };
        }
        // Half as many kinds.
        for kind in 0..KINDS_MAX / 2 {
            counts[kind] = counts[2 * kind] + counts[2 * kind + 1];
        }
        counts[KINDS_MAX / 2..].fill(0);
    }
    best
}

/// Counts tokens, and returns the bits below them.
fn count(integers: &[i64], rule: Rule, counts: &mut [u32; KINDS_MAX]) -> usize {
    let mut bits = 0;
    for integer in integers {
        let (token, _, low) = rule.split(*integer);
        counts[token % KINDS_MAX] += 1;
        bits += low as usize;
    }
    bits
}

/// What tokens, their weights, and the bits below them take.
fn bytes(counts: &[u32; KINDS_MAX], low_bits: usize, all: usize) -> usize {
    let kinds = used(counts);
    let all = all as f32;
    let tokens: f32 = counts[kinds.clone()]
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let count = *count as f32;
            // No token takes less than its share of the states.
            count * (all / count).log2().min(STATE_BITS as f32)
        })
        .sum();
    4 + kinds.len().div_ceil(2) + (tokens as usize + low_bits) / 8
}

/// The tokens from the first to the last that occurs.
fn used(counts: &[u32; KINDS_MAX]) -> std::ops::Range<usize> {
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    first..last + 1
}

/// Appends at least one integer after a [`plan`].
pub(crate) fn encode(
    integers: &[i64],
    rule: Rule,
    pieces: &mut Vec<(u64, u32)>,
    out: &mut Vec<u8>,
) {
    let mut counts = [0; KINDS_MAX];
    count(integers, rule, &mut counts);
    let kinds = used(&counts);
    if let Rule::Linear { minimum, low } = rule {
        put_signed(out, minimum);
        out.push(low as u8);
    }
    out.push(kinds.start as u8);
    out.push(kinds.len() as u8);
    let mut levels = [0; KINDS_MAX + 1];
    let most = counts.iter().copied().max().unwrap_or(1);
    for (level, count) in levels.iter_mut().zip(&counts[kinds.clone()]) {
        *level = nearest_level(*count, most);
    }
    for pair in levels[..kinds.len().next_multiple_of(2)].chunks_exact(2) {
        out.push(pair[0] | pair[1] << 4);
    }
    let shares = shares(&levels[..kinds.len()]);
    let tokens = spread(&shares);

    // Where each token's states begin among all, sorted by token.
    let mut starts = [0_u16; KINDS_MAX];
    let mut sum = 0;
    for (start, share) in starts.iter_mut().zip(&shares) {
        *start = sum;
        sum += share;
    }
    let mut next = starts;
    let mut states = [0_u16; STATES];
    for (state, token) in tokens.iter().enumerate() {
        let place = &mut next[usize::from(*token)];
        states[usize::from(*place) % STATES] = (STATES + state) as u16;
        *place += 1;
    }

    pieces.clear();
    let mut states_now = [STATES as u32; 2];
    for (index, integer) in integers.iter().enumerate().rev() {
        let state = &mut states_now[index % 2];
        let (token, below, low) = rule.split(*integer);
        let token = token - kinds.start;
        let share = u32::from(shares[token]);
        let mut width = (STATE_BITS + 1) - (32 - share.leading_zeros());
        if *state >> width < share {
            width -= 1;
        }
        pieces.push((below, low));
        pieces.push((u64::from(*state) & low_bits(width), width));
        let place = u32::from(starts[token]) + (*state >> width) - share;
        *state = u32::from(states[place as usize % STATES]);
    }
    let mut writer = BitWriter::new(out);
    for state in states_now {
        writer.put(u64::from(state) - STATES as u64, STATE_BITS);
    }
    for (bits, width) in pieces.iter().rev() {
        writer.put(*bits, *width);
    }
    writer.finish();
}

/// A state of the decoder: what its token stands for, and the states that may come next.
#[derive(Clone, Copy, Default)]
struct State {
    lowest: u64,
    low: u8,
    width: u8,
    next: u8,
}

impl State {
    /// Takes the integer, without its rule, and the place of the next state from bits.
    #[inline]
    fn step(self, word: u64) -> (u64, u8) {
        let width = u32::from(self.width);
        let lead = word & low_bits(width);
        let below = (word >> width) & low_bits(u32::from(self.low));
        (
            self.lowest.wrapping_add(below),
            self.next.wrapping_add(lead as u8),
        )
    }

    #[inline]
    fn bits(self) -> u32 {
        u32::from(self.width) + u32::from(self.low)
    }
}

/// Appends `count` integers and moves `bytes` behind them.
pub(crate) fn decode(
    bytes: &mut &[u8],
    linear: bool,
    count: usize,
    out: &mut Vec<i64>,
) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    let rule = if linear {
        let minimum = cursor.signed()?;
        let low = u32::from(cursor.byte()?);
        if low >= 64 {
            return None;
        }
        Rule::Linear { minimum, low }
    } else {
        Rule::Logarithmic
    };
    let first = usize::from(cursor.byte()?);
    let kinds = usize::from(cursor.byte()?);
    if kinds == 0 || first + kinds > KINDS_MAX {
        return None;
    }
    let mut levels = [0; KINDS_MAX];
    for (pair, byte) in levels
        .chunks_exact_mut(2)
        .zip(cursor.take(kinds.div_ceil(2))?)
    {
        pair.copy_from_slice(&[byte & 0x0f, byte >> 4]);
    }
    let levels = &levels[..kinds];
    if levels.iter().all(|level| *level == 0) {
        return None;
    }
    let shares = shares(levels);
    let mut states = [State::default(); STATES];
    let mut seen = shares;
    let mut widest = 0;
    for (state, token) in states.iter_mut().zip(spread(&shares)) {
        let number = &mut seen[usize::from(token)];
        let width = STATE_BITS + 1 - (16 - number.leading_zeros());
        let (lowest, low) = rule.lowest(first + usize::from(token));
        *state = State {
            lowest,
            low: low as u8,
            width: width as u8,
            // The lowest of the next states, less STATES, which is the bit that falls out of the byte.
            next: (*number << width) as u8,
        };
        widest = widest.max(low);
        *number += 1;
    }

    let rest = cursor.rest();
    let mut reader = BitReader::new(rest);
    let start = out.len();
    out.resize(start + count, 0);
    let integers = &mut out[start..];
    if 2 * (STATE_BITS + widest) <= 57 {
        read_narrow(&states, &mut reader, integers);
    } else {
        read_wide(&states, &mut reader, integers);
    }
    match rule {
        Rule::Linear { minimum, .. } => {
            for integer in integers {
                *integer = minimum.wrapping_add(*integer);
            }
        }
        Rule::Logarithmic => {
            for integer in integers {
                *integer = (*integer as u64 >> 1) as i64 ^ -(*integer & 1);
            }
        }
    }
    *bytes = rest.get(reader.bytes_read()..)?;
    Some(())
}

/// Reads integers of which two fit into a word. The processor works at both at a time.
fn read_narrow(states: &[State; STATES], reader: &mut BitReader<'_>, integers: &mut [i64]) {
    let mut even = reader.take(STATE_BITS) as u8;
    let mut odd = reader.take(STATE_BITS) as u8;
    let (pairs, single) = integers.as_chunks_mut::<2>();
    for [first, second] in pairs {
        let word = reader.peek();
        let (a, b) = (states[usize::from(even)], states[usize::from(odd)]);
        let integer;
        (integer, even) = a.step(word);
        *first = integer as i64;
        let integer;
        (integer, odd) = b.step(word >> a.bits());
        *second = integer as i64;
        reader.skip(a.bits() + b.bits());
    }
    if let [last] = single {
        let state = states[usize::from(even)];
        *last = state.step(reader.peek()).0 as i64;
        reader.skip(state.bits());
    }
}

/// Reads integers of any size.
fn read_wide(states: &[State; STATES], reader: &mut BitReader<'_>, integers: &mut [i64]) {
    let mut places = [0, 0].map(|_: u8| reader.take(STATE_BITS) as u8);
    for (index, integer) in integers.iter_mut().enumerate() {
        let place = &mut places[index % 2];
        let state = states[usize::from(*place)];
        let lead = reader.take(u32::from(state.width));
        let below = reader.take_wide(u32::from(state.low));
        *integer = state.lowest.wrapping_add(below) as i64;
        *place = state.next.wrapping_add(lead as u8);
    }
}

/// The level whose weight, compared with the last, is nearest to a count compared with the greatest.
fn nearest_level(count: u32, most: u32) -> u8 {
    if count == 0 {
        return 0;
    }
    let last = u64::from(WEIGHTS[15]);
    let weight = u64::from(count) * last / u64::from(most);
    // Between two levels lies the fourth root of two, 1.19.
    let level = WEIGHTS
        .iter()
        .rposition(|other| u64::from(*other) * 27 <= weight * 32)
        .unwrap_or(1);
    level.clamp(1, 15) as u8
}

/// How many of the states each token gets: as its weight is, and at least one.
fn shares(levels: &[u8]) -> [u16; KINDS_MAX] {
    let weight = |level: &u8| WEIGHTS[usize::from(*level) % WEIGHTS.len()];
    let all: u32 = levels.iter().map(weight).sum();
    let mut shares = [0; KINDS_MAX];
    let mut left = STATES as i32;
    let mut largest = 0;
    for (token, level) in levels.iter().enumerate() {
        if *level > 0 {
            let share = (weight(level) * STATES as u32 + all / 2) / all;
            shares[token] = share.max(1) as u16;
            left -= i32::from(shares[token]);
            if shares[token] > shares[largest] {
                largest = token;
            }
        }
    }
    // What rounding has left over goes to the largest; what it has taken too much is taken from whoever has most.
    if left > 0 {
        shares[largest] += left as u16;
    }
    while left < 0 {
        let most = shares.iter().copied().max().unwrap_or(0);
        for share in &mut shares {
            if *share == most && left < 0 {
                *share -= 1;
                left += 1;
            }
        }
    }
    shares
}

/// The tokens of all states, those of each token far from each other.
fn spread(shares: &[u16; KINDS_MAX]) -> [u8; STATES] {
    // Odd, so that all places are met once.
    const STEP: usize = STATES / 2 + STATES / 8 + 3;
    let mut tokens = [0; STATES];
    let mut place = 0;
    for (token, share) in shares.iter().enumerate() {
        for _ in 0..*share {
            tokens[place] = token as u8;
            place = (place + STEP) % STATES;
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_comes_back(integers: &[i64], rule: Rule) {
        let mut bytes = Vec::new();
        encode(integers, rule, &mut Vec::new(), &mut bytes);
        bytes.push(1);
        let mut rest = &bytes[..];
        let mut back = Vec::new();
        let linear = rule != Rule::Logarithmic;
        decode(&mut rest, linear, integers.len(), &mut back).expect("what was encoded decodes");
        assert_eq!(back, integers);
        assert_eq!(rest, [1]);
    }

    proptest! {
        #[test]
        fn integers_come_back(
            wide in prop::collection::vec(any::<i64>(), 1..100),
            narrow in prop::collection::vec(-40_i64..1_000, 1..600),
            rare in prop::collection::vec(prop_oneof![30 => Just(0), 1 => any::<i64>()], 1..600),
        ) {
            for integers in [wide, narrow, rare] {
                assert_comes_back(&integers, Rule::Logarithmic);
                assert_comes_back(&integers, plan(&integers).rule);
            }
        }

        #[test]
        fn shares_fill_all_states(levels in prop::collection::vec(0_u8..16, 1..128)) {
            prop_assume!(levels.iter().any(|level| *level > 0));
            let shares = shares(&levels);
            prop_assert_eq!(shares.iter().sum::<u16>(), STATES as u16);
            for (share, level) in shares.iter().zip(&levels) {
                prop_assert_eq!(*share > 0, *level > 0);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, linear: bool, count in 0_usize..600) {
            let mut integers = Vec::new();
            if decode(&mut &bytes[..], linear, count, &mut integers).is_some() {
                prop_assert_eq!(integers.len(), count);
            }
        }
    }

    #[test]
    fn what_hardly_ever_changes_takes_a_fraction_of_a_bit() {
        let integers: Vec<_> = (0..480).map(|i| i64::from(i % 60 == 7) * 4).collect();
        let plan = plan(&integers);
        let mut bytes = Vec::new();
        encode(&integers, plan.rule, &mut Vec::new(), &mut bytes);
        assert!(bytes.len() <= 20, "{} bytes", bytes.len());
        assert!(
            plan.bytes.abs_diff(bytes.len()) <= 4,
            "{} expected",
            plan.bytes
        );
    }
}
