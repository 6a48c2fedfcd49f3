//! What is found in the words of a text.

use std::sync::LazyLock;

use super::words::{Pattern, Word};
use super::{Kind, Neighbours, Spot};
use crate::pins::visible::visible;

const OVERRIDES: &str = "It tells the model to pass over what others told it.";
const FIRST: &str = "It wants to come before whatever else the model does.";
const ROLE: &str = "It speaks to the model of who it is, which is no matter of a tool.";
const CONCEALS: &str = "It wants something kept from the user.";
const HANDS_OVER: &str =
    "It asks for parts of the conversation, which a tool has no business with.";
const READS: &str = "It has the model read something before it uses the tool.";
const SENDS: &str = "It has the model send something somewhere.";

/// Phrases that tools have no use for. Those that honest servers use as well are not here: "you MUST call X before Y" among
/// a server's own tools, or a parameter for a system prompt.
static PHRASES: LazyLock<Vec<(Kind, Pattern, &str)>> = LazyLock::new(|| {
    let phrases: &[(Kind, &'static str, &'static str)] = &[
        (
            Kind::InstructionToModel,
            "ignore|disregard|forget|override|bypass ..3 previous|prior|above|earlier|preceding ..2 instruction|instructions|prompt|prompts|rules|guidelines|directives|orders|context",
            OVERRIDES,
        ),
        (
            Kind::InstructionToModel,
            "ignore|disregard|forget|override|bypass all|any|your|every ..1 instructions|guidelines|directives|safety|guardrails|restrictions",
            OVERRIDES,
        ),
        (
            Kind::InstructionToModel,
            "disregard|forget everything ..2 above|before|previously|told|said",
            OVERRIDES,
        ),
        (
            Kind::InstructionToModel,
            "ignore|disregard|override|replace|reveal|repeat|leak ..4 system prompt|prompts|message",
            OVERRIDES,
        ),
        (Kind::InstructionToModel, "your system prompt", ROLE),
        (
            Kind::InstructionToModel,
            "important|hidden|secret system|developer|admin instruction|instructions|override",
            ROLE,
        ),
        (
            Kind::InstructionToModel,
            "you are now a|an|in|the|no|free|unrestricted",
            ROLE,
        ),
        (
            Kind::InstructionToModel,
            "developer|jailbreak|dan mode enabled|on|now|active",
            ROLE,
        ),
        (
            Kind::InstructionToModel,
            "before using|calling|running|invoking|executing|you this|the|any|use|call other? tool|tools|function|it|this ..6 read|open|cat|access|load|dump|retrieve|collect|gather ..4 file|files|contents|content|credentials|keys|key|secrets|config|configuration|environment|history",
            READS,
        ),
        (
            Kind::InstructionToModel,
            "read|open|cat|access ..6 and|then pass|include|put|provide|send|insert ..6 sidenote|argument|parameter|param",
            READS,
        ),
        (
            Kind::InstructionToModel,
            "before using|calling|running|invoking|doing|answering any|all|every other? tool|tools|request|requests|question|questions|anything",
            FIRST,
        ),
        (
            Kind::InstructionToModel,
            "for any|every|all request|requests|message|messages|conversation|conversations ..6 call|use|invoke this tool|function",
            FIRST,
        ),
        (
            Kind::InstructionToModel,
            "instead of using|calling|invoking? any|every|all other|another tool|tools|server|servers",
            FIRST,
        ),
        (
            Kind::Concealment,
            "do|must|should|shall|will not|never ..2 tell|mention|inform|reveal|notify|alert|disclose|warn ..4 user|users|human|person|anyone|customer",
            CONCEALS,
        ),
        (
            Kind::Concealment,
            "dont|never|mustnt|shouldnt|cannot|not tell|mention|inform|reveal|notify|alert|disclose|warn ..4 user|users|human|anyone|customer",
            CONCEALS,
        ),
        (
            Kind::Concealment,
            "without telling|informing|notifying|alerting|asking|mentioning ..3 user|users|human|anyone",
            CONCEALS,
        ),
        (
            Kind::Concealment,
            "keep|hide|conceal ..4 secret|hidden|from ..1 user|users|human",
            CONCEALS,
        ),
        (
            Kind::Concealment,
            "silently|secretly|covertly send|sends|call|calls|run|read|include|forward|copy|upload|pass",
            CONCEALS,
        ),
        (
            Kind::Exfiltration,
            "include|pass|send|put|provide|append|copy|attach ..4 full|entire|complete|whole ..1 conversation|chat|transcript",
            HANDS_OVER,
        ),
        (
            Kind::Exfiltration,
            "include|pass|send|put|provide|append|copy|attach|print|output ..3 system prompt",
            HANDS_OVER,
        ),
        (
            Kind::Exfiltration,
            "include|pass|send|put|provide|append|copy|attach ..4 all|previous|every ..1 user message|messages",
            HANDS_OVER,
        ),
        (Kind::Exfiltration, "exfiltrate|exfil", SENDS),
        (
            Kind::Exfiltration,
            "send|post|upload|forward|transmit|copy|bcc ..8 environment|credentials|secrets|passwords|tokens|keys ..6 to|http|https",
            SENDS,
        ),
    ];
    let phrases = phrases.iter();
    phrases
        .map(|(kind, pattern, sentence)| (*kind, Pattern::new(pattern), *sentence))
        .collect()
});

/// Names that a parameter has when it is made to collect something: they stand alone.
const COLLECTING: &[&str] = &[
    "sidenote",
    "conversation history",
    "chat history",
    "full conversation",
    "entire conversation",
    "conversation transcript",
    "conversation context",
    "previous messages",
    "model reasoning",
    "chain of thought",
];

