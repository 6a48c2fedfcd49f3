use syn::ItemFn;

use super::*;

/// What is wrong with a function, and the piece of source that is blamed.
fn problems(attribute: &str, source: &str) -> Vec<(String, String)> {
    let attribute: TokenStream = attribute.parse().unwrap();
    let mut function: ItemFn = syn::parse_str(source).unwrap();
    let error = Function::take(&mut function)
        .and_then(|read| describe(&Attribute::parse(attribute)?, &function, &read))
        .err();
    error
        .into_iter()
        .flatten()
        .map(|error| (error.to_string(), error.span().source_text().unwrap()))
        .collect()
}

#[test]
fn what_cannot_be_a_tool_is_said_where_it_stands() {
    for (source, expected, place) in [
        ("async fn a() {}", "no async function", "async"),
        ("unsafe fn a() {}", "cannot be unsafe", "unsafe"),
        (
            "extern \"C\" fn a() {}",
            "ordinary Rust function",
            "extern \"C\"",
        ),
        ("fn a<T>(t: T) {}", "cannot be generic", "T"),
        ("fn a(t: impl Copy) {}", "cannot be generic", "impl Copy"),
        ("fn a(&self) {}", "no method", "&self"),
        ("fn a((b, c): (u8, u8)) {}", "needs a name", "(b, c)"),
        ("fn a(_: u8) {}", "needs a name", "_"),
        ("fn a(b: &str) {}", "`String` for `&str`", "&str"),
        ("fn a(call: Call) {}", "take `&Call`", "Call"),
        ("fn a(call: &mut Call) {}", "take `&Call`", "mut"),
        (
            "fn a(#[serde(default)] call: &Call) {}",
            "no argument",
            "#[serde(default)]",
        ),
        (
            "fn a(one: &Call, two: &toolhatch_plugin::Call) {}",
            "one call",
            "one: &Call, two: &toolhatch_plugin::Call",
        ),
        ("fn a(#[cfg(test)] b: u8) {}", "conditional", "#[cfg(test)]"),
        ("fn a() -> impl Copy {}", "with a name", "impl Copy"),
        ("fn größe() {}", "has no 'ö'", "größe"),
        ("fn __() {}", "1 to 128 characters", "__"),
    ] {
        let found = problems("", &format!("/// Does it.\n{source}"));
        let [(message, blamed)] = found.as_slice() else {
            panic!("{source}: {found:?}");
        };
        assert!(message.contains(expected), "{source}: {message}");
        assert_eq!(blamed, place, "{source}: {message}");
    }
}

#[test]
fn a_tool_says_what_it_is_for() {
    for source in [
        "fn a() {}",
        "/// \nfn a() {}",
        "/// # Errors\n/// None.\nfn a() {}",
    ] {
        let found = problems("", source);
        let [(message, blamed)] = found.as_slice() else {
            panic!("{source}: {found:?}");
        };
        assert!(message.contains("needs a doc comment"), "{message}");
        assert_eq!(blamed, "a");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    assert_eq!(
        problems("", "async fn a(b: &str, (c, d): (u8, u8)) {}").len(),
        4
    );
}

#[test]
fn names_and_titles_are_looked_at() {
    let source = "/// Does it.\nfn a() {}";
    for attribute in [
        "name = \"do.it_2\"",
        "title = \"Do it\"",
        "name = \"b\", title = \"c\",",
    ] {
        assert_eq!(problems(attribute, source), [], "{attribute}");
    }
    for (attribute, expected) in [
        ("name = \"do it\"", "has no ' '"),
        ("name = \"\"", "1 to 128"),
        ("title = \" \"", "says something"),
        ("name = \"a\", name = \"b\"", "twice"),
        ("named = \"a\"", "expected `name"),
    ] {
        let found = problems(attribute, source);
        let [(message, _)] = found.as_slice() else {
            panic!("{attribute}: {found:?}");
        };
        assert!(message.contains(expected), "{attribute}: {message}");
    }
}

/// What `#[tool]` makes of a source, as a text without white space.
fn written(source: &str) -> String {
    let text = tool(TokenStream::new(), source.parse().unwrap()).to_string();
    text.split_whitespace().collect()
}

#[test]
fn the_function_stays_an_ordinary_one() {
    let text = written(
        "/// Adds.\n#[inline] pub(crate) fn add_up(/// One.\n#[serde(default)] mut a: u8, b: u8) -> u8 { a += b; a }",
    );
    assert!(
        text.starts_with("///Adds.#[inline]pub(crate)fnadd_up(muta:u8,b:u8)->u8{a+=b;a}")
            || text.starts_with(
                "#[doc=\"Adds.\"]#[inline]pub(crate)fnadd_up(muta:u8,b:u8)->u8{a+=b;a}"
            ),
        "{text}"
    );
    assert!(text.contains("pub(crate)structadd_up{}"), "{text}");
    assert!(text.contains("constNAME:&'staticstr=\"add-up\""), "{text}");
    assert!(text.contains("#[serde(default)]a:u8,b:u8"), "{text}");
}

#[test]
fn where_it_goes_wrong_the_function_is_still_there() {
    let text = written("/// Adds.\nasync fn add(/// One.\na: u8) {}");
    assert!(text.contains("asyncfnadd(a:u8){}"), "{text}");
    assert!(text.contains("compile_error"), "{text}");
    let text = written("struct Nothing;");
    assert!(
        text.contains("structNothing;") && text.contains("compile_error"),
        "{text}"
    );
}

#[test]
fn a_result_is_one_by_its_name() {
    for (source, is_result, inner) in [
        ("fn a() -> Result<u8> {}", true, "u8"),
        ("fn a() -> std::io::Result<Vec<u8>> {}", true, "Vec<u8>"),
        ("fn a() -> Result<(), E> {}", true, "()"),
        ("fn a() -> fmt::Result {}", true, "()"),
        ("fn a() -> Vec<Result<u8>> {}", false, "Vec<Result<u8>>"),
        ("fn a() -> [u8; 2] {}", false, "[u8;2]"),
        ("fn a() {}", false, "()"),
    ] {
        let mut function: ItemFn = syn::parse_str(&format!("/// Does it.\n{source}")).unwrap();
        let returned = Function::take(&mut function).unwrap().returned;
        let ty = returned.ty;
        let ty: String = quote!(#ty).to_string().split_whitespace().collect();
        assert_eq!(
            (returned.is_result, ty.as_str()),
            (is_result, inner),
            "{source}"
        );
    }
}
