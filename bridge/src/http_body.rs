//! The two bodies of a component's run, as the host handles them.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use wasmtime_wasi_http::{Error, WasiBody};

/// `FB_REQUEST_BUFFER_BYTES`.
pub const REQUEST_BUFFER_BYTES: usize = 64 << 10;
/// What a guest that has ended can have sent and not yet had taken; a body that it only passes on has
/// no such bound.
const GATHERED_BYTES_MAX: usize = 256 << 10;
const CUT: &str = "the guest ended before its body did";

/// A request's body between the host, which feeds it, and whoever reads it.
#[derive(Default)]
pub struct Inbox(Mutex<InboxState>);

#[derive(Default)]
struct InboxState {
    bytes: BytesMut,
    end: Option<Result<Option<HeaderMap>, Error>>,
    has_ended: bool,
    is_dropped: bool,
    /// The host has more than there was room for.
    is_host_waiting: bool,
    reader: Option<Waker>,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, InboxState> {
        self.0.lock().expect("no panic holds it")
    }

    pub fn is_dropped(&self) -> bool {
        self.state().is_dropped
    }

    pub fn room(&self) -> usize {
        let state = self.state();
        if state.is_dropped { usize::MAX } else { REQUEST_BUFFER_BYTES - state.bytes.len() }
    }

    pub fn feed(&self, bytes: &[u8]) -> usize {
        let mut state = self.state();
        if state.is_dropped {
            return bytes.len();
        }
        let count = bytes.len().min(REQUEST_BUFFER_BYTES - state.bytes.len());
        state.bytes.extend_from_slice(&bytes[..count]);
        state.is_host_waiting = count < bytes.len();
        let reader = if count > 0 { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        count
    }

    pub fn end(&self, end: Result<Option<HeaderMap>, Error>) {
        let mut state = self.state();
        state.end = Some(end);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Its request is over: whoever still holds the reader's side gets no more of it.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_dropped = true;
        state.bytes = BytesMut::new();
        state.end = Some(Err(Error::ConnectionTerminated));
    }
}

/// The reader's side of an `Inbox`.
pub struct RequestBody {
    pub inbox: Arc<Inbox>,
    /// Woken when there is room again after there was not enough.
    pub host: Waker,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.inbox.state();
        if !state.bytes.is_empty() {
            let bytes = state.bytes.split().freeze();
            let is_host_waiting = std::mem::take(&mut state.is_host_waiting);
            drop(state);
            if is_host_waiting {
                self.host.wake_by_ref();
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        let Some(end) = state.end.take() else {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.has_ended = true;
        Poll::Ready(match end {
            Ok(None) => None,
            Ok(Some(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(error)),
        })
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let mut state = self.inbox.state();
        state.is_dropped = true;
        state.bytes = BytesMut::new();
        let is_host_waiting = std::mem::take(&mut state.is_host_waiting);
        drop(state);
        if is_host_waiting {
            self.host.wake_by_ref();
        }
    }
}

/// Where a response's body is.
pub enum Piece {
    Bytes(Bytes),
    End,
    Failed(String),
}

/// A response's body as the host takes it: checks it against what its head declares.
pub struct ResponseBody {
    body: WasiBody,
    /// Taken from the guest before it was gone.
    ready: VecDeque<Bytes>,
    /// What comes after `ready`; nothing: the body has more.
    last: Option<Result<(), String>>,
    declared: Option<u64>,
    taken: u64,
    /// Of a response that has no body on the wire, whatever the guest writes (RFC 9110 6.4.1).
    is_bodiless: bool,
    pub trailers: Option<HeaderMap>,
}

impl ResponseBody {
    pub fn new(body: WasiBody, declared: Option<u64>, is_bodiless: bool) -> ResponseBody {
        let ready = VecDeque::new();
        ResponseBody { body, ready, last: None, declared, taken: 0, is_bodiless, trailers: None }
    }

    /// Puts back what there was no room for.
    pub fn put_back(&mut self, rest: Bytes) {
        self.ready.push_front(rest);
    }

    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        if let Some(bytes) = self.ready.pop_front() {
            return Poll::Ready(Piece::Bytes(bytes));
        }
        match &self.last {
            Some(Ok(())) => return Poll::Ready(Piece::End),
            Some(Err(why)) => return Poll::Ready(Piece::Failed(why.clone())),
            None => {}
        }
        match self.poll_body(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(bytes))) => Poll::Ready(Piece::Bytes(bytes)),
            Poll::Ready(Ok(None)) => {
                self.last = Some(Ok(()));
                Poll::Ready(Piece::End)
            }
            Poll::Ready(Err(why)) => {
                self.last = Some(Err(why.clone()));
                Poll::Ready(Piece::Failed(why))
            }
        }
    }

    /// Takes what is there without a wait, as far as there is room for it, and says whether that is
    /// all of the body.
    pub fn gather(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let mut room = GATHERED_BYTES_MAX;
        while self.last.is_none() && room > 0 {
            match self.poll_body(&mut context) {
                Poll::Ready(Ok(Some(bytes))) => {
                    room = room.saturating_sub(bytes.len());
                    self.ready.push_back(bytes);
                }
                Poll::Ready(Ok(None)) => self.last = Some(Ok(())),
                Poll::Ready(Err(why)) => self.last = Some(Err(why)),
                Poll::Pending => break,
            }
        }
        self.last.is_some()
    }

    /// The guest is about to go before its time: what it has sent is kept, and unless that is all
    /// of it, the body fails after it.
    pub fn cut(&mut self) {
        if !self.gather() {
            self.last = Some(Err(CUT.into()));
        }
    }

    /// The next bytes, or nothing at the end.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, String>> {
        loop {
            let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
            match frame {
                None if self.is_bodiless => return Poll::Ready(Ok(None)),
                None => return Poll::Ready(self.checked_end().map(|()| None)),
                Some(Err(_)) if self.is_bodiless => return Poll::Ready(Ok(None)),
                Some(Err(error)) => return Poll::Ready(Err(self.describe(&error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if self.is_bodiless || bytes.is_empty() => {}
                    Ok(bytes) => {
                        self.taken += bytes.len() as u64;
                        return Poll::Ready(match self.declared {
                            Some(declared) if self.taken > declared => Err(format!(
                                "is longer than the {declared} bytes that its content-length \
                                 declares"
                            )),
                            _ => Ok(Some(bytes)),
                        });
                    }
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    fn checked_end(&self) -> Result<(), String> {
        match self.declared {
            Some(declared) if self.taken < declared => Err(self.too_short(declared)),
            _ => Ok(()),
        }
    }

    fn too_short(&self, declared: u64) -> String {
        format!(
            "ended after {} of the {declared} bytes that its content-length declares",
            self.taken
        )
    }

    fn describe(&self, error: &Error) -> String {
        match (self.declared, error) {
            (Some(declared), Error::HttpProtocolError | Error::HttpResponseBodySize(_))
                if self.taken < declared =>
            {
                self.too_short(declared)
            }
            (_, Error::HttpProtocolError) => "the guest dropped its body before its end".into(),
            (_, error) => error.to_string(),
        }
    }
}
