//! One server is asked for both families of a name at once, over a datagram, or over TCP if the answer does not fit.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::message::{self, Answer, Code, Family};
use crate::probe::fault::{Fault, in_words};

/// What one server has said of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: Code,
    /// Of IPv6 and IPv4 in turn.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) time_to_live: Duration,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Silence {
    /// The server or the way to it, in words.
    Theirs(String),
    /// This machine cannot ask anybody.
    Ours(Fault),
}

/// How long the other family is waited for once one has addresses (RFC 8305, section 3, waits 50 ms for one of them).
const OTHER_FAMILY: Duration = Duration::from_millis(200);

/// Without extensions a datagram has at most 512 bytes; some servers send more.
const DATAGRAM_BYTES_MAX: usize = 4096;

const FAMILIES: [Family; 2] = [Family::V6, Family::V4];

/// Asks one server for the addresses of a name, for at most `patience`.
pub(super) async fn ask(
    server: SocketAddr,
    name: &str,
    patience: Duration,
) -> Result<Reply, Silence> {
    let name = name.to_ascii_lowercase();
    let until = Instant::now() + patience;
    let answers = exchange(server, &name, until)
        .await
        .map_err(|error| silence(server, &error))?;
    combine(answers).ok_or_else(|| Silence::Theirs(format!("no answer within {patience:?}")))
}

/// The answers to both questions as far as they come in time.
async fn exchange(
    server: SocketAddr,
    name: &str,
    until: Instant,
) -> io::Result<[Option<Answer>; 2]> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A port of its own and a random id: who cannot see the question cannot answer it.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let ids = ids()?;
    for (id, family) in ids.into_iter().zip(FAMILIES) {
        socket.send(&message::encode(id, name, family)).await?;
    }
    let mut answers = [None, None];
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    let mut until_all = until;
    while answers.iter().any(Option::is_none) {
        let Ok(received) = timeout_at(until_all, socket.recv(&mut datagram)).await else {
            break;
        };
        let datagram = &datagram[..received?];
        for (index, family) in FAMILIES.into_iter().enumerate() {
            let Some(mut answer) = message::parse(datagram, ids[index], name, family) else {
                continue;
            };
            if answer.is_cut {
                let whole = timeout_at(until, over_tcp(server, name, ids[index], family));
                if let Ok(Ok(Some(whole))) = whole.await {
                    answer = whole;
                }
            }
            if answer.is_cut && answer.addresses.is_empty() {
                // It has more to say than we could hear, which is no answer.
                return Err(io::Error::other(
                    "its answer needs TCP, which does not come through",
                ));
            }
            if !answer.addresses.is_empty() {
                until_all = until_all.min(Instant::now() + OTHER_FAMILY);
            }
            answers[index] = Some(answer);
        }
    }
    Ok(answers)
}

/// The same question over TCP (RFC 7766): each message stands behind its length.
async fn over_tcp(
    server: SocketAddr,
    name: &str,
    id: u16,
    family: Family,
) -> io::Result<Option<Answer>> {
    let mut stream = TcpStream::connect(server).await?;
    let question = message::encode(id, name, family);
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(question);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(message::parse(&answer, id, name, family))
}

/// Both answers as one. None without an answer from which something follows: addresses of one family, or nothing of both.
fn combine(answers: [Option<Answer>; 2]) -> Option<Reply> {
    let has_addresses = answers
        .iter()
        .flatten()
        .any(|answer| !answer.addresses.is_empty());
    let says_all =
        |answer: &&Answer| matches!(answer.code, Code::NoName | Code::Refused | Code::Failed);
    let speaks_for_both = answers
        .iter()
        .flatten()
        .find(says_all)
        .map(|answer| answer.code);
    if !has_addresses && speaks_for_both.is_none() && answers.iter().any(Option::is_none) {
        return None;
    }
    let time_to_live = answers
        .iter()
        .flatten()
        .filter(|answer| !answer.addresses.is_empty())
        .map(|answer| answer.time_to_live)
        .min()
        .unwrap_or_default();
    let [v6, v4] = answers.map(|answer| answer.map_or_else(Vec::new, |answer| answer.addresses));
    let code = match speaks_for_both {
        Some(code) if !has_addresses => code,
        _ => Code::NoError,
    };
    Some(Reply {
        code,
        addresses: in_turn(v6, v4),
        time_to_live,
    })
}

fn in_turn(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut all = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

fn ids() -> io::Result<[u16; 2]> {
    let mut bytes = [0; 4];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("no random numbers"))?;
    let [a, b, c, d] = bytes;
    Ok([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

/// A way that is barred is the next server's chance; want of descriptors or memory is none for any.
fn silence(server: SocketAddr, error: &io::Error) -> Silence {
    use rustix::io::Errno;
    let is_hopeless = matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS)
    );
    if is_hopeless {
        return Silence::Ours(Fault::of(
            &format!("cannot ask the DNS server {server}"),
            error,
        ));
    }
    Silence::Theirs(in_words(error))
}

#[cfg(test)]
mod tests;
