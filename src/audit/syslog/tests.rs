use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;

use super::*;
use crate::audit::event::{Event, EventType};
use crate::audit::record::NO_PREV;

const PATIENCE: Duration = Duration::from_secs(10);

fn line(number: u64, text: &str) -> Vec<u8> {
    let mut line = Vec::new();
    Event::new(EventType::PermissionDenied)
        .with("text", text)
        .prepare()
        .expect("can be written")
        .write_line(number, NO_PREV, "01JD7Z3V9QW8X2N4M6K8R0T2YB", &mut line);
    line.push(b'\n');
    line
}

fn sink(address: &str, max: u64) -> (SyslogSink, mpsc::Receiver<String>) {
    let config = SyslogConfig {
        app_name: "gate".to_owned(),
        max_message: max,
        ..SyslogConfig::default()
    };
    let (told, hears) = mpsc::channel();
    let told = Mutex::new(told);
    let tell: OnTrouble = Arc::new(move |error: &Error| {
        let text = format!("{error}: {:?}", error.causes());
        drop(told.lock().expect("no test panicked").send(text));
    });
    let address = address.parse().expect("an address");
    let sink = SyslogSink::start(address, &config, tell).expect("started");
    (sink, hears)
}

/// Header and message of a datagram.
fn read(message: &str) -> (Vec<&str>, &str) {
    let mut fields: Vec<&str> = message.splitn(8, ' ').collect();
    let text = fields.pop().expect("a message");
    (fields, text)
}

fn from_unix(socket: &UnixDatagram) -> String {
    let mut buffer = vec![0; 1 << 17];
    let length = socket.recv(&mut buffer).expect("a message");
    String::from_utf8(buffer[..length].to_vec()).expect("UTF-8")
}

#[test]
fn the_local_socket_gets_each_record_as_a_message() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let (mut sink, _hears) = sink(&format!("unix://{}", path.display()), 8192);
    let line = line(1, "ü");
    sink.write(&line).expect("taken");
    let message = from_unix(&socket);
    let (header, text) = read(&message);
    let pid = std::process::id().to_string();
    // authpriv is 10, a notice 5.
    assert_eq!(header[0], "<85>1");
    assert!(
        header[1].ends_with('Z') && header[1].len() == 27,
        "{message}"
    );
    assert!(!header[2].is_empty());
    assert_eq!(header[3..], ["gate", &pid, "permission_denied", "-"]);
    // The receiver can check the chain: the line is there byte by byte.
    assert_eq!(text.as_bytes(), &line[..line.len() - 1]);
}

#[test]
fn what_is_too_long_is_cut_between_characters_and_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let (mut sink, _hears) = sink(&format!("unix://{}", path.display()), 1000);
    for padding in ["", "x", "xx"] {
        let line = line(1, &format!("{padding}{}", "€".repeat(1000)));
        sink.write(&line).expect("taken");
        let message = from_unix(&socket);
        assert!(
            message.len() <= 1000 && message.len() > 990,
            "{}",
            message.len()
        );
        let (_, text) = read(&message);
        let said = format!("cut from {} bytes, the audit log has 0", line.len() - 1);
        assert!(text.starts_with(&said), "{text}");
    }
}

#[test]
fn datagrams_that_are_too_large_for_the_socket_are_cut_further() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("bound");
    receiver.set_read_timeout(Some(PATIENCE)).expect("set");
    let address = receiver.local_addr().expect("bound");
    // More than any datagram has.
    let (mut sink, _hears) = sink(&format!("udp://{address}"), 100_000);
    sink.write(&line(1, &"x".repeat(90_000))).expect("taken");
    sink.write(&line(2, "y")).expect("taken");
    let mut buffer = vec![0; 1 << 17];
    let length = receiver.recv(&mut buffer).expect("a message");
    assert!(length <= 50_000 && length > 40_000, "{length}");
    let length = receiver.recv(&mut buffer).expect("the next");
    let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(message.contains("\"seq\":2"), "{message}");
}

