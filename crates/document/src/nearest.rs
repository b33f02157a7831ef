//! The name that someone probably meant: the one with the fewest letters changed.

/// The candidate nearest to a misspelt name, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name longer than this is no typing error, and comparing it would cost its square.
    const NAME_MAX: usize = 80;
    if name.len() > NAME_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (difference(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How far a candidate is from a name; a shortened or lengthened word (`warning`, `warn`) is as near as one letter.
fn difference(name: &str, candidate: &str) -> usize {
    const STEM_MIN: usize = 3;
    let shorter = name.len().min(candidate.len());
    if shorter >= STEM_MIN && (name.starts_with(candidate) || candidate.starts_with(name)) {
        return usize::from(name != candidate);
    }
    distance(name, candidate)
}

/// Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 0..left.len() {
        let mut row = vec![i + 1];
        for j in 0..right.len() {
            let replaced = last[j] + usize::from(left[i] != right[j]);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && left[i] == right[j - 1] && left[i - 1] == right[j];
            if swapped {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_name_and_strangers_do_not() {
        let names = ["interval", "procfs", "listen", "log"];
        for (name, found) in [
            ("intervall", Some("interval")),
            ("Interval", Some("interval")),
            ("itnerval", Some("interval")),
            ("proc_fs", Some("procfs")),
            ("lgo", Some("log")),
            ("logging", Some("log")),
            ("address", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, names), found, "{name}");
        }
    }
}
