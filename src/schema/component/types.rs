//! The validator's types as [`Ty`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentItem, ComponentValType,
};
use wasmparser::types::Types;

use super::measure::{Measure, Measured, Unusable};
use super::{MAX_TYPE_NODES, Signature};
use crate::schema::docs::{Docs, TypeDocs};
use crate::schema::wit::{Case, Field, Label, Named, Ty};

/// Where a type got its name.
struct Origin {
    /// The instance, or nothing for the component itself.
    scope: Option<String>,
    /// The name there.
    name: String,
    /// The type that was given this name.
    of: Option<ComponentDefinedTypeId>,
}

/// Reads signatures, each type once.
pub(super) struct TypeReader<'a> {
    types: &'a Types,
    docs: &'a [&'a Docs],
    /// What types are called, and where: in an instance, or in the component itself.
    names: HashMap<ComponentDefinedTypeId, Origin>,
    read: HashMap<ComponentDefinedTypeId, Result<Measured, Unusable>>,
}

impl<'a> TypeReader<'a> {
    pub(super) fn new(types: &'a Types, docs: &'a [&'a Docs]) -> Self {
        Self {
            types,
            docs,
            names: HashMap::new(),
            read: HashMap::new(),
        }
    }

    /// Learns the name of a type, if that is what the item is.
    pub(super) fn name_type(&mut self, scope: Option<&str>, name: &str, item: &ComponentItem) {
        if let ComponentEntityType::Type {
            created: ComponentAnyTypeId::Defined(id),
            referenced,
        } = item.ty
        {
            let origin = match referenced {
                ComponentAnyTypeId::Defined(origin) if origin != id => Some(origin),
                _ => None,
            };
            self.names.entry(id).or_insert_with(|| Origin {
                scope: scope.map(str::to_owned),
                name: name.to_owned(),
                of: origin,
            });
        }
    }

    /// Reads the signature of the function of this name and type.
    pub(super) fn function(
        &mut self,
        name: &str,
        id: ComponentFuncTypeId,
    ) -> Result<Signature, Unusable> {
        // `[constructor]a`, `[method]a.b`, `[static]a.b`.
        if name.starts_with('[') {
            return Err(Unusable::OfResource);
        }
        let Some(ty) = self.types.as_ref().get(id) else {
            return Err(Unusable::TooLarge);
        };
        let mut measure = Measure::default();
        let mut params = Vec::with_capacity(ty.params.len());
        for (name, ty) in &ty.params {
            let read = self.value(*ty)?;
            params.push((name.as_str().to_owned(), measure.take(read)));
        }
        let result = match ty.result {
            Some(ty) => {
                let read = self.value(ty)?;
                Some(measure.take(read))
            }
            None => None,
        };
        if measure.nodes > MAX_TYPE_NODES {
            return Err(Unusable::TooLarge);
        }
        Ok(Signature {
            params,
            result,
            is_async: ty.async_,
            nodes: measure.nodes,
            docs: measure.docs,
        })
    }

    fn value(&mut self, ty: ComponentValType) -> Result<Measured, Unusable> {
        match ty {
            ComponentValType::Primitive(primitive) => primitive_type(primitive),
            ComponentValType::Type(id) => {
                if let Some(read) = self.read.get(&id) {
                    return read.clone();
                }
                // The validator lets no type nest deeper than a hundred levels, nor contain itself.
                let read = self.defined(id);
                self.read.insert(id, read.clone());
                read
            }
        }
    }

    fn defined(&mut self, id: ComponentDefinedTypeId) -> Result<Measured, Unusable> {
        let types = self.types;
        let Some(defined) = types.as_ref().get(id) else {
            return Err(Unusable::TooLarge);
        };
        let mut measure = Measure::default();
        let ty = match defined {
            ComponentDefinedType::Primitive(primitive) => return primitive_type(*primitive),
            ComponentDefinedType::Record(record) => {
                let (name, docs) = self.name_and_docs(id);
                let mut members = Vec::with_capacity(record.fields.len());
                for (field, ty) in &record.fields {
                    let field = field.as_str();
                    let own = docs.and_then(|docs| docs.item(field));
                    let docs = own.or_else(|| self.docs_of_alias(*ty));
                    let read = self.value(*ty)?;
                    members.push(Field {
                        name: field.to_owned(),
                        docs: measure.text(docs),
                        ty: measure.take(read),
                    });
                }
                Ty::Record(named(name, docs, members, &mut measure))
            }
            ComponentDefinedType::Variant(variant) => {
                let (name, docs) = self.name_and_docs(id);
                let mut members = Vec::with_capacity(variant.cases.len());
                for (case, ty) in &variant.cases {
                    let case = case.as_str();
                    let payload = match ty.ty {
                        Some(ty) => {
                            let read = self.value(ty)?;
                            Some(measure.take(read))
                        }
                        None => None,
                    };
                    measure.nodes += 1;
                    members.push(Case {
                        name: case.to_owned(),
                        docs: measure.text(docs.and_then(|docs| docs.item(case))),
                        ty: payload,
                    });
                }
                Ty::Variant(named(name, docs, members, &mut measure))
            }
            ComponentDefinedType::Enum(cases) => {
                Ty::Enum(self.labels(id, cases.iter().map(|case| case.as_str()), &mut measure))
            }
            ComponentDefinedType::Flags(flags) => {
                Ty::Flags(self.labels(id, flags.iter().map(|flag| flag.as_str()), &mut measure))
            }
            ComponentDefinedType::List { element, .. } => {
                let read = self.value(*element)?;
                Ty::list(measure.take(read))
            }
            ComponentDefinedType::FixedLengthList {
                element, length, ..
            } => {
                let read = self.value(*element)?;
                Ty::FixedList(Arc::new(measure.take(read)), *length)
            }
            ComponentDefinedType::Map { key, value, .. } => {
                let read = self.value(*key)?;
                if !is_key(&read.ty) {
                    return Err(Unusable::MapKey);
                }
                let key = measure.take(read);
                let read = self.value(*value)?;
                Ty::Map(Arc::new(key), Arc::new(measure.take(read)))
            }
            ComponentDefinedType::Tuple(tuple) => {
                let mut items = Vec::with_capacity(tuple.types.len());
                for ty in &tuple.types {
                    let read = self.value(*ty)?;
                    items.push(measure.take(read));
                }
                Ty::Tuple(items.into())
            }
            ComponentDefinedType::Option { ty, .. } => {
                let read = self.value(*ty)?;
                Ty::Option(Arc::new(measure.take(read)))
            }
            ComponentDefinedType::Result { ok, err, .. } => {
                let mut payload = |ty: Option<ComponentValType>| match ty {
                    Some(ty) => {
                        let read = self.value(ty)?;
                        Ok(Some(Arc::new(measure.take(read))))
                    }
                    None => Ok(None),
                };
                Ty::Result {
                    ok: payload(*ok)?,
                    err: payload(*err)?,
                }
            }
            ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => {
                return Err(Unusable::Resource);
            }
            ComponentDefinedType::Future { .. } => return Err(Unusable::Future),
            ComponentDefinedType::Stream { .. } => return Err(Unusable::Stream),
        };
        measure.into_type(ty)
    }

    fn labels<'n>(
        &self,
        id: ComponentDefinedTypeId,
        labels: impl Iterator<Item = &'n str>,
        measure: &mut Measure,
    ) -> Arc<Named<Label>> {
        let (name, docs) = self.name_and_docs(id);
        let members = labels
            .map(|label| {
                measure.nodes += 1;
                Label {
                    name: label.to_owned(),
                    docs: measure.text(docs.and_then(|docs| docs.item(label))),
                }
            })
            .collect();
        named(name, docs, members, measure)
    }

