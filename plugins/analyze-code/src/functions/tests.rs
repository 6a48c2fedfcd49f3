use super::*;

const TS: Language = Language::TypeScript { jsx: false };

/// Name, parameters, first and last line.
type Found<'a> = (&'a str, usize, usize, usize);

/// The functions of a text, in order.
fn found(text: &str, language: Language) -> Vec<(String, usize, usize, usize)> {
    let code = Code::read(text, language);
    functions(&code)
        .into_iter()
        .map(|function| {
            let last = (function.start..function.body.end)
                .rev()
                .find(|index| !code.at(*index).is_empty())
                .unwrap();
            (
                function.name,
                function.parameters,
                code.line_of(function.start),
                code.end_line_of(last),
            )
        })
        .collect()
}

fn check(language: Language, cases: &[(&str, &[Found<'_>])]) {
    for (text, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, a, b, c)| ((*name).to_owned(), *a, *b, *c))
            .collect();
        assert_eq!(found(text, language), expected, "in {text}");
    }
}

#[test]
fn rust() {
    check(
        Language::Rust,
        &[
            (
                "fn a() {}\nfn b(x: u8, y: u8,) {\n}",
                &[("a", 0, 1, 1), ("b", 2, 2, 3)],
            ),
            (
                "fn a<T: Fn(u8, u8) -> u8, const N: usize>(x: HashMap<K, V>, y: (u8, u8)) {}",
                &[("a", 2, 1, 1)],
            ),
            (
                "fn a(&mut self, x: u8) {} fn b(self: Box<Self>) {} fn c(&'a self) {}",
                &[("a", 1, 1, 1), ("b", 0, 1, 1), ("c", 0, 1, 1)],
            ),
            (
                "fn a() -> [u8; { 1 + 1 }] where T: Into<{ 2 }> { }",
                &[("a", 0, 1, 1)],
            ),
            ("trait A { fn a(); fn b() {} }", &[("b", 0, 1, 1)]),
            ("type F = fn(u8) -> u8; let f: fn(u8) = x;", &[]),
            ("fn a() { fn b() {} }", &[("a", 0, 1, 1), ("b", 0, 1, 1)]),
            (
                "macro_rules! m { ($n:ident) => { fn $n(x: u8) {} } }",
                &[("$n", 1, 1, 1)],
            ),
            ("fn broken(", &[]),
        ],
    );
}

#[test]
fn python() {
    check(
        Language::Python,
        &[
            ("def a(): pass\nx = 1\n", &[("a", 0, 1, 1)]),
            (
                "def a(x, *, y=(1, 2), **z) -> int:\n    pass\n\nb()\n",
                &[("a", 3, 1, 2)],
            ),
            (
                "class A:\n  async def a(self, /, x: dict[str, int]):\n    pass\n  @classmethod\n  def b(cls): ...\n",
                &[("a", 1, 2, 3), ("b", 0, 5, 5)],
            ),
            (
                "def a[T: (int, str)](x: T):\n    def b():\n        pass\n    return b\n",
                &[("a", 1, 1, 4), ("b", 0, 2, 3)],
            ),
            ("def broken(:\n", &[]),
        ],
    );
}

#[test]
fn go() {
    check(
        Language::Go,
        &[
            (
                "func a() {\n}\nfunc (r *T) b(x, y int, z ...string) (int, error) {\n}",
                &[("a", 0, 1, 2), ("b", 3, 3, 4)],
            ),
            (
                "func a[K comparable, V any](m map[K]V) struct{ x int } { f := func() {} }",
                &[("a", 1, 1, 1)],
            ),
            ("func a() interface{} { return nil }", &[("a", 0, 1, 1)]),
            (
                "func inAssembly(x int) int\n\nfunc b() {}",
                &[("b", 0, 3, 3)],
            ),
            ("type F func(int) error", &[]),
        ],
    );
}

#[test]
fn javascript() {
    check(
        Language::JavaScript,
        &[
            (
                "function a(x, {y, z} = {}) {}\nasync function* b() {}",
                &[("a", 2, 1, 1), ("b", 0, 2, 2)],
            ),
            (
                "const a = function () {}; const b = async (x, y) => {\n}; c = x => { };",
                &[("a", 0, 1, 1), ("b", 2, 1, 2), ("c", 1, 2, 2)],
            ),
            ("const short = x => x + 1;", &[]),
            (
                "f(function () {}, () => {})",
                &[(ANONYMOUS, 0, 1, 1), (ANONYMOUS, 0, 1, 1)],
            ),
            (
                "class A extends B(c) {\n  x = 1\n  constructor(a) { super(a) }\n  get y() {}\n  static async *z() {}\n  #p(a) {}\n  'q r'() {}\n  [s]() {}\n}",
                &[
                    ("constructor", 1, 3, 3),
                    ("y", 0, 4, 4),
                    ("z", 0, 5, 5),
                    ("#p", 1, 6, 6),
                    ("q r", 0, 7, 7),
                    ("[computed]", 0, 8, 8),
                ],
            ),
            (
                "x = { a() {}, b: function () {}, c: () => {}, catch() {} }",
                &[
                    ("a", 0, 1, 1),
                    ("b", 0, 1, 1),
                    ("c", 0, 1, 1),
                    ("catch", 0, 1, 1),
                ],
            ),
            (
                "if (a) { } else if (b) { } for (;;) { } while (c) { } switch (d) { } try { } catch (e) { }",
                &[],
            ),
        ],
    );
}

#[test]
fn typescript() {
    check(
        TS,
        &[
            (
                "function a<T extends { x: string }>(this: T, b: Map<K, V>, c?: string): { d: T } | null {}",
                &[("a", 2, 1, 1)],
            ),
            (
                "const a: Handler<X, Y> = async (b: string): Promise<Map<K, V>> => {};",
                &[("a", 1, 1, 1)],
            ),
            (
                "class A<T = unknown> implements B {\n  private x?: T\n  public m<U extends { [k: string]: T }>(a: U): a is { b: U } {}\n  n(): void;\n  n(a?: T): void {}\n}",
                &[("m", 1, 3, 3), ("n", 1, 5, 5)],
            ),
            (
                "interface A { f(x: string): { y: string }; g: (x: string) => { y: string } }",
                &[],
            ),
            (
                "type F = (x: string) => { y: string }\nfunction b() {}",
                &[("b", 0, 2, 2)],
            ),
            ("type F = string\nclass C {\n  m() {}\n}", &[("m", 0, 3, 3)]),
            (
                "declare function a(): void;\nconst b = c ? d(e) : { f: 1 };",
                &[],
            ),
        ],
    );
}

#[test]
fn deep_and_endless_heads_take_no_quadratic_time() {
    let count = 50_000;
    let start = std::time::Instant::now();
    for (piece, language) in [
        (",a(): x", TS),
        ("fn a() x", Language::Rust),
        ("fn a<", Language::Rust),
        ("a<b>(", TS),
        ("function a(){", TS),
        ("fn a(){", Language::Rust),
        ("class a ", TS),
        ("(a): b => {", TS),
        ("func a() x ", Language::Go),
        ("def a(b, ", Language::Python),
    ] {
        let text = piece.repeat(count);
        let code = Code::read(&text, language);
        assert!(functions(&code).len() <= count, "{piece}");
    }
    assert!(start.elapsed().as_secs() < 60, "took {:?}", start.elapsed());
}
