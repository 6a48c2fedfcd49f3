use proptest::prelude::*;

use super::*;

const MARKDOWN: Form = Form::Styled(Style::Markdown);

fn page(html: &str) -> Page {
    Page::parse(html, Base::parse("https://example.com/a/b").unwrap())
}

fn article() -> String {
    let paragraph = "<p>The tide comes twice a day, and with it, slowly, the boats; whoever waits on the quay, as people here \
                     have always done, sees them grow out of the haze, one after the other, until they are there.</p>";
    format!(
        "<html><head><title>  The \n tide </title></head><body><nav><a href=/home>Home</a> <a href=/about>About us</a></nav>\
         <main><article><h1>The tide</h1>{}<p>See <a href=more>more</a>.</p></article></main>\
         <aside class=sidebar><ul><li><a href=/x>Buy this</a></ul></aside><footer>Imprint</footer></body></html>",
        paragraph.repeat(6)
    )
}

#[test]
fn the_main_content_is_told_from_what_is_around_it() {
    let rendered = page(&article()).render(MARKDOWN, true);
    assert!(rendered.is_main && !rendered.is_cut);
    assert!(
        rendered.text.contains("The tide comes twice a day"),
        "{}",
        rendered.text
    );
    assert!(
        rendered.text.contains("[more](https://example.com/a/more)"),
        "{}",
        rendered.text
    );
    for other in ["Home", "About us", "Buy this", "Imprint"] {
        assert!(!rendered.text.contains(other), "{other}: {}", rendered.text);
    }
}

#[test]
fn the_whole_page_is_there_where_it_is_wanted_or_nothing_stands_out() {
    let rendered = page(&article()).render(MARKDOWN, false);
    assert!(!rendered.is_main);
    assert!(
        rendered.text.contains("About us") && rendered.text.contains("Imprint"),
        "{}",
        rendered.text
    );
    let rendered =
        page("<ul><li><a href=1>One</a><li><a href=2>Two</a></ul>").render(MARKDOWN, true);
    assert!(
        rendered.text.contains("One") && rendered.text.contains("Two"),
        "{rendered:?}"
    );
    assert_eq!(page("").render(MARKDOWN, true).text, "");
}

#[test]
fn html_is_without_what_runs() {
    let rendered = page("<body><p onclick=x>a</p><script>b</script><style>c</style>")
        .render(Form::Html, false);
    assert!(rendered.text.contains("a</p>"), "{rendered:?}");
    assert!(
        !rendered.text.contains("script") && !rendered.text.contains("style"),
        "{rendered:?}"
    );
}

#[test]
fn a_title_is_one_line_and_a_heading_stands_in_for_it() {
    assert_eq!(page(&article()).title(), Some("The tide"));
    assert_eq!(
        page("<title> </title><h1>A <b>b</b></h1>").title(),
        Some("A b")
    );
    assert_eq!(page("text").title(), None);
}

#[test]
fn a_page_may_say_what_its_links_are_relative_to() {
    for (base, link) in [
        ("/c/", "https://example.com/c/x"),
        ("//o.org", "https://o.org/x"),
        ("javascript:1", "https://example.com/a/x"),
    ] {
        let html = format!("<base href='{base}'><a href=x>y</a>");
        assert_eq!(
            page(&html).render(MARKDOWN, false).text,
            format!("[y]({link})"),
            "{base}"
        );
    }
}

#[test]
fn what_is_nested_too_deeply_or_has_too_many_parts_is_cut_and_told() {
    for html in [
        format!("<p>first</p>{}", "<div>".repeat(200_000)),
        format!("<p>first</p>{}", "<b><i>".repeat(100_000)),
        format!("<p>first</p>{}", "<br>".repeat(400_000)),
        format!("<p>first</p>{}", "<blockquote>".repeat(100_000)),
    ] {
        let rendered = page(&html).render(MARKDOWN, true);
        assert!(rendered.is_cut, "{}", &html[..40]);
        assert!(rendered.text.contains("first"), "{}", &html[..40]);
    }
}

#[test]
fn the_depth_is_that_of_the_deepest_branch() {
    let document = Document::fragment("<div><p><b>a</b></p></div><p>c</p>");
    // html, div, p, b, text.
    assert_eq!(depth(&document.root()), 5);
    assert_eq!(depth(&Document::fragment("").root()), 1);
}

proptest! {
    #[test]
    fn every_page_becomes_something(html in "(<[a-z]{1,6}>|</[a-z]{1,6}>|<table>|<tr>|<p>|[a-zé& ]{1,9}|<!--|-->|<){0,40}") {
        for form in [MARKDOWN, Form::Styled(Style::Text), Form::Html] {
            let rendered = page(&html).render(form, true);
            prop_assert!(!rendered.is_cut);
        }
    }
}
