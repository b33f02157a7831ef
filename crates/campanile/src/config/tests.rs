//! Good and bad configuration files, and the order of the sources.
//!
//! `UPDATE_EXPECT=1 cargo test -p campanile` writes the expected messages and the reference page anew.

mod guide;

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::*;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/config")
}

fn environment() -> Environment {
    [
        ("PORT", "9000"),
        ("SERIES", "1000"),
        ("SWITCH", "off"),
        ("PASSWORD", "hunter2"),
    ]
    .into_iter()
    .collect()
}

/// A configuration without how it was written, which differs where the meaning does not.
fn good(name: &str) -> Config {
    let config = load(
        Some(&testdata().join(name)),
        &Overrides::default(),
        &environment(),
    );
    Config {
        shown: Shown::default(),
        ..config.unwrap_or_else(|problems| panic!("{problems}"))
    }
}

fn default_config() -> Config {
    Config {
        shown: Shown::default(),
        ..load(None, &Overrides::default(), &Environment::default()).unwrap()
    }
}

/// The messages for a file or for a set of flags and variables, without the directory of the test data.
fn problems(file: Option<&Path>, overrides: &Overrides, environment: &Environment) -> String {
    let directory = format!("{}/", testdata().display());
    match load(file, overrides, environment) {
        Ok(config) => panic!("nothing is wrong with {config:?}"),
        Err(problems) => format!("{problems}\n").replace(&directory, ""),
    }
}

#[test]
fn each_bad_file_has_its_expected_message() {
    let mut count = 0;
    for entry in fs::read_dir(testdata()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".bad.yml") || name.ends_with(".bad.json") {
            count += 1;
            let found = problems(Some(&path), &Overrides::default(), &environment());
            assert!(!found.contains("hunter2"), "a secret is shown: {found}");
            expect_file![testdata().join(format!("{name}.expected"))].assert_eq(&found);
        }
    }
    assert!(count >= 30, "{count} files");
}

#[test]
fn a_missing_file_a_directory_and_their_words() {
    for (path, words) in [
        (
            "no_such_file.yml",
            "no_such_file.yml: this file does not exist",
        ),
        (".", "this is a directory"),
        ("", "the name of the file is empty"),
    ] {
        let path = match path {
            "" => PathBuf::new(),
            name => testdata().join(name),
        };
        let found = problems(Some(&path), &Overrides::default(), &environment());
        assert!(found.contains(words), "{found}");
        assert_eq!(
            load(Some(&path), &Overrides::default(), &environment())
                .unwrap_err()
                .0
                .len(),
            1
        );
    }
}

#[test]
fn every_good_file_is_read() {
    let mut count = 0;
    for entry in fs::read_dir(testdata()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.contains(".good.") {
            count += 1;
            good(&name);
        }
    }
    assert!(count >= 5, "{count} files");
}

#[test]
fn yaml_and_json_say_the_same_and_set_every_key() {
    let config = good("everything.good.yml");
    assert_eq!(config, good("everything.good.json"));
    assert_eq!(config.listen, "127.0.0.1:9000".parse().unwrap());
    assert_eq!(config.data_dir, testdata().join("data"));
    assert!(config.is_forwarded_standard);
    assert_eq!(config.outbound_allow, ["192.168.7.0/24".parse().unwrap()]);
    assert_eq!(config.limits.memory, MemoryLimit::Bytes(2 << 30));
    assert_eq!(config.limits.request_body, 4 << 20);
    assert_eq!(config.limits.cardinality_label, "tenant");
    let url = config.database_url.as_ref().map(Secret::reveal);
    assert_eq!(
        url,
        Some("postgres://campanile:hunter2@db.example.org/campanile")
    );
    let oidc = &config.access.oidc;
    assert_eq!(
        oidc.client_secret.as_ref().map(Secret::reveal),
        Some("hunter2")
    );
    assert_eq!(oidc.roles["keepers"], ::access::Role::Admin);
    assert_eq!(config.limits.rates.query.unwrap().to_string(), "1000/h");
    assert_eq!(config.storage.retention_size, 50 << 30);
    assert_eq!(config.storage.retention_disk, Some(80));
    let kept = &config.storage.selector_retention;
    assert_eq!(kept[0].0, [model::Matcher::equal("job", "debug")]);
    assert_eq!(kept[0].1, Duration::from_hours(48));
    assert!(!config.store_own_metrics);
    assert_eq!(config.query.lookback_delta, Duration::from_secs(90));

    let text = fs::read_to_string(testdata().join("everything.good.yml")).unwrap();
    for setting in SETTINGS {
        let (_, key) = setting.section_and_key();
        // A secret is given itself or by a file, and never in both ways.
        let stem = key.trim_end_matches("_file");
        let is_set = [format!("{stem}:"), format!("{stem}_file:")]
            .iter()
            .any(|key| text.contains(key));
        assert!(is_set, "{key}");
    }
}

