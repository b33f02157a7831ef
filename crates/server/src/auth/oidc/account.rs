//! The account of somebody of whom the provider has spoken: found by their identity, made at the first time.

use access::{Change, Directory, IdToken, Role, User, UserName};
use model::Timestamp;
use serde_json::json;

use crate::auth::Audit;
use crate::auth::settings::OidcSettings;
use crate::error::{ApiError, ErrorType};

/// Claims of which a name is made, the first that there is.
const NAMES: [&str; 3] = ["preferred_username", "email", "sub"];

/// Numbers that are tried when a name is taken.
const TRIES: u32 = 1000;

/// Letters of a name, without a number behind it.
const NAME_LETTERS: usize = 56;

/// What is to be changed so that somebody has an account with the role that the provider gives them, and the account. A disabled one stays
/// as it is.
///
/// Errors: they have no role here; there is no room for them.
pub(super) fn admit(
    directory: &Directory,
    settings: &OidcSettings,
    token: &IdToken,
    now: Timestamp,
) -> Result<(Change, Audit, User), ApiError> {
    let identity = format!("{}#{}", settings.issuer, token.subject);
    let known = directory.user_of_identity(&identity);
    if let Some(user) = known.filter(|user| user.is_disabled) {
        let audit = Audit::of("login.refused", format!("user:{}", user.name));
        return Ok((Change::Nothing, audit, user.clone()));
    }
    let role = role(settings, token);
    let Some(user) = known else {
        let role = role.or(settings.default_role).ok_or_else(no_role)?;
        if directory.users.len() >= Directory::USERS_MAX {
            return Err(ApiError::conflict(
                "there are as many users as there may be",
            ));
        }
        let user = User {
            name: free_name(directory, token)?,
            role,
            password: None,
            identity: Some(identity.into()),
            is_disabled: false,
            epoch: User::first_epoch(),
            created: now,
        };
        let shown = json!({"role": role.name(), "identity": user.identity.as_deref()});
        let audit = Audit::of("user.add", format!("user:{}", user.name)).after(shown);
        return Ok((Change::AddUser(user.clone()), audit, user));
    };
    // Without a claim that says it, the role is what an admin has made it.
    let role = match &settings.role_claim {
        Some(_) => role.or(settings.default_role).ok_or_else(no_role)?,
        None => user.role,
    };
    if role == user.role {
        let audit = Audit::of("login.oidc", format!("user:{}", user.name));
        return Ok((Change::Nothing, audit, user.clone()));
    }
    let mut changed = user.clone();
    changed.role = role;
    changed.epoch += u64::from(role < user.role);
    let audit = Audit::of("user.change", format!("user:{}", user.name))
        .before(json!({"role": user.role.name()}))
        .after(json!({"role": role.name()}));
    Ok((Change::ReplaceUser(changed.clone()), audit, changed))
}

/// The most that a value of the claim gives; none if none of them is known.
fn role(settings: &OidcSettings, token: &IdToken) -> Option<Role> {
    let claim = settings.role_claim.as_deref()?;
    let values = token.texts(claim).into_iter();
    values
        .filter_map(|value| settings.roles.get(value).copied())
        .max()
}

fn no_role() -> ApiError {
    ApiError::new(
        ErrorType::Forbidden,
        "your account at the provider has no role here: ask whoever administers this server",
    )
}

