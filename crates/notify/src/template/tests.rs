//! Templates as people write them for Alertmanager.

use std::path::Path;

use alerts::Notification;
use document::{Document, Options, Source, Syntax};

use super::*;
use crate::tests::{notification, resolved};

fn context() -> Context {
    Context {
        external_url: "https://watch.example.org/".to_owned(),
    }
}

/// Parses a template; else what is wrong.
fn template(text: &str, templates: &Templates) -> Result<Template, String> {
    let document = Document::of_text("test", text);
    let template = Template::read(&document.root(), templates);
    match (template, problems(document)) {
        (Some(template), problems) if problems.is_empty() => Ok(template),
        (_, problems) => Err(problems),
    }
}

fn problems(document: Document) -> String {
    let problems = document.into_problems();
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message()).collect();
    messages.join("\n")
}

fn expand_with(text: &str, notification: &Notification, target: Target) -> Result<String, String> {
    let templates = Templates::default();
    let template = template(text, &templates)?;
    let context = context();
    let expander = Expander::new(&templates, notification, &context);
    match target {
        Target::Text => expander.text(&template),
        Target::Html => expander.html(&template),
    }
}

fn expand(text: &str) -> String {
    expand_with(text, &notification(), Target::Text)
        .unwrap_or_else(|error| format!("error: {error}"))
}

#[test]
fn data_has_alertmanagers_names() {
    for (text, expanded) in [
        ("{{ .Status | toUpper }} {{ .Receiver }}", "FIRING ops"),
        (
            "{{ .Alerts.Firing | len }}/{{ .Alerts.Resolved | len }}/{{ len .Alerts }}",
            "2/0/2",
        ),
        (
            "{{ .GroupLabels.SortedPairs.Values | join \" \" }}",
            "MonitorDown shop",
        ),
        (
            "{{ (.CommonLabels.Remove .GroupLabels.Names).Values | join \" \" }}",
            "web",
        ),
        ("{{ .CommonLabels.team }}{{ .CommonLabels.none }}", "web"),
        ("{{ .CommonAnnotations.SortedPairs | len }}", "0"),
        (
            "{{ range .Alerts }}{{ .Labels.path }}{{ .Annotations.summary }};{{ end }}",
            "/ashop is down;/b;",
        ),
        ("{{ (index .Alerts 0).Fingerprint | len }}", "16"),
        (
            "{{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
            "alertname=MonitorDown monitor=shop ",
        ),
        (
            "{{ range $name, $value := .GroupLabels }}{{ $name }}:{{ $value }} {{ end }}",
            "alertname:MonitorDown monitor:shop ",
        ),
        (
            "{{ .ExternalURL }} {{ .NotificationReason }}",
            "https://watch.example.org first notification",
        ),
        (
            "{{ .GroupLabels }}",
            "map[alertname:MonitorDown monitor:shop]",
        ),
        (
            "{{ index .GroupLabels \"monitor\" }}{{ index .GroupLabels \"x\" }}",
            "shop",
        ),
        (
            "{{ with .CommonLabels.none }}yes{{ else }}no{{ end }}",
            "no",
        ),
        (
            "{{ if and (eq .Status \"firing\") (gt (len .Alerts) 1) }}many{{ end }}",
            "many",
        ),
        (
            "{{ .Nothing }}",
            "error: can't evaluate field Nothing in type data",
        ),
        (
            "{{ .Alerts.Nothing }}",
            "error: can't evaluate field Nothing in type slice",
        ),
    ] {
        assert_eq!(expand(text), expanded, "{text}");
    }
}

