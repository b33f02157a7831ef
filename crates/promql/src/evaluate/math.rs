//! Functions of one value: `abs`, `clamp`, `exp`, the trigonometric ones, and those of dates.

use super::column::ABSENT;
use super::{date, logarithm};

/// Computes a value from a value and the scalar arguments at its step.
pub(super) type Pointwise = fn(f64, &[f64]) -> f64;

/// The function of a name.
pub(super) fn pointwise(name: &str) -> Option<Pointwise> {
    Some(match name {
        "abs" => |value, _| value.abs(),
        "acos" => |value, _| value.acos(),
        "acosh" => |value, _| value.acosh(),
        "asin" => |value, _| value.asin(),
        "asinh" => |value, _| value.asinh(),
        "atan" => |value, _| value.atan(),
        "atanh" => |value, _| value.atanh(),
        "ceil" => |value, _| value.ceil(),
        "clamp" => |value, limits| clamp(value, limits[0], limits[1]),
        "clamp_max" => |value, limits| clamp(value, f64::NEG_INFINITY, limits[0]),
        "clamp_min" => |value, limits| clamp(value, limits[0], f64::INFINITY),
        "cos" => |value, _| value.cos(),
        "cosh" => |value, _| value.cosh(),
        "deg" => |value, _| value * 180.0 / std::f64::consts::PI,
        "exp" => |value, _| value.exp(),
        "floor" => |value, _| value.floor(),
        "ln" => |value, _| logarithm::ln(value),
        "log10" => |value, _| logarithm::log10(value),
        "log2" => |value, _| logarithm::log2(value),
        "rad" => |value, _| value * std::f64::consts::PI / 180.0,
        "round" => |value, nearest| round(value, nearest.first().copied().unwrap_or(1.0)),
        "sgn" => |value, _| sign(value),
        "sin" => |value, _| value.sin(),
        "sinh" => |value, _| value.sinh(),
        "sqrt" => |value, _| value.sqrt(),
        "tan" => |value, _| value.tan(),
        "tanh" => |value, _| value.tanh(),
        other => return date::part(other),
    })
}

fn clamp(value: f64, min: f64, max: f64) -> f64 {
    if max < min {
        return ABSENT;
    }
    larger(min, smaller(max, value))
}

/// As Go has it: an infinity that nothing exceeds wins over NaN, NaN over all else.
fn larger(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        return f64::INFINITY;
    }
    if one.is_nan() || other.is_nan() {
        return f64::NAN;
    }
    match one == other && one.is_sign_negative() {
        // Of two zeros the positive one is larger.
        true => other,
        false if one < other => other,
        false => one,
    }
}

/// The same the other way round.
fn smaller(one: f64, other: f64) -> f64 {
    -larger(-one, -other)
}

/// To the nearest multiple, halves upwards; multiplying by the inverse loses fewer digits than dividing.
fn round(value: f64, nearest: f64) -> f64 {
    let inverse = 1.0 / nearest;
    (value * inverse + 0.5).floor() / inverse
}

fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}
