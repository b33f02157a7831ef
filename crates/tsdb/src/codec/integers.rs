//! A column of integers as what is left of it once its course is foretold.
//!
//! Steps of encoding:
//! 1. what all distances from the first integer have in common is divided off ([`common_divisor`]);
//! 2. each [`Course`] that promises something foretells the integers, the one that leaves least is taken;
//! 3. what is left is packed.
//!
//! Everything wraps around at 64 bits, so that every column comes back whatever it holds.

use super::Effort;
use super::{entropy, pack};
use crate::coding::{Cursor, put_signed, put_varint};

/// How an integer is foretold from those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Not at all.
    Level,
    /// As the one before.
    Steps,
    /// As the one before, and on by the mean of the steps so far, of which each newer one counts 1 / 2^k. With k = 0
    /// that is the last step.
    Slope(u32),
}

const COURSES: [Course; 6] = [
    Course::Level,
    Course::Steps,
    Course::Slope(0),
    Course::Slope(1),
    Course::Slope(2),
    Course::Slope(3),
];

/// The form byte: the course's place in [`COURSES`], this, and a packing.
const DIVIDED: u8 = 0x08;
const PACKED: u8 = 0x00;
const LINEAR_TOKENS: u8 = 0x10;
const LOGARITHMIC_TOKENS: u8 = 0x20;

/// Tokens must save a share of the bytes (as a power of two), since they take more time to read, and since equal runs
/// of different columns look alike when packed only.
const TOKENS_SAVE: u32 = 4;

/// In shorter columns the kinds of tokens take more than they save.
const TOKENS_COUNT_MIN: usize = 64;

/// As many integers tell what slope there is.
const TRIED_COUNT: usize = 160;

/// Kept between columns, so that nothing is allocated for each.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    rest: Vec<i64>,
    pieces: Vec<(u64, u32)>,
}

/// Appends a column of at least one integer, which it changes on the way.
pub(crate) fn encode(
    integers: &mut [i64],
    effort: Effort,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) {
    let first = integers[0];
    let divisor = common_divisor(integers);
    if divisor > 1 {
        divide(integers, first, divisor);
    }
    let Scratch { rest, pieces } = scratch;
    let (course, tokens) = match effort {
        Effort::Thorough if integers.len() > TOKENS_COUNT_MIN => shortest(integers, rest),
        Effort::Fast | Effort::Thorough => (narrowest(integers), None),
    };
    rest.clear();
    course.foretell(integers, rest);
    let packing = match tokens {
        None => PACKED,
        Some(entropy::Rule::Linear { .. }) => LINEAR_TOKENS,
        Some(entropy::Rule::Logarithmic) => LOGARITHMIC_TOKENS,
    };
    let index = COURSES.iter().position(|one| *one == course).unwrap_or(0) as u8;
    out.push(index | if divisor > 1 { DIVIDED } else { 0 } | packing);
    if divisor > 1 {
        put_varint(out, divisor);
        put_signed(out, first);
    }
    if course != Course::Level {
        put_signed(out, integers[0]);
    }
    if let Course::Slope(_) = course {
        put_signed(out, integers[1].wrapping_sub(integers[0]));
    }
    match tokens {
        None => pack::encode(rest, out),
        Some(rule) => entropy::encode(rest, rule, pieces, out),
    }
}

/// Appends `count` integers and moves `bytes` behind them.
pub(crate) fn decode(bytes: &mut &[u8], count: usize, out: &mut Vec<i64>) -> Option<()> {
    let start = out.len();
    let mut cursor = Cursor::new(bytes);
    let form = cursor.byte()?;
    let course = *COURSES.get(usize::from(form & 0x07))?;
    let scale = if form & DIVIDED == 0 {
        None
    } else {
        Some((cursor.varint()?, cursor.signed()?))
    };
    let given = match course {
        Course::Level => 0,
        Course::Steps => 1,
        Course::Slope(_) => 2,
    };
    for _ in 0..given {
        out.push(cursor.signed()?);
    }
    let left = count.checked_sub(given)?;
    *bytes = cursor.rest();
    match form & 0xf0 {
        PACKED => pack::decode(bytes, left, out)?,
        LINEAR_TOKENS => entropy::decode(bytes, true, left, out)?,
        LOGARITHMIC_TOKENS => entropy::decode(bytes, false, left, out)?,
        _ => return None,
    }
    let integers = &mut out[start..];
    course.undo(integers);
    if let Some((divisor, first)) = scale {
        for integer in integers {
            *integer = first.wrapping_add(integer.wrapping_mul(divisor as i64));
        }
    }
    Some(())
}

