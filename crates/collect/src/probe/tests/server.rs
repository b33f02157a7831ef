//! Small servers that answer with given bytes, and remember what they were asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How a server answers a request, given as text.
pub(super) type Script = Arc<dyn Fn(&str) -> Reaction + Send + Sync>;

/// What a server does.
pub(super) enum Reaction {
    /// Sends bytes, and closes.
    Answer(Vec<u8>),
    /// Sends bytes, and then keeps silent.
    Hang(Vec<u8>),
    /// Breaks the connection with a reset.
    Reset,
}

/// A server on a free port of this machine; it goes when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Answers every request as the script says.
    pub(super) async fn start(script: impl Fn(&str) -> Reaction + Send + Sync + 'static) -> Self {
        Self::bind("127.0.0.1:0", None, Arc::new(script)).await
    }

    /// The same behind TLS.
    pub(super) async fn start_tls(
        config: rustls::ServerConfig,
        script: impl Fn(&str) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self::bind("127.0.0.1:0", Some(config), Arc::new(script)).await
    }

    /// Answers every request with the same text.
    pub(super) async fn answering(answer: &'static str) -> Self {
        Self::start(move |_| Reaction::Answer(answer.as_bytes().to_vec())).await
    }

    pub(super) async fn bind(
        address: &str,
        config: Option<rustls::ServerConfig>,
        script: Script,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&asked);
        let acceptor = config.map(|config| tokio_rustls::TlsAcceptor::from(Arc::new(config)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, heard) = (Arc::clone(&script), Arc::clone(&heard));
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    match acceptor {
                        None => {
                            let again = serve(stream, &script, &heard).await;
                            if let Some(stream) = again {
                                stream.set_zero_linger().unwrap();
                            }
                        }
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &script, &heard).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    /// Everything that was asked, as it came.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Serves one request; gives the stream back if it is to be reset.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: &Script,
    heard: &Mutex<Vec<String>>,
) -> Option<S> {
    let request = read_request(&mut stream).await?;
    heard.lock().unwrap().push(request.clone());
    match script(&request) {
        Reaction::Answer(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.shutdown().await.ok()?;
            // Until the other side has read it all and closes too.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok()?;
            None
        }
        Reaction::Hang(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok()?;
            None
        }
        Reaction::Reset => Some(stream),
    }
}

/// A head, and the body that it announces.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend(&buffer[..count]),
        }
    }
}
