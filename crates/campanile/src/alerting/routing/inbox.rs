//! Where alerts are raised and a new configuration is announced.

use alerts::Routing;
use model::Alert;
use notify::Receivers;
use tokio::sync::mpsc;

/// Whom to tell, and how.
#[derive(Debug, Clone)]
pub(crate) struct Whom {
    pub(crate) routing: Routing,
    pub(crate) receivers: Receivers,
    /// Where links in messages lead.
    pub(crate) external_url: String,
}

pub(super) enum Input {
    Alerts(Vec<Alert>),
    Changed(Box<Whom>),
}

/// Where alerts are raised; clones lead to the same loop.
#[derive(Clone)]
pub(crate) struct Inbox(pub(super) mpsc::Sender<Input>);

impl Inbox {
    /// Hands alerts to routing; waits while it is busy.
    pub(crate) async fn raise(&self, alerts: Vec<Alert>) {
        if !alerts.is_empty() {
            // The loop ends after all who raise alerts.
            let _ = self.0.send(Input::Alerts(alerts)).await;
        }
    }

    /// Lets other routes and receivers hold from now on. Blocks while routing is busy.
    pub(crate) fn change(&self, whom: Whom) {
        let _ = self.0.blocking_send(Input::Changed(Box::new(whom)));
    }
}
