//! A terminal for the program under test: what it shows there, and what somebody types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::program::until;

/// A program whose standard input and standard error are a terminal.
pub(crate) struct OnTerminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl OnTerminal {
    /// Starts a program on a new terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let slave: File = rustix::fs::open(&*name, flags, Mode::empty())
            .unwrap()
            .into();
        let mut master: File = master.into();
        let keyboard = master.try_clone().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error when the last program has closed the terminal.
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                shown.lock().unwrap().push_str(&text);
            }
        });
        let child = command
            .stdin(slave.try_clone().unwrap())
            .stderr(slave)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            keyboard,
            screen,
        }
    }

    /// All that was shown so far.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until a text is shown, so many times.
    pub(crate) fn wait_for(&self, text: &str, times: usize) {
        until(&format!("{text:?} is shown"), || {
            self.screen().matches(text).count() >= times
        });
    }

    /// Types a text.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the program to end by itself, and for its last words to be shown.
    pub(crate) fn wait_and_see(mut self, words: &str) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.wait_for(words, 1);
        (status, self.screen())
    }

    /// Waits for the program to end by itself.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.screen())
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // It may have ended already, which is no fault.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
