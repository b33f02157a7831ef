//! The server that takes mails: one connection for one mail, encrypted unless the configuration forbids it.

use std::net::IpAddr;
use std::time::Duration;
use std::{fmt, io};

use document::Value;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::{TcpStream, lookup_host};

use crate::error::SendError;
use crate::global::Smtp;
use crate::http::excerpt;

/// Where TLS comes before the first word.
const IMPLICIT_TLS_PORT: u16 = 465;

/// How long one of the host's addresses is tried; some networks drop what they do not want without a word.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Smarthost {
    host: String,
    port: u16,
}

impl Smarthost {
    /// Reads `host:port`; notes a problem if it is none.
    pub(crate) fn read(value: &Value<'_>) -> Option<Self> {
        let parsed = Self::parse(value.clone().text()?);
        if parsed.is_none() {
            let shown = value.shown();
            value.refuse(format!(
                "{shown} is no host and port; write for example mail.example.org:587"
            ));
        }
        parsed
    }

    fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let is_name = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_graphic())
            && (bare.is_some() || !host.contains(':'));
        let port = port.parse().ok().filter(|port| *port > 0)?;
        is_name.then(|| Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether TLS comes before the first word, by the setting or by the port.
    pub(crate) fn is_implicit_tls(&self, smtp: &Smtp) -> bool {
        let by_port = self.port == IMPLICIT_TLS_PORT;
        smtp.force_implicit_tls.unwrap_or(by_port)
    }

    pub(crate) fn is_this_machine(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Hands in one mail.
    ///
    /// Errors: a refusal (5yz) is permanent; all else may pass, or be mended by an operator, before it is given up.
    pub(crate) async fn hand_in(
        &self,
        smtp: &Smtp,
        envelope: &Envelope,
        mail: &[u8],
    ) -> Result<(), SendError> {
        let failed = |error: Error| self.failure(smtp, &error);
        let hello = ClientId::Domain(smtp.hello.clone());
        let is_implicit = self.is_implicit_tls(smtp);
        let tls = match is_implicit || smtp.require_tls {
            true => Some(smtp.tls.smtp(&self.host).map_err(failed)?),
            false => None,
        };
        let (at_once, later) = if is_implicit {
            (tls, None)
        } else {
            (None, tls)
        };
        let mut connection = match at_once {
            Some(tls) => {
                let server = (&*self.host, self.port);
                let timeout = Some(CONNECT_TIMEOUT);
                AsyncSmtpConnection::connect_tokio1(server, timeout, &hello, Some(tls), None).await
            }
            None => {
                let stream = self.reach().await.map_err(|error| {
                    SendError::temporary(format!("{self}: cannot connect: {error}"))
                })?;
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await
            }
        }
        .map_err(failed)?;
        if let Some(tls) = later {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(SendError::temporary(format!(
                    "{self} offers no encryption (STARTTLS), which require_tls needs"
                )));
            }
            connection.starttls(tls, &hello).await.map_err(failed)?;
        }
        if let Some(user) = smtp.username.clone().filter(|user| !user.is_empty()) {
            let password = smtp.password.as_ref();
            let password = password.map_or("", |password| password.expose());
            let credentials = Credentials::new(user, password.to_owned());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let authenticated = connection.auth(&mechanisms, &credentials).await;
            authenticated.map_err(failed)?;
        }
        connection.send(envelope, mail).await.map_err(failed)?;
        // The mail is taken. QUIT is written at once, and nobody waits for the answer: until it is known that the mail was
        // taken, a kill would send it again.
        let _ = tokio::time::timeout(Duration::ZERO, connection.abort()).await;
        Ok(())
    }

    /// Connects to the first of the host's addresses that answers.
    ///
    /// What is written goes out at once: held back until the last piece is confirmed, the end of a mail could still reach the
    /// server after we were killed, and the next start would send the mail again.
    async fn reach(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other("the name has no address");
        for address in lookup_host((&*self.host, self.port)).await? {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    fn failure(&self, smtp: &Smtp, error: &Error) -> SendError {
        let mut reason = excerpt(&error.to_string());
        if let Some(password) = &smtp.password {
            reason = password.hide_in(&reason);
        }
        let message = format!("{self}: {reason}");
        if error.is_permanent() {
            SendError::permanent(message)
        } else {
            SendError::temporary(message)
        }
    }
}

impl fmt::Display for Smarthost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smarthost_is_a_host_and_a_port() {
        for text in ["mail.example.org:587", "[::1]:25", "127.0.0.1:2525"] {
            assert_eq!(Smarthost::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "mail.example.org",
            ":25",
            "host:",
            "host:0",
            "::1:25",
            "a b:25",
        ] {
            assert_eq!(Smarthost::parse(text), None, "{text}");
        }
    }
}
