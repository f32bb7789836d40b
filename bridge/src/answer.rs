//! What a component answers a request with, until its host looks.

use http::Response;
use std::sync::{Arc, Mutex, MutexGuard};
use wasmtime_wasi_http::WasiBody;

/// What the guest has answered.
#[derive(Default)]
pub enum Answer {
    #[default]
    Pending,
    Response(Response<WasiBody>),
    ErrorCode(String),
    /// It can no more.
    Dropped,
    /// It has ended without.
    None,
}

/// Where the guest's answer lies until the host looks.
#[derive(Clone, Default)]
pub struct Slot(Arc<Mutex<Answer>>);

impl Slot {
    pub fn answer(&self) -> MutexGuard<'_, Answer> {
        self.0.lock().expect("no panic holds it")
    }

    pub fn give<E: std::fmt::Debug>(&self, answer: std::result::Result<Response<WasiBody>, E>) {
        *self.answer() = match answer {
            Ok(response) => Answer::Response(response),
            Err(code) => Answer::ErrorCode(code_name(&format!("{code:?}"))),
        };
    }

    pub fn replace_pending(&self, with: Answer) {
        let mut answer = self.answer();
        if matches!(*answer, Answer::Pending) {
            *answer = with;
        }
    }
}

/// A response-outparam: given an answer once, or dropped.
pub struct Outparam(pub Slot);

impl Drop for Outparam {
    fn drop(&mut self) {
        self.0.replace_pending(Answer::Dropped);
    }
}

/// "HttpResponseTimeout" as the standard spells it: "HTTP-response-timeout".
fn code_name(debug: &str) -> String {
    let debug = debug.strip_prefix("ErrorCode::").unwrap_or(debug);
    let (name, detail) = match debug.split_once('(') {
        Some((name, detail)) => (name, Some(detail)),
        None => (debug, None),
    };
    let mut spelled = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !spelled.is_empty() {
            spelled.push('-');
        }
        spelled.push(letter.to_ascii_lowercase());
    }
    for acronym in ["http", "dns", "tls", "ip", "uri"] {
        let parts: Vec<String> = spelled
            .split('-')
            .map(|part| if part == acronym { part.to_uppercase() } else { part.into() })
            .collect();
        spelled = parts.join("-");
    }
    match detail.and_then(|detail| detail.strip_prefix("Some(\"")) {
        Some(text) => format!("{spelled}: {}", text.trim_end_matches(')').trim_end_matches('"')),
        None => spelled,
    }
}
