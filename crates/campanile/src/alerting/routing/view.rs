//! What others see of routing.

use std::sync::{Mutex, PoisonError};

use model::{ComponentHealth, HealthState, Timestamp};

/// What others see of routing.
#[derive(Default)]
pub(crate) struct View {
    trouble: Mutex<Option<(Timestamp, String)>>,
}

impl View {
    /// Degraded while the catalog cannot be written; healthy since `started` at least.
    pub(crate) fn health(&self, started: Timestamp) -> ComponentHealth {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, reason, since) = match &*trouble {
            None => (HealthState::Healthy, String::new(), started),
            Some((since, reason)) => (HealthState::Degraded, reason.clone(), *since),
        };
        ComponentHealth {
            component: "alerting",
            state,
            reason,
            since,
        }
    }

    pub(super) fn set_trouble(&self, trouble: Option<(Timestamp, String)>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}