    /// What a type is called, with its documentation, through the aliases that lead to it.
    fn name_and_docs(&self, id: ComponentDefinedTypeId) -> (Option<String>, Option<&'a TypeDocs>) {
        let mut first = None;
        let mut next = Some(id);
        // Aliases form no circle; the bound is there for the reader.
        for _ in 0..100 {
            let Some(id) = next else { break };
            let origin = self.names.get(&id);
            if let Some(Origin { scope, name, .. }) = origin {
                let docs = self
                    .docs
                    .iter()
                    .find_map(|docs| docs.ty(scope.as_deref(), name));
                first = first.or_else(|| Some(name.clone()));
                if docs.is_some() {
                    return (first, docs);
                }
            }
            next = origin.and_then(|origin| origin.of);
        }
        (first, None)
    }

    /// The documentation of a type that is only another name for a type without members.
    fn docs_of_alias(&self, ty: ComponentValType) -> Option<String> {
        let ComponentValType::Type(id) = ty else {
            return None;
        };
        match self.types.as_ref().get(id)? {
            ComponentDefinedType::Record(_)
            | ComponentDefinedType::Variant(_)
            | ComponentDefinedType::Enum(_)
            | ComponentDefinedType::Flags(_) => None,
            _ => self.name_and_docs(id).1?.text(),
        }
    }
}

fn named<T>(
    name: Option<String>,
    docs: Option<&TypeDocs>,
    members: Vec<T>,
    measure: &mut Measure,
) -> Arc<Named<T>> {
    Arc::new(Named {
        name,
        docs: measure.text(docs.and_then(TypeDocs::text)),
        members,
    })
}

fn is_key(ty: &Ty) -> bool {
    matches!(
        ty,
        Ty::Bool
            | Ty::S8
            | Ty::S16
            | Ty::S32
            | Ty::S64
            | Ty::U8
            | Ty::U16
            | Ty::U32
            | Ty::U64
            | Ty::Char
            | Ty::String
    )
}

fn primitive_type(primitive: PrimitiveValType) -> Result<Measured, Unusable> {
    Ok(Measured::leaf(match primitive {
        PrimitiveValType::Bool => Ty::Bool,
        PrimitiveValType::S8 => Ty::S8,
        PrimitiveValType::U8 => Ty::U8,
        PrimitiveValType::S16 => Ty::S16,
        PrimitiveValType::U16 => Ty::U16,
        PrimitiveValType::S32 => Ty::S32,
        PrimitiveValType::U32 => Ty::U32,
        PrimitiveValType::S64 => Ty::S64,
        PrimitiveValType::U64 => Ty::U64,
        PrimitiveValType::F32 => Ty::F32,
        PrimitiveValType::F64 => Ty::F64,
        PrimitiveValType::Char => Ty::Char,
        PrimitiveValType::String => Ty::String,
        PrimitiveValType::ErrorContext => return Err(Unusable::ErrorContext),
    }))
}

/// The names of the fields, cases or labels of a type; nothing where the item is no type with members.
pub(super) fn members(types: &Types, item: &ComponentItem) -> Option<HashSet<String>> {
    let ComponentEntityType::Type {
        created: ComponentAnyTypeId::Defined(id),
        ..
    } = item.ty
    else {
        return None;
    };
    let owned = |name: &wasmparser::names::KebabString| name.as_str().to_owned();
    Some(match types.as_ref().get(id)? {
        ComponentDefinedType::Record(record) => record.fields.keys().map(owned).collect(),
        ComponentDefinedType::Variant(variant) => variant.cases.keys().map(owned).collect(),
        ComponentDefinedType::Enum(labels) | ComponentDefinedType::Flags(labels) => {
            labels.iter().map(owned).collect()
        }
        _ => HashSet::new(),
    })
}
