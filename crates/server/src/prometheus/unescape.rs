//! Label names in a path: `U__` and then `_2e_` for a character that is no letter, digit or underscore, `__` for `_`.

/// The name that an escaped name stands for; a name that is not escaped, or not rightly, stands for itself.
pub(super) fn unescape(name: &str) -> String {
    name.strip_prefix("U__")
        .and_then(decode)
        .unwrap_or_else(|| name.to_owned())
}

fn decode(escaped: &str) -> Option<String> {
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(index) = rest.find('_') {
        name.push_str(&rest[..index]);
        let (code, after) = rest[index + 1..].split_once('_')?;
        match code {
            "" => name.push('_'),
            code => name.push(decode_code(code)?),
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

fn decode_code(code: &str) -> Option<char> {
    let hexadecimal = code.len() <= 6 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = hexadecimal.then(|| u32::from_str_radix(code, 16).ok())??;
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_read_and_others_stand_for_themselves() {
        for (escaped, name) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___1f525_", "🔥"),
            ("U__", ""),
            ("U__a_", "U__a_"),
            ("U__a_2e", "U__a_2e"),
            ("U__a_xyz_", "U__a_xyz_"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_0000041_", "U__a_0000041_"),
            ("U__a_+41_", "U__a_+41_"),
        ] {
            assert_eq!(unescape(escaped), name);
        }
    }
}
