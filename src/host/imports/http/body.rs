//! Bodies that count what passes and end when the call's budget is used up or nothing comes for too long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::Error;

use crate::host::meter::Meter;

/// How many body bytes one call may move in each direction, and how many it has.
#[derive(Debug)]
pub(super) struct Budget {
    allowed: u64,
    meter: Arc<Meter>,
}

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the server to the guest.
    In,
    /// From the guest to the server.
    Out,
}

impl Budget {
    pub(super) fn new(allowed: u64, meter: Arc<Meter>) -> Self {
        Self { allowed, meter }
    }

    fn spend(&self, direction: Direction, bytes: u64) -> Result<(), Error> {
        let so_far = match direction {
            Direction::In => self.meter.received(bytes),
            Direction::Out => self.meter.sent(bytes),
        };
        if so_far <= self.allowed {
            return Ok(());
        }
        Err(match direction {
            Direction::In => Error::HttpResponseBodySize(Some(self.allowed)),
            Direction::Out => Error::HttpRequestBodySize(Some(self.allowed)),
        })
    }
}

/// A body under a budget.
pub(super) struct Counted<B> {
    body: Pin<Box<B>>,
    budget: Arc<Budget>,
    direction: Direction,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// The task that drives the connection; it ends when the body is dropped.
    connection: Option<AbortOnDropJoinHandle<()>>,
}

impl<B> Counted<B> {
    pub(super) fn new(body: B, budget: Arc<Budget>, direction: Direction, idle: Duration) -> Self {
        Self {
            body: Box::pin(body),
            budget,
            direction,
            idle,
            timer: None,
            connection: None,
        }
    }

    /// Keeps the connection alive as long as the body.
    pub(super) fn keeping(mut self, connection: AbortOnDropJoinHandle<()>) -> Self {
        self.connection = Some(connection);
        self
    }
}

impl<B: Body<Data = Bytes, Error = Error>> Body for Counted<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        match this.body.as_mut().poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.timer = None;
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                Poll::Ready(Some(
                    this.budget.spend(this.direction, bytes).map(|()| frame),
                ))
            }
            Poll::Ready(other) => Poll::Ready(other),
            Poll::Pending => {
                let idle = this.idle;
                let timer = this
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                match timer.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_each_direction_by_itself() {
        let meter = Arc::new(Meter::default());
        let budget = Budget::new(10, Arc::clone(&meter));
        assert!(budget.spend(Direction::In, 10).is_ok());
        assert!(budget.spend(Direction::Out, 4).is_ok());
        assert!(budget.spend(Direction::In, 1).is_err());
        assert_eq!((meter.bytes_in(), meter.bytes_out()), (11, 4));
    }
}
