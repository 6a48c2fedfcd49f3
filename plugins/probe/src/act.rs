//! The exported functions, each handed on to where it is done; what is only a few lines is done here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};

use crate::Component;
use crate::tools::exports::probe::tools::act::{
    FileOperation, Guest, Output, Status, WebRequest, WebResponse,
};
use crate::wasi::wasi::clocks::{monotonic_clock, wall_clock};
use crate::wasi::wasi::random::random::get_random_bytes;
use crate::{command, file_call, http, load, sockets};

/// The kind of failure, and what the system said.
fn told(error: io::Error) -> String {
    format!("{:?}: {error}", error.kind())
}

fn status(metadata: &fs::Metadata) -> Status {
    let kind = metadata.file_type();
    let kind = match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "folder",
        () if kind.is_symlink() => "link",
        () => "other",
    };
    Status {
        kind: kind.to_owned(),
        size: metadata.len(),
    }
}

impl Guest for Component {
    fn read_file(path: String) -> Result<String, String> {
        fs::read_to_string(path).map_err(told)
    }

    fn write_file(path: String, text: String) -> Result<(), String> {
        File::create(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(told)
    }

    fn truncate_file(path: String) -> Result<(), String> {
        let opened = OpenOptions::new().write(true).truncate(true).open(path);
        opened.map(drop).map_err(told)
    }

    fn list_folder(path: String) -> Result<Vec<String>, String> {
        let mut names = fs::read_dir(path)
            .and_then(|entries| {
                entries
                    .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                    .collect::<io::Result<Vec<String>>>()
            })
            .map_err(told)?;
        names.sort();
        Ok(names)
    }

    fn make_folder(path: String) -> Result<(), String> {
        fs::create_dir(path).map_err(told)
    }

    fn remove_file(path: String) -> Result<(), String> {
        fs::remove_file(path).map_err(told)
    }

    fn remove_folder(path: String) -> Result<(), String> {
        fs::remove_dir(path).map_err(told)
    }

    fn rename(source: String, target: String) -> Result<(), String> {
        fs::rename(source, target).map_err(told)
    }

    fn hard_link(source: String, target: String) -> Result<(), String> {
        fs::hard_link(source, target).map_err(told)
    }

    fn look_at(path: String, follow: bool) -> Result<Status, String> {
        let found = if follow {
            fs::metadata(path)
        } else {
            fs::symlink_metadata(path)
        };
        found.map(|metadata| status(&metadata)).map_err(told)
    }

    fn read_link(path: String) -> Result<String, String> {
        let target = fs::read_link(path).map_err(told)?;
        Ok(target.to_string_lossy().into_owned())
    }

    fn open_folders() -> Vec<String> {
        file_call::open_folders()
    }

    fn file_call(folder: String, operation: FileOperation) -> Result<String, String> {
        file_call::run(&folder, operation)
    }

    fn web(request: WebRequest) -> Result<WebResponse, String> {
        http::send(&request)
    }

    fn web_get(url: String) -> Result<WebResponse, String> {
        http::get(url)
    }

    fn resolve(name: String) -> Result<Vec<String>, String> {
        let addresses = sockets::resolve(&name)?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    fn tcp_ask(address: String, line: String) -> Result<String, String> {
        sockets::tcp_ask(sockets::parse(&address)?, &line)
    }

    fn tcp_ask_name(name: String, port: u16, line: String) -> Result<String, String> {
        let addresses = sockets::resolve(&name)?;
        let first = addresses.first().ok_or("the name has no address")?;
        sockets::tcp_ask((*first, port).into(), &line)
    }

    fn udp_ask(address: String, text: String, connected: bool) -> Result<String, String> {
        sockets::udp_ask(sockets::parse(&address)?, &text, connected)
    }

    fn tcp_listen(address: String) -> Result<(), String> {
        sockets::tcp_listen(sockets::parse(&address)?)
    }

    fn udp_bind(address: String) -> Result<(), String> {
        sockets::udp_bind(sockets::parse(&address)?).map(drop)
    }

    fn run_command(
        image: String,
        argv: Vec<String>,
        allow_list: Option<bool>,
    ) -> Result<String, String> {
        let network = match allow_list {
            Some(true) => command::Network::AllowList,
            _ => command::Network::None,
        };
        command::run(image, argv, network)
    }

    fn variable(name: String) -> Option<String> {
        std::env::var(name).ok()
    }

    fn variables() -> Vec<String> {
        std::env::vars().map(|(name, _)| name).collect()
    }

    fn arguments() -> Vec<String> {
        std::env::args().collect()
    }

    fn read_input() -> String {
        let mut text = String::new();
        match io::stdin().read_to_string(&mut text) {
            Ok(_) => text,
            Err(error) => told(error),
        }
    }

    fn say(text: String) {
        // Nobody could be told that it did not work.
        drop(io::stdout().write_all(text.as_bytes()));
        drop(io::stdout().flush());
    }

    fn chatter(to: Output, bytes: u64) {
        load::chatter(to, bytes);
    }

    fn now() -> u64 {
        let now = wall_clock::now();
        now.seconds * 1_000_000_000 + u64::from(now.nanoseconds)
    }

    fn random(count: u64) -> Vec<u8> {
        get_random_bytes(count)
    }

    fn ask_time(times: u64) -> u64 {
        (0..times).map(|_| monotonic_clock::now()).fold(0, u64::max)
    }

    fn sleep(milliseconds: u64) {
        let nanoseconds = milliseconds.saturating_mul(1_000_000);
        monotonic_clock::subscribe_duration(nanoseconds).block();
    }

    fn take_handles(count: u32) {
        let kept: Vec<_> = (0..count)
            .map(|_| monotonic_clock::subscribe_duration(u64::MAX))
            .collect();
        // They go back to the host when the call ends.
        std::mem::forget(kept);
    }

    fn spin() {
        load::spin();
    }

    fn recurse(depth: u64) -> u64 {
        load::recurse(depth)
    }

    fn take_memory(mebibytes: u32) -> u32 {
        load::take_memory(mebibytes)
    }

    fn try_memory(mebibytes: u32) -> Result<u32, String> {
        load::try_memory(mebibytes)
    }

    fn big_text(letters: u64) -> String {
        "x".repeat(load::length(letters))
    }

    fn big_bytes(count: u64) -> Vec<u8> {
        vec![b'x'; load::length(count)]
    }

    fn big_list(count: u64) -> Vec<u32> {
        vec![7; load::length(count)]
    }

    #[expect(clippy::panic, reason = "that is what the function is for")]
    fn panic(message: String) {
        panic!("{message}");
    }

    #[expect(
        clippy::exit,
        clippy::disallowed_methods,
        reason = "that is what the function is for"
    )]
    fn exit(success: bool) {
        std::process::exit(i32::from(!success));
    }
}
