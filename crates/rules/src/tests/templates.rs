//! What templates of labels and annotations become.

use super::{World, minutes};

fn expanded(template: &str) -> String {
    let quoted = serde_json::to_string(template).unwrap();
    let mut world = World::new(&format!(
        "groups: [{{name: g, rules: [{{alert: A, expr: up, annotations: {{text: {quoted}}}}}]}}]"
    ));
    let value = 1234567.5;
    world.set(
        &[("__name__", "up"), ("instance", "web1.example.org:9100")],
        minutes(1),
        value,
    );
    world.set(&[("__name__", "disk"), ("d", "b")], minutes(1), 2.0);
    world.set(&[("__name__", "disk"), ("d", "a")], minutes(1), 1.0);
    let (evaluation, _) = world.step(minutes(1));
    evaluation.alerts[0].annotations["text"].clone()
}

#[test]
fn variables_and_functions_give_what_prometheus_gives() {
    for (template, expected) in [
        ("plain", "plain"),
        ("{{ $labels.instance }}", "web1.example.org:9100"),
        ("[{{ $labels.nothing }}]", "[]"),
        ("{{ .Labels.instance }}", "web1.example.org:9100"),
        ("{{ $externalLabels.site }}", "berlin"),
        ("{{ $externalURL }}", "http://campanile.example.org/mon"),
        (
            "{{ externalURL }}{{ pathPrefix }}",
            "http://campanile.example.org/mon/mon",
        ),
        ("{{ $value }}", "1.2345675e+06"),
        ("{{ humanize $value }}", "1.235M"),
        ("{{ $value | humanize1024 }}", "1.177Mi"),
        ("{{ $value | humanizeDuration }}", "14d 6h 56m 7s"),
        ("{{ 0.1234567 | humanizePercentage }}", "12.35%"),
        (
            "{{ 1435065584.128 | humanizeTimestamp }}",
            "2015-06-23 13:19:44.128 +0000 UTC",
        ),
        ("{{ printf \"%.2f\" $value }}", "1234567.50"),
        (
            "{{ \"aa bb\" | title }} {{ toUpper \"x\" }} {{ toLower \"X\" }}",
            "Aa Bb X x",
        ),
        ("{{ match \"^a.*\" \"abc\" }}", "true"),
        ("{{ reReplaceAll \"(a)b\" \"${1}x\" \"abc\" }}", "axc"),
        ("{{ $labels.instance | stripPort }}", "web1.example.org"),
        ("{{ $labels.instance | stripDomain }}", "web1:9100"),
        ("{{ parseDuration \"1h30m\" }}", "5400"),
        (
            "{{ query \"disk\" | sortByLabel \"d\" | first | value }}",
            "1",
        ),
        (
            "{{ range query \"sort(disk)\" }}{{ .Labels.d }}={{ .Value }};{{ end }}",
            "a=1;b=2;",
        ),
        (
            "{{ with query \"disk{d='b'}\" }}{{ . | first | label \"d\" }}{{ end }}",
            "b",
        ),
        (
            "{{ if gt $value 5.0 }}much{{ else }}little{{ end }}",
            "much",
        ),
        (
            "{{ define \"x\" }}{{ .Labels.instance }}{{ end }}{{ template \"x\" . }}",
            "web1.example.org:9100",
        ),
        ("{{ $x := 1 }}{{ $x = 2 }}{{ $x }}", "2"),
    ] {
        assert_eq!(expanded(template), expected, "{template}");
    }
}

#[test]
fn a_failure_becomes_the_text() {
    let text = expanded("{{ query \"nothing\" | first | value }}");
    assert_eq!(
        text,
        "<error expanding template: error executing template __alert_A: error calling first: first() called on vector with no elements>"
    );
}

#[test]
fn an_expansion_has_bounds() {
    for template in [
        "{{ printf \"%999999999d\" 1 }}",
        "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}",
        "{{ $x := \"ab\" }}{{ range query \"vector(1) or disk\" }}{{ range query \"disk\" }}{{ range query \"disk\" }}{{ range query \"disk\" }}\
         {{ $x = print $x $x $x $x }}{{ end }}{{ end }}{{ end }}{{ end }}",
        "{{ define \"x\" }}{{ . }}{{ . }}{{ end }}{{ template \"x\" (printf \"%1000000s\" \"a\") }}",
    ] {
        let text = expanded(template);
        assert!(text.len() <= 64 << 10, "{} bytes: {template}", text.len());
    }
}
