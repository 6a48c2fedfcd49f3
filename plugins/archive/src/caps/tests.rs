use super::*;

#[test]
fn an_entry_and_all_of_them_have_an_end() {
    let mut caps = Caps::new(10, 25);
    let mut read = |data: &[u8]| {
        let mut data = data;
        let mut sink = Vec::new();
        caps.limit(&mut data).read_to_end(&mut sink)
    };
    assert_eq!(read(&[0; 10]).unwrap(), 10);
    assert_eq!(
        Exceeded::of(&read(&[0; 11]).unwrap_err()),
        Some(Exceeded::Entry(10))
    );
    assert_eq!(
        Exceeded::of(&read(&[0; 10]).unwrap_err()),
        Some(Exceeded::Total(25))
    );
}

#[test]
fn what_grows_out_of_proportion_ends() {
    let packed = Rc::new(Cell::new(1000));
    let mut reader = Proportioned::new(io::repeat(0).take(1 << 30), Rc::clone(&packed));
    let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
    assert_eq!(Exceeded::of(&error), Some(Exceeded::Ratio));
    packed.set(1 << 20);
    let mut reader = Proportioned::new(io::repeat(0).take(100 << 20), packed);
    assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), 100 << 20);
}
