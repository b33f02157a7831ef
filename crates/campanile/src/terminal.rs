//! What standard output is shown on: how wide it is, and whether it has colours.

use std::io::{IsTerminal as _, stdout};

use crate::config::Environment;
use crate::query::Terminal;

/// Letters in a line where nobody says how many there are.
const WIDTH_DEFAULT: usize = 80;

/// Between these a chart can be read.
const WIDTHS: (usize, usize) = (40, 240);

/// The terminal that the program writes to; into a file or a pipe there are no colours.
pub(crate) fn of_output(environment: &Environment) -> Terminal {
    let is_terminal = stdout().is_terminal();
    let has_colours = is_terminal
        && environment.get("NO_COLOR").is_none_or(str::is_empty)
        && environment.get("TERM") != Some("dumb");
    let size = rustix::termios::tcgetwinsize(stdout()).ok();
    let width = size.map(|size| usize::from(size.ws_col));
    let named = environment
        .get("COLUMNS")
        .and_then(|text| text.parse().ok());
    let width = width.filter(|width| is_terminal && *width > 0).or(named);
    Terminal {
        width: width.unwrap_or(WIDTH_DEFAULT).clamp(WIDTHS.0, WIDTHS.1),
        has_colours,
    }
}
