//! Reads what Prometheus' API answers to a query.

use model::Labels;
use serde_json::Value as Json;
use testkit::promqltest::{Answer, Found, Refusal, Series, ShownBucket, ShownHistogram, Value};

/// What stands before an error that is the expression's.
const OF_THE_QUERY: &str = "invalid parameter \"query\": ";

/// The answer, or the error that came in its place.
///
/// # Panics
/// If the body is no answer of Prometheus' API.
pub(super) fn read(status: u16, body: &str) -> Result<Answer, Refusal> {
    let json: Json = serde_json::from_str(body).unwrap_or_else(|error| {
        panic!("{status}: {error}: {body}");
    });
    if json["status"] != "success" {
        return Err(refusal(json["error"].as_str().unwrap()));
    }
    assert_eq!(status, 200, "{body}");
    let result = &json["data"]["result"];
    let value = match text(&json["data"]["resultType"]) {
        "scalar" => Value::Scalar(number(&result[1])),
        "string" => Value::String(text(&result[1]).to_owned()),
        "vector" => Value::Vector(list(result).iter().map(vector_sample).collect()),
        "matrix" => Value::Matrix(list(result).iter().map(series).collect()),
        other => panic!("unknown type of result {other:?}"),
    };
    Ok(Answer {
        value,
        warnings: annotations(&json["warnings"]),
        infos: annotations(&json["infos"]),
    })
}

/// An error with and without the place that stands before it.
fn refusal(error: &str) -> Refusal {
    let whole = error.strip_prefix(OF_THE_QUERY).unwrap_or(error);
    let behind_place = whole.split_once(": ").filter(|(place, _)| {
        let mut letters = place.chars();
        letters.all(|letter| letter.is_ascii_digit() || letter == ':')
    });
    let message = behind_place.map_or(whole, |(_, message)| message);
    let message = message.strip_prefix("parse error: ").unwrap_or(message);
    Refusal {
        message: message.to_owned(),
        whole: whole.to_owned(),
    }
}

fn vector_sample(json: &Json) -> Series {
    let histogram = json.get("histogram").map(histogram_point);
    let point = histogram.unwrap_or_else(|| float_point(&json["value"]));
    Series {
        labels: labels(&json["metric"]),
        points: vec![point],
    }
}

fn series(json: &Json) -> Series {
    let mut points = Vec::new();
    if let Some(floats) = json.get("values") {
        points.extend(list(floats).iter().map(float_point));
    }
    if let Some(histograms) = json.get("histograms") {
        points.extend(list(histograms).iter().map(histogram_point));
    }
    points.sort_by_key(|(time, _)| *time);
    Series {
        labels: labels(&json["metric"]),
        points,
    }
}

fn labels(json: &Json) -> Labels {
    let pairs = json.as_object().unwrap().iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), text(value)))).unwrap()
}

fn float_point(json: &Json) -> (i64, Found) {
    (millis(&json[0]), Found::Float(number(&json[1])))
}

fn histogram_point(json: &Json) -> (i64, Found) {
    let histogram = &json[1];
    let buckets = histogram.get("buckets").map(list).unwrap_or_default();
    let buckets = buckets.iter().map(|bucket| ShownBucket {
        rule: u8::try_from(bucket[0].as_u64().unwrap()).unwrap(),
        lower: number(&bucket[1]),
        upper: number(&bucket[2]),
        count: number(&bucket[3]),
    });
    let shown = ShownHistogram {
        count: number(&histogram["count"]),
        sum: number(&histogram["sum"]),
        buckets: buckets.collect(),
    };
    (millis(&json[0]), Found::Shown(shown))
}

fn annotations(json: &Json) -> Vec<String> {
    let texts = json.as_array().map(Vec::as_slice).unwrap_or_default();
    texts.iter().map(|it| text(it).to_owned()).collect()
}

fn list(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

/// A number that is written as a text, since JSON has no infinity.
fn number(json: &Json) -> f64 {
    text(json).parse().unwrap()
}

fn millis(json: &Json) -> i64 {
    (json.as_f64().unwrap() * 1000.0).round() as i64
}
