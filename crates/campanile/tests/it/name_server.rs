//! A DNS server that gives every name one address, or keeps silent.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The server; its thread ends with the test's process.
pub(crate) struct NameServer {
    is_silent: Arc<AtomicBool>,
}

impl NameServer {
    /// At port 53 of an address, and for all names the same address, which nobody may keep.
    pub(crate) fn start(at: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((at, 53)).unwrap();
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = is_silent.clone();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                if !silent.load(Ordering::SeqCst) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer(&question[..length], at), from);
                }
            }
        });
        Self { is_silent }
    }

    pub(crate) fn keep_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }
}

/// The question with its answer; of IPv6 there is none.
fn answer(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let wants_v4 = question[question.len() - 3] == 1;
    let mut answer = question.to_vec();
    answer[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(wants_v4)]);
    if wants_v4 {
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}