#[test]
fn defaults_are_those_of_the_design() {
    let config = default_config();
    assert_eq!(config.listen, "127.0.0.1:9595".parse().unwrap());
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!(config.limits.memory, MemoryLimit::Share(60));
    assert_eq!(config.limits.rates, server::RateLimits::default());
    assert_eq!(config.host.interval, Duration::from_secs(5));
    assert_eq!(
        config.storage.retention,
        Duration::from_secs(30 * 24 * 3600)
    );
    assert_eq!(config.query.max_samples, 50_000_000);
    assert!(config.store_own_metrics && config.host.enabled);
    assert_eq!(good("empty_sections.good.yml"), config);
}

#[test]
fn merge_keys_aliases_and_variables_are_followed() {
    let merged = good("merge_keys.good.yml");
    assert_eq!(merged.host.sysfs, Path::new("/host/sys"));
    assert_eq!(merged.storage.out_of_order_window.as_secs(), 24 * 3600);
    let variables = good("variables.good.yml");
    assert_eq!(variables.listen.port(), 9000);
    assert_eq!(variables.data_dir, Path::new("/var/lib/campanile/data$"));
    assert_eq!(variables.limits.active_series, 1000);
    assert!(!variables.store_own_metrics);
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let file = testdata().join("everything.good.yml");
    let overrides = Overrides {
        listen: Some("127.0.0.1:1".to_owned()),
        ..Overrides::default()
    };
    let environment: Environment = [
        ("CAMPANILE_LISTEN", "127.0.0.1:2"),
        ("CAMPANILE_DATA_DIR", "elsewhere"),
        ("CAMPANILE_HOST_INTERVAL", "7s"),
        ("CAMPANILE_SELF", "on"),
        ("CAMPANILE_LIMITS_MEMORY", "10%"),
        ("CAMPANILE_LIMITS_CARDINALITY_SERIES", "7"),
    ]
    .into_iter()
    .collect();
    let config = load(Some(&file), &overrides, &environment).unwrap();
    assert_eq!(config.listen.port(), 1);
    assert_eq!(config.data_dir, Path::new("elsewhere"));
    assert_eq!(config.host.interval, Duration::from_secs(7));
    assert!(config.store_own_metrics);
    assert_eq!(config.limits.memory, MemoryLimit::Share(10));
    assert_eq!(config.limits.cardinality_series, 7);
    assert_eq!(
        config.host.rootfs,
        Path::new("/host"),
        "the file still counts"
    );
}

#[test]
fn a_variable_may_name_the_file() {
    let path = testdata().join("everything.good.yml");
    let environment: Environment = [("CAMPANILE_CONFIG", path.to_str().unwrap())]
        .into_iter()
        .collect();
    let config = load(None, &Overrides::default(), &environment).unwrap();
    assert_eq!(
        Config {
            shown: Shown::default(),
            ..config
        },
        good("everything.good.yml")
    );
}