/// Marks in the text, in lower case.
const MARKS: &[&str] = &[
    "<important>",
    "<important ",
    "</important>",
    "<system>",
    "</system>",
    "<hidden>",
    "<secret>",
    "<instruction>",
    "<instructions>",
    "<system-reminder>",
    "<|im_start|>",
    "<|im_end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|endoftext|>",
    "[inst]",
    "[/inst]",
    "<<sys>>",
    "[system]",
    "### system:",
    "### instruction:",
];

/// Files with secrets, as they are written; what is not a letter or digit must stand around them.
const FILES: &[&str] = &[
    ".ssh/",
    "/.ssh",
    "~/.ssh",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    ".aws/credentials",
    ".aws/config",
    ".kube/config",
    ".docker/config.json",
    ".git-credentials",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".gnupg",
    ".bash_history",
    ".zsh_history",
    ".env",
    ".env.local",
    ".cursor/mcp.json",
    "claude_desktop_config.json",
    ".claude.json",
    "/etc/passwd",
    "/etc/shadow",
    "/proc/self/environ",
    "credentials.json",
    "wallet.dat",
    "login.keychain",
];

pub(super) fn look(text: &str, words: &[Word], spots: &mut Vec<Spot>) {
    // Most texts are names and types: one word says nothing.
    let phrases = PHRASES.iter().filter(|_| words.len() > 1);
    for (kind, pattern, sentence) in phrases {
        if let Some((start, end)) = pattern.find(words) {
            spots.push(Spot {
                kind: *kind,
                start,
                end,
                sentence: (*sentence).to_owned(),
            });
        }
    }
    let whole: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if whole.len() <= 4 && COLLECTING.contains(&whole.join(" ").as_str()) {
        spots.push(Spot {
            kind: Kind::Exfiltration,
            start: 0,
            end: text.len(),
            sentence: HANDS_OVER.to_owned(),
        });
    }
    // The length of no ASCII character changes, and no other is looked for.
    let lower = text.to_ascii_lowercase();
    if let Some(start) = lower.find("<!--") {
        let end = lower
            .get(start..)
            .and_then(|rest| rest.find("-->"))
            .map_or(text.len(), |length| start + length + 3);
        spots.push(Spot {
            kind: Kind::Comment,
            start,
            end,
            sentence: "It has a comment, which is not shown where the text is rendered.".to_owned(),
        });
    }
    let marks = MARKS.iter().filter(|_| lower.contains(['<', '[', '#']));
    for mark in marks {
        if let Some(start) = lower.find(mark) {
            spots.push(Spot {
                kind: Kind::InstructionMark,
                start,
                end: start + mark.len(),
                sentence: "It has a mark that models take for the beginning or end of an order."
                    .to_owned(),
            });
        }
    }
    for file in FILES {
        if let Some(start) = find_whole(&lower, file) {
            spots.push(Spot {
                kind: Kind::SecretFile,
                start,
                end: start + file.len(),
                sentence: "It speaks of a file where secrets are kept.".to_owned(),
            });
        }
    }
}

/// Where a name stands that is not part of a longer one.
fn find_whole(text: &str, name: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let is_path = name.starts_with(['/', '~']);
    text.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = text
            .get(..*at)
            .and_then(|before| before.chars().next_back());
        let mut after = text.get(at + name.len()..).unwrap_or_default().chars();
        let next = after.next();
        // A full stop ends a sentence; with more behind it, it is a longer name.
        let goes_on =
            next.is_some_and(is_part) || (next == Some('.') && after.next().is_some_and(is_part));
        // `content_of_id_rsa` speaks of it as well, and `process.env` is something else.
        let is_inside = !is_path && before.is_some_and(char::is_alphanumeric);
        !is_inside && (name.ends_with('/') || !goes_on)
    })
}

/// Looks for names of tools that the text has no reason to know.
pub(super) fn look_for_tools(text: &str, neighbours: Neighbours<'_>, spots: &mut Vec<Spot>) {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    for run in text.split(|c: char| !is_part(c)) {
        // A name can have dots in it, and a sentence has one at its end.
        let whole = run.trim_matches(['.', '/']);
        let pieces = whole.split(['.', '/']).filter(|piece| *piece != whole);
        for name in std::iter::once(whole).chain(pieces) {
            let start = name.as_ptr().addr() - text.as_ptr().addr();
            let end = start + name.len();
            let is_other = neighbours.others.contains(name) && !neighbours.own.contains(name);
            if is_other && is_spoken_of(text, start, end) {
                spots.push(Spot {
                    kind: Kind::OtherTool,
                    start,
                    end,
                    sentence: format!(
                        "It speaks of `{}`, which is a tool of another server.",
                        visible(name)
                    ),
                });
                return;
            }
        }
    }
}

/// True where a name is that of a tool: one that is a plain word has to stand beside "tool" or "function".
fn is_spoken_of(text: &str, start: usize, end: usize) -> bool {
    const QUOTES: [char; 3] = ['`', '"', '\''];
    let name = text.get(start..end).unwrap_or_default();
    if name.chars().skip(1).any(|c| !c.is_ascii_lowercase()) {
        return name.len() > 2;
    }
    let before = text.get(..start).unwrap_or_default();
    let after = text.get(end..).unwrap_or_default();
    let before = before.trim_end_matches(QUOTES);
    let after = after.trim_start_matches(QUOTES);
    ["tool ", "function "]
        .iter()
        .any(|noun| before.ends_with(noun))
        || [" tool", " function"]
            .iter()
            .any(|noun| after.starts_with(noun))
}
