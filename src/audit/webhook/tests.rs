use std::collections::BTreeSet;
use std::sync::mpsc;

use serde_json::Value;

use super::*;
use crate::audit::event::{Event, EventType};
use crate::audit::head::sha256;
use crate::audit::{AuditLog, Head, Options, Outlets, file_name};
use crate::web::testing::{Received, Reply, Server};

/// A `TOOLHATCH_HOME` with a log, and a queue over it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn queue(&self) -> Queue {
        Queue {
            log: self.0.path().join("audit"),
            folder: queue_folder(self.0.path()),
        }
    }

    fn open(&self, options: Options, sinks: Vec<Box<dyn Sink>>) -> AuditLog {
        let outlets = Outlets {
            sinks,
            on_error: None,
        };
        let keys = self.0.path().join("keys");
        AuditLog::open(&self.queue().log, &keys, options, outlets).expect("the log opens")
    }

    /// Writes records as a process without a webhook does.
    fn write(&self, count: usize) {
        let log = self.open(Options::default(), Vec::new());
        write(&log, count);
        log.close().expect("written");
    }

    /// Every line of the log, in order.
    fn lines(&self) -> Vec<String> {
        (1..)
            .map_while(|number| {
                std::fs::read_to_string(self.queue().log.join(file_name(number))).ok()
            })
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    fn deliver(&self, server: &Server) -> Result<Delivered> {
        run(deliver(&self.queue(), &receiver(server), Duration::ZERO))
    }
}

