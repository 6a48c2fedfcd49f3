use super::*;

#[test]
fn a_scan_goes_on_where_it_ended() {
    let home = Home::new();
    let log = home.open(small_files());
    let mut following = scan(&home.folder(), Position::START);
    let mut seen = 0;
    let mut last = Position::START;
    for number in 0..40 {
        log.append_durable(event(number)).expect("written");
        for found in following.by_ref() {
            let (position, record) = found.expect("a record");
            seen += 1;
            assert_eq!(record.seq, seen, "none is left out or told twice");
            assert!(position > last);
            last = position;
            let line = read_at(&home.folder(), position).expect("there");
            assert_eq!(Record::parse(&line), Ok(record));
        }
        assert_eq!(seen, log.head().seq);
        // Another one starts from where this one stands.
        assert!(scan(&home.folder(), following.position()).next().is_none());
    }
    assert!(last.file > 2);
    let rest = scan(&home.folder(), last)
        .next()
        .expect("there")
        .expect("a record");
    assert_eq!((rest.0, rest.1.seq), (last, seen));
}

#[test]
fn a_scan_waits_before_a_line_that_is_not_whole() {
    let home = Home::new();
    home.open(small_files()).close().expect("closed");
    let path = home.folder().join(file_name(1));
    let lines = lines_of(&home.folder(), 1);
    write(&path, format!("{}{}", lines[0], &lines[1][..50]));
    let mut following = scan(&home.folder(), Position::START);
    assert_eq!(following.by_ref().count(), 1);
    write(&path, lines.concat());
    let found = following.next().expect("whole now").expect("a record");
    assert_eq!(found.1.kind, "checkpoint");
}

#[test]
fn a_line_that_is_no_record_is_told_and_passed() {
    let home = Home::new();
    home.open(small_files()).close().expect("closed");
    let lines = lines_of(&home.folder(), 1);
    let broken = format!("{}no record\n{}", lines[0], lines[1]);
    write(&home.folder().join(file_name(1)), broken);
    let found: Vec<_> = scan(&home.folder(), Position::START).collect();
    assert_eq!(
        found.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
    let past = Position {
        file: 1,
        offset: 10,
        len: 1 << 20,
    };
    assert!(read_at(&home.folder(), past).is_err());
}
