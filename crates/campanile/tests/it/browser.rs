//! A headless Chromium that a test drives over its DevTools protocol: JSON commands and events on a WebSocket.
//!
//! A [`Page`] collects whatever the browser complains of, so that a test can say that it complained of nothing.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use super::peer::installed;
use super::program::{PATIENCE, directory, send};

const PROGRAM: &str = "chromium";

/// Nothing that asks for the world outside, and no sandbox, which root cannot have.
const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
];

/// A running browser; it is killed when it is dropped.
pub(crate) struct Browser {
    child: Child,
    /// Host and port of the DevTools.
    tools: String,
    _profile: TempDir,
}

/// A tab.
pub(crate) struct Page {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    last_id: u64,
    complaints: Vec<String>,
}

/// What a window looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

impl Look {
    pub(crate) const LIGHT: Self = Self {
        name: "light",
        width: 1280,
        height: 900,
        is_dark: false,
    };
    pub(crate) const DARK: Self = Self {
        name: "dark",
        is_dark: true,
        ..Self::LIGHT
    };
    pub(crate) const PHONE: Self = Self {
        name: "phone",
        width: 390,
        height: 844,
        is_dark: false,
    };
}

impl Browser {
    /// Starts a browser; none if there is none to start, which is said.
    pub(crate) fn start() -> Option<Self> {
        if !installed(PROGRAM) {
            return None;
        }
        let profile = directory();
        let mut child = Command::new(PROGRAM)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let tools = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("{PROGRAM} has ended:\n{}", said.join("\n"));
            };
            if let Some(url) = line.strip_prefix("DevTools listening on ws://") {
                break url.split('/').next().unwrap().to_owned();
            }
            said.push(line);
        };
        // It goes on talking, and would wait for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Self {
            child,
            tools,
            _profile: profile,
        })
    }

    /// An empty tab.
    pub(crate) fn page(&self) -> Page {
        let url = format!("http://{}/json/new?about:blank", self.tools);
        let (status, answer) = send(reqwest::Method::PUT, &url, &[], Vec::new());
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let url = answer["webSocketDebuggerUrl"].as_str().unwrap();
        let (socket, _) = tungstenite::connect(url).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut page = Page {
            socket,
            last_id: 0,
            complaints: Vec::new(),
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already, which is no fault.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    /// Carries out a command of the DevTools and gives its result.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        let mut answer = self.exchange(method, parameters);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Sends a command and waits for its answer, which may be that it failed.
    fn exchange(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let command = json!({"id": id, "method": method, "params": parameters});
        self.socket
            .send(Message::text(command.to_string()))
            .unwrap();
        loop {
            let message = self.socket.read();
            let message = message.unwrap_or_else(|error| panic!("{method} {parameters}: {error}"));
            let Message::Text(text) = message else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == id {
                return message;
            }
            self.complaints.extend(complaint(&message));
        }
    }

    /// Opens an address and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        let result = self.call("Page.navigate", json!({"url": url}));
        assert!(result["errorText"].is_null(), "{url}: {result}");
        self.wait_for("document.readyState === 'complete'");
    }

    /// The value of an expression, or of the promise that it gives.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut result = self.call("Runtime.evaluate", parameters);
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {}",
            result["exceptionDetails"]
        );
        result["result"]["value"].take()
    }

    /// Waits until an expression is true; a navigation meanwhile is no fault.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let look = format!(
            "new Promise((resolve) => {{ let left = 100; const look = () => {{ \
                let is = false; try {{ is = Boolean({expression}); }} catch {{}} \
                is || left-- === 0 ? resolve(is) : setTimeout(look, 20); }}; look(); }})"
        );
        let parameters = json!({"expression": look, "awaitPromise": true, "returnByValue": true});
        for _ in 0..PATIENCE.as_secs() / 2 {
            // A navigation takes the promise away, which is a failure of the command and not of the test.
            let looked = self.exchange("Runtime.evaluate", parameters.clone());
            if looked["result"]["result"]["value"] == true {
                return;
            }
        }
        let text = self.evaluate("document.body?.innerText.slice(0, 2000)");
        panic!(
            "it is still not so that {expression}; the page says: {text}; complaints: {:?}",
            self.complaints
        );
    }

    /// Clicks the middle of the first element that fits a selector, as a mouse does.
    pub(crate) fn click(&mut self, selector: &str) {
        let quoted = Value::from(selector);
        self.wait_for(&format!("document.querySelector({quoted})"));
        let place = self.evaluate(&format!(
            "(() => {{ const element = document.querySelector({quoted}); \
             element.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             const box = element.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            self.call(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}),
            );
        }
    }

    /// Types a text into what has the focus.
    pub(crate) fn enter(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses and releases a key, such as `Tab`.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let parameters = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", parameters);
        }
    }

    /// Gives the window a size and a colour scheme.
    pub(crate) fn look(&mut self, look: Look) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false}),
        );
        let scheme = if look.is_dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Puts a picture of the window into a file, PNG or WebP by its ending.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let format = path.extension().unwrap().to_str().unwrap();
        let parameters = match format {
            "webp" => json!({"format": format, "quality": 85}),
            _ => json!({"format": format}),
        };
        let picture = self.call("Page.captureScreenshot", parameters);
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// What the browser has complained of since this was asked last.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // What was sent before the answer has arrived with it.
        self.evaluate("0");
        std::mem::take(&mut self.complaints)
    }
}

/// What an event complains of: an error or a warning in the console, an exception, a file that did not come.
fn complaint(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(format!("exception: {}", parameters["exceptionDetails"])),
        "Runtime.consoleAPICalled" => {
            let kind = parameters["type"].as_str()?;
            matches!(kind, "error" | "warning" | "assert")
                .then(|| format!("console.{kind}: {}", parameters["args"]))
        }
        "Log.entryAdded" => {
            let entry = &parameters["entry"];
            matches!(entry["level"].as_str()?, "error" | "warning")
                .then(|| format!("log: {} {}", entry["text"], entry["url"]))
        }
        _ => None,
    }
}