fn write(log: &AuditLog, count: usize) {
    for number in 0..count {
        let event = Event::new(EventType::ExecutionStart).with("number", number);
        log.append(event).expect("accepted");
    }
    log.flush().expect("written");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn receiver(server: &Server) -> Receiver {
    let options = crate::web::Options {
        timeout: Duration::from_secs(5),
        ..crate::web::Options::default()
    };
    let endpoint = server.url("/hook").parse().expect("a URL");
    Receiver::new(endpoint, None, options).expect("a receiver")
}

fn quiet() -> OnTrouble {
    Arc::new(|_| {})
}

fn hearing() -> (OnTrouble, mpsc::Receiver<String>) {
    let (told, hears) = mpsc::channel();
    let told = Mutex::new(told);
    let tell: OnTrouble = Arc::new(move |error: &Error| {
        let text = format!("{error}: {}", error.causes().join(": "));
        drop(told.lock().expect("no test panicked").send(text));
    });
    (tell, hears)
}

/// The lines in a body, each as it stands in the log.
fn lines_of(request: &Received) -> Vec<String> {
    let text = String::from_utf8(request.body.clone()).expect("UTF-8");
    let inner = text
        .strip_prefix("[\n")
        .and_then(|text| text.strip_suffix("\n]"));
    let inner = inner.expect("an array");
    inner
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

fn taken(requests: &[Received]) -> Vec<String> {
    requests.iter().flat_map(lines_of).collect()
}

#[test]
fn every_line_arrives_as_it_is_in_the_log_with_the_head() {
    let home = Home::new();
    home.write(1200);
    let server = Server::start(|_, _| Reply::status(204));
    let delivered = home.deliver(&server).expect("delivered");
    let lines = home.lines();
    assert_eq!(delivered.records, lines.len() as u64);
    let requests = server.requests();
    assert_eq!(delivered.batches, requests.len() as u64);
    assert_eq!(taken(&requests), lines);
    for request in &requests {
        assert_eq!(request.line, "POST /hook HTTP/1.1");
        let kind = &request.headers["content-type"];
        assert_eq!(kind, "application/cloudevents-batch+json");
        assert!(!request.headers.contains_key("webhook-signature"));
        let events: Vec<Value> = serde_json::from_slice(&request.body).expect("JSON");
        assert!(events.len() <= 500);
        let head: Head = request.headers["toolhatch-audit-head"]
            .parse()
            .expect("a head");
        let last = lines_of(request).pop().expect("a line");
        assert_eq!(head.hash, sha256(last.as_bytes()));
        assert_eq!(events.last().expect("an event")["seq"], head.seq);
    }
    assert_eq!(
        home.queue().progress().expect("readable"),
        (lines.len() as u64, lines.len() as u64)
    );
    // Nothing is left.
    assert_eq!(home.deliver(&server).expect("delivered").records, 0);
}

#[test]
fn a_delivery_is_signed_and_a_repetition_has_the_same_id() {
    let home = Home::new();
    home.write(3);
    let server = Server::start(|number, _| Reply::status(if number == 0 { 500 } else { 200 }));
    let secret = crate::config::Credential::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let endpoint = server.url("/").parse().expect("a URL");
    let signing = Receiver::new(endpoint, Some(&secret), crate::web::Options::default());
    let signing = signing.expect("a receiver");
    let queue = home.queue();
    assert!(run(deliver(&queue, &signing, Duration::ZERO)).is_err());
    assert!(run(deliver(&queue, &signing, Duration::ZERO)).is_ok());
    let requests = server.requests();
    assert_eq!(
        requests[0].headers["webhook-id"],
        requests[1].headers["webhook-id"]
    );
    for request in &requests {
        assert!(request.headers["webhook-signature"].starts_with("v1,"));
        assert!(
            request.headers["webhook-timestamp"]
                .parse::<u64>()
                .expect("seconds")
                > 1_600_000_000
        );
        let all = format!("{request:?}");
        assert!(!all.contains("MfKQ9r8G"), "{all}");
    }
}

#[test]
fn whatever_the_receiver_does_nothing_is_lost_and_what_it_took_is_not_sent_again() {
    let home = Home::new();
    home.write(5);
    let elsewhere = Server::start(|_, _| Reply::status(200));
    let location = format!("location: {}\r\n", elsewhere.url("/")).leak() as &str;
    let server = Server::start(move |number, _| match number {
        0 => Reply::status(500),
        1 => Reply::Answer(429, "retry-after: 3\r\n", Vec::new()),
        2 => Reply::Close,
        3 => Reply::status(400),
        4 => Reply::status(401),
        5 => Reply::Answer(302, location, Vec::new()),
        // It took it, however badly it says so.
        6 => Reply::CutShort,
        7 => Reply::Endless,
        _ => Reply::status(200),
    });
    for _ in 0..6 {
        let error = home.deliver(&server).expect_err("failed");
        assert_eq!(error.code(), Code::E3704);
        assert!(
            error.to_string().contains("they wait in the log"),
            "{error}"
        );
        assert_eq!(error.details()["delivered"], 0);
    }
    let all = home.lines();
    assert_eq!(
        home.deliver(&server).expect("taken").records,
        all.len() as u64
    );
    home.write(1);
    assert!(home.deliver(&server).expect("taken").records > 0);
    home.write(1);
    assert!(home.deliver(&server).expect("taken").records > 0);
    let requests = server.requests();
    assert_eq!(requests.len(), 9);
    assert_eq!(taken(&requests[6..]), home.lines());
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn a_process_delivers_what_it_writes_and_what_others_left() {
    let home = Home::new();
    home.write(3);
    let server = Server::start(|_, _| Reply::status(200));
    let start = || {
        Webhook::start(
            home.queue(),
            receiver(&server),
            None,
            Duration::ZERO,
            quiet(),
        )
        .expect("started")
    };
    let webhook = start();
    let log = home.open(Options::default(), vec![webhook.sink()]);
    write(&log, 4);
    log.close().expect("closed");
    webhook.close(Duration::from_secs(5));
    assert_eq!(taken(&server.requests()), home.lines());
    // Another process, later: nothing twice.
    home.write(2);
    start().close(Duration::from_secs(5));
    assert_eq!(taken(&server.requests()), home.lines());
}

#[test]
fn many_deliverers_on_one_home_send_each_record_once() {
    let home = Home::new();
    home.write(1);
    let server = Server::start(|_, _| Reply::status(200));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let webhook = Webhook::start(
                        home.queue(),
                        receiver(&server),
                        None,
                        Duration::ZERO,
                        quiet(),
                    );
                    let webhook = webhook.expect("started");
                    let log = home.open(Options::default(), vec![webhook.sink()]);
                    write(&log, 20);
                    log.close().expect("closed");
                    webhook.close(Duration::from_secs(20));
                }
            });
        }
    });
    home.deliver(&server).expect("the rest");
    assert_eq!(taken(&server.requests()), home.lines());
}

#[test]
fn a_crash_before_the_cursor_is_kept_repeats_records_that_can_be_told_by_their_ids() {
    let home = Home::new();
    home.write(3);
    let server = Server::start(|_, _| Reply::status(200));
    home.deliver(&server).expect("delivered");
    let cursor = home.queue().folder.join("cursor.json");
    let before = std::fs::read(&cursor).expect("kept");
    home.write(2);
    home.deliver(&server).expect("delivered");
    crate::fsx::write_atomic(&cursor, &before, 0o600).expect("put back");
    home.deliver(&server).expect("again");
    let requests = server.requests();
    assert_eq!(lines_of(&requests[1]), lines_of(&requests[2]));
    assert_eq!(
        requests[1].headers["webhook-id"],
        requests[2].headers["webhook-id"]
    );
    let distinct: BTreeSet<String> = taken(&requests).into_iter().collect();
    assert_eq!(distinct.len(), home.lines().len());
}

