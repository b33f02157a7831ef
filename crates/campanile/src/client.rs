//! How commands ask a running server: where it is, what they show it, and how its refusals are told.
//!
//! The login that a URL may hold is sent to the server, and shown nowhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use reqwest::{RequestBuilder, Url};

use crate::cli::ServerArgs;
use crate::config::{Environment, Secret, source};

/// The server that is asked if nothing says otherwise.
const SERVER_DEFAULT: &str = "http://127.0.0.1:9595";

/// A server, and who asks it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Without a slash at its end, and without a login.
    url: String,
    credentials: Credentials,
}

#[derive(Clone, Debug)]
enum Credentials {
    None,
    Token(Secret),
    /// User and password.
    Login(String, Secret),
}

impl Server {
    /// The server that was named, or else the one of this environment: where a variable says on which address a server
    /// here listens, as in a container, it is that one.
    ///
    /// Errors: what was given is no URL, or there are two credentials, or none where a file should hold them.
    pub(crate) fn of(given: &ServerArgs, environment: &Environment) -> anyhow::Result<Self> {
        let server = given.url.as_deref();
        let server = server.or_else(|| environment.get("CAMPANILE_SERVER"));
        let own = environment.get("CAMPANILE_LISTEN").and_then(own_server);
        let server = server.or(own.as_deref()).unwrap_or(SERVER_DEFAULT);
        let (url, login) = split(server)?;
        let token = token(given, environment)?;
        let credentials = match (login, token) {
            (Some(_), Some(_)) if given.token.is_some() => {
                bail!(
                    "--token and the login in the URL of {url} are two ways to say who asks: leave one of them out"
                )
            }
            (Some((user, password)), _) => Credentials::Login(user, password),
            (None, Some(token)) => Credentials::Token(token),
            (None, None) => Credentials::None,
        };
        Ok(Self { url, credentials })
    }

    /// Its URL for people.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL of a path there.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A request that says who asks.
    pub(crate) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credentials {
            Credentials::None => request,
            Credentials::Token(token) => request.bearer_auth(token.reveal()),
            Credentials::Login(user, password) => request.basic_auth(user, Some(password.reveal())),
        }
    }

    /// What would be right after an answer with the status 401; the server itself cannot know.
    pub(crate) fn advice(&self) -> &'static str {
        match self.credentials {
            Credentials::None => {
                "; name a token with --token, CAMPANILE_TOKEN or CAMPANILE_TOKEN_FILE (`campanile token create` makes one)"
            }
            Credentials::Token(_) => "; `campanile token list` shows which tokens are good",
            Credentials::Login(..) => "",
        }
    }
}

/// A URL without a slash at its end, and the login that stood in it.
fn split(text: &str) -> anyhow::Result<(String, Option<(String, Secret)>)> {
    let wrong = || {
        // What stands before an @ may be a password.
        let shown = text.rsplit('@').next().unwrap_or_default();
        anyhow!("cannot ask {shown}: a URL is needed, such as {SERVER_DEFAULT}")
    };
    let mut url: Url = text.parse().map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong());
    }
    let decoded = |text: &str| -> anyhow::Result<String> {
        let bytes = percent_decoded(text);
        String::from_utf8(bytes).context("the login in the URL is no UTF-8")
    };
    let has_login = !url.username().is_empty() || url.password().is_some();
    let login = match has_login {
        true => {
            let password = decoded(url.password().unwrap_or_default())?;
            Some((decoded(url.username())?, Secret::new(password)))
        }
        false => None,
    };
    // It has a host, so both can be taken away.
    let taken = url.set_username("").and_then(|()| url.set_password(None));
    taken.map_err(|()| wrong())?;
    Ok((url.as_str().trim_end_matches('/').to_owned(), login))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = match byte {
            b'%' => after
                .get(..2)
                .and_then(|code| std::str::from_utf8(code).ok()),
            _ => None,
        };
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes
}

