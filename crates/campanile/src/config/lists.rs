//! Settings that are lists: in the file as a list, elsewhere as a text with commas.

use document::Value;
use model::Network;
use server::WebOrigin;

/// Longer lists are a mistake, and each request would look through them.
const ITEMS_MAX: usize = 1_000;

/// Reads addresses and networks: `10.0.0.0/8`, `::1`.
pub(super) fn networks(value: Value<'_>) -> Option<Vec<Network>> {
    read(value, |text| {
        text.parse()
            .map_err(|error: model::InvalidNetwork| error.to_string())
    })
}

/// Reads the origins of web pages: `https://grafana.example.org`.
pub(super) fn origins(value: Value<'_>) -> Option<Vec<WebOrigin>> {
    read(value, |text| {
        text.parse()
            .map_err(|error: server::InvalidOrigin| error.to_string())
    })
}

/// Reads words, none of which has a space in it.
pub(super) fn words(value: Value<'_>) -> Option<Vec<String>> {
    read(value, |text| match text.contains(char::is_whitespace) {
        false => Ok(text.to_owned()),
        true => Err(format!("{text:?} is no single word; write a list")),
    })
}

/// Reads each part of a list; all that is wrong is said.
fn read<T>(value: Value<'_>, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
    let mut items = Vec::new();
    let mut is_good = true;
    let mut read_one = |text: &str, place: &Value<'_>| match parse(text) {
        Ok(item) => items.push(item),
        Err(reason) => {
            is_good = false;
            place.refuse(reason);
        }
    };
    if value.kind() == "list" {
        for item in value.clone().items()? {
            read_one(item.clone().text()?, &item);
        }
    } else {
        let texts = value.clone().text()?.split(',').map(str::trim);
        for text in texts.filter(|text| !text.is_empty()) {
            read_one(text, &value);
        }
    }
    if items.len() > ITEMS_MAX {
        value.refuse(format!(
            "{} are too many; the most is {ITEMS_MAX}",
            items.len()
        ));
        is_good = false;
    }
    is_good.then_some(items)
}
