//! Choosing a format by an `Accept` header (RFC 9110, section 12.5.1).

use std::cmp::Ordering;

use super::Format;

/// How much a client wants a format: its weight, then how exactly it asked for it.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Preference {
    quality: f64,
    specificity: u8,
}

/// What the header's ranges say about one format; the most specific range counts, as the RFC asks.
#[derive(Clone, Copy, Default)]
struct Verdict {
    best: Option<Preference>,
    /// The index of the range, since clients list first what they like best.
    position: usize,
}

impl Verdict {
    fn take(&mut self, candidate: Preference, position: usize) {
        let better = self.best.is_none_or(|best| {
            (candidate.specificity, candidate.quality) > (best.specificity, best.quality)
        });
        if better {
            self.best = Some(candidate);
            self.position = position;
        }
    }

    fn accepted(self) -> Option<Preference> {
        self.best.filter(|best| best.quality > 0.0)
    }
}

pub(super) fn negotiate(accept: &str) -> Format {
    let mut text = Verdict::default();
    let mut open_metrics = Verdict::default();
    for (position, range) in accept.split(',').enumerate() {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut quality = 1.0;
        let mut version = None;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.parse::<f64>().map_or(0.0, |q| q.clamp(0.0, 1.0)),
                "version" => version = Some(value),
                _ => {}
            }
        }
        let preference = |specificity| Preference {
            quality,
            specificity,
        };
        match (media.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0" | "0.0.1")) => {
                open_metrics.take(preference(2), position);
            }
            // Version 1.0.0 of the text is 0.0.4 with quoted names.
            ("text/plain", None | Some("0.0.4" | "1.0.0")) => text.take(preference(2), position),
            ("application/*", _) => open_metrics.take(preference(1), position),
            ("text/*", _) => text.take(preference(1), position),
            ("*/*", _) => {
                text.take(preference(0), position);
                open_metrics.take(preference(0), position);
            }
            _ => {}
        }
    }
    let order = open_metrics
        .accepted()
        .partial_cmp(&text.accepted())
        .unwrap_or(Ordering::Equal);
    match order {
        Ordering::Greater => Format::OpenMetrics,
        Ordering::Equal if open_metrics.position < text.position => Format::OpenMetrics,
        _ => Format::Text,
    }
}