#[test]
fn calls_do_not_wait_and_a_process_that_ends_waits_only_so_long() {
    let home = Home::new();
    let hangs = Server::start(|_, _| Reply::Hang(Duration::from_secs(30)));
    let webhook = Webhook::start(
        home.queue(),
        receiver(&hangs),
        None,
        Duration::ZERO,
        quiet(),
    );
    let webhook = webhook.expect("started");
    let begun = Instant::now();
    let log = home.open(Options::default(), vec![webhook.sink()]);
    write(&log, 100);
    assert!(webhook.admit().is_ok());
    log.close().expect("closed");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    let closing = Instant::now();
    webhook.close(Duration::from_millis(300));
    assert!(
        closing.elapsed() < Duration::from_secs(1),
        "{:?}",
        closing.elapsed()
    );
    drop(webhook);
    // The lock of a request that hangs is given back with it.
    let server = Server::start(|_, _| Reply::status(200));
    let delivered = run(deliver(
        &home.queue(),
        &receiver(&server),
        Duration::from_secs(20),
    ));
    assert_eq!(
        delivered.expect("delivered").records,
        home.lines().len() as u64
    );
}

#[test]
fn a_receiver_that_fails_is_left_alone_by_every_process_and_told_of_once() {
    let home = Home::new();
    home.write(1);
    let server = Server::start(|_, _| Reply::Answer(503, "retry-after: 600\r\n", b"busy".to_vec()));
    let (tell, hears) = hearing();
    let webhook = Webhook::start(home.queue(), receiver(&server), None, Duration::ZERO, tell);
    let webhook = webhook.expect("started");
    server.wait_for(1);
    let told = hears.recv_timeout(Duration::from_secs(10)).expect("told");
    assert!(told.contains("503") && told.contains("busy"), "{told}");
    let begun = Instant::now();
    for _ in 0..3 {
        let other = Webhook::start(
            home.queue(),
            receiver(&server),
            None,
            Duration::ZERO,
            quiet(),
        );
        other.expect("started").close(Duration::from_secs(5));
    }
    webhook.close(Duration::from_secs(5));
    // Waiting would help nobody: processes end at once.
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(server.requests().len(), 1);
    assert!(hears.try_recv().is_err());
}

#[test]
fn a_failed_delivery_is_tried_again_by_itself() {
    let home = Home::new();
    home.write(1);
    let server = Server::start(|number, _| Reply::status(if number < 2 { 500 } else { 200 }));
    let webhook = Webhook::start(
        home.queue(),
        receiver(&server),
        None,
        Duration::ZERO,
        quiet(),
    );
    let webhook = webhook.expect("started");
    let requests = server.wait_for(3);
    webhook.close(Duration::from_secs(5));
    assert_eq!(lines_of(&requests[2]), home.lines());
    assert_eq!(home.deliver(&server).expect("nothing waits").records, 0);
}

#[test]
fn strict_mode_runs_nothing_while_records_wait_too_long() {
    let home = Home::new();
    home.write(1);
    std::thread::sleep(Duration::from_millis(50));
    let server = Server::start(|number, _| Reply::status(if number == 0 { 500 } else { 200 }));
    let start = |lag: u64| {
        let lag = Some(Duration::from_millis(lag));
        Webhook::start(
            home.queue(),
            receiver(&server),
            lag,
            Duration::from_secs(10),
            quiet(),
        )
        .expect("started")
    };
    let webhook = start(20);
    let error = webhook.admit().expect_err("too long");
    assert_eq!(error.code(), Code::E3704);
    assert!(error.hints().concat().contains("audit deliver"), "{error}");
    webhook.close(Duration::ZERO);
    home.deliver(&server).expect("delivered now");
    let webhook = start(20);
    assert!(webhook.admit().is_ok());
    drop(webhook);
    let patient = start(60_000);
    assert!(patient.admit().is_ok());
}

