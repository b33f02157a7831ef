//! The sign of life: what must turn before the service manager is told that the program is alive.
//!
//! The beat is no timer that beats as long as the process exists. It is a future that the main task polls, so that it
//! stops with the loop that heeds signals. Before each beat it asks for proof:
//!
//! 1. The runtime turns timers and has a thread left for work that blocks: there the proof is asked for.
//! 2. The store answers: its locks are not held by something that hangs.
//! 3. The loops of alerting turn (`alerting/turns.rs`): rules are evaluated, checks are begun, notifications are routed.
//!
//! It does not prove that HTTP requests are answered: too many clients must not look like a program that is dead, or
//! whoever asks much could have it restarted. Nor that anything arrives outside, which is what health is for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::error;

use super::Systemd;

/// How often it is looked whether the program is ready, or stuck no more.
const LOOK: Duration = Duration::from_millis(100);

/// While the program starts, the manager is asked to wait this much longer, and asked again three times in it. A log of
/// many gigabytes takes longer to read than a unit may take to start by default.
const MORE_TIME: Duration = Duration::from_secs(30);

/// Asks one part of the program for a sign of life. Errors: what is not as it should be.
type Sign = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the program says of itself.
#[derive(Clone)]
pub(crate) struct Signs {
    /// Whether it does its work.
    pub(crate) ready: Sign,
    /// Whether it turns.
    pub(crate) alive: Sign,
}

impl Systemd {
    /// Waits for work at the start, such as reading a log, and lets the manager wait too.
    pub(crate) async fn while_starting<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        self.status(what);
        let asking = async {
            let mut again = tokio::time::interval(MORE_TIME / 3);
            loop {
                again.tick().await;
                self.ask_for_more_time();
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            never = asking => never,
        }
    }

    /// Says when the program is ready, and from then on that it is alive. It must be polled by the loop that it is to
    /// prove.
    pub(crate) async fn accompany(&self, signs: &Signs, status: &str) -> Infallible {
        if self.address.is_none() {
            return std::future::pending().await;
        }
        self.until_ready(&signs.ready, &signs.alive).await;
        self.ready(status);
        let Some(within) = self.watchdog else {
            return std::future::pending().await;
        };
        let mut is_stuck = false;
        loop {
            match ask(&signs.alive).await {
                Ok(()) => {
                    is_stuck = false;
                    self.tell(&[NotifyState::Watchdog]);
                    tokio::time::sleep(within / 2).await;
                }
                Err(reason) => {
                    if !std::mem::replace(&mut is_stuck, true) {
                        error!(
                            reason,
                            "the program is stuck: the service manager hears nothing more from it"
                        );
                        self.status(&format!("stuck: {reason}"));
                    }
                    tokio::time::sleep(LOOK.min(within / 2)).await;
                }
            }
        }
    }

    /// Waits for the end of what is under way. Its parts have limits of their own and the manager has another; until
    /// then the program is alive as long as its runtime turns.
    pub(crate) async fn while_stopping(&self, end: impl Future<Output = ()>) {
        let beating = async {
            let Some(within) = self.watchdog else {
                return std::future::pending().await;
            };
            let mut again = tokio::time::interval(within / 2);
            loop {
                again.tick().await;
                self.tell(&[NotifyState::Watchdog]);
            }
        };
        tokio::select! {
            biased;
            () = end => {}
            () = beating => {}
        }
    }

    async fn until_ready(&self, ready: &Sign, alive: &Sign) {
        let mut told = String::new();
        let mut asked: Option<tokio::time::Instant> = None;
        loop {
            let Err(missing) = ask(ready).await else {
                return;
            };
            if missing != told {
                self.status(&format!("starting: {missing}"));
                told = missing;
            }
            // A disk that is full keeps the program from being ready, but not from telling people of it.
            let is_due = asked.is_none_or(|asked| asked.elapsed() >= MORE_TIME / 3);
            if is_due && ask(alive).await.is_ok() {
                self.ask_for_more_time();
                asked = Some(tokio::time::Instant::now());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn ask_for_more_time(&self) {
        let micros = u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[NotifyState::ExtendTimeoutUsec(micros)]);
    }
}

/// Asks on a thread that may block, since what is stuck may hold a lock.
async fn ask(sign: &Sign) -> Result<(), String> {
    let sign = sign.clone();
    let asked = tokio::task::spawn_blocking(move || sign()).await;
    asked.unwrap_or_else(|_| Err("asking for a sign of life ended in a panic".to_owned()))
}
