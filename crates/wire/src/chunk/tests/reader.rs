//! The other direction: chunks to samples.

use model::{BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Histogram, is_stale};

use super::super::{Chunk, ChunkEncoding};

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bits(&mut self, count: u32) -> u64 {
        let mut number = 0;
        for _ in 0..count {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            number = number << 1 | u64::from(bit);
            self.at += 1;
        }
        number
    }

    /// How many ones stand here before a zero, at most so many.
    fn ones(&mut self, max: u32) -> u32 {
        for count in 0..max {
            if self.bits(1) == 0 {
                return count;
            }
        }
        max
    }

    fn varint(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = self.bits(8);
            number |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    /// A number with sign in so many bits, of which the highest value below half of them is the largest positive one.
    fn narrow(&mut self, width: u32) -> i64 {
        let number = self.bits(width) as i64;
        match width {
            64 => number,
            _ if number > 1 << (width - 1) => number - (1 << width),
            _ => number,
        }
    }

    fn signed(&mut self) -> i64 {
        match self.width() {
            0 => 0,
            width => self.narrow(width),
        }
    }

    fn unsigned(&mut self) -> u64 {
        let width = self.width();
        self.bits(width)
    }

    fn width(&mut self) -> u32 {
        [0, 3, 6, 9, 12, 18, 25, 56, 64][self.ones(8) as usize]
    }

    fn double(&mut self) -> f64 {
        f64::from_bits(self.bits(64))
    }
}

#[derive(Clone)]
struct Value {
    bits: u64,
    leading: u32,
    trailing: u32,
}

impl Value {
    fn first(bits: &mut Bits<'_>) -> Self {
        Self {
            bits: bits.bits(64),
            leading: 0,
            trailing: 0,
        }
    }

    fn next(&mut self, bits: &mut Bits<'_>) -> f64 {
        if bits.bits(1) == 1 {
            if bits.bits(1) == 1 {
                self.leading = bits.bits(5) as u32;
                let width = match bits.bits(6) as u32 {
                    0 => 64,
                    width => width,
                };
                self.trailing = 64 - self.leading - width;
            }
            let width = 64 - self.leading - self.trailing;
            self.bits ^= bits.bits(width) << self.trailing;
        }
        f64::from_bits(self.bits)
    }
}

pub(super) fn read_floats(data: &[u8]) -> (Vec<i64>, Vec<f64>) {
    let count = u16::from_be_bytes([data[0], data[1]]);
    let mut bits = Bits {
        bytes: data,
        at: 16,
    };
    let zigzag = bits.varint();
    let mut at = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    let mut value = Value::first(&mut bits);
    let (mut timestamps, mut values) = (vec![at], vec![f64::from_bits(value.bits)]);
    let mut distance = 0;
    for index in 1..count {
        distance = match index {
            1 => bits.varint() as i64,
            _ => match bits.ones(4) {
                0 => distance,
                1 => distance + bits.narrow(14),
                2 => distance + bits.narrow(17),
                3 => distance + bits.narrow(20),
                _ => distance + bits.narrow(64),
            },
        };
        at += distance;
        timestamps.push(at);
        values.push(value.next(&mut bits));
    }
    (timestamps, values)
}

/// A value, its difference, and the change of that.
#[derive(Clone, Default)]
struct Number {
    value: i64,
    difference: i64,
}

impl Number {
    fn first(value: i64) -> Self {
        Self {
            value,
            difference: 0,
        }
    }

    fn next(&mut self, bits: &mut Bits<'_>) -> i64 {
        self.difference = self.difference.wrapping_add(bits.signed());
        self.value = self.value.wrapping_add(self.difference);
        self.value
    }
}

fn spans(bits: &mut Bits<'_>) -> Vec<BucketSpan> {
    let count = bits.unsigned();
    let mut spans = Vec::new();
    for _ in 0..count {
        let length = bits.unsigned() as u32;
        let offset = bits.signed() as i32;
        spans.push(BucketSpan { offset, length });
    }
    spans
}

fn buckets(spans: &[BucketSpan]) -> usize {
    spans.iter().map(|span| span.length as usize).sum()
}

