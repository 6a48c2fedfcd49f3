//! Types and functions in the notation of WIT.

use std::fmt;

use super::{Function, Ty};

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::S16 => f.write_str("s16"),
            Self::S32 => f.write_str("s32"),
            Self::S64 => f.write_str("s64"),
            Self::U8 => f.write_str("u8"),
            Self::U16 => f.write_str("u16"),
            Self::U32 => f.write_str("u32"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("list<u8>"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::FixedList(item, length) => write!(f, "list<{item}, {length}>"),
            Self::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Self::Tuple(items) => {
                f.write_str("tuple<")?;
                separated(f, items.iter())?;
                f.write_str(">")
            }
            Self::Record(record) => f.write_str(record.name.as_deref().unwrap_or("record")),
            Self::Variant(variant) => f.write_str(variant.name.as_deref().unwrap_or("variant")),
            Self::Enum(labels) => f.write_str(labels.name.as_deref().unwrap_or("enum")),
            Self::Flags(labels) => f.write_str(labels.name.as_deref().unwrap_or("flags")),
            Self::Option(inner) => write!(f, "option<{inner}>"),
            Self::Result { ok, err } => match (ok, err) {
                (None, None) => f.write_str("result"),
                (Some(ok), None) => write!(f, "result<{ok}>"),
                (None, Some(err)) => write!(f, "result<_, {err}>"),
                (Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
            },
        }
    }
}

fn separated<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
) -> fmt::Result {
    for (position, item) in items.enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl Function {
    /// The function in the notation of WIT, such as `add: func(a: s32, b: s32) -> s32`.
    #[must_use]
    pub fn signature(&self) -> String {
        let name = self.export.last().unwrap_or(&self.name);
        let params: Vec<String> = self
            .params
            .iter()
            .map(|(name, ty)| format!("{name}: {ty}"))
            .collect();
        let is_async = if self.is_async { "async " } else { "" };
        let result = match &self.result {
            Some(ty) => format!(" -> {ty}"),
            None => String::new(),
        };
        format!("{name}: {is_async}func({}){result}", params.join(", "))
    }
}
