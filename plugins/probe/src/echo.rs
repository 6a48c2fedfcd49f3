//! Functions that return what they get.

use crate::Component;
use crate::tools::exports::probe::tools::echo::{
    Color, Guest, Outcomes, Permissions, Point, Shape,
};

type Nested = Vec<Option<Result<Vec<(u8, Shape)>, Vec<u8>>>>;

/// Functions of one argument that return it.
macro_rules! echoes {
    ($($name:ident: $ty:ty,)*) => {
        $(fn $name(value: $ty) -> $ty { value })*
    };
}

impl Guest for Component {
    echoes! {
        echo_bool: bool,
        echo_u8: u8,
        echo_u16: u16,
        echo_u32: u32,
        echo_u64: u64,
        echo_s8: i8,
        echo_s16: i16,
        echo_s32: i32,
        echo_s64: i64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,
        echo_bytes: Vec<u8>,
        echo_strings: Vec<String>,
        echo_tuple: (u8, String, bool),
        echo_point: Point,
        echo_shape: Shape,
        echo_color: Color,
        echo_permissions: Permissions,
        echo_option: Option<u32>,
        echo_options: Option<Option<u32>>,
        echo_three_options: Option<Option<Option<String>>>,
        echo_outcomes: Outcomes,
        echo_nested: Nested,
    }

    fn either(good: bool) -> Result<Point, Shape> {
        let point = Point {
            x: 1.5,
            y: -2.0,
            label: None,
        };
        if good {
            Ok(point)
        } else {
            Err(Shape::Dot(Some(point)))
        }
    }

    fn maybe(good: bool) -> Result<String, ()> {
        if good { Ok("good".to_owned()) } else { Err(()) }
    }

    fn check(good: bool) -> Result<(), String> {
        if good {
            Ok(())
        } else {
            Err("it is bad".to_owned())
        }
    }

    fn bare(good: bool) -> Result<(), ()> {
        if good { Ok(()) } else { Err(()) }
    }

    fn several(_first: u8, _second: Option<String>, _third: Vec<Color>) {}

    fn nothing() -> String {
        "nothing".to_owned()
    }
}