/// The next message of a connection, by its length.
fn from_tcp(reader: &mut BufReader<TcpStream>) -> String {
    let mut length = Vec::new();
    reader.read_until(b' ', &mut length).expect("a length");
    let length = String::from_utf8(length).expect("UTF-8");
    let mut message = vec![0; length.trim_end().parse().expect("a number")];
    reader.read_exact(&mut message).expect("a message");
    String::from_utf8(message).expect("UTF-8")
}

fn accepted(listener: &TcpListener) -> BufReader<TcpStream> {
    let (stream, _) = listener.accept().expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    BufReader::new(stream)
}

#[test]
fn messages_over_tcp_have_their_length_and_survive_a_lost_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let (mut sink, _hears) = sink(&format!("tcp://{address}"), 8192);
    sink.write(&line(1, "a\nb")).expect("taken");
    sink.write(&line(2, "")).expect("taken");
    let mut connection = accepted(&listener);
    assert!(from_tcp(&mut connection).contains("\"seq\":1,"));
    assert!(from_tcp(&mut connection).contains("\"seq\":2,"));
    drop(connection);
    // The end of the connection has to arrive.
    std::thread::sleep(Duration::from_millis(100));
    sink.write(&line(3, "")).expect("taken");
    let mut connection = accepted(&listener);
    assert!(from_tcp(&mut connection).contains("\"seq\":3,"));
}

#[test]
fn a_syslog_that_is_gone_costs_nothing_and_is_told_what_it_missed() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let (mut sink, hears) = sink(&format!("unix://{}", path.display()), 8192);
    let begun = Instant::now();
    let all = MOST as u64 + 500;
    for number in 1..=all {
        sink.write(&line(number, "")).expect("taken");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let told = hears.recv_timeout(PATIENCE).expect("told");
    assert!(
        told.contains("passing audit records on to the syslog at unix://"),
        "{told}"
    );
    assert!(told.contains("No such file"), "{told}");

    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut next = 1;
    // The thread had taken one from the queue, which made room for one more.
    while next < MOST as u64 {
        let message = from_unix(&socket);
        assert!(
            message.contains(&format!("\"seq\":{next},")),
            "{next}: {message}"
        );
        next += 1;
    }
    // Only then is it told what is missing, and what comes later is there.
    sink.write(&line(all + 1, "")).expect("taken");
    let (mut lost, mut seen) = (0, 0);
    loop {
        let message = from_unix(&socket);
        let (header, text) = read(&message);
        if header[5] == "records_lost" {
            let count = text.split(' ').next().expect("a count");
            lost += count.parse::<u64>().expect("a number");
        } else {
            seen += 1;
        }
        if message.contains(&format!("\"seq\":{},", all + 1)) {
            break;
        }
    }
    assert_eq!(next - 1 + seen + lost, all + 1);
    assert!(lost >= 490, "{lost}");
    assert!(hears.try_recv().is_err(), "an outage is told once");
}

#[test]
fn a_process_that_ends_waits_for_a_moment_and_no_longer() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let (mut gone, hears) = sink(&format!("unix://{}", path.display()), 8192);
    gone.write(&line(1, "")).expect("taken");
    gone.write(&line(2, "")).expect("taken");
    let begun = Instant::now();
    drop(gone);
    assert!(begun.elapsed() < LAST_MOMENT * 2, "{:?}", begun.elapsed());
    let told: Vec<String> = std::iter::from_fn(|| hears.recv_timeout(PATIENCE).ok())
        .take(2)
        .collect();
    assert!(told[1].contains("2 records were not sent"), "{told:?}");

    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let (mut there, _hears) = sink(&format!("unix://{}", path.display()), 8192);
    there.write(&line(3, "")).expect("taken");
    drop(there);
    assert!(from_unix(&socket).contains("\"seq\":3,"));
}