#[test]
fn moments_have_gos_methods() {
    for (text, expanded) in [
        (
            "{{ (index .Alerts 0).StartsAt }}",
            "2026-11-21 08:35:40.331 +0000 UTC",
        ),
        ("{{ (index .Alerts 0).StartsAt.Unix }}", "1795250140"),
        (
            "{{ range .Alerts }}{{ .StartsAt.Format \"15:04\" }} {{ end }}",
            "08:35 08:35 ",
        ),
        (
            "{{ range .Alerts }}{{ .StartsAt.UTC.Format \"Jan 2\" }} {{ end }}",
            "Nov 21 Nov 21 ",
        ),
        (
            "{{ (index .Alerts 0).StartsAt | tz \"Europe/Berlin\" | date \"15:04 MST\" }}",
            "09:35 CET",
        ),
        ("{{ (index .Alerts 0).EndsAt.IsZero }}", "true"),
        ("{{ since (index .Alerts 0).StartsAt }}", "12m5s"),
        (
            "{{ since (index .Alerts 0).StartsAt | humanizeDuration }}",
            "12m 5s",
        ),
        (
            "{{ (now.Sub (index .Alerts 0).StartsAt).Minutes | printf \"%.1f\" }}",
            "12.1",
        ),
        (
            "{{ (toDate \"2006-01-02\" \"2026-01-31\").Weekday }}",
            "Saturday",
        ),
        (
            "{{ tz \"Nowhere/Else\" now }}",
            "error: error calling tz: unknown time zone Nowhere/Else",
        ),
    ] {
        assert_eq!(expand(text), expanded, "{text}");
    }
    let mut over = notification();
    over.alerts = over.alerts.into_iter().map(resolved).collect();
    let text = "{{ range .Alerts.Resolved }}{{ .EndsAt.Sub .StartsAt }} {{ end }}";
    assert_eq!(
        expand_with(text, &over, Target::Text).unwrap(),
        "12m0s 12m0s "
    );
}

#[test]
fn functions_do_what_they_do_in_alertmanager() {
    for (text, expanded) in [
        (
            "{{ title \"disk full\" }} {{ toLower \"ABC\" }} {{ trimSpace \"  x \" }}",
            "Disk Full abc x",
        ),
        ("{{ match \"^a.c$\" \"abc\" }}", "true"),
        ("{{ reReplaceAll \"(.*)-(.*)\" \"$2 $1\" \"a-b\" }}", "b a"),
        ("{{ stringSlice \"a\" \"b\" | join \",\" }}", "a,b"),
        ("{{ $x := list 1 2 }}{{ append $x 3 }}", "[1 2 3]"),
        ("{{ (dict \"a\" 1).a }}", "1"),
        (
            "{{ toJson .GroupLabels }}",
            "{\"alertname\":\"MonitorDown\",\"monitor\":\"shop\"}",
        ),
        (
            "{{ base64encode \"foo\" }} {{ base64decode \"Zm9v\" }}",
            "Zm9v foo",
        ),
        (
            "{{ urlUnescape \"a%20b+c\" }} {{ \"a b&\" | urlquery }}",
            "a b c a+b%26",
        ),
        (
            "{{ humanizeDuration 90061 }} {{ humanizeDuration 0.0035 }}",
            "1d 1h 1m 1s 3.5ms",
        ),
        (
            "{{ if match \"a\" \"b\" }}{{ else if true }}ok{{ end }}",
            "ok",
        ),
        ("{{ safeHtml \"<b>\" }}", "<b>"),
        (
            "{{ reReplaceAll \"(\" \"\" \"x\" | len }}",
            "error: error calling reReplaceAll: regex parse error: ( ^ error: unclosed group",
        ),
    ] {
        assert_eq!(expand(text), expanded, "{text}");
    }
}

#[test]
fn the_named_templates_that_people_use_are_there() {
    let subject = "[FIRING:2] MonitorDown shop (web)";
    assert_eq!(expand("{{ template \"__subject\" . }}"), subject);
    assert_eq!(expand("{{ template \"slack.default.title\" . }}"), subject);
    assert_eq!(expand("{{ template \"slack.default.color\" . }}"), "danger");
    assert_eq!(
        expand("{{ template \"__alertmanagerURL\" . }}"),
        "https://watch.example.org"
    );
    assert!(expand("{{ template \"telegram.default.message\" . }}").contains("• shop is down"));
    let list = expand("{{ template \"__text_alert_list\" .Alerts.Firing }}");
    assert!(
        list.starts_with("MonitorDown since 2026-11-21 08:35:40 UTC\n  alertname=MonitorDown\n"),
        "{list}"
    );
    let page = "<!-- own -->{{ template \"email.default.html\" . }}";
    let page = expand_with(page, &notification(), Target::Html).unwrap();
    assert!(page.contains("<h1 "), "{page}");
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let mut notification = notification();
    let evil = "<script>alert(1)</script>";
    notification.alerts[0]
        .alert
        .annotations
        .insert("summary".to_owned(), evil.to_owned());
    let text = "<p title=\"{{ (index .Alerts 0).Annotations.summary }}\">{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}</p>";
    let page = expand_with(text, &notification, Target::Html).unwrap();
    assert!(!page.contains("<script"), "{page}");
    let safe = expand_with(
        "{{ \"<b>\" | safeHtml }}{{ \"<i>\" }}",
        &notification,
        Target::Html,
    );
    assert_eq!(safe.unwrap(), "<b>&lt;i&gt;");
    let plain = expand_with(
        "{{ (index .Alerts 0).Annotations.summary }}",
        &notification,
        Target::Text,
    );
    assert_eq!(plain.unwrap(), evil);
    let link = "<a href=\"{{ (index .Alerts 0).GeneratorURL }}&y={{ .Receiver }}\">";
    let link = expand_with(link, &notification, Target::Html).unwrap();
    assert!(
        link.starts_with("<a href=\"https://watch.example.org/graph?x=1"),
        "{link}"
    );
}

