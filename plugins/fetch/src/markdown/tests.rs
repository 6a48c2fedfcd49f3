use dom_query::Document;
use proptest::prelude::*;

use super::*;

fn written(html: &str, style: Style) -> String {
    let base = Base::parse("https://example.com/docs/page").unwrap();
    let document = Document::from(html);
    let written = write(&document.root(), &base, style);
    assert!(!written.is_cut);
    written.text
}

fn markdown(html: &str) -> String {
    written(html, Style::Markdown)
}

#[test]
fn each_element_has_its_marks() {
    for (html, expected) in [
        ("<h1>A <em>b</em></h1><p>c\n  d</p>", "# A *b*\n\nc d"),
        (
            "<h3><a href=x>A</a></h3>",
            "### [A](https://example.com/docs/x)",
        ),
        ("<p>a<br>b<br><br>c", "a  \nb\n\nc"),
        ("a<b> b </b>c", "a**b** c"),
        ("<strong>a <strong>b</strong></strong>", "**a **b****"),
        ("<b></b><i> </i>x", "x"),
        (
            "<del>a</del> <q>b</q> x<sup>2</sup>",
            "~~a~~ \u{201c}b\u{201d} x2",
        ),
        ("<code>a  b</code> <code>`</code>", "`a b` `` ` ``"),
        (
            "<pre><code class='hljs language-rust'>fn f() {\n    g()\n}\n</code></pre>",
            "```rust\nfn f() {\n    g()\n}\n```",
        ),
        ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````"),
        (
            "<blockquote><p>a<p>b<blockquote>c</blockquote></blockquote>",
            "> a\n>\n> b\n>\n> > c",
        ),
        (
            "<ul><li>a<li><p>b</p><ul><li>c</ul></ul>",
            "- a\n- b\n  - c",
        ),
        (
            "<ol start=9><li>a<li>b<pre>x\ny</pre></ol>",
            "9. a\n10. b\n    ```\n    x\n    y\n    ```",
        ),
        ("<hr>a", "---\n\na"),
        (
            "<img src=/i.png alt='a [b]'>",
            "![a b](https://example.com/i.png)",
        ),
        ("<img src='data:image/png;base64,AA' alt=a>", "a"),
        (
            "<a href=..>up</a> <a href='#x'>here</a> <a href='javascript:f()'>do</a> <a href=y></a>",
            "[up](https://example.com/) here do",
        ),
        (
            "<a href=x><img src=i alt=i></a>",
            "[![i](https://example.com/docs/i)](https://example.com/docs/x)",
        ),
        (
            "<table><tr><th>a<th>b|c<tr><td>1<td><p>2<p>3</table>",
            "| a | b\\|c |\n| --- | --- |\n| 1 | 2 3 |",
        ),
        (
            "<table><tr><td colspan=2>a<td>b<tr><td>c</table>",
            "| a |  | b |\n| --- | --- | --- |\n| c |  |  |",
        ),
        ("<table><tr><td><p>a<p>b</td></tr></table>", "a\n\nb"),
        ("<dl><dt>a<dd>b</dl>", "**a**\n\nb"),
        ("<details><summary>a</summary>b</details>", "a\n\nb"),
    ] {
        assert_eq!(markdown(html), expected, "{html}");
    }
}

#[test]
fn text_has_no_marks() {
    for (html, expected) in [
        (
            "<h1>A</h1><p>b <a href=x>c</a> <b>d</b> <code>e</code>",
            "A\n\nb c d e",
        ),
        ("<ul><li>a<li>b</ul><ol><li>c</ol>", "- a\n- b\n\n1. c"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a\tb\n1\t2"),
        ("<p>2 * 3 [4] a_b <", "2 * 3 [4] a_b <"),
        ("<img src=i alt=picture>", "picture"),
    ] {
        assert_eq!(written(html, Style::Text), expected, "{html}");
    }
}

#[test]
fn text_that_looks_like_marks_stays_text() {
    for (html, expected) in [
        (
            "<p># a</p><p>1. b</p><p>- c</p><p>> d</p><p>---",
            "\\# a\n\n1\\. b\n\n\\- c\n\n\\> d\n\n\\---",
        ),
        (
            "*a* 2 * 3 _b_ c_d [e](f) `g` \\",
            "\\*a\\* 2 * 3 \\_b\\_ c_d \\[e\\](f) \\`g\\` \\\\",
        ),
        ("&lt;script> a &lt; b", "\\<script> a < b"),
        ("<p>a<br># b", "a  \n\\# b"),
    ] {
        assert_eq!(markdown(html), expected, "{html}");
    }
}

#[test]
fn what_nobody_sees_is_left_out() {
    let html = "<head><title>t</title></head><script>s</script><style>s</style><noscript>n</noscript>\
                <p hidden>h</p><p style='color: red; DISPLAY : none'>d</p><p aria-hidden=true>a</p><template>t</template>\
                <button>b</button><svg><text>v</text></svg>v\u{200b}isible";
    assert_eq!(markdown(html), "visible");
}

#[test]
fn what_is_nested_deeply_is_written_without_end() {
    for element in [
        "blockquote",
        "ul><li",
        "b",
        "span",
        "div",
        "a href=x",
        "table><tr><td>x<td",
    ] {
        let html = format!("{}x", format!("<{element}>").repeat(400));
        let base = Base::parse("https://example.com").unwrap();
        let document = Document::from(html);
        let written = write(&document.root(), &base, Style::Markdown);
        assert!(written.text.contains('x') || written.is_cut, "{element}");
        assert!(written.text.len() < 2_000_000, "{element}");
    }
}

#[test]
fn a_page_that_grows_by_its_links_is_cut() {
    let base = Base::parse(&format!("https://example.com/{}/", "a".repeat(4000))).unwrap();
    let document = Document::from("<a href=x>a</a> ".repeat(5000));
    let written = write(&document.root(), &base, Style::Markdown);
    assert!(written.is_cut);
    assert!(written.text.len() < MAX_BYTES + 10_000);
}

proptest! {
    #[test]
    fn any_text_comes_out_as_it_is(text in "[a-zA-Z0-9 .,<>&*_#`\\[\\]|~-]{0,60}") {
        let html = format!("<p>{}</p>", text.replace('&', "&amp;").replace('<', "&lt;"));
        let words: Vec<&str> = text.split_whitespace().collect();
        prop_assert_eq!(written(&html, Style::Text), words.join(" "));
        prop_assert_eq!(markdown(&html).replace('\\', ""), words.join(" "));
    }

    #[test]
    fn any_page_is_written(parts in prop::collection::vec(prop_oneof![
        Just("<table>"), Just("<tr>"), Just("<td>"), Just("</table>"), Just("<ul>"), Just("<li>"), Just("</ul>"), Just("<a href=x>"),
        Just("<b>"), Just("</b>"), Just("<pre>"), Just("</pre>"), Just("<blockquote>"), Just("<h2>"), Just("<br>"), Just("<p>"),
        Just("a "), Just("é*"), Just("<svg>"), Just("<img alt=q>"), Just("<select>"), Just("<template>"), Just("</p>"), Just("&#0;"),
    ], 0..60)) {
        let html = parts.concat();
        let text = markdown(&html);
        prop_assert!(!text.contains("\n\n\n") || html.contains("<pre>"), "{text:?}");
    }
}
