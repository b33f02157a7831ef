//! The language that all languages share, with one small one of its own.

use proptest::prelude::*;

use super::*;

static LANGUAGE: Language = Language {
    prelude: "{{ $site := .site }}",
    functions: &[
        ("list", Count::Least(0), |given| {
            Ok(list(given.iter().cloned()))
        }),
        ("safe", Count::Is(1), |given| safe_html(&given[0])),
        ("thing", Count::Is(0), |_| {
            Ok(record("thing", [("name", string("t"))]))
        }),
    ],
    bound: &["here"],
    method: |receiver, name, given| match (receiver, name, given) {
        (Value::String(text), "Repeat", [Value::Int(times)]) => {
            Some(Ok(string(text.repeat(*times as usize))))
        }
        _ => None,
    },
    written: |_| None,
    length_max: 1000,
};

fn expand(target: Target, text: &str) -> String {
    let parsed = match Parsed::parse(&LANGUAGE, text) {
        Ok(parsed) => parsed,
        Err(broken) => return format!("{}: {}", broken.place(text), broken.message),
    };
    let mut functions = Functions::new(&LANGUAGE);
    functions.add("here", Count::Is(0), |_| Ok(string("here")));
    let data = texts([("site", "berlin"), ("evil", "<b>")]);
    Ready::new(target, functions, &parsed.defines, &parsed.main)
        .and_then(|ready| ready.execute(&data))
        .unwrap_or_else(|failure| failure.to_string())
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(expand(Target::Text, text), *expected, "{text}");
    }
}

#[test]
fn fields_methods_and_values_are_as_in_go() {
    check(&[
        (
            "{{ $site }}{{ .site }}{{ .none }}{{ here }}",
            "berlinberlinhere",
        ),
        (
            "{{ .site.Repeat 2 }}{{ 2 | .site.Repeat }}",
            "berlinberlinberlinberlin",
        ),
        (
            "{{ .site.None }}",
            "can't evaluate field None in type string",
        ),
        ("{{ .none.Repeat 1 }}{{ (.site).Repeat 1 }}", "berlin"),
        (
            "{{ thing.name }}{{ thing.none }}",
            "can't evaluate field none in type thing",
        ),
        ("{{ .site 1 }}", "site is no method"),
        (
            "{{ 1234567.5 }} {{ list 0.5 .none nil }}",
            "1.2345675e+06 [0.5  <nil>]",
        ),
        (
            "{{ thing }} {{ list thing }} {{ . }}",
            "{t} [{t}] map[evil:<b> site:berlin]",
        ),
    ]);
}

#[test]
fn go_s_own_functions_write_records_too() {
    check(&[
        ("{{ printf \"%s|%v\" thing (list thing) }}", "{t}|[{t}]"),
        (
            "{{ thing | printf \"%s\" }}{{ thing | html }}{{ html thing }}",
            "{t}{t}{t}",
        ),
        ("{{ printf \"%d %.1f %s\" 1 2.0 .site }}", "1 2.0 berlin"),
        ("{{ print 1 2 \"a\" 3 thing 2e6 }}", "1 2a3 {t} 2e+06"),
        ("{{ println 1 \"a\" }}", "1 a\n"),
    ]);
}

#[test]
fn the_shared_functions_are_there() {
    check(&[
        ("{{ toUpper \"aß\" }}{{ \"ABC\" | toLower }}", "Aßabc"),
        ("{{ match \"^a\" \"abc\" }}", "true"),
        ("{{ reReplaceAll \"(a)b\" \"${1}x\" \"abc\" }}", "axc"),
        (
            "{{ match \"(\" \"\" | len }}",
            "error calling match: regex parse error:\n    (\n    ^\nerror: unclosed group",
        ),
        (
            "{{ humanizeDuration \"90061\" }} {{ humanizeDuration 0.0035 }}",
            "1d 1h 1m 1s 3.5ms",
        ),
        (
            "{{ humanizeDuration \"x\" }}",
            "error calling humanizeDuration: strconv.ParseFloat: parsing \"x\": invalid syntax",
        ),
        (
            "{{ index . \"site\" }}{{ index . \"x\" }}{{ index (list 1 2) 1 }}",
            "berlin2",
        ),
        (
            "{{ toUpper }}",
            "error calling toUpper: wrong number of args for toUpper: want 1 got 0",
        ),
    ]);
}

