//! The exported functions, each handed on to where it is done.

use std::hint::black_box;

use crate::bindings::exports::probe::concurrent::act::{
    FileOperation, Guest, WebRequest, WebResponse,
};
use crate::bindings::wasi::clocks::monotonic_clock::wait_for;
use crate::{Component, files, http, sockets};

const MILLISECOND: u64 = 1_000_000;

impl Guest for Component {
    async fn open_folders() -> Vec<String> {
        files::open_folders()
    }

    async fn file_call(folder: String, operation: FileOperation) -> Result<String, String> {
        files::run(&folder, operation).await
    }

    async fn list_folder(folder: String) -> Result<Vec<String>, String> {
        files::list(&folder).await
    }

    async fn write_file(folder: String, path: String, text: String) -> Result<(), String> {
        files::write(&folder, path, text).await
    }

    async fn web(request: WebRequest) -> Result<WebResponse, String> {
        http::send(request).await
    }

    async fn resolve(name: String) -> Result<Vec<String>, String> {
        sockets::resolve(name).await
    }

    async fn tcp_ask(address: String, line: String) -> Result<String, String> {
        sockets::tcp_ask(sockets::parse(&address)?, &line).await
    }

    async fn udp_ask(address: String, text: String, connected: bool) -> Result<String, String> {
        sockets::udp_ask(sockets::parse(&address)?, &text, connected).await
    }

    async fn tcp_listen(address: String) -> Result<(), String> {
        sockets::tcp_listen(sockets::parse(&address)?)
    }

    async fn udp_bind(address: String) -> Result<(), String> {
        sockets::udp_bind(sockets::parse(&address)?).map(drop)
    }

    async fn sleep(milliseconds: u64) {
        wait_for(milliseconds.saturating_mul(MILLISECOND)).await;
    }

    async fn spin() {
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    async fn sleep_together(times: u32, milliseconds: u64) {
        let mut waiting: Vec<_> = (0..times)
            .map(|_| Box::pin(wait_for(milliseconds.saturating_mul(MILLISECOND))))
            .collect();
        // Each is begun before the first has ended.
        std::future::poll_fn(|context| {
            waiting.retain_mut(|one| one.as_mut().poll(context).is_pending());
            if waiting.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }

    async fn echo_u8(value: u8) -> u8 {
        value
    }
}
