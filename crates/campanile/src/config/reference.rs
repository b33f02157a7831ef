//! The reference of all settings as markdown, for `docs/configuration.md`.

use std::fmt::Write as _;

use super::settings::{LATER, SETTINGS};

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "a test writes the page and checks it")
)]
/// Tables of all keys with type, default, variable, flag and meaning, and the list of what is refused by name.
pub(crate) fn reference() -> String {
    let mut page = String::new();
    page.push_str("| Key | Type | Default | Environment variable | Meaning |\n");
    page.push_str("|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let variables: Vec<String> = setting
            .variables()
            .map(|name| format!("`{name}`"))
            .collect();
        let flag = setting
            .flag
            .map_or(String::new(), |flag| format!(" Flag: `{flag}`."));
        // Writing into a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {} | {}{flag} |",
            setting.path,
            setting.kind.description(),
            setting.default,
            variables.join(", "),
            setting.meaning,
        );
    }
    page.push_str(
        "\nThese keys have their names already and are refused until they do something:\n",
    );
    let later: Vec<String> = LATER.iter().map(|path| format!("`{path}`")).collect();
    let _ = writeln!(page, "{}.", later.join(", "));
    page
}