#[test]
fn what_does_not_parse_has_its_place() {
    check(&[
        (
            "ä{{ oops }}",
            "line 1, column 5: function \"oops\" not defined",
        ),
        ("a\n {{ .x ", "line 2, column 8: unclosed action"),
        (
            "{{ if $y }}{{ end }}",
            "line 1, column 7: undefined variable \"$y\"",
        ),
        (
            "{{ with 1 }}{{ $y := 1 }}{{ end }}{{ $y }}",
            "line 1, column 38: undefined variable \"$y\"",
        ),
        ("a\n{{ end }}b", "line 2, column 1: unexpected {{end}}"),
        (
            "{{ if 1 }}{{ end }}{{ else }}",
            "line 1, column 20: unexpected {{else}}",
        ),
    ]);
}

#[test]
fn in_html_what_is_inserted_is_escaped_and_what_is_safe_is_not() {
    let text = "<p>{{ .evil }}{{ safe .evil }}{{ .evil | html }}</p>";
    let page = expand(Target::Html, text);
    assert_eq!(page, "<p>&lt;b&gt;<b>&lt;b&gt;</p>");
    assert_eq!(expand(Target::Text, text), "<p><b><b>&lt;b&gt;</p>");
}

#[test]
fn an_expansion_is_bounded() {
    let ten = "{{ range list 0 1 2 3 4 5 6 7 8 9 }}";
    let hundred_thousand = ten.repeat(6) + &"{{ end }}".repeat(6);
    assert_eq!(
        expand(Target::Text, &hundred_thousand),
        "range iteration budget exhausted"
    );
    let too_long = "the text is longer than 1000 bytes";
    for grown in [
        "{{ $x = print $x $x }}",
        "{{ $x = printf \"%s%s\" $x $x }}",
        "{{ $x = safe (print $x $x) }}",
        "{{ $x = reReplaceAll \"x\" \"xxxx\" $x }}",
    ] {
        let text = format!("{{{{ $x := \"x\" }}}}{ten}{grown}{{{{ end }}}}");
        assert!(expand(Target::Text, &text).ends_with(too_long), "{text}");
    }
    // Each turn doubles what the list would be as a text, while the list itself stays small.
    let doubled = format!(
        "{{{{ $x := 1 }}}}{}{{{{ $x = list $x $x }}}}{}{{{{ $x }}}}",
        "{{ range list 1 2 3 4 5 }}".repeat(2),
        "{{ end }}".repeat(2)
    );
    assert_eq!(expand(Target::Text, &doubled), too_long);
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused_at_one_of_its_places(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "{{", "}}", "{{ end }}", "{{ if .a }}", "{{ else }}", "$x", ".a", " ", "\n", "ä", "|", ":=", "(", ")", "list", "\"",
                "{{- ", " -}}", "define", "{{/*", "*/}}",
            ]),
            0..12,
        ),
    ) {
        let text = parts.concat();
        match Template::parse(&LANGUAGE, &text) {
            Ok(template) => prop_assert_eq!(template.text(), text),
            Err(broken) => {
                prop_assert!(broken.offset <= text.len());
                prop_assert!(broken.place(&text).starts_with("line "));
            }
        }
    }
}

#[test]
fn a_list_that_nests_without_end_is_refused() {
    let ten = "{{ range list 0 1 2 3 4 5 6 7 8 9 }}";
    let nested = format!(
        "{{{{ $x := 1 }}}}{}{{{{ $x = list $x }}}}{}",
        ten.repeat(5),
        "{{ end }}".repeat(5)
    );
    assert_eq!(
        expand(Target::Text, &nested),
        "lists and maps nest deeper than 100 levels"
    );
}
