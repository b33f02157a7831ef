//! Series as a chart of characters: braille dots for a line, or a letter for each series where there are no colours.
//!
//! 1. A place for each sample: columns are moments, rows are values; a cell of the screen has two by four dots.
//! 2. Neighbouring samples are joined by a line, unless there is a gap or something that is no number between them.
//! 3. Around it the axes, with as many marks as fit, and below it which series is which.

mod axis;

use std::fmt::Write as _;

use axis::{Unit, time_marks, value_marks};

/// Series that are drawn; more lines than that tell nobody anything.
const SERIES_MAX: usize = 12;

/// Marks of series where there are no colours.
const LETTERS: [char; SERIES_MAX] = ['*', '+', 'o', 'x', '#', '@', '%', '=', '~', '^', '&', '$'];

/// Colours of series, as a terminal numbers them.
const COLOURS: [u8; 6] = [36, 33, 35, 32, 34, 31];

/// What a chart shows.
pub(super) struct Chart {
    pub(super) series: Vec<Line>,
    /// Seconds since 1970-01-01 UTC …
    pub(super) start: f64,
    pub(super) end: f64,
    /// … and the seconds between two samples; a longer distance is a gap.
    pub(super) step: f64,
}

/// A series of a chart.
pub(super) struct Line {
    pub(super) name: String,
    /// The name of its metric, which may tell the unit; empty if it has none.
    pub(super) metric: String,
    /// Seconds and values, by rising seconds.
    pub(super) points: Vec<(f64, f64)>,
}

/// Where it is shown.
#[derive(Clone, Copy)]
pub(super) struct Screen {
    /// Letters in a line.
    pub(super) width: usize,
    /// Rows of the chart itself.
    pub(super) height: usize,
    pub(super) has_colours: bool,
}

/// What stands in a cell: dots, and the series that drew there last.
#[derive(Clone, Copy, Default)]
struct Cell {
    dots: u8,
    series: usize,
}

/// The dots of an area of the screen.
struct Canvas {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
}

impl Chart {
    pub(super) fn draw(&self, screen: Screen) -> String {
        let drawn = &self.series[..self.series.len().min(SERIES_MAX)];
        let values = drawn.iter().flat_map(|line| &line.points);
        let values = values.map(|(_, value)| *value).filter(|v| v.is_finite());
        let Some((low, high)) = range(values) else {
            return match self.series.is_empty() {
                true => "no series matches\n".to_owned(),
                false => "there is no number to draw\n".to_owned(),
            };
        };
        let unit = Unit::of(drawn.iter().map(|line| line.metric.as_str()));
        let height = screen.height.max(4);
        let axis = value_marks(low, high, height, unit);
        let margin = axis.labels.iter().map(|(_, label)| label.chars().count());
        let margin = margin.max().unwrap_or(0);
        let width = screen.width.saturating_sub(margin + 2).max(16);
        let mut canvas = Canvas::new(width, height);
        for (index, line) in drawn.iter().enumerate() {
            self.trace(&mut canvas, index, line, (axis.low, axis.high));
        }
        let mut text = String::new();
        let by_letter = !screen.has_colours && drawn.len() > 1;
        for row in 0..height {
            let label = axis.labels.iter().find(|(at, _)| *at == row);
            let (label, tick) = label.map_or(("", '│'), |(_, label)| (label.as_str(), '┤'));
            let _ = write!(text, "{label:>margin$} {tick}");
            canvas.push_row(&mut text, row, screen.has_colours, by_letter);
            text.push('\n');
        }
        let (ticks, labels) = time_marks(self.start, self.end, width);
        let _ = writeln!(text, "{:margin$} └{ticks}", "");
        let _ = writeln!(text, "{:margin$}  {labels}", "");
        self.push_legend(&mut text, drawn, screen, by_letter, unit);
        text
    }

