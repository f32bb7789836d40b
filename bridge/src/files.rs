//! Guests with mounts: Wasmtime's WASI, its file work on threads of its own.

use crate::host::{Guest, GuestPointer, Host, exited, stopped};
use crate::{slice, text};
use bytes::Bytes;
use std::ffi::c_char;
use std::future::poll_fn;
use std::io;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use wasmtime::{Engine, Linker, Result};
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p1;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// Threads that do blocking file calls for all guests together.
const FILE_THREADS_MAX: usize = 16;
/// Bytes that a guest writes to stdout or stderr at once at the most.
const WRITE_BYTES_MAX: usize = 64 << 10;

#[repr(C)]
pub struct Files {
    args: *const *const c_char,
    arg_count: usize,
    env: *const *const c_char,
    env_count: usize,
    mounts: *const *const c_char,
    is_writable: *const bool,
    mount_count: usize,
    is_inherited_stdio: bool,
}

pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(FILE_THREADS_MAX)
            .thread_name("funcd-files")
            .enable_time()
            .enable_io()
            .build()
            .expect("threads for file work can be started")
    })
}

pub fn link(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    p1::add_to_linker_async(&mut linker, |guest: &mut Guest| {
        guest.wasi.as_deref_mut().expect("a guest with mounts has a context")
    })?;
    // Wasmtime's takes codes from 126 on for a trap; they are the guest's own affair.
    linker.allow_shadowing(true);
    linker.func_wrap("wasi_snapshot_preview1", "proc_exit", |code: i32| -> Result<()> {
        Err(exited(code))
    })?;
    Ok(linker)
}

/// # Safety
/// The arrays of `files` are as `funcd_bridge.h` says.
pub unsafe fn context(
    files: &Files,
    host: &'static Host,
    guest: GuestPointer,
) -> Result<WasiCtxBuilder> {
    let texts =
        |list, count| unsafe { slice(list, count) }.iter().map(|item| unsafe { text(*item) });
    let mut builder = WasiCtxBuilder::new();
    for arg in texts(files.args, files.arg_count) {
        builder.arg(arg);
    }
    let env: Vec<&str> = texts(files.env, files.env_count * 2).collect();
    for pair in env.chunks_exact(2) {
        builder.env(pair[0], pair[1]);
    }
    if files.is_inherited_stdio {
        builder.inherit_stdio().allow_blocking_current_thread(true);
    } else {
        builder.stdin(Pipe { host, guest, descriptor: 0 });
        builder.stdout(Pipe { host, guest, descriptor: 1 });
        builder.stderr(Pipe { host, guest, descriptor: 2 });
    }
    let mounts: Vec<&str> = texts(files.mounts, files.mount_count * 2).collect();
    let writable = unsafe { slice(files.is_writable, files.mount_count) };
    for (pair, is_writable) in mounts.chunks_exact(2).zip(writable) {
        let permissions = if *is_writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        builder
            .preopened_dir(pair[0], pair[1], permissions)
            .map_err(|error| wasmtime::format_err!("mount {}: {error}", pair[0]))?;
    }
    Ok(builder)
}

/// What `read` and `write` of the host say when the guest has to wait: engine::Stdio::kWait.
const WAIT: i64 = -1_000_001;

/// A standard stream that ends in the host's buffers. The host polls the task when it is ready.
#[derive(Clone, Copy)]
pub struct Pipe {
    pub host: &'static Host,
    pub guest: GuestPointer,
    pub descriptor: i32,
}

impl Pipe {
    fn is_ready(&self) -> bool {
        unsafe { (self.host.is_ready)(self.guest.0, self.descriptor) }
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(*self)
    }
    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(*self)
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(*self)
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(*self)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = into.initialize_unfilled();
        let count = unsafe { (self.host.read)(self.guest.0, room.as_mut_ptr(), room.len()) };
        if count == WAIT {
            return Poll::Pending;
        }
        into.advance(usize::try_from(count).unwrap_or(0));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = self.host.write;
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        let count = unsafe { write(self.guest.0, self.descriptor, bytes.as_ptr(), bytes.len()) };
        if count == WAIT {
            return Poll::Pending;
        }
        Poll::Ready(usize::try_from(count).map_err(|_| io::ErrorKind::StorageFull.into()))
    }
    fn poll_flush(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait::async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {
        poll_fn(|_| if self.is_ready() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl InputStream for Pipe {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut into = vec![0; size.min(WRITE_BYTES_MAX)];
        let count = unsafe { (self.host.read)(self.guest.0, into.as_mut_ptr(), into.len()) };
        if count <= 0 && count != WAIT {
            return Err(StreamError::Closed);
        }
        into.truncate(count.max(0) as usize);
        Ok(into.into())
    }
}

#[async_trait::async_trait]
impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let write = self.host.write;
        let count = unsafe { write(self.guest.0, self.descriptor, bytes.as_ptr(), bytes.len()) };
        if count < 0 { Err(StreamError::Trap(stopped())) } else { Ok(()) }
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.is_ready() { WRITE_BYTES_MAX } else { 0 })
    }
}
