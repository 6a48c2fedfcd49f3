//! The function that becomes a tool: what is read off it, and what a tool cannot be.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericArgument, Ident, ItemFn, Lit, Meta, Pat, PatIdent,
    PathArguments, ReturnType, Safety, Signature, Type, parse_quote,
};

/// What the function says about the tool.
pub struct Function {
    /// The doc comment.
    pub description: String,
    /// The attributes of serde and schemars that stand at the function: they are about all arguments together.
    pub attributes: Vec<Attribute>,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub returned: Returned,
}

/// One parameter.
pub enum Parameter {
    /// An argument of the tool.
    Argument(Box<Argument>),
    /// The call, which no caller gives.
    Call,
}

/// A parameter that is an argument of the tool.
pub struct Argument {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// Its doc comment, and the attributes of serde and schemars.
    pub attributes: Vec<Attribute>,
}

/// What the function returns.
pub struct Returned {
    /// The type, or that of `Ok` where it is a `Result`.
    pub ty: Type,
    /// It may fail.
    pub is_result: bool,
}

impl Argument {
    /// True where the fields of its type are arguments themselves.
    pub fn is_flattened(&self) -> bool {
        self.attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("serde"))
            .any(|attribute| {
                let mut found = false;
                // What else stands there is for serde to judge.
                let _ = attribute.parse_nested_meta(|meta| {
                    found |= meta.path.is_ident("flatten");
                    if let Ok(value) = meta.value() {
                        value.parse::<Expr>()?;
                    }
                    Ok(())
                });
                found
            })
    }
}

impl Function {
    /// Reads a function, and takes off what is not Rust there: doc comments of parameters, and attributes of serde and
    /// schemars.
    ///
    /// # Errors
    /// Everything that keeps it from being a tool, each at its place.
    pub fn take(item: &mut ItemFn) -> syn::Result<Self> {
        let mut problems = Problems::default();
        let mut parameters = Vec::new();
        for input in &mut item.sig.inputs {
            match parameter(input) {
                Ok(parameter) => parameters.push(parameter),
                Err(problem) => problems.add(problem),
            }
        }
        check_signature(&item.sig, &mut problems);
        let calls = parameters
            .iter()
            .filter(|parameter| matches!(parameter, Parameter::Call));
        if calls.count() > 1 {
            problems.say(&item.sig.inputs, "there is one call: take `&Call` once");
        }
        let (attributes, others): (Vec<_>, _) = std::mem::take(&mut item.attrs)
            .into_iter()
            .partition(|attribute| is_named_one_of(attribute, &["serde", "schemars"]));
        item.attrs = others;
        let description = doc_comment(&item.attrs);
        if description.is_empty() {
            problems.say(
                &item.sig.ident,
                "a tool needs a doc comment: it is the description by which agents choose the tool",
            );
        }
        let returned = returned(&item.sig.output).unwrap_or_else(|problem| {
            problems.add(problem);
            Returned {
                ty: parse_quote!(()),
                is_result: false,
            }
        });
        problems.finish()?;
        Ok(Self {
            description,
            attributes,
            parameters,
            returned,
        })
    }
}

/// Errors, each at its place.
#[derive(Default)]
struct Problems(Option<syn::Error>);

impl Problems {
    fn say(&mut self, place: &impl quote::ToTokens, problem: &str) {
        self.add(syn::Error::new_spanned(place, problem));
    }

