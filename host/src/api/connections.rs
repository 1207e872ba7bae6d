//! Connections, so many at once: those beyond wait with the system. Files of this process are one
//! budget, and a state or object store that can not open one fails for good. So nobody keeps one
//! without asking for something: a connection over which the head of a request does not come in
//! time is closed.

use super::metrics;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

pub(super) struct Connections {
    listener: TcpListener,
    room: Arc<Semaphore>,
    idle_max: Duration,
}

impl Connections {
    pub(super) fn new(
        listener: TcpListener,
        connections_max: usize,
        idle_max: Duration,
    ) -> Connections {
        Connections { listener, room: Arc::new(Semaphore::new(connections_max)), idle_max }
    }
}

/// Requests of a connection that are worked on.
#[derive(Clone, Default)]
pub(super) struct Busy(Arc<AtomicUsize>);

/// One of them.
pub(super) struct Working(Busy);

impl Busy {
    pub(super) fn begin(&self) -> Working {
        self.0.fetch_add(1, Ordering::Relaxed);
        Working(self.clone())
    }

    fn is_busy(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Connections>> for Busy {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Busy {
        stream.io().busy.clone()
    }
}

/// One of them; its place is free when it is dropped.
pub(super) struct Connection {
    stream: TcpStream,
    busy: Busy,
    idle_max: Duration,
    /// When a request has to be here, if none is.
    idle: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed.
        let place = self.room.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are written whole: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let idle_max = self.idle_max;
        let idle = Box::pin(tokio::time::sleep(idle_max));
        let busy = Busy::default();
        (Connection { stream, busy, idle_max, idle, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Listener::local_addr(&self.listener)
    }
}

impl Connection {
    /// Something was sent, or is worked on: the time begins anew.
    fn active(&mut self) {
        let deadline = Instant::now() + self.idle_max;
        self.idle.as_mut().reset(deadline);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, into) {
            return Poll::Ready(read);
        }
        if self.busy.is_busy() {
            self.active();
        }
        // Looked at again after as long, if nothing happens before: what was worked on may be done.
        match self.idle.as_mut().poll(context) {
            Poll::Ready(()) => {
                metrics::idle_closed();
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.active();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.active();
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
