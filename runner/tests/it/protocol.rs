//! Frames: what is written is what is read, in whatever pieces it comes, and nothing that comes does harm.

use toolhatch_runner::protocol::{
    Decoder, Ended, Ending, Frame, HEADER, MAX_PAYLOAD, Malformed, Order, Part, Refusal, Refused,
    Report, Run, Segment,
};

use crate::support::random::Random;

fn texts(random: &mut Random) -> Vec<Vec<u8>> {
    let count = random.below(5);
    (0..count)
        .map(|_| {
            let length = random.below(40);
            random.bytes(length)
        })
        .collect()
}

fn number(random: &mut Random) -> u32 {
    u32::try_from(random.next() >> 32).expect("32 bits")
}

fn port(random: &mut Random) -> u16 {
    u16::try_from(random.below(1 << 16)).expect("16 bits")
}

fn segment(random: &mut Random) -> Segment {
    let length = random.below(300);
    Segment {
        connection: number(random),
        part: match random.below(4) {
            0 => Part::Data(random.bytes(length)),
            1 => Part::End,
            2 => Part::Taken(number(random)),
            _ => Part::Close,
        },
    }
}

fn order(random: &mut Random) -> Order {
    match random.below(8) {
        0 => Order::Run(Run {
            argv: texts(random),
            env: texts(random),
            cwd: random.bytes(7),
            deadline_ms: number(random),
            grace_ms: number(random),
            umask: number(random),
            stdin: random.below(2) == 0,
            clean_tmp: random.below(2) == 0,
            proxy: (random.below(2) == 0).then(|| port(random)),
        }),
        1 => Order::Stdin(random.bytes(300)),
        2 => Order::StdinEnd,
        3 => Order::Signal(15),
        4 => Order::Kill,
        5 => Order::Ping,
        6 => Order::Tunnel(segment(random)),
        _ => Order::Exit,
    }
}

fn report(random: &mut Random) -> Report {
    let refusals = [
        Refusal::Busy,
        Refusal::Invalid,
        Refusal::NotFound,
        Refusal::NotExecutable,
        Refusal::Directory,
        Refusal::Resources,
        Refusal::Unclean,
        Refusal::Proxy,
    ];
    match random.below(12) {
        0 => Report::Ready(number(random)),
        1 => Report::Started(number(random)),
        2 => Report::Stdout(random.bytes(300)),
        3 => Report::Stderr(random.bytes(0)),
        4 => Report::Taken(number(random)),
        5 => Report::Ended(Ended {
            ending: if random.below(2) == 0 {
                Ending::Exited(random.bytes(1)[0])
            } else {
                Ending::Signalled(random.bytes(1)[0])
            },
            timed_out: random.below(2) == 0,
            user_us: random.next(),
            system_us: random.next(),
            max_rss_bytes: random.next(),
            oom_kills: (random.below(2) == 0).then(|| random.next()),
            leftovers: number(random),
            duration_us: random.next(),
        }),
        6 => Report::Refused(Refused {
            refusal: refusals[random.below(refusals.len())],
            errno: number(random).cast_signed(),
            text: "no such thing, ä".to_owned(),
        }),
        7 => Report::Pong,
        8 => Report::Listening(port(random)),
        9 => Report::Opened(number(random)),
        10 => Report::Tunnel(segment(random)),
        _ => Report::Error("gone".to_owned()),
    }
}

/// Feeds the bytes in pieces and returns the frames.
fn decode(bytes: &[u8], random: &mut Random) -> Result<Vec<Frame>, Malformed> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(1 + random.below(rest.len().min(700)));
        decoder.push(piece);
        rest = after;
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

#[test]
fn what_is_written_is_read_in_whatever_pieces_it_comes() {
    let mut random = Random::new(4);
    for _ in 0..500 {
        let orders = (0..random.below(6)).map(|_| ()).collect::<Vec<()>>();
        let orders = orders
            .iter()
            .map(|()| (number(&mut random), order(&mut random)));
        let orders = orders.collect::<Vec<_>>();
        let mut bytes = Vec::new();
        for (id, order) in &orders {
            order.encode(*id, &mut bytes).unwrap();
        }
        let frames = decode(&bytes, &mut random).unwrap();
        let read = frames
            .into_iter()
            .map(|frame| (frame.id, Order::parse(frame).unwrap()));
        assert_eq!(read.collect::<Vec<_>>(), orders);
    }
    for _ in 0..500 {
        let sent = report(&mut random);
        let mut bytes = Vec::new();
        sent.encode(7, &mut bytes).unwrap();
        let frames = decode(&bytes, &mut random).unwrap();
        let [frame] = frames.try_into().unwrap();
        assert_eq!((frame.id, Report::parse(frame).unwrap()), (7, sent));
    }
}