#[test]
fn access_control_is_on_unless_off_is_written_anywhere() {
    let file = testdata().join("open_listen_on.good.yml");
    let is_on = |overrides: &Overrides, environment: &Environment| {
        let config = load(Some(&file), overrides, environment).unwrap();
        config.access.is_on
    };
    let flag = Overrides {
        auth: Some("off".to_owned()),
        ..Overrides::default()
    };
    assert!(is_on(&Overrides::default(), &Environment::default()));
    assert!(!is_on(&flag, &Environment::default()));
    for variable in ["CAMPANILE_AUTH", "CAMPANILE_AUTH_MODE"] {
        let environment: Environment = [(variable, "off")].into_iter().collect();
        assert!(!is_on(&Overrides::default(), &environment));
    }
    assert!(!good("open_listen.good.yml").access.is_on);
}

#[test]
fn variables_give_lists_with_commas() {
    let environment: Environment = [
        ("CAMPANILE_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("CAMPANILE_AUTH_CORS_ORIGINS", "https://a.example.org"),
    ]
    .into_iter()
    .collect();
    let config = load(None, &Overrides::default(), &environment).unwrap();
    let proxies = config.trusted_proxies.iter().map(Network::to_string);
    assert_eq!(proxies.collect::<Vec<_>>(), ["10.0.0.0/8", "::1/128"]);
    assert_eq!(
        config.access.cors_origins,
        ["https://a.example.org".parse().unwrap()]
    );
    assert_eq!(config.shown.settings["trusted_proxies"], "10.0.0.0/8, ::1");
}

/// Whatever holds a secret is a setting of that kind, or one of the keys below; each is given by the file and by its
/// variable, and none of them shows anywhere.
#[test]
fn no_secret_is_shown_whichever_way_it_was_given() {
    let secret = "0123456789-hunter2-0123456789-hunter2";
    let url = format!("postgres://me:{secret}@db.example.org/{secret}");
    let settings = SETTINGS
        .iter()
        .filter(|setting| matches!(setting.kind, kind::Kind::Secret(_)));
    let settings: Vec<&Setting> = settings.collect();
    assert!(settings.len() >= 3);
    for setting in &settings {
        let text = if setting.path == "database_url" {
            &url
        } else {
            secret
        };
        let keys: Vec<&str> = setting.path.split('.').collect();
        let oidc = "issuer: https://id.example.org, client_id: a, default_role: viewer";
        let line = match keys[..] {
            [key] => format!("{key}: {text}\n"),
            [section, key] => format!("{section}: {{{key}: \"{text}\"}}\n"),
            [section, within, key] => {
                format!(
                    "external_url: http://a.example.org\n{section}:\n  {within}: {{{oidc}, {key}: \"{text}\"}}\n"
                )
            }
            _ => panic!("{}", setting.path),
        };
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("campanile.yml");
        fs::write(&file, &line).unwrap();
        let config = load(Some(&file), &Overrides::default(), &Environment::default()).unwrap();
        assert_eq!(config.shown.settings[setting.path], "<secret>");
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(config.shown.file.contains(keys[keys.len() - 1]));

        // With a mistake beside it, and in the wrong place, the line is shown, but not the secret.
        for wrong in [
            format!("{line}listn: 1\n"),
            format!("host:\n  {}: {text}\n", keys[keys.len() - 1]),
        ] {
            fs::write(&file, wrong).unwrap();
            let found = problems(Some(&file), &Overrides::default(), &Environment::default());
            assert!(!found.contains("hunter2"), "{found}");
        }

        let variable = setting.variables().next().unwrap();
        let environment: Environment = [
            (variable.as_str(), text as &str),
            ("CAMPANILE_EXTERNAL_URL", "http://a.example.org"),
            ("CAMPANILE_AUTH_OIDC_ISSUER", "https://id.example.org"),
            ("CAMPANILE_AUTH_OIDC_CLIENT_ID", "a"),
            ("CAMPANILE_AUTH_OIDC_DEFAULT_ROLE", "viewer"),
        ]
        .into_iter()
        .collect();
        let config = load(None, &Overrides::default(), &environment).unwrap();
        assert_eq!(config.shown.settings[setting.path], "<secret>");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

/// Every key whose value is a secret, wherever it stands in a file.
#[test]
fn no_secret_key_of_any_section_is_shown() {
    let text = fs::read_to_string(testdata().join("secrets.good.yml")).unwrap();
    assert!(text.matches("hunter2").count() >= 12, "{text}");
    let config = load(
        Some(&testdata().join("secrets.good.yml")),
        &Overrides::default(),
        &environment(),
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    let shown = format!("{:?}", config.shown);
    assert!(!shown.contains("hunter2"), "{shown}");
    for line in text.lines().filter(|line| line.contains("hunter2")) {
        let key = line.trim().trim_start_matches("- ");
        let key = key.split(':').next().unwrap();
        assert!(config.shown.file.contains(key), "{key}");
    }
    let all = format!("{config:?}");
    assert!(
        !all.contains("hunter2"),
        "a secret is shown by Debug: {all}"
    );
}

#[test]
fn flags_variables_and_the_file_are_refused_together() {
    let overrides = Overrides {
        listen: Some("0.0.0.0:9595".to_owned()),
        role: Some("alert".to_owned()),
        log_format: Some("jsno".to_owned()),
        ..Overrides::default()
    };
    let environment: Environment = [
        ("CAMPANILE_HOST_INTERVAL", "often"),
        ("CAMPANILE_HOST_INTERVALL", "5s"),
        ("CAMPANILE_DATA_DIR", ""),
        ("CAMPANILE_MONITORS", "[]"),
        ("CAMPANILE_THRESHOLDS_CPU_PERCENT", "80"),
        ("CAMPANILE_COLOUR", "blue"),
        ("CAMPANILE_ADMIN_PASSWORD", "secret"),
        ("CAMPANILE_SERVICE_HOST", "10.0.0.1"),
        ("CAMPANILE_PORT_9595_TCP", "tcp://10.0.0.1:9595"),
        ("PATH", "/bin"),
    ]
    .into_iter()
    .collect();
    let file = testdata().join("unknown_key.bad.yml");
    let found = problems(Some(&file), &overrides, &environment);
    expect_file![testdata().join("flags_and_variables.expected")].assert_eq(&found);
}

#[test]
fn every_key_has_one_variable_of_its_own() {
    let mut variables: Vec<String> = SETTINGS.iter().flat_map(Setting::variables).collect();
    variables.extend(settings::LATER.iter().map(|path| settings::variable(path)));
    let count = variables.len();
    variables.sort_unstable();
    variables.dedup();
    assert_eq!(variables.len(), count);
}

#[test]
fn every_flag_is_looked_up() {
    let overrides = Overrides {
        listen: Some(String::new()),
        data_dir: Some(String::new()),
        auth: Some(String::new()),
        log_format: Some(String::new()),
        role: Some(String::new()),
    };
    let flags: Vec<_> = SETTINGS.iter().filter_map(|setting| setting.flag).collect();
    assert_eq!(flags.len(), 5);
    for flag in flags {
        assert_eq!(overrides.of(flag), Some(""), "{flag}");
    }
}

#[test]
fn the_reference_page_is_current_and_its_example_is_good() {
    const BEGIN: &str =
        "<!-- reference: written by `UPDATE_EXPECT=1 cargo test -p campanile` -->\n";
    const END: &str = "<!-- end of the reference -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}{}{END}{after}", reference::reference());
    expect_file![path].assert_eq(&expected);

    let (_, example) = page.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let source = document::Source::new("example", example);
    let options = document::Options::default();
    let parsed = document::Document::parse(&source, document::Syntax::Yaml, &options).unwrap();
    let defaults: Vec<_> = SETTINGS.iter().map(default_text).collect();
    let mut draft = Draft::blank();
    for (setting, text) in &defaults {
        draft.read(setting, text.root(), Origin::Default);
    }
    file::read(&parsed, Path::new(""), &mut draft);
    let mut config = draft.config.clone();
    let read = std::mem::take(&mut draft.read);
    config.alerting = read.complete(config.host.enabled).alerting;
    drop(draft);
    assert_eq!(parsed.into_problems(), []);
    assert_eq!(config, default_config(), "the example shows the defaults");
}
