//! A connection to the first of several addresses that takes one.
//!
//! Each address has a head start of 250 ms before the next (RFC 8305, section 5), or none once it has failed; the others
//! are dropped when one stands. So a family that leads nowhere costs a quarter of a second, not the whole check.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::fault::{Blame, Fault, classify, in_words};
use super::network::leads_to;
use super::target::Target;

const HEAD_START: Duration = Duration::from_millis(250);
/// Of hosts with more addresses, the others are left out.
const ADDRESSES_MAX: usize = 8;
/// Of more failures, the others are left out of the message.
const TOLD_MAX: usize = 3;

type Attempt = Pin<Box<dyn Future<Output = (IpAddr, io::Result<TcpStream>)> + Send>>;

/// Connects to one of the addresses, and says to which.
///
/// Errors: none takes a connection; it is our own fault only if it is for each of them.
pub(crate) async fn connect(
    target: &Target,
    addresses: &[IpAddr],
) -> Result<(TcpStream, IpAddr), Fault> {
    let failures = match addresses {
        [address] => match attempt(*address, target.port).await {
            (address, Ok(stream)) => return Ok((stream, address)),
            (address, Err(error)) => vec![(address, error)],
        },
        addresses => match race(addresses, target.port).await {
            Ok(connected) => return Ok(connected),
            Err(failures) => failures,
        },
    };
    Err(fault(target, &failures))
}

async fn attempt(address: IpAddr, port: u16) -> (IpAddr, io::Result<TcpStream>) {
    let stream = TcpStream::connect(SocketAddr::new(address, port)).await;
    (address, stream)
}

async fn race(
    addresses: &[IpAddr],
    port: u16,
) -> Result<(TcpStream, IpAddr), Vec<(IpAddr, io::Error)>> {
    let mut waiting = addresses.iter().take(ADDRESSES_MAX);
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut failures = Vec::new();
    let mut head_start = pin!(sleep(HEAD_START));
    let connected = poll_fn(|context| {
        loop {
            let mut index = 0;
            while let Some(attempt) = attempts.get_mut(index) {
                match attempt.as_mut().poll(context) {
                    Poll::Pending => index += 1,
                    Poll::Ready((address, Ok(stream))) => {
                        return Poll::Ready(Some((stream, address)));
                    }
                    Poll::Ready((address, Err(error))) => {
                        drop(attempts.swap_remove(index));
                        failures.push((address, error));
                    }
                }
            }
            // The first of all, or the successor of one that has failed, or whose head start is over.
            let is_due = attempts.is_empty() || head_start.as_mut().poll(context).is_ready();
            if !is_due {
                return Poll::Pending;
            }
            match waiting.next() {
                Some(address) => {
                    attempts.push(Box::pin(attempt(*address, port)));
                    head_start.as_mut().reset(Instant::now() + HEAD_START);
                }
                None if attempts.is_empty() => return Poll::Ready(None),
                None => return Poll::Pending,
            }
        }
    });
    match connected.await {
        Some(connected) => Ok(connected),
        None => Err(failures),
    }
}

fn fault(target: &Target, failures: &[(IpAddr, io::Error)]) -> Fault {
    let blames = failures
        .iter()
        .map(|(address, error)| classify(error, || leads_to(*address)));
    // What the target does to us counts, even if another of its addresses cannot be reached from here.
    let blame = blames
        .min_by_key(|blame| match blame {
            Blame::Target => 0,
            Blame::TargetUnlessOurs => 1,
            Blame::Own => 2,
        })
        .unwrap_or(Blame::Own);
    let told = failures
        .iter()
        .take(TOLD_MAX)
        .map(|(address, error)| format!("{address}: {}", in_words(error)));
    let told: Vec<String> = told.collect();
    let told = told.join("; ");
    Fault::new(blame, format!("cannot connect to {target} ({told})"))
}

#[cfg(test)]
mod tests;