/// The token that was given: by the flag, a variable, or a file that a variable names.
fn token(given: &ServerArgs, environment: &Environment) -> anyhow::Result<Option<Secret>> {
    let variable = environment.get("CAMPANILE_TOKEN");
    let text = given.token.as_deref().or(variable);
    let text = match (text, environment.get("CAMPANILE_TOKEN_FILE")) {
        (Some(text), _) => text.to_owned(),
        (None, Some(file)) => {
            let read = source(Path::new(file)).map_err(|problem| anyhow!("{problem}"));
            let read = read.context("the file that CAMPANILE_TOKEN_FILE names")?;
            read.text().to_owned()
        }
        (None, None) => return Ok(None),
    };
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!(
            "the token is empty or has signs in it that no token has; `campanile token create` makes one"
        );
    }
    Ok(Some(Secret::new(text)))
}

/// The URL under which a server with that listen address is reached from this machine.
fn own_server(listen: &str) -> Option<String> {
    let mut address: SocketAddr = listen.parse().ok()?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Some(format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(url: Option<&str>, token: Option<&str>) -> ServerArgs {
        ServerArgs {
            url: url.map(str::to_owned),
            token: token.map(str::to_owned),
        }
    }

    fn url(given: &ServerArgs, environment: &Environment) -> String {
        Server::of(given, environment).unwrap().url
    }

    #[test]
    fn the_server_that_this_environment_would_start_is_asked_if_none_is_named() {
        let listen = |address: &str| Environment::from_iter([("CAMPANILE_LISTEN", address)]);
        for (environment, expected) in [
            (Environment::default(), SERVER_DEFAULT),
            (listen("0.0.0.0:9000"), "http://127.0.0.1:9000"),
            (listen("[::]:9000"), "http://[::1]:9000"),
            (listen("192.0.2.1:81"), "http://192.0.2.1:81"),
            (listen("nonsense"), SERVER_DEFAULT),
        ] {
            assert_eq!(url(&given(None, None), &environment), expected);
        }
        let both = [
            ("CAMPANILE_LISTEN", "0.0.0.0:9000"),
            ("CAMPANILE_SERVER", "https://watch.example.org/path/"),
        ];
        let both = both.into_iter().collect();
        assert_eq!(
            url(&given(None, None), &both),
            "https://watch.example.org/path"
        );
        assert_eq!(url(&given(Some("http://a/"), None), &both), "http://a");
        assert!(Server::of(&given(Some("a:1"), None), &both).is_err());
    }

    #[test]
    fn a_login_is_taken_out_of_the_url_and_shown_nowhere() {
        let asked = given(Some("https://ann:s3cret%2Fx@watch.example.org/"), None);
        let server = Server::of(&asked, &Environment::default()).unwrap();
        assert_eq!(server.url(), "https://watch.example.org");
        assert!(
            matches!(&server.credentials, Credentials::Login(user, password)
            if user == "ann" && password.reveal() == "s3cret/x")
        );
        assert!(!format!("{server:?}").contains("s3cret"));
        for wrong in [
            "ann:s3cret@watch",
            "ftp://ann:s3cret@watch",
            "http://ann:s3cret@",
        ] {
            let error = Server::of(&given(Some(wrong), None), &Environment::default());
            let error = format!("{:#}", error.unwrap_err());
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_token_comes_from_the_flag_a_variable_or_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "from-a-file\n").unwrap();
        let file = file.to_str().unwrap();
        let token = |flag, variables: &[(&str, &str)]| {
            let environment = variables.iter().copied().collect();
            let server = Server::of(&given(None, flag), &environment);
            match server.unwrap().credentials {
                Credentials::Token(token) => token.reveal().to_owned(),
                other => panic!("{other:?}"),
            }
        };
        let named = [("CAMPANILE_TOKEN_FILE", file)];
        let both = [("CAMPANILE_TOKEN", "from-a-variable"), named[0]];
        assert_eq!(token(None, &named), "from-a-file");
        assert_eq!(token(None, &both), "from-a-variable");
        assert_eq!(token(Some("from-a-flag"), &both), "from-a-flag");
        let broken = given(None, Some("two words"));
        assert!(Server::of(&broken, &Environment::default()).is_err());
    }
}
