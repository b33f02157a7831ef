//! Who may come in, and how: the section `auth`, and what of `tls` and `auth.oidc` must fit together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use access::Role;
use document::Value;
use server::WebOrigin;

use super::{Draft, Secret};

/// Who may come in, and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Access {
    /// Whether anybody is asked who they are.
    pub(crate) is_on: bool,
    /// What those may do who say nothing of themselves; nothing if it is none.
    pub(crate) anonymous: Option<Role>,
    /// Whether `/metrics` is open to everybody.
    pub(crate) open_metrics: bool,
    /// What signs access tokens, instead of a key that is made at the first start.
    pub(crate) jwt_secret: Option<Secret>,
    /// The web pages of others that may ask from a browser.
    pub(crate) cors_origins: Vec<WebOrigin>,
    pub(crate) oidc: Oidc,
}

/// A provider of identities; there is none if the issuer is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
    /// How the button on the login page calls it.
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    /// The claim that says what somebody may do; empty if none does.
    pub(crate) role_claim: String,
    /// The role for each value of that claim.
    pub(crate) roles: BTreeMap<String, Role>,
    /// The role of whom no value gives one; they are kept out if it is none.
    pub(crate) default_role: Option<Role>,
}

/// Files for encrypted connections.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tls {
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    /// Whose certificates clients must show; any client may come if it is none.
    pub(crate) client_ca_file: Option<PathBuf>,
}

/// Files that hold secrets, until they are read.
#[derive(Debug, Default)]
pub(super) struct SecretFiles {
    pub(super) database_url: Option<PathBuf>,
    pub(super) jwt_secret: Option<PathBuf>,
    pub(super) client_secret: Option<PathBuf>,
}

/// Values of a claim; a provider that needs more has groups for it.
const ROLES_MAX: usize = 1_000;

/// Reads `auth.oidc.roles`, a mapping from values of the claim to roles.
pub(super) fn read_roles(value: Value<'_>, draft: &mut Draft<'_>) {
    let Some(section) = value.clone().section() else {
        return;
    };
    let pairs = section.pairs();
    if pairs.len() > ROLES_MAX {
        value.refuse(format!(
            "{} are too many; the most is {ROLES_MAX}",
            pairs.len()
        ));
        return;
    }
    for (claim, role) in pairs {
        let Some(name) = role.choice(&Role::ALL.map(Role::name)) else {
            continue;
        };
        let role = Role::ALL.into_iter().find(|role| role.name() == name);
        if let Some(role) = role {
            draft
                .config
                .access
                .oidc
                .roles
                .insert(claim.to_owned(), role);
        }
    }
}

/// Notes what of the sections does not fit together.
pub(super) fn check(draft: &Draft<'_>) {
    check_oidc(draft);
    check_tls(draft);
}

fn check_oidc(draft: &Draft<'_>) {
    let oidc = &draft.config.access.oidc;
    if draft.good("auth.oidc.issuer").is_none() {
        return;
    }
    if oidc.issuer.is_empty() {
        let stray = [
            "auth.oidc.client_id",
            "auth.oidc.client_secret",
            "auth.oidc.role_claim",
        ];
        draft.refuse_first_written(
            &stray,
            "it says nothing without auth.oidc.issuer; write that too, or remove this",
        );
        return;
    }
    if oidc.client_id.is_empty() {
        draft.refuse_first_written(
            &["auth.oidc.issuer"],
            "auth.oidc.client_id is missing: the name under which the provider knows this server",
        );
    }
    if !oidc.roles.is_empty() && oidc.role_claim.is_empty() {
        draft.refuse_first_written(
            &["auth.oidc.issuer"],
            "auth.oidc.role_claim is missing: it names the claim whose values auth.oidc.roles lists",
        );
    }
    let nobody = oidc.default_role.is_none() && oidc.roles.is_empty();
    if nobody {
        draft.refuse_first_written(
            &["auth.oidc.issuer"],
            "nobody could come in this way: write auth.oidc.default_role, or auth.oidc.role_claim and roles",
        );
    }
    if draft.config.external_url.is_empty() {
        draft.refuse_first_written(
            &["auth.oidc.issuer"],
            "external_url is missing: the provider sends people back to it",
        );
    }
}

fn check_tls(draft: &Draft<'_>) {
    let tls = &draft.config.tls;
    match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => draft.refuse_first_written(&["tls.cert_file"], "tls.key_file is missing: the key that belongs to the certificate"),
        (None, Some(_)) => draft.refuse_first_written(&["tls.key_file"], "tls.cert_file is missing: the certificate that belongs to the key"),
        (None, None) if tls.client_ca_file.is_some() => draft.refuse_first_written(
            &["tls.client_ca_file"],
            "clients show certificates only over encrypted connections: write tls.cert_file and tls.key_file too",
        ),
        _ => {}
    }
    for (path, file) in [
        ("tls.cert_file", &tls.cert_file),
        ("tls.key_file", &tls.key_file),
        ("tls.client_ca_file", &tls.client_ca_file),
    ] {
        if let Some(file) = file
            && let Err(error) = std::fs::File::open(file)
        {
            draft.refuse_first_written(
                &[path],
                &format!("{} cannot be read: {error}", file.display()),
            );
        }
    }
}
