//! A mail's page. Styles stand at each element, since many programs that show mails drop all others.

use std::fmt::Write as _;

use super::report::{Entry, Report};
use crate::escape;

const RED: &str = "#b3261e";
const GREEN: &str = "#1e7d32";

/// The whole page.
pub(crate) fn page(report: &Report<'_>, subject: &str) -> String {
    let is_firing = !report.firing.is_empty();
    let color = if is_firing { RED } else { GREEN };
    let subject = escape::html(subject);
    let mut page = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{subject}</title></head>\n\
         <body style=\"margin:0;padding:16px;font-family:sans-serif;font-size:15px;color:#222;background:#fff\">\n\
         <h1 style=\"margin:0;padding:12px;font-size:18px;color:#fff;background:{color}\">{subject}</h1>\n"
    );
    if !report.labels.is_empty() {
        let labels = escape::html(&report.labels);
        let _ = writeln!(page, "<p style=\"color:#555\">{labels}</p>");
    }
    for (heading, entries, left_out) in report.sections() {
        let color = if heading == "Firing" { RED } else { GREEN };
        let count = entries.len() + left_out;
        let _ = writeln!(
            page,
            "<h2 style=\"font-size:16px\">{heading} ({count})</h2>"
        );
        for entry in entries {
            write_entry(&mut page, entry, color);
        }
        if left_out > 0 {
            let _ = writeln!(page, "<p>… and {left_out} more</p>");
        }
    }
    let receiver = escape::html(report.receiver);
    let _ = write!(
        page,
        "<p style=\"color:#555;font-size:13px\">Sent to {receiver} by "
    );
    if escape::is_link(report.external_url) {
        let _ = write!(page, "{}", link("Campanile", report.external_url));
    } else {
        page.push_str("Campanile");
    }
    page.push_str("</p>\n</body></html>\n");
    page
}

fn write_entry(page: &mut String, entry: &Entry, color: &str) {
    let title = escape::html(&entry.title);
    let _ = write!(
        page,
        "<div style=\"margin:0 0 12px;padding:8px 12px;border-left:4px solid {color};background:#f6f6f6\">\
         <strong>{title}</strong>"
    );
    for line in entry.lines() {
        let _ = write!(page, "<br>\n{}", escape::html(&line));
    }
    if !entry.links.is_empty() {
        let links: Vec<String> = entry
            .links
            .iter()
            .map(|(name, url)| link(name, url))
            .collect();
        let _ = write!(page, "<br>\n{}", links.join(" · "));
    }
    page.push_str("</div>\n");
}

fn link(name: &str, url: &str) -> String {
    format!("<a href=\"{}\">{name}</a>", escape::html(url))
}
