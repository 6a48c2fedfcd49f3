//! Integers and floats.

use serde_json::{Number, Value as Json};

use super::error::ConvertError;
use crate::schema::json_schema::F32_LIMIT;

/// Below this magnitude every integer has a float of its own, so a float is one certain integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads an integer of at most 64 bits; `wide` types take a decimal string too.
pub(super) fn read_integer<T>(json: &Json, wide: bool) -> Result<T, ConvertError>
where
    T: TryFrom<i128> + Bounded,
{
    let refused = || ConvertError::new(expected::<T>(wide), json);
    let integer = match json {
        Json::Number(number) => match exact_integer(number) {
            Some(integer) => integer,
            None if number.as_f64().is_some_and(|float| float.fract() == 0.0) && wide => {
                return Err(refused().hint(
                    "A number of this size with a fraction or an exponent is not exact: write all its digits, \
                     or give it as a string.",
                ));
            }
            None => return Err(refused()),
        },
        Json::String(text) if wide => canonical_decimal(text).ok_or_else(refused)?,
        _ => return Err(refused()),
    };
    T::try_from(integer).map_err(|_| refused())
}

/// The range of an integer type.
pub(super) trait Bounded {
    const MIN: i128;
    const MAX: i128;
}

macro_rules! bounded {
    ($($int:ty),*) => {$(
        impl Bounded for $int {
            const MIN: i128 = <$int>::MIN as i128;
            const MAX: i128 = <$int>::MAX as i128;
        }
    )*};
}

bounded!(i8, i16, i32, i64, u8, u16, u32, u64);

fn expected<T: Bounded>(wide: bool) -> String {
    let or_text = if wide {
        ", or its digits as a string"
    } else {
        ""
    };
    format!("an integer from {} to {}{or_text}", T::MIN, T::MAX)
}

fn exact_integer(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_u64() {
        return Some(integer.into());
    }
    if let Some(integer) = number.as_i64() {
        return Some(integer.into());
    }
    let float = number.as_f64()?;
    // Inside these bounds the conversion loses nothing.
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i128)
}

/// An integer in the one way to write it: no sign but a minus, no leading zeros, no minus zero.
fn canonical_decimal(text: &str) -> Option<i128> {
    // Twenty characters hold every 64-bit integer.
    if text.len() > 20 {
        return None;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let well_formed = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !digits.starts_with('0'));
    if well_formed { text.parse().ok() } else { None }
}

/// Reads an `f64`.
pub(super) fn read_f64(json: &Json) -> Result<f64, ConvertError> {
    read_float(json)
        .ok_or_else(|| ConvertError::new(r#"a number, "NaN", "Infinity" or "-Infinity""#, json))
}

/// Reads an `f32`: the nearest one to the number, which may not be out of its range.
pub(super) fn read_f32(json: &Json) -> Result<f32, ConvertError> {
    match read_float(json) {
        Some(float) if !float.is_finite() || float.abs() <= F32_LIMIT => Ok(float as f32),
        _ => Err(ConvertError::new(
            r#"a number from -3.4028235e38 to 3.4028235e38, "NaN", "Infinity" or "-Infinity""#,
            json,
        )),
    }
}

fn read_float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64().filter(|float| float.is_finite()),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The JSON of an `f64`.
pub(super) fn write_f64(float: f64) -> Json {
    match Number::from_f64(float) {
        Some(number) => Json::Number(number),
        None if float.is_nan() => "NaN".into(),
        None if float > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// The JSON of an `f32`: its shortest decimal that reads back as the same `f32`, so that 0.1 stays 0.1.
pub(super) fn write_f32(float: f32) -> Json {
    // Rounding twice, to an f64 and then to an f32, could end beside the number: then it is written in full.
    let shortest = float
        .to_string()
        .parse::<f64>()
        .ok()
        .filter(|short| (*short as f32).to_bits() == float.to_bits());
    write_f64(shortest.unwrap_or_else(|| float.into()))
}