#[test]
fn records_too_large_for_the_receiver_are_halved_and_then_passed_over() {
    let home = Home::new();
    home.write(6);
    let log = home.open(Options::default(), Vec::new());
    let large = Event::new(EventType::ErrorOccurred).with("text", "x".repeat(5000));
    log.append_durable(large).expect("written");
    write(&log, 3);
    log.close().expect("written");
    let server = Server::start(|_, request| {
        Reply::status(if request.body.len() > 2000 { 413 } else { 200 })
    });
    let delivered = home.deliver(&server).expect("delivered");
    let lines = home.lines();
    assert_eq!(delivered.records, lines.len() as u64 - 1);
    assert_eq!(delivered.lost, 1);
    let note = delivered.notes[0].to_string();
    assert!(note.contains("too large for the receiver"), "{note}");
    let arrived: Vec<String> = server
        .requests()
        .iter()
        .filter(|request| request.body.len() <= 2000)
        .flat_map(lines_of)
        .collect();
    let expected: Vec<String> = lines.into_iter().filter(|line| line.len() < 2000).collect();
    assert_eq!(arrived, expected);
}

#[test]
fn what_retention_removed_is_said() {
    let home = Home::new();
    home.write(1);
    let server = Server::start(|_, _| Reply::status(200));
    home.deliver(&server).expect("delivered");
    let small = Options {
        max_file_bytes: 3000,
        keep_files: Some(2),
        ..Options::default()
    };
    let log = home.open(small, Vec::new());
    for _ in 0..60 {
        write(&log, 1);
    }
    log.close().expect("written");
    let delivered = home.deliver(&server).expect("delivered");
    assert!(delivered.lost > 0);
    let note = delivered.notes[0].to_string();
    assert!(note.contains("removed by retention"), "{note}");
    let seqs: Vec<u64> = taken(&server.requests())
        .iter()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["seq"]
                .as_u64()
                .expect("a number")
        })
        .collect();
    let all = *seqs.last().expect("some");
    assert_eq!(
        seqs.len() as u64 + delivered.lost,
        all,
        "every record arrived or was told to be lost"
    );
}

#[test]
fn a_log_that_is_not_the_one_that_was_delivered_is_noticed() {
    let home = Home::new();
    home.write(3);
    let server = Server::start(|_, _| Reply::status(200));
    home.deliver(&server).expect("delivered");
    let file = home.queue().log.join(file_name(1));
    let text = std::fs::read_to_string(&file).expect("a file");
    let cut: String = text.split_inclusive('\n').take(3).collect();
    crate::fsx::write_atomic(&file, cut.as_bytes(), 0o600).expect("cut");
    let delivered = home.deliver(&server).expect("delivered");
    let note = delivered.notes[0].to_string();
    assert!(note.contains("is not the one that was delivered"), "{note}");

    std::fs::remove_dir_all(home.queue().log).expect("removed");
    home.write(2);
    let delivered = home.deliver(&server).expect("delivered");
    assert!(delivered.notes[0].to_string().contains("was taken away"));
    assert_eq!(
        lines_of(server.requests().last().expect("one")),
        home.lines()
    );
}

#[test]
fn damaged_lines_are_left_out_and_damaged_cursors_begin_again() {
    let home = Home::new();
    home.write(3);
    let file = home.queue().log.join(file_name(1));
    let text = std::fs::read_to_string(&file).expect("a file");
    let damaged = text.replacen("\"number\":1", "\"number\":", 1);
    crate::fsx::write_atomic(&file, damaged.as_bytes(), 0o600).expect("damaged");
    let server = Server::start(|_, _| Reply::status(200));
    let delivered = home.deliver(&server).expect("delivered");
    assert_eq!(delivered.lost, 1);
    assert!(delivered.notes[0].to_string().contains("damaged lines"));
    assert!(serde_json::from_slice::<Vec<Value>>(&server.requests()[0].body).is_ok());

    let cursor = home.queue().folder.join("cursor.json");
    crate::fsx::write_atomic(&cursor, b"{\"format\":1,", 0o600).expect("damaged");
    let again = home.deliver(&server).expect("delivered");
    assert_eq!(again.records, delivered.records);
    assert!(again.notes[0].to_string().contains("cannot be read"));

    crate::fsx::write_atomic(&cursor, b"{\"format\":2}", 0o600).expect("newer");
    let error = home.deliver(&server).expect_err("newer");
    assert!(error.to_string().contains("a newer Toolhatch"), "{error}");
    assert_eq!(std::fs::read(&cursor).expect("there"), b"{\"format\":2}");
}

#[test]
fn a_home_without_a_log_has_nothing_to_deliver() {
    let home = Home::new();
    let server = Server::start(|_, _| Reply::status(200));
    assert_eq!(home.deliver(&server).expect("nothing").records, 0);
    assert_eq!(home.queue().progress().expect("nothing"), (0, 0));
    assert!(server.requests().is_empty());
}
