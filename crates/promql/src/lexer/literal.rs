//! The values of numbers, durations and strings.

/// Reads a number: decimal, hexadecimal, octal or binary as Go writes them, with `_` between digits.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    if let Some(integer) = parse_integer(text) {
        return Some(integer as f64);
    }
    let float = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' | b'_'));
    // Go refuses what is out of range.
    let value = without_underscores(text)?.parse().ok();
    value.filter(|value: &f64| float && value.is_finite())
}

/// The text without `_`, each of which must stand between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let between = |index: usize| index > 0 && is_digit(index - 1) && is_digit(index + 1);
    let fits = (0..bytes.len()).all(|index| bytes[index] != b'_' || between(index));
    fits.then(|| text.replace('_', ""))
}

fn parse_integer(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = if let Some(digits) = lower.strip_prefix("0x") {
        (digits, 16)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (digits, 2)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (digits, 8)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    // A prefix may be followed by an underscore, a plain number may not start with one.
    let digits = if radix == 10 {
        digits
    } else {
        digits.strip_prefix('_').unwrap_or(digits)
    };
    let grouped = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let plain: String = digits.chars().filter(|digit| *digit != '_').collect();
    let unsigned = plain.starts_with(|digit: char| digit.is_ascii_alphanumeric());
    i64::from_str_radix(&plain, radix)
        .ok()
        .filter(|_| grouped && unsigned)
}

/// Reads a duration with at least one unit, such as `1h30m`, in milliseconds.
pub(crate) fn parse_duration_ms(text: &str) -> Option<i64> {
    let duration = model::duration::parse(text).ok()?;
    let has_unit = text.ends_with(|letter: char| letter.is_ascii_alphabetic());
    i64::try_from(duration.as_millis())
        .ok()
        .filter(|_| has_unit)
}

/// The text that stands between two quotes, its escapes resolved as Go resolves them.
///
/// Errors: an unknown or unfinished escape; bytes that are no UTF-8.
pub(super) fn unescape(body: &str, quote: char) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(backslash) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..backslash]);
        let after = &rest[backslash + 1..];
        let length = unescape_one(after, quote, &mut bytes).ok_or_else(|| {
            let letter = after.chars().next().unwrap_or(' ');
            format!(
                "unknown escape sequence U+{:04X} {letter:?}",
                u32::from(letter)
            )
        })?;
        rest = &after[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| "string is not valid UTF-8".to_owned())
}

/// Resolves the escape that starts after its backslash; gives its length.
fn unescape_one(after: &str, quote: char, bytes: &mut Vec<u8>) -> Option<usize> {
    let first = after.chars().next()?;
    let code = |from: usize, digits: usize, radix: u32| {
        let text = after.get(from..from + digits)?;
        let digit = |letter: char| letter.is_digit(radix);
        text.chars()
            .all(digit)
            .then(|| u32::from_str_radix(text, radix).ok())?
    };
    let plain = match first {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        'x' => {
            bytes.push(u8::try_from(code(1, 2, 16)?).ok()?);
            return Some(3);
        }
        '0'..='7' => {
            bytes.push(u8::try_from(code(0, 3, 8)?).ok()?);
            return Some(3);
        }
        'u' | 'U' => {
            let digits = if first == 'u' { 4 } else { 8 };
            let letter = char::from_u32(code(1, digits, 16)?)?;
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(1 + digits);
        }
        _ if first == quote => u8::try_from(quote).ok()?,
        _ => return None,
    };
    bytes.push(plain);
    Some(1)
}
