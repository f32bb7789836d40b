//! How a run that waits wakes its host.

use crate::task::HostWaker;
use std::sync::{Arc, Mutex};
use std::task::Wake;

#[derive(PartialEq)]
pub enum Phase {
    /// The host waits to be woken.
    Idle,
    /// The host is in `fb_http_task_poll`, and looks at everything once it is through.
    Polling,
    /// Something has happened since the host has looked, and it knows.
    Woken,
}

struct State {
    phase: Phase,
    host: Option<HostWaker>,
}

/// Tells the host that there is something to do: once for each time that it looks, and not while it
/// looks.
pub struct Alarm(Mutex<State>);

impl Alarm {
    pub fn new(host: Option<HostWaker>) -> Alarm {
        Alarm(Mutex::new(State { phase: Phase::Idle, host }))
    }

    pub fn set(&self, from: Phase, to: Phase) -> bool {
        let mut state = self.0.lock().expect("no panic holds it");
        let is_as_expected = state.phase == from;
        if is_as_expected {
            state.phase = to;
        }
        is_as_expected
    }

    pub fn begin_poll(&self) {
        self.0.lock().expect("no panic holds it").phase = Phase::Polling;
    }

    fn ring(&self, while_polling: bool) {
        let mut state = self.0.lock().expect("no panic holds it");
        match state.phase {
            Phase::Idle => {
                state.phase = Phase::Woken;
                if let Some(host) = &state.host {
                    host.wake();
                }
            }
            Phase::Polling if while_polling => state.phase = Phase::Woken,
            Phase::Polling | Phase::Woken => {}
        }
    }

    pub fn disconnect(&self) {
        self.0.lock().expect("no panic holds it").host = None;
    }
}

/// For what the guest's run waits for.
impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring(true);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.ring(true);
    }
}

/// For what the host looks at after each poll anyway: the bodies.
pub struct BodyAlarm(pub Arc<Alarm>);

impl Wake for BodyAlarm {
    fn wake(self: Arc<Self>) {
        self.0.ring(false);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.ring(false);
    }
}