#[test]
fn what_does_not_parse_is_refused_with_its_place() {
    for (text, message) in [
        ("a\n{{ .Status ", "at line 2"),
        (
            "{{ nothing . }}",
            "at line 1, column 4 of the template: function \"nothing\" not defined",
        ),
        ("{{ $x }}", "undefined variable \"$x\""),
        ("{{ if .x }}", "of the template: "),
        (
            "a{{ end }}b",
            "at line 1, column 2 of the template: unexpected {{end}}",
        ),
        (
            "{{ template \"slack.default.titel\" . }}",
            "did you mean \"slack.default.title\"?",
        ),
    ] {
        let error = template(text, &Templates::default())
            .err()
            .unwrap_or_default();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn a_template_without_end_is_stopped() {
    let list =
        "list 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1";
    let loops = format!("{{{{ range {list} }}}}").repeat(5) + "x" + &"{{ end }}".repeat(5);
    assert!(expand(&loops).starts_with("error: "));
    let doubles = format!(
        "{{{{ $x := \"xxxxxxxxxxxxxxxx\" }}}}{{{{ range {list} }}}}{{{{ $x = print $x $x }}}}{{{{ end }}}}"
    );
    assert_eq!(
        expand(&doubles),
        "error: the text is longer than 262144 bytes"
    );
    let calls = "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}";
    assert!(expand(calls).starts_with("error: "));
}

#[test]
fn files_define_and_replace_templates() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("a.tmpl"),
        "{{ define \"slack.default.title\" }}own {{ template \"mine\" . }}{{ end }}",
    )
    .unwrap();
    std::fs::write(
        directory.path().join("b.tmpl"),
        "{{ define \"mine\" }}{{ .Status }}{{ end }}",
    )
    .unwrap();
    let (templates, problems) = read("['*.tmpl']", directory.path());
    assert_eq!(problems, "");
    let (again, _) = read("['*.tmpl']", directory.path());
    assert_eq!(templates, again);
    let (notification, context) = (notification(), context());
    let expander = Expander::new(&templates, &notification, &context);
    assert_eq!(
        expander.named("slack.default.title", Target::Text).unwrap(),
        "own firing"
    );
    let subject = expander
        .named("email.default.subject", Target::Text)
        .unwrap();
    assert_eq!(subject, "[FIRING:2] MonitorDown shop (web)");

    let other = "{{ define \"mine\" }}changed{{ end }}";
    std::fs::write(directory.path().join("b.tmpl"), other).unwrap();
    assert_ne!(read("['*.tmpl']", directory.path()).0, templates);
    std::fs::write(
        directory.path().join("c.tmpl"),
        "\n{{ define \"x\" }}{{ oops }}{{ end }}",
    )
    .unwrap();
    let (_, problems) = read("['*.tmpl', 'missing']", directory.path());
    assert!(
        problems.contains("c.tmpl, line 2, column 20: function \"oops\" not defined"),
        "{problems}"
    );
    assert!(problems.contains("missing: No such file"), "{problems}");
}

fn read(yaml: &str, directory: &Path) -> (Templates, String) {
    let source = Source::new("test.yml", yaml);
    let document = Document::parse(&source, Syntax::Yaml, &Options::default()).unwrap();
    let templates = Templates::read(Some(document.root()), directory);
    (templates, problems(document))
}
