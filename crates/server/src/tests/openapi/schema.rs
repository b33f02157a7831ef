//! Whether a value is what a schema says: the part of JSON Schema that the description uses, and no more.
//!
//! A keyword that is not known here is a fault, so that none stands in the description and is checked by nobody.

use regex::Regex;
use serde_json::Value;

/// Keywords that tell people something and restrict nothing here.
const TALKING: [&str; 4] = ["description", "example", "examples", "$defs"];

/// Appends what is wrong with a value, each fault with its place.
pub(super) fn validate(
    root: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    faults: &mut Vec<String>,
) {
    let Some(keywords) = schema.as_object() else {
        if schema != &Value::Bool(true) {
            faults.push(format!("{at}: nothing is allowed here"));
        }
        return;
    };
    let before = faults.len();
    for (keyword, rule) in keywords {
        let fits = match keyword.as_str() {
            talking if TALKING.contains(&talking) => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                let target = root
                    .pointer(pointer)
                    .unwrap_or_else(|| panic!("no {pointer}"));
                validate(root, target, value, at, faults);
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_of_type(one, value)),
                one => is_of_type(one, value),
            },
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "anyOf" => fitting(root, rule, value) >= 1,
            "oneOf" => fitting(root, rule, value) == 1,
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap()),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
            "pattern" => {
                let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "format" => match rule.as_str().unwrap() {
                "date-time" => value
                    .as_str()
                    .is_none_or(|text| wire::time::parse_rfc3339(text).is_ok()),
                "binary" => true,
                other => panic!("{at}: the format {other} is not known"),
            },
            "required" => {
                for name in rule.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    if value.as_object().is_some_and(|map| !map.contains_key(name)) {
                        faults.push(format!("{at}: {name} is missing"));
                    }
                }
                true
            }
            "properties" | "additionalProperties" => {
                properties(root, keywords, keyword, value, at, faults);
                true
            }
            "propertyNames" => {
                for name in value.as_object().into_iter().flat_map(|map| map.keys()) {
                    validate(
                        root,
                        rule,
                        &Value::from(name.as_str()),
                        &format!("{at}.{name}"),
                        faults,
                    );
                }
                true
            }
            "items" | "prefixItems" => {
                items(root, keywords, keyword, value, at, faults);
                true
            }
            other => panic!("{at}: the keyword {other} is not known"),
        };
        if !fits && faults.len() == before {
            faults.push(format!("{at}: {value} is not as {keyword} {rule} says"));
        }
    }
}

type Keywords = serde_json::Map<String, Value>;

fn properties(
    root: &Value,
    keywords: &Keywords,
    keyword: &str,
    value: &Value,
    at: &str,
    faults: &mut Vec<String>,
) {
    let known = keywords.get("properties").and_then(Value::as_object);
    for (name, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match known.and_then(|known| known.get(name)) {
            Some(schema) if keyword == "properties" => validate(root, schema, inner, &at, faults),
            None if keyword == "additionalProperties" => {
                validate(root, &keywords[keyword], inner, &at, faults);
            }
            _ => {}
        }
    }
}

fn items(
    root: &Value,
    keywords: &Keywords,
    keyword: &str,
    value: &Value,
    at: &str,
    faults: &mut Vec<String>,
) {
    let first = keywords.get("prefixItems").and_then(Value::as_array);
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}[{index}]");
        match first.and_then(|first| first.get(index)) {
            Some(schema) if keyword == "prefixItems" => validate(root, schema, inner, &at, faults),
            None if keyword == "items" => validate(root, &keywords[keyword], inner, &at, faults),
            _ => {}
        }
    }
}

/// How many of several schemas a value fits.
fn fitting(root: &Value, schemas: &Value, value: &Value) -> usize {
    let schemas = schemas.as_array().unwrap().iter();
    let fits = schemas.filter(|schema| {
        let mut faults = Vec::new();
        validate(root, schema, value, "", &mut faults);
        faults.is_empty()
    });
    fits.count()
}

fn is_of_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64()
                || value.is_u64()
                || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not known"),
    }
}

#[test]
fn what_does_not_fit_its_schema_is_told_with_its_place() {
    let root = serde_json::json!({"s": {"name": {"type": "string", "minLength": 1}}});
    let schema = serde_json::json!({
        "type": "object",
        "required": ["a", "z"],
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/s/name"}, "maxItems": 3},
            "b": {"oneOf": [{"const": 1}, {"type": "integer", "minimum": 0}]},
            "c": {"type": ["number", "null"]},
            "d": {"type": "string", "format": "date-time"},
        },
        "additionalProperties": false,
    });
    let check = |value: Value| {
        let mut faults = Vec::new();
        validate(&root, &schema, &value, "$", &mut faults);
        faults.join("; ")
    };
    let right =
        serde_json::json!({"a": ["x"], "z": null, "b": 2, "c": null, "d": "2025-10-09T08:53:20Z"});
    assert_eq!(check(right), "$.z: nothing is allowed here");
    let wrong = serde_json::json!({"a": ["", 1], "b": 1, "c": "1", "d": "now"});
    let expected = "$.a[0]: \"\" is not as minLength 1 says; $.a[1]: 1 is not as type \"string\" says; \
                    $.b: 1 is not as oneOf [{\"const\":1},{\"minimum\":0,\"type\":\"integer\"}] says; \
                    $.c: \"1\" is not as type [\"number\",\"null\"] says; \
                    $.d: \"now\" is not as format \"date-time\" says; $: z is missing";
    assert_eq!(check(wrong), expected);
}
