//! Small forms of what is kept often: records of a chunk, ids of calls, times.

use ulid::Ulid;

/// One record of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) length: u64,
    pub(super) shape: u64,
    /// The number of the session, and 0 for none.
    pub(super) session: u64,
    pub(super) call: u16,
}

impl Packed {
    /// Appends it to a page: three numbers of as few bytes as they need, and two bytes for the call.
    pub(super) fn write(self, page: &mut Vec<u8>) {
        for mut number in [self.length, self.shape, self.session] {
            while number >= 0x80 {
                page.push(0x80 | (number & 0x7f) as u8);
                number >>= 7;
            }
            page.push(number as u8);
        }
        page.extend(self.call.to_le_bytes());
    }
}

/// Tells `each` of the records of a page, one after the other; `None` for one that is damaged.
pub(super) fn unpack(mut page: &[u8], mut each: impl FnMut(Packed)) -> Option<()> {
    while !page.is_empty() {
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let mut shift = 0;
            loop {
                let byte = *page.split_off_first()?;
                *number |= u64::from(byte & 0x7f).checked_shl(shift)?;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
        }
        let [length, shape, session] = numbers;
        let (call, rest) = page.split_first_chunk()?;
        page = rest;
        each(Packed {
            length,
            shape,
            session,
            call: u16::from_le_bytes(*call),
        });
    }
    Some(())
}

/// What stands before an id that is no ULID. With it, it is longer than one that is.
const FOREIGN: [u8; 17] = [0; 17];

/// The id of a call: the 16 bytes of a ULID.
pub(super) fn call_to_bytes(id: &str) -> Vec<u8> {
    match Ulid::from_string(id) {
        Ok(ulid) if ulid.to_string() == id => ulid.to_bytes().to_vec(),
        _ => [FOREIGN.as_slice(), id.as_bytes()].concat(),
    }
}

/// The id again; `None` for bytes that are none.
pub(super) fn call_of_bytes(bytes: &[u8]) -> Option<String> {
    match <[u8; 16]>::try_from(bytes) {
        Ok(ulid) => Some(Ulid::from_bytes(ulid).to_string()),
        Err(_) => String::from_utf8(bytes.strip_prefix(&FOREIGN)?.to_vec()).ok(),
    }
}

/// The form of a time in the log.
const TIME: &str = "0000-00-00T00:00:00.000000Z";

/// A time as it stands in the log: the number that its digits are. These compare as the times do.
pub(super) fn time_to_bytes(time: &str) -> Vec<u8> {
    let number = time
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_u128, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u128::from(digit - b'0'))
        });
    let [.., a, b, c, d, e, f, g, h, i] = number.to_be_bytes();
    vec![a, b, c, d, e, f, g, h, i]
}

/// The time again.
pub(super) fn time_of_bytes(bytes: &[u8]) -> String {
    let number = bytes
        .iter()
        .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let digits = format!("{number:020}");
    let mut digits = digits.chars();
    TIME.chars()
        .map(|form| match form {
            '0' => digits.next().unwrap_or('0'),
            mark => mark,
        })
        .collect()
}

/// The time again, from the hexadecimal digits of its bytes; `None` for what is none.
pub(super) fn time_of_hex(hex: &str) -> Option<String> {
    let number = u128::from_str_radix(hex, 16).ok()?;
    Some(time_of_bytes(&number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_there_again(
            records in proptest::collection::vec((any::<u64>(), any::<u64>(), 0_u64..300, any::<u16>()), 0..40),
        ) {
            let records: Vec<Packed> = records
                .into_iter()
                .map(|(length, shape, session, call)| Packed { length, shape, session, call })
                .collect();
            let mut page = Vec::new();
            for record in &records { record.write(&mut page); }
            let mut found = Vec::new();
            prop_assert_eq!(unpack(&page, |record| found.push(record)), Some(()));
            prop_assert_eq!(found, records);
        }

        #[test]
        fn a_damaged_page_stops_nobody(page: Vec<u8>) {
            let _ = unpack(&page, |_| {});
        }

        #[test]
        fn ids_and_times_are_what_they_were(
            id in "[0-9A-Z]{0,27}",
            ulid: u128,
            time in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z",
            later in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z",
        ) {
            prop_assert_eq!(call_of_bytes(&call_to_bytes(&id)), Some(id));
            let ulid = Ulid(ulid).to_string();
            prop_assert_eq!(call_to_bytes(&ulid).len(), 16);
            prop_assert_eq!(call_of_bytes(&call_to_bytes(&ulid)), Some(ulid));
            prop_assert_eq!(time.cmp(&later), time_to_bytes(&time).cmp(&time_to_bytes(&later)));
            let bytes = time_to_bytes(&time);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            prop_assert_eq!(time_of_hex(&hex), Some(time.clone()));
            prop_assert_eq!(time_of_bytes(&bytes), time);
        }
    }
}
