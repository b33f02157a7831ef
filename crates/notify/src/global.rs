//! `global` of Alertmanager's format: what integrations take that do not say it themselves.

use std::path::Path;
use std::time::Duration;

use document::{Section, Value};

use crate::email::{self, Smarthost};
use crate::endpoint::Endpoint;
use crate::http::Http;
use crate::secret::{self, Secret};
use crate::tls::Tls;

/// Alertmanager's default.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// What belongs to channels that this version does not have.
const UNSUPPORTED: [&str; 22] = [
    "jira_api_url",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "opsgenie_api_url",
    "pagerduty_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "smtp_auth_secret",
    "smtp_auth_secret_file",
    "victorops_api_key",
    "victorops_api_key_file",
    "victorops_api_url",
    "webex_api_url",
    "wechat_api_corp_id",
    "wechat_api_secret",
    "wechat_api_secret_file",
    "wechat_api_url",
];

/// The settings of `global`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Global {
    pub(crate) resolve_timeout: Duration,
    pub(crate) http: Http,
    pub(crate) smtp: Smtp,
    pub(crate) slack_api_url: Option<Endpoint>,
    pub(crate) slack_app_token: Option<Secret>,
    pub(crate) slack_app_url: Endpoint,
    pub(crate) telegram_api_url: Endpoint,
    pub(crate) telegram_bot_token: Option<Secret>,
}

/// How mail is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Smtp {
    pub(crate) from: Option<String>,
    pub(crate) smarthost: Option<Smarthost>,
    pub(crate) hello: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) require_tls: bool,
    pub(crate) force_implicit_tls: Option<bool>,
    pub(crate) tls: Tls,
}

impl Default for Global {
    fn default() -> Self {
        let endpoint = |text| Endpoint::parse(text).expect("invariant: a constant address");
        Self {
            resolve_timeout: RESOLVE_TIMEOUT,
            http: Http::default(),
            smtp: Smtp {
                from: None,
                smarthost: None,
                hello: "localhost".to_owned(),
                username: None,
                password: None,
                require_tls: true,
                force_implicit_tls: None,
                tls: Tls::default(),
            },
            slack_api_url: None,
            slack_app_token: None,
            slack_app_url: endpoint("https://slack.com/api/chat.postMessage"),
            telegram_api_url: endpoint("https://api.telegram.org"),
            telegram_bot_token: None,
        }
    }
}

impl Global {
    /// Reads the section; notes what is wrong.
    pub(crate) fn read(mut section: Section<'_>, directory: &Path) -> Self {
        section.unsupported(UNSUPPORTED);
        let mut global = Self::default();
        // Ten years are for ever in a configuration.
        let longest = Duration::from_secs(10 * 365 * 24 * 3600);
        let timeout = section.value("resolve_timeout");
        let timeout = timeout.and_then(|value| value.duration_within(Duration::ZERO..=longest));
        global.resolve_timeout = timeout.unwrap_or(RESOLVE_TIMEOUT);
        let http = section.value("http_config");
        if let Some(http) = http.and_then(|value| Http::read(value, directory)) {
            global.http = http;
        }
        global.read_smtp(&mut section, directory);
        let slack = secret::read(
            &mut section,
            "slack_api_url",
            "slack_api_url_file",
            directory,
        );
        global.slack_api_url = slack.and_then(|written| Endpoint::read(&written));
        let token = secret::read(
            &mut section,
            "slack_app_token",
            "slack_app_token_file",
            directory,
        );
        if let Some(token) = token {
            if global.slack_api_url.is_some() {
                let message = "either slack_api_url or slack_app_token is needed, not both";
                token.value.refuse(message);
            }
            global.slack_app_token = Some(token.secret);
        }
        let app_url = section.value("slack_app_url");
        if let Some(url) = app_url.and_then(|value| Endpoint::read_value(&value)) {
            global.slack_app_url = url;
        }
        let telegram = section.value("telegram_api_url");
        if let Some(url) = telegram.and_then(|value| Endpoint::read_value(&value)) {
            global.telegram_api_url = url;
        }
        let token = secret::read(
            &mut section,
            "telegram_bot_token",
            "telegram_bot_token_file",
            directory,
        );
        global.telegram_bot_token = token.map(|written| written.secret);
        section.finish();
        global
    }

    fn read_smtp(&mut self, section: &mut Section<'_>, directory: &Path) {
        let smtp = &mut self.smtp;
        let text = |value: Option<Value<'_>>| value.and_then(Value::text).map(str::to_owned);
        let from = section.value("smtp_from");
        smtp.from = from.and_then(|value| email::address(&value));
        let smarthost = section.value("smtp_smarthost");
        smtp.smarthost = smarthost.and_then(|value| Smarthost::read(&value));
        if let Some(hello) = section.value("smtp_hello") {
            smtp.hello = email::hello(&hello).unwrap_or_default();
        }
        smtp.username = text(section.value("smtp_auth_username"));
        email::refuse_identity(section.value("smtp_auth_identity"));
        let password = secret::read(
            section,
            "smtp_auth_password",
            "smtp_auth_password_file",
            directory,
        );
        smtp.password = password.map(|written| written.secret);
        let require_tls = section.value("smtp_require_tls").and_then(Value::boolean);
        smtp.require_tls = require_tls.unwrap_or(true);
        let implicit = section.value("smtp_force_implicit_tls");
        smtp.force_implicit_tls = implicit.and_then(Value::boolean);
        smtp.tls = Tls::read(section.section("smtp_tls_config"), directory);
    }
}