#[test]
fn random_bytes_are_an_answer_and_no_harm() {
    let mut random = Random::new(9);
    for round in 0..20_000 {
        let length = random.below(200);
        let mut bytes = random.bytes(length);
        // Lengths that are short, so that there are frames in it.
        if round % 2 == 0 {
            for at in (5..bytes.len()).step_by(HEADER + 4) {
                bytes[at..].iter_mut().take(3).for_each(|byte| *byte = 0);
            }
        }
        for frame in decode(&bytes, &mut random).unwrap_or_default() {
            let _ = Order::parse(frame.clone());
            let _ = Report::parse(frame);
        }
    }
}

#[test]
fn frames_that_were_tampered_with_never_become_others_with_rubbish_behind() {
    let mut random = Random::new(11);
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        if random.below(2) == 0 {
            order(&mut random).encode(1, &mut bytes).unwrap();
        } else {
            report(&mut random).encode(1, &mut bytes).unwrap();
        }
        let mut frame = Frame {
            kind: bytes[0],
            id: 1,
            payload: bytes.split_off(HEADER),
        };
        match random.below(3) {
            0 => frame
                .payload
                .truncate(random.below(frame.payload.len() + 1)),
            1 => frame.payload.push(0),
            _ => {
                let at = random.below(frame.payload.len() + 1);
                if let Some(byte) = frame.payload.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        // What is understood has to say the same when it is written again.
        if let Ok(order) = Order::parse(frame.clone()) {
            let mut again = Vec::new();
            order.encode(1, &mut again).unwrap();
            assert_eq!(again[HEADER..], frame.payload);
        }
        if let Ok(report @ Report::Tunnel(_)) = Report::parse(frame.clone()) {
            let mut again = Vec::new();
            report.encode(1, &mut again).unwrap();
            assert_eq!(again[HEADER..], frame.payload);
        }
    }
}

#[test]
fn too_long_is_told_from_the_header_alone() {
    let mut decoder = Decoder::new();
    decoder.push(&[b'i', 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    let too_long = Malformed::TooLong(u32::MAX as usize);
    assert_eq!(decoder.next_frame(), Err(too_long));
    assert_eq!(decoder.next_frame(), Err(too_long));

    let mut out = Vec::new();
    let longest = Order::Stdin(vec![0; MAX_PAYLOAD]);
    longest.encode(1, &mut out).unwrap();
    let longer = Order::Stdin(vec![0; MAX_PAYLOAD + 1]);
    let before = out.len();
    assert_eq!(
        longer.encode(1, &mut out),
        Err(Malformed::TooLong(MAX_PAYLOAD + 1))
    );
    assert_eq!(out.len(), before);
    let mut decoder = Decoder::new();
    decoder.push(&out);
    let frame = decoder.next_frame().unwrap().unwrap();
    assert_eq!(Order::parse(frame), Ok(longest));
}

#[test]
fn unknown_kinds_and_bits_are_not_understood() {
    let frame = |kind, payload: &[u8]| Frame {
        kind,
        id: 1,
        payload: payload.to_vec(),
    };
    assert_eq!(Order::parse(frame(b'?', b"")), Err(Malformed::Kind(b'?')));
    assert_eq!(Report::parse(frame(b'r', b"")), Err(Malformed::Kind(b'r')));
    assert_eq!(
        Order::parse(frame(b'p', b"x")),
        Err(Malformed::Payload(b'p'))
    );
    let mut bytes = Vec::new();
    let run = crate::support::session::command(&["true"]);
    Order::Run(run).encode(1, &mut bytes).unwrap();
    let mut payload = bytes.split_off(HEADER);
    *payload.last_mut().unwrap() |= 8;
    assert_eq!(
        Order::parse(frame(b'r', &payload)),
        Err(Malformed::Payload(b'r'))
    );
}

#[test]
fn what_is_secret_is_not_in_the_debug_text() {
    let mut run = crate::support::session::command(&["curl", "-u", "hunter2"]);
    run.env.push(b"TOKEN=hunter2".to_vec());
    let text = format!("{:?}", Order::Run(run));
    assert!(!text.contains("hunter2"), "{text}");
}