/// A name that nobody has: whoever has it already is somebody else.
fn free_name(directory: &Directory, token: &IdToken) -> Result<UserName, ApiError> {
    let given = NAMES.iter().flat_map(|claim| token.texts(claim));
    let mut bases = given.map(|text| -> String {
        let fitting = text
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || "._-@+".contains(*letter));
        fitting.take(NAME_LETTERS).collect()
    });
    let base = bases.find(|base| !base.is_empty());
    let base = base.unwrap_or_else(|| "user".to_owned());
    let others = (2..TRIES).map(|number| format!("{base}-{number}"));
    let mut names = std::iter::once(base.clone())
        .chain(others)
        .filter_map(|name| name.parse().ok());
    let free = names.find(|name| !directory.users.contains_key(name));
    free.ok_or_else(|| ApiError::conflict("too many users have your name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> OidcSettings {
        OidcSettings {
            issuer: "https://id.example.org".to_owned(),
            client_id: "campanile".to_owned(),
            client_secret: None,
            name: "Example".to_owned(),
            scopes: Vec::new(),
            role_claim: Some("groups".to_owned()),
            roles: [
                ("ops".to_owned(), Role::Admin),
                ("dev".to_owned(), Role::Editor),
            ]
            .into(),
            default_role: Some(Role::Viewer),
        }
    }

    fn token(claims: serde_json::Value) -> IdToken {
        IdToken {
            subject: "4711".to_owned(),
            claims,
        }
    }

    fn of(
        directory: &Directory,
        settings: &OidcSettings,
        claims: serde_json::Value,
    ) -> Result<(Change, User), String> {
        let admitted = admit(
            directory,
            settings,
            &token(claims),
            Timestamp::from_millis(0),
        );
        let admitted = admitted.map(|(change, _, user)| (change, user));
        admitted.map_err(|error| error.message().to_owned())
    }

    fn keep(directory: &mut Directory, user: User) {
        directory.users.insert(user.name.clone(), user);
    }

    #[test]
    fn who_comes_for_the_first_time_gets_an_account_and_nobody_elses() {
        let mut directory = Directory::default();
        let (_, user) = of(
            &directory,
            &settings(),
            json!({"preferred_username": "ann", "email": "a@example.org"}),
        )
        .unwrap();
        assert_eq!((user.name.as_str(), user.role), ("ann", Role::Viewer));
        assert_eq!(
            user.identity.as_deref(),
            Some("https://id.example.org#4711")
        );
        let mut local = user.clone();
        local.identity = None;
        local.role = Role::Admin;
        keep(&mut directory, local);
        let (change, user) = of(
            &directory,
            &settings(),
            json!({"preferred_username": "ann"}),
        )
        .unwrap();
        assert_eq!(user.name.as_str(), "ann-2");
        assert_eq!(change, Change::AddUser(user));
        for (claims, name) in [
            (
                json!({"preferred_username": "Änn\r\n", "email": "b@example.org"}),
                "nn",
            ),
            (
                json!({"preferred_username": "漢字", "email": "b@example.org"}),
                "b@example.org",
            ),
            (json!({"sub": "\u{0}"}), "user"),
            (json!({"sub": "x".repeat(255)}), &*"x".repeat(56)),
        ] {
            assert_eq!(
                of(&directory, &settings(), claims).unwrap().1.name.as_str(),
                name
            );
        }
    }

    #[test]
    fn the_claim_says_what_somebody_may_do() {
        let mut directory = Directory::default();
        let (_, user) = of(
            &directory,
            &settings(),
            json!({"sub": "ann", "groups": ["dev", "ops", "x"]}),
        )
        .unwrap();
        assert_eq!(user.role, Role::Admin);
        let epoch = user.epoch;
        keep(&mut directory, user);
        let (change, _) = of(&directory, &settings(), json!({"groups": "ops"})).unwrap();
        assert_eq!(change, Change::Nothing);
        let (_, user) = of(&directory, &settings(), json!({"groups": "dev"})).unwrap();
        assert_eq!((user.role, user.epoch), (Role::Editor, epoch + 1));
        let mut strict = settings();
        strict.default_role = None;
        let error = of(&directory, &strict, json!({"groups": "x"})).unwrap_err();
        assert!(error.contains("no role here"), "{error}");
        // Without such a claim an admin says it.
        strict.role_claim = None;
        let (change, user) = of(&directory, &strict, json!({"groups": "dev"})).unwrap();
        assert_eq!((change, user.role), (Change::Nothing, Role::Admin));
    }

    #[test]
    fn a_disabled_account_stays_as_it_is() {
        let mut directory = Directory::default();
        let (_, mut user) = of(&directory, &settings(), json!({"sub": "ann"})).unwrap();
        user.is_disabled = true;
        keep(&mut directory, user);
        let (change, user) = of(&directory, &settings(), json!({"groups": "ops"})).unwrap();
        assert_eq!(
            (change, user.role, user.is_disabled),
            (Change::Nothing, Role::Viewer, true)
        );
    }
}