    /// Draws the line of a series.
    fn trace(&self, canvas: &mut Canvas, index: usize, line: &Line, (low, high): (f64, f64)) {
        let length = (self.end - self.start).max(f64::MIN_POSITIVE);
        let (right, bottom) = (
            (canvas.width * 2 - 1) as f64,
            (canvas.height * 4 - 1) as f64,
        );
        let mut before: Option<(f64, (i64, i64))> = None;
        for (time, value) in &line.points {
            if !value.is_finite() {
                before = None;
                continue;
            }
            let part = (time - self.start) / length;
            if !(0.0..=1.0).contains(&part) {
                continue;
            }
            let x = part * right;
            // Halves first: the distance of the largest numbers is none.
            let y = (high / 2.0 - value / 2.0) / (high / 2.0 - low / 2.0);
            let y = y.clamp(0.0, 1.0) * bottom;
            let place = (x.round() as i64, y.round() as i64);
            match before {
                Some((at, from)) if time - at <= self.step * 1.5 => {
                    canvas.line(index, from, place);
                }
                _ => canvas.dot(index, place),
            }
            before = Some((*time, place));
        }
    }

    fn push_legend(
        &self,
        text: &mut String,
        drawn: &[Line],
        screen: Screen,
        by_letter: bool,
        unit: Unit,
    ) {
        for (index, line) in drawn.iter().enumerate() {
            let mark = if by_letter { LETTERS[index] } else { '─' };
            if screen.has_colours {
                let _ = write!(
                    text,
                    "\x1b[{}m{mark}\x1b[0m",
                    COLOURS[index % COLOURS.len()]
                );
            } else {
                text.push(mark);
            }
            let last = line.points.last().map(|(_, value)| *value);
            let last = last.map_or_else(|| "nothing".to_owned(), |value| unit.show(value));
            let room = screen.width.saturating_sub(last.chars().count() + 5).max(8);
            let _ = writeln!(text, " {}  {last}", cut(&line.name, room));
        }
        let more = self.series.len() - drawn.len();
        if more > 0 {
            let _ = writeln!(text, "{more} more series are not drawn: name more labels");
        }
    }
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            cells: vec![Cell::default(); width * height],
        }
    }

    fn dot(&mut self, series: usize, (x, y): (i64, i64)) {
        /// The bits of the dots of a cell, by row and column, as Unicode orders them from U+2800 on.
        const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x / 2 >= self.width {
            return;
        }
        if let Some(cell) = self.cells.get_mut(y / 4 * self.width + x / 2) {
            cell.dots |= DOTS[y % 4][x % 2];
            cell.series = series;
        }
    }

    /// All dots between two, both included.
    fn line(&mut self, series: usize, from: (i64, i64), to: (i64, i64)) {
        let (wide, high) = (to.0 - from.0, to.1 - from.1);
        let dots = wide.abs().max(high.abs()).max(1);
        for dot in 0..=dots {
            let part = |length: i64| (length as f64 * dot as f64 / dots as f64).round() as i64;
            self.dot(series, (from.0 + part(wide), from.1 + part(high)));
        }
    }

    fn push_row(&self, text: &mut String, row: usize, has_colours: bool, by_letter: bool) {
        let cells = &self.cells[row * self.width..(row + 1) * self.width];
        let filled = cells.iter().rposition(|cell| cell.dots != 0);
        let mut colour = 0;
        for cell in &cells[..filled.map_or(0, |last| last + 1)] {
            if cell.dots == 0 {
                text.push(' ');
                continue;
            }
            let wanted = COLOURS[cell.series % COLOURS.len()];
            if has_colours && wanted != colour {
                let _ = write!(text, "\x1b[{wanted}m");
                colour = wanted;
            }
            text.push(match by_letter {
                true => LETTERS[cell.series],
                false => char::from_u32(0x2800 + u32::from(cell.dots)).unwrap_or('?'),
            });
        }
        if colour != 0 {
            text.push_str("\x1b[0m");
        }
    }
}

/// The least and the greatest.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        let (low, high): (f64, f64) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// The beginning of a text.
fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let short: String = text.chars().take(letters.saturating_sub(1)).collect();
    short + "…"
}

#[cfg(test)]
mod tests;
