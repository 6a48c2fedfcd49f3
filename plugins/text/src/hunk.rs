//! Unified diffs, read strictly: what does not add up is not applied.

use std::str::FromStr;

/// More hunks than this are no patch of one text.
const MAX_HUNKS: usize = 10_000;

/// A line of a hunk, with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Context(String),
    Removed(String),
    Added(String),
}

impl Line {
    fn text_mut(&mut self) -> &mut String {
        match self {
            Self::Context(text) | Self::Removed(text) | Self::Added(text) => text,
        }
    }

    fn reversed(self) -> Self {
        match self {
            Self::Removed(text) => Self::Added(text),
            Self::Added(text) => Self::Removed(text),
            Self::Context(text) => Self::Context(text),
        }
    }
}

/// One change with the lines around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The first line of the old text that it is about, counted from 0.
    pub start: usize,
    /// All its lines, in order.
    pub lines: Vec<Line>,
}

impl Hunk {
    /// The lines that it expects.
    pub fn old(&self) -> Vec<&str> {
        let old = self.lines.iter().filter_map(|line| match line {
            Line::Context(text) | Line::Removed(text) => Some(text.as_str()),
            Line::Added(_) => None,
        });
        old.collect()
    }

    /// The lines that it leaves.
    pub fn new_lines(&self) -> Vec<&str> {
        let new = self.lines.iter().filter_map(|line| match line {
            Line::Context(text) | Line::Added(text) => Some(text.as_str()),
            Line::Removed(_) => None,
        });
        new.collect()
    }

    /// How many lines of context it begins with, and ends with.
    pub fn context(&self) -> (usize, usize) {
        let is_context = |line: &&Line| matches!(line, Line::Context(_));
        let before = self.lines.iter().take_while(is_context).count();
        let after = self.lines.iter().rev().take_while(is_context).count();
        (before, after)
    }

    /// The way back.
    fn reversed(self, start: usize) -> Self {
        Self {
            start,
            lines: self.lines.into_iter().map(Line::reversed).collect(),
        }
    }
}

/// Reads the hunks of a unified diff of one file, in their order.
///
/// # Errors
/// What is wrong with it, and in which line.
pub fn parse(patch: &str, reverse: bool) -> Result<Vec<Hunk>, String> {
    let mut hunks = Vec::new();
    let mut files = 0_usize;
    let mut rest = patch
        .split_inclusive('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .peekable();
    while let Some((number, line)) = rest.next() {
        if line.starts_with("--- ")
            && rest
                .peek()
                .is_some_and(|(_, next)| next.starts_with("+++ "))
        {
            rest.next();
            files += 1;
            if files > 1 {
                return Err(format!(
                    "line {number} begins with another file; a patch of one text has one"
                ));
            }
            continue;
        }
        if !line.starts_with("@@") {
            let is_binary =
                line.starts_with("GIT binary patch") || line.starts_with("Binary files ");
            if is_binary {
                return Err(format!(
                    "line {number}: a binary patch cannot be applied to a text"
                ));
            }
            if !hunks.is_empty()
                && matches!(line.bytes().next(), Some(b'+' | b'-' | b' '))
                && line.trim() != "--"
                && !line.starts_with("-- ")
            {
                return Err(format!(
                    "line {number} belongs to no hunk: the one before it has fewer lines in its header"
                ));
            }
            continue;
        }
        if hunks.len() == MAX_HUNKS {
            return Err(format!("it has more than {MAX_HUNKS} hunks"));
        }
        let header = Header::parse(line).ok_or_else(|| {
            format!("line {number} is no header of a hunk: `@@ -LINE,COUNT +LINE,COUNT @@`")
        })?;
        let mut hunk = Hunk {
            start: header.old.start(),
            lines: Vec::new(),
        };
        let (mut old, mut new) = (header.old.count, header.new.count);
        while old > 0 || new > 0 {
            let Some((number, line)) = rest.next() else {
                return Err(format!(
                    "the hunk of line {number} ends too early: it lacks {old} old and {new} new lines"
                ));
            };
            let text = line.get(1..).unwrap_or_default().to_owned();
            let line = match line.bytes().next() {
                Some(b' ') => Line::Context(text),
                Some(b'-') => Line::Removed(text),
                Some(b'+') => Line::Added(text),
                // Some programs strip the space of an empty line.
                Some(b'\n') => Line::Context("\n".to_owned()),
                Some(b'\r') => Line::Context("\r\n".to_owned()),
                Some(b'\\') => {
                    without_end(hunk.lines.last_mut());
                    continue;
                }
                _ => {
                    return Err(format!(
                        "line {number} begins with none of ` `, `-`, `+` and `\\`, in the middle of a hunk"
                    ));
                }
            };
            let (takes_old, takes_new) = match &line {
                Line::Context(_) => (1, 1),
                Line::Removed(_) => (1, 0),
                Line::Added(_) => (0, 1),
            };
            if takes_old > old || takes_new > new {
                return Err(format!(
                    "line {number} is more than the header of its hunk says"
                ));
            }
            old -= takes_old;
            new -= takes_new;
            hunk.lines.push(line);
        }
        if let Some((_, line)) = rest.next_if(|(_, line)| line.starts_with('\\')) {
            let _ = line;
            without_end(hunk.lines.last_mut());
        }
        hunks.push(if reverse {
            hunk.reversed(header.new.start())
        } else {
            hunk
        });
    }
    if hunks.is_empty() {
        return Err("it has no hunk: none of its lines begins with `@@`".to_owned());
    }
    Ok(hunks)
}

/// `\ No newline at end of file`, about the line before.
fn without_end(line: Option<&mut Line>) {
    if let Some(line) = line {
        let text = line.text_mut();
        let length = text.trim_end_matches('\n').trim_end_matches('\r').len();
        text.truncate(length);
    }
}

struct Header {
    old: Range,
    new: Range,
}

#[derive(Clone, Copy)]
struct Range {
    line: usize,
    count: usize,
}

impl Range {
    /// Its first line, counted from 0. An empty range names the line before it.
    fn start(self) -> usize {
        if self.count == 0 {
            self.line
        } else {
            self.line.saturating_sub(1)
        }
    }
}

impl FromStr for Range {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (line, count) = match text.split_once(',') {
            Some((line, count)) => (line, count.parse::<u32>()?),
            None => (text, 1),
        };
        Ok(Self {
            line: line.parse::<u32>()? as usize,
            count: count as usize,
        })
    }
}

impl Header {
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("@@ -")?;
        let (old, rest) = rest.split_once(" +")?;
        let (new, _) = rest.split_once(" @@")?;
        Some(Self {
            old: old.parse().ok()?,
            new: new.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
