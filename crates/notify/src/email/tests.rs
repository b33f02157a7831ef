//! Mails, to a server that is not ours.

use proptest::prelude::*;
use testkit::{Smtp, SmtpTls};

use super::*;
use crate::error::Class;
use crate::integration::Integration;
use crate::tests::{context, integration, notification, problems_of, render, run};

fn sent(server: &Smtp, extra: &str) -> (Integration, Result<(), SendError>) {
    let tls = format!("ca_file: '{}'", server.ca_file.display());
    sent_with(server, &tls, extra)
}

fn sent_with(server: &Smtp, tls: &str, extra: &str) -> (Integration, Result<(), SendError>) {
    let yaml = format!(
        "receivers: [{{name: ops, email_configs: [{{to: 'Ops <ops@example.org>, b@example.org', from: 'Watch <watch@example.org>', \
         smarthost: '{}', auth_username: {}, auth_password: {}, tls_config: {{{tls}}}, {extra}}}]}}]",
        server.address,
        Smtp::USER,
        Smtp::PASSWORD,
    );
    let integration = integration(&yaml, "email[0]");
    let message = render(&integration);
    assert_eq!(message.parts(), 1);
    let result = run(integration.send(&message, 0));
    (integration, result)
}

#[test]
fn a_mail_arrives_over_an_encrypted_connection() {
    for (tls, extra) in [
        (SmtpTls::Starttls, ""),
        (SmtpTls::Implicit, "force_implicit_tls: true"),
    ] {
        let Some(server) = Smtp::start(tls) else {
            return;
        };
        let (integration, result) = sent(&server, extra);
        result.unwrap();
        assert_eq!(integration.target(), "Ops <ops@example.org>, b@example.org");
        let mail = server.next_mail();
        assert_eq!(mail.from, "watch@example.org");
        assert_eq!(mail.to, ["ops@example.org", "b@example.org"]);
        let text = mail.text.replace("\r\n", "\n");
        for line in [
            "Subject: [FIRING:2] MonitorDown shop (web)\n",
            "From: Watch <watch@example.org>\n",
            "Date: Sat, 21 Nov 2026 08:47:45 +0000\n",
            "Auto-Submitted: auto-generated\n",
            "multipart/alternative",
            "Content-Type: text/plain; charset=utf-8\n",
            "Content-Type: text/html; charset=utf-8\n",
            "connection refused",
        ] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
    }
}

#[test]
fn each_attempt_sends_the_same_bytes_and_a_group_is_a_thread() {
    let yaml = "receivers: [{name: ops, email_configs: [{to: ops@example.org, from: w@example.org, smarthost: 'localhost:25'}]}]";
    let integration = integration(yaml, "email[0]");
    let message = render(&integration);
    assert_eq!(message, render(&integration));
    let mut next = notification();
    next.id += 1;
    let next = integration.render(&next, &context()).unwrap();
    let header = |message: &Message, name: &str| {
        let text = format!("{message:?}").replace("\\r\\n", "\n");
        let start = text.find(&format!("\n{name}: ")).unwrap();
        text[start + 1..].lines().next().unwrap().to_owned()
    };
    assert_ne!(header(&message, "Message-ID"), header(&next, "Message-ID"));
    for name in ["References", "In-Reply-To"] {
        assert_eq!(header(&message, name), header(&next, name));
    }
}

#[test]
fn what_a_server_refuses_for_ever_is_permanent_and_all_else_may_pass() {
    let Some(server) = Smtp::start(SmtpTls::Starttls) else {
        return;
    };
    let ca = format!("ca_file: '{}'", server.ca_file.display());
    let is_temporary = |tls: &str, extra: &str| {
        let (_, result) = sent_with(&server, tls, extra);
        let error = result.unwrap_err();
        assert!(!error.message.contains(Smtp::PASSWORD), "{error}");
        (
            matches!(error.class, Class::Temporary { .. }),
            error.message,
        )
    };
    let with_recipient = |to: &str| {
        let yaml = format!(
            "receivers: [{{name: ops, email_configs: [{{to: {to}, from: w@example.org, smarthost: '{}', auth_username: {}, \
             auth_password: {}, tls_config: {{ca_file: '{}'}}}}]}}]",
            server.address,
            Smtp::USER,
            Smtp::PASSWORD,
            server.ca_file.display()
        );
        let integration = integration(&yaml, "email[0]");
        run(integration.send(&render(&integration), 0)).unwrap_err()
    };
    let busy = with_recipient("busy@example.org");
    assert_eq!(busy.class, Class::Temporary { retry_after: None }, "{busy}");
    let gone = with_recipient("gone@example.org");
    assert_eq!(gone.class, Class::Permanent);
    assert!(gone.message.contains("nobody here by that name"), "{gone}");
    // A certificate that is not trusted: an operator may mend that before the mail is given up.
    let (temporary, message) = is_temporary("", "");
    assert!(temporary && message.contains("certificate"), "{message}");
    let (temporary, message) = is_temporary(&ca, "force_implicit_tls: true");
    assert!(temporary, "{message}");
    let other_name = format!("{ca}, server_name: other.example.org");
    let (temporary, message) = is_temporary(&other_name, "");
    assert!(temporary && message.contains("certificate"), "{message}");
    assert!(server.has_none());
    // Unless someone wants it so.
    let (_, result) = sent_with(&server, "insecure_skip_verify: true", "");
    result.unwrap();
    server.next_mail();
}