    fn add(&mut self, problem: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(problem),
            None => self.0 = Some(problem),
        }
    }

    fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn check_signature(signature: &Signature, problems: &mut Problems) {
    if let Some(token) = &signature.asyncness {
        problems.say(
            token,
            "a tool is no async function: it runs alone in its instance, and waits by blocking",
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        problems.say(token, "a tool is called by a host: it cannot be unsafe");
    }
    if let Some(token) = &signature.abi {
        problems.say(token, "a tool is an ordinary Rust function");
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        problems.say(
            &generics.params,
            "a tool cannot be generic: its schema says which types it takes",
        );
    }
    if let Some(clause) = &generics.where_clause {
        problems.say(clause, "a tool cannot be generic");
    }
    if let Some(rest) = &signature.variadic {
        problems.say(rest, "a tool takes named arguments");
    }
}

fn parameter(input: &mut FnArg) -> syn::Result<Parameter> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            return Err(syn::Error::new_spanned(
                receiver,
                "a tool is no method: take its arguments, and `&Call` to know the call",
            ));
        }
    };
    // They are no Rust where they stand, so they go even where something else is wrong.
    let (attributes, others) = std::mem::take(&mut input.attrs)
        .into_iter()
        .partition(belongs_to_argument);
    input.attrs = others;
    if let Some(attribute) = input
        .attrs
        .iter()
        .find(|attribute| is_conditional(attribute))
    {
        return Err(syn::Error::new_spanned(
            attribute,
            "an argument cannot be conditional: the schema is the same everywhere",
        ));
    }
    if is_call(&input.ty)? {
        if let Some(attribute) = attributes.first() {
            return Err(syn::Error::new_spanned(
                attribute,
                "the call is no argument: nobody reads this",
            ));
        }
        return Ok(Parameter::Call);
    }
    let Pat::Ident(PatIdent {
        ident,
        by_ref: None,
        subpat: None,
        ..
    }) = &*input.pat
    else {
        return Err(syn::Error::new_spanned(
            &input.pat,
            "an argument needs a name here: take it whole, and take it apart in the function",
        ));
    };
    check_type(&input.ty)?;
    Ok(Parameter::Argument(Box::new(Argument {
        name: ident.clone(),
        ty: (*input.ty).clone(),
        attributes,
    })))
}

fn belongs_to_argument(attribute: &Attribute) -> bool {
    is_named_one_of(attribute, &["doc", "serde", "schemars"])
}

fn is_conditional(attribute: &Attribute) -> bool {
    is_named_one_of(attribute, &["cfg", "cfg_attr"])
}

fn is_named_one_of(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}

/// True for `&Call`.
fn is_call(ty: &Type) -> syn::Result<bool> {
    match ty {
        Type::Reference(reference) if is_named(&reference.elem, "Call") => {
            match &reference.mutability {
                Some(token) => Err(syn::Error::new_spanned(
                    token,
                    "the call cannot be changed: take `&Call`",
                )),
                None => Ok(true),
            }
        }
        ty if is_named(ty, "Call") => Err(syn::Error::new_spanned(
            ty,
            "the call is borrowed: take `&Call`",
        )),
        _ => Ok(false),
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

fn check_type(ty: &Type) -> syn::Result<()> {
    let problem = match ty {
        Type::Reference(_) => {
            "an argument is owned: take `String` for `&str`, `Vec` for a slice; only `&Call` is borrowed"
        }
        Type::ImplTrait(_) => "a tool cannot be generic: its schema says which types it takes",
        _ => return Ok(()),
    };
    Err(syn::Error::new_spanned(ty, problem))
}

fn returned(output: &ReturnType) -> syn::Result<Returned> {
    let ReturnType::Type(_, ty) = output else {
        return Ok(Returned {
            ty: parse_quote!(()),
            is_result: false,
        });
    };
    if let Type::ImplTrait(_) = &**ty {
        return Err(syn::Error::new_spanned(
            ty,
            "a tool returns a type with a name: its schema comes from it",
        ));
    }
    let Type::Path(path) = &**ty else {
        return Ok(Returned {
            ty: (**ty).clone(),
            is_result: false,
        });
    };
    let Some(last) = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Result")
    else {
        return Ok(Returned {
            ty: (**ty).clone(),
            is_result: false,
        });
    };
    let first = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            })
        }
        _ => None,
    };
    Ok(Returned {
        ty: first.unwrap_or_else(|| unit(last.span())),
        is_result: true,
    })
}

fn unit(span: Span) -> Type {
    Type::Verbatim(quote::quote_spanned!(span=> ()))
}

/// The lines of a doc comment. What stands below a heading, such as `# Errors`, is for those who read the code.
fn doc_comment(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) => match &meta.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(line),
                    ..
                }) => Some(line.value()),
                _ => None,
            },
            _ => None,
        })
        .flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>())
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned())
        .take_while(|line| !line.starts_with("# "))
        .collect();
    lines.join("\n").trim().to_owned()
}
