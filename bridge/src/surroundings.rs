//! What a component may see and reach beside its request.

use crate::files::Pipe;
use crate::host::{GuestPointer, Host};
use crate::outbound::{Policy, Rule};
use crate::{slice, text};
use std::ffi::c_char;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::Result;
use wasmtime_wasi::{FsPerms, HostMonotonicClock, WasiCtx, WasiCtxBuilder};

/// Random bytes of one call at the most: the host allocates them.
const RANDOM_BYTES_MAX: u64 = 1 << 20;
/// `kSnapshotTimeMax`.
const BUILD_TIME_MAX: Duration = Duration::from_secs(10);

#[repr(C)]
pub struct OutboundRule {
    is_https: bool,
    port: u16,
    host: *const c_char,
}

#[repr(C)]
pub struct Spec {
    env: *const *const c_char,
    env_count: usize,
    mounts: *const *const c_char,
    is_writable: *const bool,
    mount_count: usize,
    rules: *const OutboundRule,
    rule_count: usize,
    outbound_request_bytes_max: u64,
    outbound_response_bytes_max: u64,
    connect_timeout_ms: u64,
}

/// `fb_surroundings`.
pub struct Shared(pub Arc<Surroundings>);

/// A monotonic clock of a guest that goes on where a snapshot was taken: it stands beyond all that
/// the run before can have seen.
struct LaterClock(Instant);

impl HostMonotonicClock for LaterClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        (BUILD_TIME_MAX + self.0.elapsed()).as_nanos() as u64
    }
}

#[derive(Default)]
pub struct Surroundings {
    env: Vec<(String, String)>,
    mounts: Vec<(String, String, bool)>,
    pub outbound: Option<Arc<Policy>>,
}

impl Surroundings {
    pub fn has_mounts(&self) -> bool {
        !self.mounts.is_empty()
    }

    pub fn context(
        &self,
        host: &'static Host,
        guest: GuestPointer,
        is_resumed: bool,
    ) -> Result<WasiCtx> {
        let mut builder = WasiCtxBuilder::new();
        if is_resumed {
            builder.monotonic_clock(LaterClock(Instant::now()));
        }
        builder
            .stdout(Pipe { host, guest, descriptor: 1 })
            .stderr(Pipe { host, guest, descriptor: 2 })
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false);
        for (name, value) in &self.env {
            builder.env(name, value);
        }
        for (from, to, is_writable) in &self.mounts {
            let permissions = if *is_writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            builder
                .preopened_dir(from, to, permissions)
                .map_err(|error| wasmtime::format_err!("mount {from}: {error}"))?;
        }
        Ok(builder.build())
    }
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_surroundings_new(spec: &Spec) -> Box<Shared> {
    let texts = |list, count| -> Vec<String> {
        unsafe { slice(list, count) }.iter().map(|item| unsafe { text(*item) }.to_owned()).collect()
    };
    let env = texts(spec.env, spec.env_count * 2);
    let mounts = texts(spec.mounts, spec.mount_count * 2);
    let writable = unsafe { slice(spec.is_writable, spec.mount_count) };
    let rules: Vec<Rule> = unsafe { slice(spec.rules, spec.rule_count) }
        .iter()
        .map(|rule| Rule::new(rule.is_https, unsafe { text(rule.host) }, rule.port))
        .collect();
    let outbound = (!rules.is_empty()).then(|| {
        Arc::new(Policy {
            rules,
            request_bytes_max: spec.outbound_request_bytes_max,
            response_bytes_max: spec.outbound_response_bytes_max,
            connect_timeout: Duration::from_millis(spec.connect_timeout_ms),
        })
    });
    let surroundings = Surroundings {
        env: env.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
        mounts: mounts
            .chunks_exact(2)
            .zip(writable)
            .map(|(pair, is_writable)| (pair[0].clone(), pair[1].clone(), *is_writable))
            .collect(),
        outbound,
    };
    Box::new(Shared(Arc::new(surroundings)))
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_surroundings_delete(_surroundings: Box<Shared>) {}
