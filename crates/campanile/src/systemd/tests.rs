//! What a service manager hears; time is simulated.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tempfile::TempDir;
use tokio::net::UnixDatagram as Socket;

use super::*;

/// How often the manager of these tests wants to hear something.
const WATCHDOG: Duration = Duration::from_secs(10);

/// The manager's end of the socket.
struct Listener {
    socket: Socket,
    systemd: Arc<Systemd>,
    _directory: TempDir,
}

impl Listener {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = Socket::bind(&path).unwrap();
        let address = address_of(path.as_os_str().as_bytes()).unwrap();
        Self {
            socket,
            systemd: Arc::new(Systemd::new(Some(address), Some(WATCHDOG))),
            _directory: directory,
        }
    }

    /// The next message.
    async fn hear(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).await.unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }
}

/// Signs of a program that is ready, and whose life is set.
fn signs(is_alive: &Arc<AtomicBool>) -> Signs {
    let is_alive = is_alive.clone();
    Signs {
        ready: Arc::new(|| Ok(())),
        alive: Arc::new(move || match is_alive.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err("a loop has not turned".to_owned()),
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn it_beats_at_half_the_time_while_the_loops_turn_and_not_when_one_is_stuck() {
    let manager = Listener::new();
    let is_alive = Arc::new(AtomicBool::new(true));
    let signs = signs(&is_alive);
    let listening = async {
        assert_eq!(manager.hear().await, "READY=1\nSTATUS=listening\n");
        let start = tokio::time::Instant::now();
        for beat in 0..3 {
            assert_eq!(manager.hear().await, "WATCHDOG=1\n");
            assert_eq!(
                start.elapsed() / (WATCHDOG / 2).as_millis() as u32,
                Duration::from_millis(beat)
            );
        }
        is_alive.store(false, Ordering::SeqCst);
        assert_eq!(
            manager.hear().await,
            "STATUS=stuck: a loop has not turned\n"
        );
        let silence = tokio::time::timeout(10 * WATCHDOG, manager.hear()).await;
        assert!(silence.is_err(), "{silence:?}");
        is_alive.store(true, Ordering::SeqCst);
        assert_eq!(manager.hear().await, "WATCHDOG=1\n");
    };
    tokio::select! {
        never = manager.systemd.accompany(&signs, "listening") => match never {},
        () = listening => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_ready_asks_for_time_and_says_what_is_missing() {
    let manager = Listener::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let signs = Signs {
        ready: Arc::new(move || match count.fetch_add(1, Ordering::SeqCst) {
            0..150 => Err("the disk is full".to_owned()),
            _ => Ok(()),
        }),
        alive: Arc::new(|| Ok(())),
    };
    let listening = async {
        assert_eq!(manager.hear().await, "STATUS=starting: the disk is full\n");
        assert_eq!(manager.hear().await, "EXTEND_TIMEOUT_USEC=30000000\n");
        assert_eq!(manager.hear().await, "EXTEND_TIMEOUT_USEC=30000000\n");
        assert!(manager.hear().await.starts_with("READY=1\n"));
    };
    tokio::select! {
        never = manager.systemd.accompany(&signs, "listening") => match never {},
        () = listening => {}
    }
    assert!(asked.load(Ordering::SeqCst) > 150);
}

#[tokio::test]
async fn a_reload_that_ends_after_the_stop_declares_nothing_ready() {
    let manager = Listener::new();
    let systemd = &manager.systemd;
    assert_eq!(systemd.reloading(|| Ok(())), Ok(()));
    let early = "STATUS=the configuration was read again\n";
    assert_eq!(
        manager.hear().await,
        early,
        "before it is ready it does not say so"
    );
    systemd.ready("listening");
    let stopped_meanwhile = || {
        systemd.stopping("SIGTERM");
        Ok(())
    };
    assert_eq!(systemd.reloading(stopped_meanwhile), Ok(()));
    assert_eq!(manager.hear().await, "READY=1\nSTATUS=listening\n");
    let reloading = manager.hear().await;
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(
        manager.hear().await,
        "STOPPING=1\nSTATUS=stopping: SIGTERM\n"
    );
    // Whatever else had been said would have come before this.
    systemd.status("last");
    assert_eq!(manager.hear().await, "STATUS=last\n");
}

#[test]
fn a_status_is_one_line_of_a_bounded_length() {
    assert_eq!(line("first\nREADY=1\n"), "first");
    assert_eq!(line("\n  \n"), "");
    let long = line(&"ä".repeat(1000));
    assert_eq!(long.chars().count(), STATUS_MAX + 1);
}

#[test]
fn an_address_is_a_path_or_a_name() {
    let path = address_of(b"/run/systemd/notify").unwrap();
    assert_eq!(path.as_pathname().unwrap(), "/run/systemd/notify");
    let name = address_of(b"@campanile/notify").unwrap();
    assert_eq!(name.as_abstract_name().unwrap(), b"campanile/notify");
    for wrong in [&b"notify"[..], b"vsock:2:1234", b""] {
        assert!(address_of(wrong).is_err(), "{wrong:?}");
    }
}
