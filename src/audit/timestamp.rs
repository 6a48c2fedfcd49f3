//! Times as they stand in a record: RFC 3339, UTC, microseconds, always 27 characters.

use std::time::{SystemTime, UNIX_EPOCH};

/// The last second of the year 9999, the last that has this form.
const LAST_SECOND: u64 = 253_402_300_799;

/// Writes a time as `2026-11-21T10:00:00.123456Z`. Times before 1970 or after 9999 become the nearest that has this form.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().min(LAST_SECOND);
    let (year, month, day) = date_of(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z",
        since.subsec_micros()
    )
}

/// True for a text of the form that [`rfc3339`] writes.
#[must_use]
pub fn is_time(text: &str) -> bool {
    const FORM: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        mark => byte == *mark,
    };
    text.len() == FORM.len() && text.bytes().zip(FORM).all(fits)
}

/// The Gregorian date of a day counted from 1970-01-01. Eras of 400 years begin on the first of March, so that leap days
/// stand at their end.
fn date_of(day: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_1970: u64 = 719_468;
    const ERA: u64 = 146_097;
    let day = day + DAYS_BEFORE_1970;
    let (era, of_era) = (day / ERA, day % ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (1_709_210_096, "2024-02-29T12:34:56.000007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
        ] {
            let time = UNIX_EPOCH + Duration::new(seconds, 7_999);
            assert_eq!(rfc3339(time), text);
            assert!(is_time(text) && !is_time(&text[..26]));
        }
    }

    #[test]
    fn times_out_of_range_keep_the_form() {
        let before = UNIX_EPOCH - Duration::from_secs(5);
        assert_eq!(rfc3339(before), "1970-01-01T00:00:00.000000Z");
        let after = UNIX_EPOCH + Duration::from_secs(LAST_SECOND + 5);
        assert_eq!(rfc3339(after).len(), 27);
    }
}
