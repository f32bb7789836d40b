//! Bodies that other servers send, or are sent, held to their limits.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

/// A body that fails once it is longer than it may be.
pub struct Bounded<B> {
    body: B,
    left: u64,
    max: u64,
    error: fn(u64) -> Error,
}

impl<B> Bounded<B> {
    pub fn new(body: B, max: u64, error: fn(u64) -> Error) -> Bounded<B> {
        Bounded { body, left: max, max, error }
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Bounded<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err((self.error)(self.max)))),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that fails when nothing of it comes for too long.
pub struct Timed<B> {
    body: B,
    between: Duration,
    timer: Pin<Box<Sleep>>,
    is_waiting: bool,
    _held: Arc<()>,
}

impl<B> Timed<B> {
    /// Must be called where the runtime is entered. `held` goes with the body.
    pub fn new(body: B, between: Duration, held: Arc<()>) -> Timed<B> {
        let timer = Box::pin(sleep(between));
        Timed { body, between, timer, is_waiting: false, _held: held }
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Timed<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.is_waiting = false;
            return Poll::Ready(frame);
        }
        // The time that the guest takes to ask for more is not the server's.
        if !this.is_waiting {
            this.is_waiting = true;
            this.timer.as_mut().reset(Instant::now() + this.between);
        }
        ready!(this.timer.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
