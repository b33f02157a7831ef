//! Which suffixes the series of a family bear after its name, by type.

use model::MetricKind;

use super::Format;

/// Whether a family of this type has series whose name is its own name and `suffix`.
pub(super) fn is_allowed(kind: MetricKind, suffix: &str, format: Format) -> bool {
    use MetricKind::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
    let open_metrics = format == Format::OpenMetrics;
    match suffix {
        "" => match kind {
            Gauge | Summary | StateSet | Unknown => true,
            Counter | Info => !open_metrics,
            Histogram | GaugeHistogram => false,
        },
        "_bucket" => matches!(kind, Histogram | GaugeHistogram),
        "_sum" | "_count" => matches!(kind, Histogram | Summary),
        "_gsum" | "_gcount" => kind == GaugeHistogram,
        "_total" => open_metrics && kind == Counter,
        "_info" => open_metrics && kind == Info,
        "_created" => open_metrics && matches!(kind, Counter | Histogram | Summary),
        _ => false,
    }
}

/// The suffix that all series of such a family bear in OpenMetrics, where the family's name lacks it.
pub(super) fn implied(kind: MetricKind) -> Option<&'static str> {
    match kind {
        MetricKind::Counter => Some("_total"),
        MetricKind::Info => Some("_info"),
        _ => None,
    }
}

/// The name without the suffix of a series: its longest ending that some type has.
pub(super) fn split(series_name: &str) -> Option<(&str, &str)> {
    let (_, last) = series_name.rsplit_once('_')?;
    let suffix_start = series_name.len() - last.len() - 1;
    Some(series_name.split_at(suffix_start))
}
