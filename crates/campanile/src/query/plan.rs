//! The plan of a query as a tree, with what each part of it did.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::Value;

/// Letters of an expression that are shown in a line.
const TEXT_MAX: usize = 100;

/// Shows the `data` of an answer.
///
/// Errors: it is no plan.
pub(super) fn tree(data: &Value) -> anyhow::Result<String> {
    let nodes = data["nodes"]
        .as_array()
        .context("the server answered with something that is no plan")?;
    let mut rows = vec![["STEPS", "SERIES", "SAMPLES"].map(str::to_owned)];
    let mut texts = vec!["PLAN".to_owned()];
    for node in nodes {
        let number = |name: &str| node[name].as_u64().unwrap_or(0).to_string();
        rows.push([number("steps"), number("series"), number("samples")]);
        let depth = usize::try_from(node["depth"].as_u64().unwrap_or(0)).unwrap_or(0);
        let query = node["query"].as_str().unwrap_or_default();
        let mut text = "  ".repeat(depth) + &query.chars().take(TEXT_MAX).collect::<String>();
        if query.chars().count() > TEXT_MAX {
            text.push('…');
        }
        if let (Some(selection), Some(series)) =
            (node["selection"].as_u64(), node["selected_series"].as_u64())
        {
            write!(text, "  (selection {selection}: {series} series)")?;
        }
        texts.push(text);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    let mut out = String::new();
    for ([steps, series, samples], text) in rows.iter().zip(&texts) {
        writeln!(
            out,
            "{steps:>first$}  {series:>second$}  {samples:>third$}  {text}"
        )?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_stand_below_what_they_are_parts_of() {
        let data = json!({"nodes": [
            {"depth": 0, "query": "sum(rate(up[5m]))", "steps": 60, "series": 1, "samples": 60},
            {"depth": 1, "query": "rate(up[5m])", "steps": 60, "series": 200, "samples": 12000, "selection": 1, "selected_series": 200},
        ]});
        let lines = [
            "STEPS  SERIES  SAMPLES  PLAN",
            "   60       1       60  sum(rate(up[5m]))",
            "   60     200    12000    rate(up[5m])  (selection 1: 200 series)",
            "",
        ];
        assert_eq!(tree(&data).unwrap(), lines.join("\n"));
        assert!(tree(&json!({})).is_err());
    }
}
