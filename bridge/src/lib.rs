//! Wasmtime behind the small C interface of `funcd_bridge.h`. Types here have the layout given
//! there; each `unsafe` relies on what that header promises of its arguments.

mod alarm;
mod answer;
mod component;
mod engine;
mod entry;
mod files;
mod fold;
mod host;
mod http_body;
mod http_instance;
mod http_request;
mod http_spare;
mod http_task;
mod jumps;
mod outbound;
mod outbound_body;
mod program;
mod renewal;
mod small_data;
mod snapshot;
mod spares;
mod surroundings;
mod task;

use std::ffi::{CStr, c_char};

/// Which checkout this is built for: checkouts share the folder that cargo builds in, and cargo takes
/// what another has left there for its own unless something that it knows of differs.
const _: Option<&str> = option_env!("FUNCD_CHECKOUT");

/// `fb_bytes`: a `Vec` in parts.
#[repr(C)]
pub struct Bytes {
    data: *mut u8,
    size: usize,
    capacity: usize,
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Bytes { data: bytes.as_mut_ptr(), size: bytes.len(), capacity: bytes.capacity() }
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Bytes {
        text.into_bytes().into()
    }
}

impl Bytes {
    const EMPTY: Bytes = Bytes { data: std::ptr::null_mut(), size: 0, capacity: 0 };
}

/// # Safety
/// `bytes` came from this library and is freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_bytes_free(bytes: Bytes) {
    if !bytes.data.is_null() {
        drop(unsafe { Vec::from_raw_parts(bytes.data, bytes.size, bytes.capacity) });
    }
}

/// Writes the value, or the error as one line with its causes, and says which.
fn give<T>(result: wasmtime::Result<T>, error: &mut Bytes) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(cause) => {
            *error = one_line(&cause).into();
            None
        }
    }
}

/// "outer: inner: innermost".
fn one_line(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    causes.join(": ").replace('\n', " ")
}

/// # Safety
/// `text` ends in NUL and outlives the result.
unsafe fn text<'a>(text: *const c_char) -> &'a str {
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

/// # Safety
/// `data` holds `size` values that outlive the result; it may be null when `size` is 0.
unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data, size) } }
}
