//! From an accepted socket to one that requests may come from: encrypted if the server is, and told so if it is not.
//!
//! One port speaks one language. Somebody who has typed http:// where it is https:// is told so in the language in which they
//! asked; the first byte shows which that is, since no handshake of TLS begins with a letter.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::patience::Patience;

const NOT_ENCRYPTED: &str = concat!(
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 59\r\n",
    "connection: close\r\n\r\n",
    "this port speaks https: write https:// instead of http://\r\n"
);

/// Shakes hands.
///
/// Errors: the client does not speak TLS, shows no certificate where it must, or goes away.
pub(super) async fn shake(
    stream: Patience<TcpStream>,
    config: Arc<ServerConfig>,
) -> io::Result<TlsStream<Patience<TcpStream>>> {
    let mut first = [0; 1];
    stream.get_ref().peek(&mut first).await?;
    if first[0].is_ascii_alphabetic() {
        return Err(refuse(stream).await);
    }
    TlsAcceptor::from(config).accept(stream).await
}

async fn refuse(mut stream: Patience<TcpStream>) -> io::Error {
    use tokio::io::AsyncReadExt as _;
    // A socket that is closed with something unread resets the connection, and the answer is lost with it.
    let mut request = [0; 4096];
    let told = async {
        let _some = stream.read(&mut request).await?;
        stream.write_all(NOT_ENCRYPTED.as_bytes()).await?;
        stream.shutdown().await
    };
    let told = told.await;
    told.err()
        .unwrap_or_else(|| io::Error::other("the client does not speak TLS, and was told so"))
}