impl Course {
    /// Appends what is left: of all integers without a course, else of those behind the first one, or, where the
    /// first step must be known, the first two.
    fn foretell(self, integers: &[i64], rest: &mut Vec<i64>) {
        let steps = integers.windows(2).map(|w| w[1].wrapping_sub(w[0]));
        match self {
            Self::Level => rest.extend_from_slice(integers),
            Self::Steps => rest.extend(steps),
            Self::Slope(k) => {
                let mut steps = steps;
                // The first step stands for all that came before.
                let mut sum = steps.next().unwrap_or(0) << k;
                rest.extend(steps.map(|step| {
                    let left = step.wrapping_sub(sum >> k);
                    sum = sum.wrapping_add(left);
                    left
                }));
            }
        }
    }

    /// Makes integers of what was left of them, with the first ones or the first step in front.
    fn undo(self, integers: &mut [i64]) {
        match self {
            Self::Level => {}
            Self::Steps => {
                let mut last = 0_i64;
                for integer in integers {
                    last = last.wrapping_add(*integer);
                    *integer = last;
                }
            }
            Self::Slope(k) => {
                let [first, step, rest @ ..] = integers else {
                    return;
                };
                let mut sum = *step << k;
                let mut last = first.wrapping_add(*step);
                *step = last;
                for integer in rest {
                    last = last.wrapping_add(*integer).wrapping_add(sum >> k);
                    sum = sum.wrapping_add(*integer);
                    *integer = last;
                }
            }
        }
    }
}

/// What takes fewest bytes of the courses that promise most: packed, or by the rule of tokens that is told.
fn shortest(integers: &[i64], rest: &mut Vec<i64>) -> (Course, Option<entropy::Rule>) {
    let packed_course = narrowest(integers);
    let mut measure = |course: Course, integers: &[i64], of: &mut dyn FnMut(&[i64])| {
        rest.clear();
        course.foretell(integers, rest);
        of(rest);
    };
    let mut packed = 0;
    measure(packed_course, integers, &mut |rest| {
        packed = pack::bytes(rest)
    });
    let mut slope = (f32::INFINITY, Course::Slope(0));
    for course in &COURSES[2..] {
        measure(
            *course,
            &integers[..integers.len().min(TRIED_COUNT)],
            &mut |rest| {
                let width = mean_width(rest);
                if width < slope.0 {
                    slope = (width, *course);
                }
            },
        );
    }
    let mut best = (packed - (packed >> TOKENS_SAVE), (packed_course, None));
    let level = (packed_course == Course::Level).then_some(Course::Level);
    for course in [Course::Steps, slope.1].into_iter().chain(level) {
        measure(course, integers, &mut |rest| {
            let plan = entropy::plan(rest);
            if plan.bytes < best.0 {
                best = (plan.bytes, (course, Some(plan.rule)));
            }
        });
    }
    best.1
}

/// A measure that rises with the binary logarithms of the distances from zero.
fn mean_width(integers: &[i64]) -> f32 {
    // As an integer, the bits of a float are its logarithm, nearly.
    let bits = |integer: &i64| u64::from((integer.unsigned_abs() as f32 + 0.5).to_bits());
    integers.iter().map(bits).sum::<u64>() as f32 / integers.len() as f32
}

/// The course whose rest spreads least.
fn narrowest(integers: &[i64]) -> Course {
    if integers.len() < 3 {
        return Course::Level;
    }
    let mut level = Spread::default();
    let mut steps = Spread::default();
    let mut slopes = Spread::default();
    let mut last = integers[0];
    let mut last_step = integers[1].wrapping_sub(integers[0]);
    level.add(last);
    for integer in &integers[1..] {
        let step = integer.wrapping_sub(last);
        level.add(*integer);
        steps.add(step);
        slopes.add(step.wrapping_sub(last_step));
        last = *integer;
        last_step = step;
    }
    let (level, steps, slopes) = (level.bits(), steps.bits(), slopes.bits());
    // The first integer is a cost of its own, which the level has not.
    if level <= steps.min(slopes) {
        Course::Level
    } else if steps <= slopes {
        Course::Steps
    } else {
        Course::Slope(0)
    }
}

