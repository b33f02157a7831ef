//! An instant vector as bars, one for each series.

use serde_json::Value;

use super::{Terminal, either, labels, table};

/// Series that have a bar.
const BARS_MAX: usize = 50;

/// Eighths of a letter, from a thin line to a whole block.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Draws the `data` of an answer; what is no vector is a table.
pub(super) fn draw(data: &Value, terminal: Terminal) -> anyhow::Result<String> {
    if data["resultType"] != "vector" {
        return table(data);
    }
    let mut rows = Vec::new();
    let all = data["result"].as_array().map_or(&[][..], Vec::as_slice);
    for series in all.iter().take(BARS_MAX) {
        let (_, value) = either(&series["value"], &series["histogram"])?;
        let number = value.parse::<f64>().ok().filter(|value| value.is_finite());
        rows.push((labels(&series["metric"])?.to_string(), value, number));
    }
    if rows.is_empty() {
        return Ok("no series matches\n".to_owned());
    }
    let longest = |text: fn(&(String, String, Option<f64>)) -> &String| {
        let lengths = rows.iter().map(|row| text(row).chars().count());
        lengths.max().unwrap_or(0)
    };
    // Half of the line is for the bars, whatever the names.
    let name_width = longest(|row| &row.0).min(terminal.width / 2);
    let value_width = longest(|row| &row.1);
    let room = terminal.width.saturating_sub(name_width + value_width + 4);
    let numbers = rows.iter().filter_map(|row| row.2);
    let greatest = numbers.fold(0.0, |greatest: f64, number| greatest.max(number.abs()));
    let mut text = String::new();
    for (name, value, number) in &rows {
        let name: String = name.chars().take(name_width).collect();
        let bar = number.map_or_else(String::new, |number| bar(number, greatest, room.max(10)));
        let line = format!("{name:<name_width$}  {value:>value_width$}  {bar}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if all.len() > BARS_MAX {
        let more = all.len() - BARS_MAX;
        text.push_str(&format!(
            "{more} more series are not drawn: topk({BARS_MAX}, …) chooses\n"
        ));
    }
    Ok(text)
}

/// A bar whose length is the number's share of the greatest; what is below zero is light.
fn bar(number: f64, greatest: f64, room: usize) -> String {
    if greatest == 0.0 {
        return String::new();
    }
    let eighths = (number.abs() / greatest * room as f64 * 8.0).round() as usize;
    if number < 0.0 {
        return "░".repeat(eighths.div_ceil(8));
    }
    let mut bar = "█".repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        bar.push(EIGHTHS[rest]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_series_has_a_bar_as_long_as_its_value() {
        let series = |job: &str, value: &str| json!({"metric": {"job": job}, "value": [0, value]});
        let data = json!({"resultType": "vector", "result": [
            series("a", "4"), series("b", "2.25"), series("c", "-1"), series("d", "NaN"), series("e", "+Inf"), series("f", "0"),
        ]});
        let terminal = Terminal {
            width: 30,
            has_colours: false,
        };
        let lines = [
            "{job=\"a\"}     4  █████████████",
            "{job=\"b\"}  2.25  ███████▍",
            "{job=\"c\"}    -1  ░░░░",
            "{job=\"d\"}   NaN",
            "{job=\"e\"}  +Inf",
            "{job=\"f\"}     0",
            "",
        ];
        assert_eq!(draw(&data, terminal).unwrap(), lines.join("\n"));
    }
}
