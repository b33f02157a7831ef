//! A tree such as YAML and JSON have, in the order in which it was written, and its JSON.
//!
//! Numbers stay as they were written: `1795276463.470` is an example of what we answer, and not 1795276463.47.

use document::Value;

use crate::json;

/// A value of the description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Boolean(bool),
    /// A number as JSON writes it.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What stands in a document.
    pub(crate) fn read(value: Value<'_>) -> Self {
        match value.kind() {
            "list" => {
                let items = value.items().unwrap_or_default();
                Self::List(items.into_iter().map(Self::read).collect())
            }
            "section" => {
                let pairs = value.section().map(document::Section::pairs);
                let pairs = pairs.unwrap_or_default().into_iter();
                Self::Map(
                    pairs
                        .map(|(key, value)| (key.to_owned(), Self::read(value)))
                        .collect(),
                )
            }
            _ if value.is_null() => Self::Null,
            _ => {
                let is_plain = value.is_plain();
                match value.text().unwrap_or_default() {
                    "true" if is_plain => Self::Boolean(true),
                    "false" if is_plain => Self::Boolean(false),
                    text if is_plain && is_number(text) => Self::Number(text.to_owned()),
                    text => Self::Text(text.to_owned()),
                }
            }
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// `{"$ref": "#/components/…"}`
    pub(crate) fn reference(kind: &str, name: &str) -> Self {
        let target = format!("#/components/{kind}/{name}");
        Self::map([("$ref", Self::Text(target))])
    }

    pub(crate) fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        let entries = entries.into_iter();
        Self::Map(entries.map(|(key, node)| (key.to_owned(), node)).collect())
    }

    /// What stands under a key; none if there is no such key, or no map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let mut entries = self.entries().iter();
        entries.find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The same along several keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Takes out what stands under a key.
    pub(crate) fn take(&mut self, key: &str) -> Option<Self> {
        let Self::Map(entries) = self else {
            return None;
        };
        let place = entries.iter().position(|(name, _)| name == key)?;
        Some(entries.remove(place).1)
    }

    /// Puts something under a key, in the place of what stood there.
    pub(crate) fn set(&mut self, key: &str, node: Self) {
        if let Self::Map(entries) = self {
            match entries.iter_mut().find(|(name, _)| name == key) {
                Some(entry) => entry.1 = node,
                None => entries.push((key.to_owned(), node)),
            }
        }
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar, a number's digits among them; "" of anything else.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Boolean(true) => "true",
            Self::Boolean(false) => "false",
            _ => "",
        }
    }

    /// The text under a key; "" if there is none.
    pub(crate) fn str_at(&self, key: &str) -> &str {
        self.get(key).map_or("", Self::as_str)
    }

    /// What a reference within `root` leads to; the node itself if it is none.
    ///
    /// A reference that leads nowhere stays what it is; a test finds it.
    pub(crate) fn resolve<'n>(&'n self, root: &'n Self) -> &'n Self {
        let Some(target) = self.get("$ref") else {
            return self;
        };
        let path = target.as_str().trim_start_matches("#/");
        let keys: Vec<&str> = path.split('/').collect();
        root.at(&keys).unwrap_or(self)
    }

    /// Appends it as JSON, without spaces.
    pub(crate) fn push_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(_) | Self::Number(_) => out.push_str(self.as_str()),
            Self::Text(text) => json::push_string(out, text),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    json::separate(out, index);
                    item.push_json(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, node)) in entries.iter().enumerate() {
                    json::separate(out, index);
                    json::push_string(out, key);
                    out.push(':');
                    node.push_json(out);
                }
                out.push('}');
            }
        }
    }

    /// The same as a text.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::new();
        self.push_json(&mut out);
        out
    }
}

/// Whether a text is a number as JSON has it.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let begins = digits.starts_with(|first: char| first.is_ascii_digit());
    let is_octal = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    begins && !is_octal && !digits.ends_with('.') && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use document::{Document, Options, Source, Syntax};

    use super::*;

    #[test]
    fn yaml_becomes_the_json_that_it_means() {
        let text = "b: [1, 1.50, -0.5, 1e3, \"1\", 01, 1., +1, true, \"true\", ~, null, .nan]\na: {c: x y, 200: \"\"}\n";
        let source = Source::new("test", text);
        let document = Document::parse(&source, Syntax::Yaml, &Options::default()).unwrap();
        let json = Node::read(document.root()).to_json();
        let expected = r#"{"b":[1,1.50,-0.5,1e3,"1","01","1.","+1",true,"true",null,null,".nan"],"a":{"c":"x y","200":""}}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn a_reference_leads_to_what_it_names() {
        let root = Node::map([(
            "components",
            Node::map([("schemas", Node::map([("A", Node::text("found"))]))]),
        )]);
        let reference = Node::reference("schemas", "A");
        assert_eq!(reference.resolve(&root).as_str(), "found");
        assert_eq!(Node::Null.resolve(&root), &Node::Null);
    }
}