pub(super) fn read_histograms(chunk: &Chunk) -> Vec<(i64, Histogram)> {
    let data = &chunk.data;
    let count = u16::from_be_bytes([data[0], data[1]]);
    let mut bits = Bits {
        bytes: data,
        at: 24,
    };
    let zero_threshold = match bits.bits(8) {
        0 => 0.0,
        255 => bits.double(),
        exponent => 2f64.powi(exponent as i32 - 244),
    };
    let schema = bits.signed() as i32;
    let (positive_spans, negative_spans) = (spans(&mut bits), spans(&mut bits));
    let mut custom_bounds = Vec::new();
    if schema == CUSTOM_BUCKETS {
        for _ in 0..bits.unsigned() {
            custom_bounds.push(match bits.unsigned() {
                0 => bits.double(),
                whole => (whole - 1) as f64 / 1000.0,
            });
        }
    }
    let histogram = |sum, counts| Histogram {
        schema,
        zero_threshold,
        sum,
        reset: CounterReset::Unknown,
        positive_spans: positive_spans.clone(),
        negative_spans: negative_spans.clone(),
        custom_bounds: custom_bounds.clone(),
        counts,
    };
    let (positives, negatives) = (buckets(&positive_spans), buckets(&negative_spans));
    match chunk.encoding {
        ChunkEncoding::Xor => panic!("a chunk of histograms"),
        ChunkEncoding::Histogram => integers(&mut bits, count, positives, negatives, histogram),
        ChunkEncoding::FloatHistogram => floats(&mut bits, count, positives, negatives, histogram),
    }
}

fn integers(
    bits: &mut Bits<'_>,
    count: u16,
    positives: usize,
    negatives: usize,
    histogram: impl Fn(f64, BucketCounts) -> Histogram,
) -> Vec<(i64, Histogram)> {
    let absolute = |states: &[Number]| {
        let mut count = 0u64;
        let counts = states.iter().map(|state| {
            count = count.wrapping_add(state.value as u64);
            count
        });
        counts.collect::<Vec<u64>>()
    };
    let mut at = Number::first(bits.signed());
    let (mut total, mut zero) = (
        Number::first(bits.unsigned() as i64),
        Number::first(bits.unsigned() as i64),
    );
    let mut sum = Value::first(bits);
    let mut states: Vec<_> = (0..positives + negatives)
        .map(|_| Number::first(bits.signed()))
        .collect();
    let mut read = Vec::new();
    for index in 0..count {
        let mut shown_sum = f64::from_bits(sum.bits);
        if index > 0 {
            at.next(bits);
            total.next(bits);
            zero.next(bits);
            shown_sum = sum.next(bits);
            if !is_stale(shown_sum) {
                states.iter_mut().for_each(|state| {
                    state.next(bits);
                });
            }
        }
        let counts = Counts {
            total: total.value as u64,
            zero: zero.value as u64,
            positive: absolute(&states[..positives]),
            negative: absolute(&states[positives..]),
        };
        read.push((
            at.value,
            histogram(shown_sum, BucketCounts::Integer(counts)),
        ));
    }
    read
}

fn floats(
    bits: &mut Bits<'_>,
    count: u16,
    positives: usize,
    negatives: usize,
    histogram: impl Fn(f64, BucketCounts) -> Histogram,
) -> Vec<(i64, Histogram)> {
    let mut at = Number::first(bits.signed());
    let mut states: Vec<_> = (0..3 + positives + negatives)
        .map(|_| Value::first(bits))
        .collect();
    let mut read = Vec::new();
    for index in 0..count {
        if index > 0 {
            at.next(bits);
            for index in 0..states.len() {
                states[index].next(bits);
                if index == 2 && is_stale(f64::from_bits(states[2].bits)) {
                    break;
                }
            }
        }
        let values: Vec<_> = states
            .iter()
            .map(|state| f64::from_bits(state.bits))
            .collect();
        let counts = Counts {
            total: values[0],
            zero: values[1],
            positive: values[3..3 + positives].to_vec(),
            negative: values[3 + positives..].to_vec(),
        };
        read.push((at.value, histogram(values[2], BucketCounts::Float(counts))));
    }
    read
}
