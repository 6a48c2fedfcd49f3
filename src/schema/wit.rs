//! The WIT types a tool may take and give, values of them, and functions.

mod display;

use std::sync::Arc;

use super::param_docs::ParamDocs;

/// A WIT value type, without resources, futures and streams.
///
/// Named types are shared: a clone is cheap however deep the type is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ty {
    /// `bool`.
    Bool,
    /// `s8`.
    S8,
    /// `s16`.
    S16,
    /// `s32`.
    S32,
    /// `s64`.
    S64,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64`.
    U64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `char`: one Unicode scalar value.
    Char,
    /// `string`.
    String,
    /// `list<u8>`, which is bytes and not a list of numbers.
    Bytes,
    /// `list<T>` of anything but `u8`.
    List(Arc<Ty>),
    /// `list<T, N>`: exactly N items.
    FixedList(Arc<Ty>, u32),
    /// `map<K, V>`; K is a boolean, integer, `char` or `string`.
    Map(Arc<Ty>, Arc<Ty>),
    /// `tuple<…>`.
    Tuple(Arc<[Ty]>),
    /// `record`.
    Record(Arc<Named<Field>>),
    /// `variant`.
    Variant(Arc<Named<Case>>),
    /// `enum`.
    Enum(Arc<Named<Label>>),
    /// `flags`.
    Flags(Arc<Named<Label>>),
    /// `option<T>`.
    Option(Arc<Ty>),
    /// `result<T, E>`, either of which may be missing.
    Result {
        /// The payload of success.
        ok: Option<Arc<Ty>>,
        /// The payload of failure.
        err: Option<Arc<Ty>>,
    },
}

impl Ty {
    /// A list of `item`: [`Ty::Bytes`] where the item is `u8`.
    #[must_use]
    pub fn list(item: Self) -> Self {
        match item {
            Self::U8 => Self::Bytes,
            item => Self::List(Arc::new(item)),
        }
    }

    /// True for `option`: a field or parameter of this type may be left out.
    #[must_use]
    pub fn is_option(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// True where every JSON form of the type is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        match self {
            Self::Record(_) | Self::Variant(_) | Self::Result { .. } => true,
            Self::Map(key, _) => **key == Self::String,
            _ => false,
        }
    }
}

/// A type with members, with the name and documentation it has in WIT, where those are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    /// The name of the type.
    pub name: Option<String>,
    /// What the type is for.
    pub docs: Option<String>,
    /// The fields, cases or labels, in the order of WIT.
    pub members: Vec<T>,
}

impl<T> Named<T> {
    /// A type without name and documentation.
    #[must_use]
    pub fn anonymous(members: Vec<T>) -> Arc<Self> {
        Arc::new(Self {
            name: None,
            docs: None,
            members,
        })
    }
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name in WIT, which is also the key in JSON.
    pub name: String,
    /// What the field is for.
    pub docs: Option<String>,
    /// The type of the field.
    pub ty: Ty,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The name in WIT, which is also the `tag` in JSON.
    pub name: String,
    /// What the case means.
    pub docs: Option<String>,
    /// The payload, if the case carries one.
    pub ty: Option<Ty>,
}

/// A case of an enum, or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The name in WIT, which is also the string in JSON.
    pub name: String,
    /// What it means.
    pub docs: Option<String>,
}

/// A value of a [`Ty`]; which type it belongs to is known from the outside.
///
/// It has the shapes of the engine's own dynamic values, but says fields and cases by position: names are in the type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of `bool`.
    Bool(bool),
    /// Of `s8`.
    S8(i8),
    /// Of `s16`.
    S16(i16),
    /// Of `s32`.
    S32(i32),
    /// Of `s64`.
    S64(i64),
    /// Of `u8`.
    U8(u8),
    /// Of `u16`.
    U16(u16),
    /// Of `u32`.
    U32(u32),
    /// Of `u64`.
    U64(u64),
    /// Of `f32`.
    F32(f32),
    /// Of `f64`.
    F64(f64),
    /// Of `char`.
    Char(char),
    /// Of `string`.
    String(String),
    /// Of `list<u8>`.
    Bytes(Vec<u8>),
    /// Of any other list without a fixed length.
    List(Vec<Value>),
    /// Of a list with a fixed length.
    FixedList(Vec<Value>),
    /// Of `map`: pairs of key and value. Of two pairs with the same key the later one counts.
    Map(Vec<(Value, Value)>),
    /// Of `tuple`.
    Tuple(Vec<Value>),
    /// Of `record`: one value a field, in the order of the fields.
    Record(Vec<Value>),
    /// Of `variant`.
    Variant {
        /// The position of the case.
        case: usize,
        /// The payload, where the case has one.
        payload: Option<Box<Value>>,
    },
    /// Of `enum`: the position of the case.
    Enum(usize),
    /// Of `flags`: the names of those that are set, in the order of WIT.
    Flags(Vec<String>),
    /// Of `option`.
    Option(Option<Box<Value>>),
    /// Of `result`.
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
}

/// A function that a component exports: one custom tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Where it is: `[function]` or `[instance, function]`, exactly as exported.
    pub export: Vec<String>,
    /// The name of the tool: the function's, with the interface's in front where two would collide.
    pub name: String,
    /// What its author says it does.
    pub docs: Option<String>,
    /// The parameters, in order.
    pub params: Vec<(String, Ty)>,
    /// The type of the result, if there is one.
    pub result: Option<Ty>,
    /// True where the function is declared `async`.
    pub is_async: bool,
}

impl Function {
    /// What its documentation says of its parameters, and of it without them.
    pub(super) fn param_docs(&self) -> ParamDocs {
        let names = self.params.iter().map(|(name, _)| name.as_str());
        ParamDocs::read(self.docs.as_deref().unwrap_or_default(), names)
    }

    /// What to tell an agent about the tool: the author's documentation, or else what the types say.
    #[must_use]
    pub fn description(&self) -> String {
        let docs = self.param_docs().rest;
        if !docs.is_empty() {
            return docs;
        }
        match self.export.as_slice() {
            [interface, _] => format!("Calls `{}` of `{interface}`.", self.signature()),
            _ => format!("Calls `{}`.", self.signature()),
        }
    }
}
