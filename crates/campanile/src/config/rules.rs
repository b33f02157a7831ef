//! What single values cannot tell: settings that must fit each other, and what this version cannot do yet.

use document::show_size;

use super::{Draft, Reading, access};

/// Notes a problem for each pair that does not fit, at the value that should be changed.
pub(super) fn check(draft: &Draft<'_>) {
    refuse_what_does_not_exist(draft);
    refuse_contradictions(draft);
    access::check(draft);
}

fn refuse_what_does_not_exist(draft: &Draft<'_>) {
    if draft.role != "all"
        && let Some(role) = draft.good("role")
    {
        role.value.refuse(format!(
            "the role {} is not supported yet; write all, or leave it out",
            draft.role
        ));
    }
}

fn refuse_contradictions(draft: &Draft<'_>) {
    let limits = &draft.config.limits;
    if limits.request_body_decompressed < limits.request_body {
        let message = format!(
            "limits.request_body ({}) is larger than limits.request_body_decompressed ({}); \
             what is sent must not be larger than what it may become",
            show_size(limits.request_body),
            show_size(limits.request_body_decompressed)
        );
        draft.refuse_the_written_one(
            ["limits.request_body_decompressed", "limits.request_body"],
            &message,
        );
    }
    let storage = &draft.config.storage;
    if storage.out_of_order_window > storage.retention {
        let message = format!(
            "storage.out_of_order_window ({}) is longer than storage.retention ({}); \
             no sample may come later than it is kept",
            model::duration::format(storage.out_of_order_window),
            model::duration::format(storage.retention)
        );
        draft.refuse_the_written_one(
            ["storage.out_of_order_window", "storage.retention"],
            &message,
        );
    }
    for (value, kept) in &draft.selector_retention {
        if *kept >= storage.retention && draft.good("storage.retention").is_some() {
            value.refuse(format!(
                "{} is not shorter than storage.retention ({}), after which samples go anyway; write a shorter time, or \
                 leave the selector out",
                model::duration::format(*kept),
                model::duration::format(storage.retention)
            ));
        }
    }
}

impl<'d> Draft<'d> {
    /// Notes what is wrong with a pair at the first of them that someone wrote, if both could be read.
    fn refuse_the_written_one(&self, pair: [&str; 2], message: &str) {
        let readings = pair.map(|path| self.good(path));
        if let [Some(first), Some(second)] = readings {
            let written = if first.is_default { second } else { first };
            written.value.refuse(message);
        }
    }

    /// Notes what is wrong at the first of some settings that someone wrote, if it could be read.
    pub(super) fn refuse_first_written(&self, paths: &[&str], message: &str) {
        let readings = paths.iter().filter_map(|path| self.good(path));
        if let Some(written) = { readings }.find(|reading| !reading.is_default) {
            written.value.refuse(message);
        }
    }

    /// The value that counts for a setting, unless it was refused already.
    pub(super) fn good(&self, path: &str) -> Option<&Reading<'d>> {
        self.values.get(path).filter(|reading| reading.is_good)
    }
}
