//! What `#[tool]` writes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Ident, ItemFn};

use crate::attribute::{Attribute, problem_of_name};
use crate::function::{Argument, Function, Parameter};

/// The function as it was, and the tool beside it; or the function and what is wrong with it.
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let problem = syn::Error::new(error.span(), format!("expected a function: {error}"));
            let problem = problem.into_compile_error();
            return quote!(#problem #item);
        }
    };
    let written = Function::take(&mut function)
        .and_then(|read| describe(&Attribute::parse(attribute)?, &function, &read));
    let written = written.unwrap_or_else(syn::Error::into_compile_error);
    quote!(#function #written)
}

/// The type that stands for the tool.
fn describe(attribute: &Attribute, item: &ItemFn, read: &Function) -> syn::Result<TokenStream> {
    let ident = &item.sig.ident;
    let visibility = &item.vis;
    let name = match &attribute.name {
        Some(name) => name.value(),
        None => kebab_case(ident),
    };
    if let Some(problem) = problem_of_name(&name) {
        return Err(syn::Error::new_spanned(ident, problem));
    }
    let title = match &attribute.title {
        Some(title) => quote!(::core::option::Option::Some(#title)),
        None => quote!(::core::option::Option::None),
    };
    let description = &read.description;
    // The name is one that nobody gives a type: those of the parameters are looked up beside it.
    let (arguments, definition) = arguments(read)?;
    let is_whole = whole(read).is_some();
    let passed = read.parameters.iter().map(|parameter| match parameter {
        Parameter::Argument(_) if is_whole => quote!(arguments),
        Parameter::Argument(argument) => {
            let name = &argument.name;
            quote!(arguments.#name)
        }
        Parameter::Call => quote!(call),
    });
    let call = quote!(#ident(#(#passed),*));
    let returned = &read.returned.ty;
    let outcome = if read.returned.is_result {
        quote_spanned! {returned.span()=>
            match #call {
                ::core::result::Result::Ok(value) => {
                    <#returned as ::toolhatch_plugin::__private::Return>::outcome(value)
                }
                ::core::result::Result::Err(error) => {
                    ::core::result::Result::Err(::toolhatch_plugin::__private::tool_error(error))
                }
            }
        }
    } else {
        quote_spanned! {returned.span()=>
            <#returned as ::toolhatch_plugin::__private::Return>::outcome(#call)
        }
    };
    let output_schema = quote_spanned! {returned.span()=>
        <#returned as ::toolhatch_plugin::__private::Return>::schema()
    };
    // Not `expect`: whether there is anything to expect depends on the function.
    let allow = quote!(allow);
    Ok(quote! {
        #[doc(hidden)]
        #[#allow(non_camel_case_types, dead_code, reason = "it has the name of the function")]
        #visibility struct #ident {}

        const _: () = {
            #definition

            impl ::toolhatch_plugin::Tool for #ident {
                const NAME: &'static str = #name;
                const TITLE: ::core::option::Option<&'static str> = #title;
                const DESCRIPTION: &'static str = #description;

                fn input_schema() -> ::toolhatch_plugin::serde_json::Value {
                    ::toolhatch_plugin::__private::input_schema::<#arguments>()
                }

                fn output_schema() -> ::core::option::Option<::toolhatch_plugin::serde_json::Value> {
                    #output_schema
                }

                fn run(
                    arguments: &str,
                    call: &::toolhatch_plugin::Call,
                ) -> ::toolhatch_plugin::Result<::toolhatch_plugin::Outcome> {
                    let arguments: #arguments = ::toolhatch_plugin::__private::read_arguments(arguments)?;
                    // A tool may take no arguments, and not ask about its call.
                    let _ = (&arguments, call);
                    #outcome
                }
            }
        };
    })
}

/// The parameters that are arguments.
fn arguments_of(read: &Function) -> impl Iterator<Item = &Argument> {
    read.parameters
        .iter()
        .filter_map(|parameter| match parameter {
            Parameter::Argument(argument) => Some(&**argument),
            Parameter::Call => None,
        })
}

/// The one flattened argument that has all the others for its fields.
fn whole(read: &Function) -> Option<&Argument> {
    let mut arguments = arguments_of(read);
    match (arguments.next(), arguments.next()) {
        (Some(only), None) if only.is_flattened() => Some(only),
        _ => None,
    }
}

/// The type that the arguments are read into, and its definition where it is one of our own.
fn arguments(read: &Function) -> syn::Result<(TokenStream, TokenStream)> {
    if let Some(Argument { ty, .. }) = whole(read) {
        return match read.attributes.first() {
            Some(attribute) => Err(syn::Error::new_spanned(
                attribute,
                "this stands at the type of the arguments",
            )),
            None => Ok((quote!(#ty), TokenStream::new())),
        };
    }
    let arguments: Vec<&Argument> = arguments_of(read).collect();
    if arguments.is_empty() && read.attributes.is_empty() {
        // One for all tools that take nothing: each of them would have the same code.
        return Ok((
            quote!(::toolhatch_plugin::__private::NoArguments),
            TokenStream::new(),
        ));
    }
    let fields = arguments.iter().map(|argument| {
        let Argument {
            name,
            ty,
            attributes,
        } = argument;
        quote!(#(#attributes)* #name: #ty)
    });
    // Serde cannot know what is unknown where it does not know the fields.
    let strict = if arguments.iter().any(|argument| argument.is_flattened()) {
        quote!()
    } else {
        quote!(#[serde(deny_unknown_fields)])
    };
    let attributes = &read.attributes;
    let definition = quote! {
        #[derive(::toolhatch_plugin::serde::Deserialize, ::toolhatch_plugin::schemars::JsonSchema)]
        #[serde(crate = "::toolhatch_plugin::serde", rename = "Arguments")]
        #[schemars(crate = "::toolhatch_plugin::schemars")]
        #strict
        #(#attributes)*
        struct __Arguments {
            #(#fields),*
        }
    };
    Ok((quote!(__Arguments), definition))
}

/// `read_file` is `read-file`.
fn kebab_case(ident: &Ident) -> String {
    let name = ident.unraw().to_string();
    name.trim_matches('_').replace('_', "-")
}

#[cfg(test)]
mod tests;
