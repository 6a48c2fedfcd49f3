//! The proxy at a socket of its own, which only one program finds: it listens in a network that nobody else is in.

use std::net::TcpListener as Socket;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::Rules;
use super::proxy::Proxy;
use crate::error::{Code, Error, Result};
use toolhatch_runner::protocol::MAX_CONNECTIONS;

/// What could not be taken is tried again after so long.
const AGAIN: Duration = Duration::from_millis(100);

/// The way out of a program. Its connections end when it is dropped.
pub(in crate::exec) struct Door {
    _accepting: AbortOnDropHandle<()>,
}

impl Door {
    /// Takes what connects to this socket, as these rules allow.
    ///
    /// # Errors
    /// E3405 where it cannot be listened to.
    pub(in crate::exec) fn open(socket: Socket, rules: Rules) -> Result<Self> {
        let listening = socket
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(socket));
        let listener = listening
            .map_err(|error| Error::new(Code::E3405, "opening its way out").caused_by(error))?;
        let proxy = Arc::new(Proxy::new(rules));
        Ok(Self {
            _accepting: AbortOnDropHandle::new(tokio::spawn(accept(listener, proxy))),
        })
    }
}

async fn accept(listener: TcpListener, proxy: Arc<Proxy>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        // Those that have ended are forgotten, or they would add up.
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let proxy = Arc::clone(&proxy);
                open.spawn(async move {
                    serve(proxy, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection of a program was not taken");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn serve(proxy: Arc<Proxy>, stream: TcpStream) {
    // Small pieces must not wait for more to come; without it they are only later.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection of a program waits for more to send");
    }
    proxy.serve(stream).await;
}