#[test]
fn a_wrong_password_is_refused_for_ever() {
    let Some(server) = Smtp::start(SmtpTls::Starttls) else {
        return;
    };
    let yaml = format!(
        "receivers: [{{name: ops, email_configs: [{{to: o@example.org, from: w@example.org, smarthost: '{}', auth_username: x, \
         auth_password: wrong-word, tls_config: {{ca_file: '{}'}}}}]}}]",
        server.address,
        server.ca_file.display()
    );
    let integration = integration(&yaml, "email[0]");
    let error = run(integration.send(&render(&integration), 0)).unwrap_err();
    assert_eq!(error.class, Class::Permanent, "{error}");
    assert!(error.message.contains("535"), "{error}");
}

#[test]
fn no_password_goes_over_a_connection_without_encryption() {
    let Some(server) = Smtp::start(SmtpTls::Never) else {
        return;
    };
    let (_, result) = sent(&server, "");
    let error = result.unwrap_err();
    assert!(error.message.contains("offers no encryption"), "{error}");
    // On this machine nobody listens in between.
    let (_, result) = sent(&server, "require_tls: false");
    result.unwrap();
    server.next_mail();
    let problems = problems_of(
        "receivers: [{name: ops, email_configs: [{to: o@example.org, from: w@example.org, smarthost: 'mail.example.org:25', \
         auth_username: a, auth_password: b, require_tls: false}]}]",
    );
    assert!(problems.contains("without encryption"), "{problems}");
}

#[test]
fn own_headers_and_texts_replace_the_default_ones() {
    let yaml = "receivers: [{name: ops, email_configs: [{to: '{{ .CommonLabels.team }}@example.org', from: w@example.org, \
                smarthost: 'localhost:25', html: '<b>{{ .Status }}</b>', \
                headers: {subject: 'Ü {{ .Status }}', X-Team: '{{ .CommonLabels.team }}', Reply-To: r@example.org}}]}]";
    let integration = integration(yaml, "email[0]");
    let message = render(&integration);
    let text = format!("{message:?}").replace("\\r\\n", "\n");
    for line in [
        "To: web@example.org\n",
        "X-Team: web\n",
        "Reply-To: r@example.org\n",
        "Content-Type: text/html",
        "<b>firing</b>",
        "Subject: =?utf-8?b?",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    assert!(!text.contains("text/plain"), "{text}");
}

#[test]
fn a_header_cannot_be_smuggled_into_a_mail() {
    let yaml = "receivers: [{name: ops, email_configs: [{to: o@example.org, from: w@example.org, smarthost: 'localhost:25', \
                headers: {Subject: '{{ .CommonLabels.evil }}', X-A: '{{ .CommonLabels.evil }}'}}]}]";
    let integration = integration(yaml, "email[0]");
    let mut notification = notification();
    let evil = "x\r\nBcc: victim@example.org\r\n\r\nbody";
    notification.alerts = vec![crate::tests::alert(
        &[("alertname", "A"), ("evil", evil)],
        &[],
    )];
    let message = integration.render(&notification, &context()).unwrap();
    let text = format!("{message:?}").replace("\\r\\n", "\n");
    let head = text.split("\n\n").next().unwrap();
    assert!(!head.contains("\nBcc"), "{head}");
    assert!(
        head.contains("X-A: x Bcc: victim@example.org body"),
        "{head}"
    );
}

#[test]
fn a_template_that_fails_costs_its_text_and_not_the_mail() {
    let yaml = "receivers: [{name: ops, email_configs: [{to: o@example.org, from: w@example.org, smarthost: 'localhost:25', \
                text: '{{ .Nothing }}'}]}]";
    let integration = integration(yaml, "email[0]");
    let message = render(&integration);
    assert!(message.template_error().unwrap().contains("Nothing"));
    let text = format!("{message:?}");
    assert!(
        text.contains("The configured template failed") && text.contains("connection refused"),
        "{text}"
    );
    let to = "receivers: [{name: ops, email_configs: [{to: '{{ .Receiver }}', from: w@example.org, smarthost: 'localhost:25'}]}]";
    let error = crate::tests::integration(to, "email[0]")
        .render(&notification(), &context())
        .unwrap_err();
    assert!(
        error.message.contains("no list of mail addresses"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_an_alert_says_a_mail_has_the_headers_that_we_wrote(text in "(?s).{0,300}") {
        let yaml = "receivers: [{name: ops, email_configs: [{to: o@example.org, from: w@example.org, \
                    smarthost: 'localhost:25', headers: {X-A: '{{ .CommonLabels.evil }}'}}]}]";
        let integration = integration(yaml, "email[0]");
        let mut notification = notification();
        let labels = [("alertname", &*text), ("evil", &*text)];
        notification.alerts = vec![crate::tests::alert(&labels, &[("summary", &text)])];
        let message = integration.render(&notification, &context()).unwrap();
        let Part::Mail { bytes, .. } = &message.parts[0] else {
            panic!("a mail");
        };
        let mail = String::from_utf8(bytes.clone()).unwrap();
        let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        let mut names: Vec<&str> = head
            .split("\r\n")
            .map(|line| line.split(':').next().unwrap())
            .collect();
        names.sort_unstable();
        let expected = [
            "Auto-Submitted", "Content-Type", "Date", "From", "In-Reply-To", "MIME-Version",
            "Message-ID", "References", "Subject", "To", "X-A", "X-Mailer",
        ];
        prop_assert_eq!(names, expected);
        prop_assert!(head.is_ascii());
    }
}
