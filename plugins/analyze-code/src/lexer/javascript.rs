//! JavaScript and TypeScript: regular expressions against divisions, templates with expressions in them, JSX.
//!
//! What a `/` or `<` means depends on whether an expression can begin where it stands. The lexer decides that from the
//! token before and from what the last bracket was opened for, which is right for everything but very unusual code.

mod jsx;

use super::{FaultKind, Lexed, Lexer, Lines, Token, TokenKind, is_word_part, is_word_start};

/// `>` is never joined to a following `>`, so that the brackets of TypeScript's generics can be counted.
const SYMBOLS: &[&str] = &[
    "===", "!==", "**=", "&&=", "||=", "??=", "...", "<<=", "=>", "==", "!=", "<=", "&&", "||",
    "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "**",
];

/// Keywords after which an expression begins.
const BEFORE_EXPRESSION: &[&str] = &[
    "await",
    "case",
    "default",
    "delete",
    "do",
    "else",
    "extends",
    "in",
    "instanceof",
    "new",
    "of",
    "return",
    "throw",
    "typeof",
    "void",
    "yield",
];

/// Keywords whose parentheses are followed by a statement.
const BEFORE_STATEMENT: &[&str] = &["for", "if", "while", "with"];

/// Whether `<` can begin an element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Jsx {
    /// It can: JavaScript and `.tsx`.
    Yes,
    /// It cannot: `.ts`, where `<T>x` is a cast.
    No,
}

/// What is open at the cursor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `(`; true where it belongs to `if`, `for`, `while` or `with`.
    Parenthesis { head: bool },
    /// `[`.
    Bracket,
    /// `{`; true where it holds statements, not properties.
    Brace { block: bool },
    /// The text of a template that began here.
    Template { start: usize },
    /// `${` in a template.
    TemplateField,
    /// `<name …` or `</name` of an element, not yet closed.
    Tag { closing: bool, generics: usize },
    /// What stands between the tags of an element.
    Children,
    /// `{` between tags or as the value of an attribute.
    JsxField,
}

struct JavaScript<'a> {
    lexer: Lexer<'a>,
    open: Vec<Open>,
    jsx: Jsx,
    /// What the last closed bracket was opened for.
    closed: Option<Open>,
    /// The state before the outermost element that is being read, to return to where it turns out to be none.
    before_element: Option<jsx::Checkpoint>,
    /// A `<` that looked like an element and was none.
    no_element_at: Option<usize>,
    /// How many more such mistakes are allowed: each costs reading on and coming back.
    mistakes_left: u8,
}

pub fn lex(text: &str, jsx: Jsx) -> Lexed {
    let mut script = JavaScript {
        lexer: Lexer::new(text),
        open: Vec::new(),
        jsx,
        closed: None,
        before_element: None,
        no_element_at: None,
        mistakes_left: 32,
    };
    script.lexer.cursor.eat("\u{feff}");
    if script.lexer.cursor.starts_with("#!") {
        script.lexer.line_comment();
    }
    while script.step() {}
    script.end();
    script.lexer.lexed
}