#[derive(Clone, Copy)]
struct Spread {
    min: i64,
    max: i64,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            min: i64::MAX,
            max: i64::MIN,
        }
    }
}

impl Spread {
    #[inline]
    fn add(&mut self, integer: i64) {
        self.min = self.min.min(integer);
        self.max = self.max.max(integer);
    }

    fn bits(self) -> u32 {
        64 - (self.max.wrapping_sub(self.min) as u64).leading_zeros()
    }
}

/// Takes the first from all integers, and divides them without rest.
fn divide(integers: &mut [i64], first: i64, divisor: u64) {
    if divisor.is_power_of_two() {
        let shift = divisor.trailing_zeros();
        for integer in integers {
            *integer = (*integer - first) >> shift;
        }
    } else {
        for integer in integers {
            // No distance of two integers has more than 63 bits here.
            *integer = (*integer - first) / divisor as i64;
        }
    }
}

/// The greatest divisor of all distances from the first integer; 1 where a distance leaves 64 bits.
fn common_divisor(integers: &[i64]) -> u64 {
    let first = integers[0];
    let mut divisor = 0;
    for integer in &integers[1..] {
        let Some(distance) = integer.checked_sub(first) else {
            return 1;
        };
        let distance = distance.unsigned_abs();
        if divisor == 0 {
            divisor = distance;
        } else if divisor.is_power_of_two() && distance & (divisor - 1) == 0 {
            // Much faster than the division, and common: pages of memory.
        } else if !distance.is_multiple_of(divisor) {
            divisor = greatest_common_divisor(divisor, distance);
        }
        if divisor == 1 {
            return 1;
        }
    }
    divisor.max(1)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns() -> impl Strategy<Value = Vec<i64>> {
        let any = prop::collection::vec(any::<i64>(), 3..80);
        let drifting = prop::collection::vec(-9_i64..10, 80..600).prop_map(|pushes| {
            let (mut step, mut sum) = (1_000, 0);
            let push = |push: i64| {
                step += push;
                sum += step;
                sum
            };
            pushes.into_iter().map(push).collect()
        });
        prop_oneof![any, drifting]
    }

    proptest! {
        #[test]
        fn every_course_comes_back(column in columns()) {
            for course in COURSES {
                let mut rest = match course {
                    Course::Level => vec![],
                    Course::Steps => vec![column[0]],
                    Course::Slope(_) => vec![column[0], column[1].wrapping_sub(column[0])],
                };
                course.foretell(&column, &mut rest);
                course.undo(&mut rest);
                prop_assert_eq!(&rest, &column, "{:?}", course);
            }
        }

        #[test]
        fn columns_come_back(column in columns(), unit in prop_oneof![Just(1), 2_i64..70, Just(4_096)]) {
            for effort in [Effort::Fast, Effort::Thorough] {
                let scaled: Vec<_> = column.iter().map(|integer| integer.wrapping_mul(unit)).collect();
                let mut bytes = Vec::new();
                encode(&mut scaled.clone(), effort, &mut Scratch::default(), &mut bytes);
                let mut rest = &bytes[..];
                let mut back = Vec::new();
                prop_assert_eq!(decode(&mut rest, scaled.len(), &mut back), Some(()));
                prop_assert_eq!(&back, &scaled);
                prop_assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn a_common_unit_is_found() {
        for (column, divisor) in [
            (vec![5, 5 + 4_096, 5 - 8_192], 4_096),
            (vec![1, 31, 76], 15),
            (vec![7, 7, 8], 1),
            (vec![i64::MIN, i64::MAX], 1),
            (vec![-1, i64::MAX], 1),
        ] {
            assert_eq!(common_divisor(&column), divisor, "{column:?}");
        }
    }
}