impl JavaScript<'_> {
    /// Takes one token, comment or blank; false at the end.
    fn step(&mut self) -> bool {
        let Some(char) = self.lexer.cursor.peek() else {
            return self.give_up_on_element();
        };
        match self.open.last() {
            Some(Open::Template { start }) => {
                let start = *start;
                self.template_text(start);
            }
            Some(Open::Tag { closing, generics }) => {
                let (closing, generics) = (*closing, *generics);
                self.tag_part(char, closing, generics);
            }
            Some(Open::Children) => self.child(),
            _ => self.code(char),
        }
        true
    }

    fn code(&mut self, char: char) {
        let start = self.lexer.cursor.position();
        match char {
            _ if char.is_whitespace() || char == '\u{feff}' => {
                self.lexer.cursor.bump();
            }
            '/' if self.lexer.cursor.starts_with("//") => self.lexer.line_comment(),
            '/' if self.lexer.cursor.starts_with("/*") => self.lexer.block_comment(false),
            '/' if self.is_expression_start() && self.regular_expression() => {}
            '"' | '\'' => {
                self.lexer
                    .quoted(start, char, Lines::One, FaultKind::UnterminatedString);
            }
            '`' => {
                self.lexer.cursor.bump();
                self.open.push(Open::Template { start });
                self.template_text(start);
            }
            '<' if self.is_element_start(start) => self.element_start(start),
            _ if char.is_ascii_digit() => self.lexer.number(),
            '.' if self
                .lexer
                .cursor
                .peek_at(1)
                .is_some_and(|next| next.is_ascii_digit()) =>
            {
                self.lexer.number();
            }
            _ if is_word_start(char) || matches!(char, '$' | '#' | '\\') => self.word(),
            '(' | '[' | '{' => self.opening(char),
            ')' | ']' | '}' => self.closing(char),
            _ => self.symbol(),
        }
    }

    fn word(&mut self) {
        let start = self.lexer.cursor.position();
        self.lexer.cursor.bump();
        self.lexer
            .cursor
            .take_while(|char| is_word_part(char) || char == '$');
        self.lexer.push(TokenKind::Word, start);
    }

    fn symbol(&mut self) {
        let start = self.lexer.cursor.position();
        // In `a?.5:b` the dot belongs to the number.
        let is_conditional = self.lexer.cursor.starts_with("?.")
            && self
                .lexer
                .cursor
                .peek_at(2)
                .is_some_and(|char| char.is_ascii_digit());
        if is_conditional {
            self.lexer.cursor.bump();
            self.lexer.push(TokenKind::Symbol, start);
        } else {
            self.lexer.symbol(SYMBOLS);
        }
    }

    fn opening(&mut self, char: char) {
        let start = self.lexer.cursor.position();
        let open = match char {
            '(' => Open::Parenthesis {
                head: self
                    .previous()
                    .is_some_and(|word| BEFORE_STATEMENT.contains(&word)),
            },
            '[' => Open::Bracket,
            _ => Open::Brace {
                block: self.is_block_start(),
            },
        };
        self.open.push(open);
        self.lexer.cursor.bump();
        self.lexer.push(TokenKind::Symbol, start);
    }

    fn closing(&mut self, char: char) {
        let start = self.lexer.cursor.position();
        let fits = |open: &Open| match char {
            ')' => matches!(open, Open::Parenthesis { .. }),
            ']' => *open == Open::Bracket,
            _ => matches!(
                open,
                Open::Brace { .. } | Open::TemplateField | Open::JsxField
            ),
        };
        // A brace ends whatever was left open within it; other brackets that do not fit are ignored, and reported
        // later.
        let found = if char == '}' {
            self.open.iter().rposition(fits)
        } else {
            self.open
                .len()
                .checked_sub(1)
                .filter(|_| self.open.last().is_some_and(fits))
        };
        if let Some(found) = found {
            self.closed = self.open.get(found).copied();
            self.open.truncate(found);
        }
        self.lexer.cursor.bump();
        self.lexer.push(TokenKind::Symbol, start);
    }

    /// The text of a template, up to its end or the next expression.
    fn template_text(&mut self, template: usize) {
        let first = self
            .last_token()
            .is_none_or(|token| token.span.end as usize <= template);
        let start = if first {
            template
        } else {
            self.lexer.cursor.position()
        };
        loop {
            match self.lexer.cursor.peek() {
                Some('`') => {
                    self.lexer.cursor.bump();
                    self.open.pop();
                    return self.lexer.push(TokenKind::Text, start);
                }
                Some('\\') => {
                    self.lexer.cursor.bump();
                    self.lexer.cursor.bump();
                }
                Some('$') if self.lexer.cursor.starts_with("${") => {
                    if self.lexer.cursor.position() > start {
                        self.lexer.push(TokenKind::Text, start);
                    }
                    let brace = self.lexer.cursor.position();
                    self.lexer.cursor.skip(2);
                    self.open.push(Open::TemplateField);
                    return self.lexer.push(TokenKind::Symbol, brace);
                }
                Some(_) => {
                    self.lexer.cursor.bump();
                }
                None => return self.lexer.push(TokenKind::Text, start),
            }
        }
    }

    /// A regular expression; false, with nothing taken, where it does not end on its line: then it was a division.
    fn regular_expression(&mut self) -> bool {
        let start = self.lexer.cursor.position();
        self.lexer.cursor.bump();
        let mut in_class = false;
        loop {
            match self.lexer.cursor.bump() {
                Some('\\') if self.lexer.cursor.peek() != Some('\n') => {
                    self.lexer.cursor.bump();
                }
                Some('[') => in_class = true,
                Some(']') => in_class = false,
                Some('/') if !in_class => break,
                Some('\n' | '\\') | None => {
                    self.lexer.cursor.go_back(start);
                    return false;
                }
                Some(_) => {}
            }
        }
        self.lexer.cursor.take_while(is_word_part);
        self.lexer.push(TokenKind::Text, start);
        true
    }

    /// Whether an expression can begin at the cursor, or else only an operator can stand there.
    fn is_expression_start(&self) -> bool {
        let Some(last) = self.last_token() else {
            return true;
        };
        match (last.kind, self.lexer.text_of(last)) {
            (TokenKind::Word, word) => BEFORE_EXPRESSION.contains(&word) && !self.is_property(),
            (TokenKind::Symbol, ")") => self.closed == Some(Open::Parenthesis { head: true }),
            (TokenKind::Symbol, "]" | "++" | "--") => false,
            (TokenKind::Symbol, "}") => self.closed == Some(Open::Brace { block: true }),
            // The end of an element is an operand; in tags and between them nobody asks.
            (TokenKind::Symbol, "/>") => false,
            (TokenKind::Symbol, ">") => !matches!(self.closed, Some(Open::Tag { .. })),
            (TokenKind::Symbol, _) => true,
            _ => false,
        }
    }

    /// Whether the last token is the name of a property: `a.return / 2`.
    fn is_property(&self) -> bool {
        let before = self.lexer.lexed.tokens.iter().rev().nth(1);
        before.is_some_and(|token| matches!(self.lexer.text_of(token), "." | "?."))
    }

    /// Whether a `{` at the cursor begins statements (or a class body), or else an object.
    fn is_block_start(&self) -> bool {
        let Some(last) = self.last_token() else {
            return true;
        };
        match (last.kind, self.lexer.text_of(last)) {
            (TokenKind::Word, "else" | "do") => true,
            (TokenKind::Word, word) => !BEFORE_EXPRESSION.contains(&word),
            (TokenKind::Symbol, ";" | "{" | "}" | ")" | "=>" | ">") => true,
            (TokenKind::Symbol, ":") => !matches!(
                self.open.last(),
                Some(Open::Brace { block: false } | Open::Parenthesis { .. } | Open::Bracket)
            ),
            _ => false,
        }
    }

    fn previous(&self) -> Option<&str> {
        self.last_token().map(|token| self.lexer.text_of(token))
    }

    fn last_token(&self) -> Option<&Token> {
        self.lexer.lexed.tokens.last()
    }

    /// Reports what is still open at the end of the text.
    fn end(&mut self) {
        let unterminated = self.open.iter().find_map(|open| match open {
            Open::Template { start } => Some(*start),
            _ => None,
        });
        if let Some(start) = unterminated {
            self.lexer.fault(FaultKind::UnterminatedString, start);
        }
    }
}
