//! Words that stand for each other, and what kind of doing a verb asks for.
//!
//! The groups are general English as people and tools use it of files, messages, plans, code, servers and data: people say
//! `folder` and `get rid of` where tools say `directory` and `delete`. A word of the same group counts for less than the
//! word itself. Names of products are in no group, but where a short form is the common one.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::words::stem;

/// Each line is a group.
const GROUPS: &str = "
find search locate lookup look seek query grep
list show enumerate display
get read fetch view show retrieve see
read open load
create make new add generate build
add append insert attach put
write save store create
update edit change modify set alter adjust
replace substitute rewrite swap
delete remove erase discard drop clear purge
download export save
upload import load
send submit deliver mail
post publish send
copy duplicate clone fork
move transfer relocate
rename title
run execute launch start invoke trigger
rerun retry restart again
stop cancel abort terminate kill end halt
finish complete done close resolve
reopen restore undelete
approve accept confirm
reject decline refuse deny
merge combine join
split divide break
compare diff difference
share permission access
lock protect
allow permit grant enable
forbid deny block disable
revoke delete invalidate
mute silence snooze
follow watch subscribe
assign delegate
archive hide
restore revert undo rollback recover
schedule plan book
convert transform turn
translate translation
summarize summary overview digest
count number many total
calculate compute math evaluate
validate verify check valid lint
encode decode
hash checksum
describe detail info information
link connect
reply respond answer
forward redirect
press click tap
type enter keyboard
fill form
swipe scroll
analyze inspect examine review
monitor watch track
install deploy setup
file document
folder directory dir
path location
word text string phrase pattern term
content text body
line row
disk filesystem local
code source program
variable symbol identifier
project workspace
picture image photo
screenshot capture snapshot
video recording screencast
audio sound music
pdf document
attachment file
size length
modified changed updated
page website site url web
browser tab page
website scrape crawl
network request http
cookie storage session
element selector node
style css format
console log
link url hyperlink
user member person people account
colleague teammate coworker member
team group
email mail gmail message
mailbox inbox mail
message chat post
channel room
conversation thread discussion
conversation channel history
contact person
comment note remark annotation
notification alert
unread new
newest latest recent
event meeting appointment calendar
invite invitation attendee
free busy availability available
timezone time clock
deadline due overdue
weather forecast
storm alert warning
date day
task todo chore reminder
issue ticket bug defect
subtask child
status progress state
sprint iteration
board kanban
card ticket
milestone goal
label tag category
filter rule
priority severity
story item
repository repo project
pr pull merge mr
branch ref
commit changeset revision
version revision history release
author blame wrote
stash shelve
review reviewer feedback
pipeline workflow build job ci
test check
log logs output
alert alarm
incident outage
metric measurement statistic
cpu memory performance
cluster k8s kubernetes kubectl
pod container docker
deployment release rollout
replica scale
server host machine
computer machine system desktop
process program
shell terminal command console bash
app application
phone mobile device android ios
setting config configuration option preference
environment env
role policy
permission right access
key token credential secret
password secret
login signin authenticate
database db sql
table collection
collection table index
record document row entry item
column field property
schema mapping structure
spreadsheet sheet worksheet workbook excel
cell range
formula function
slide presentation deck
chart graph plot diagram
tree hierarchy
bar column histogram
pie donut
map geographic location
marker pin place
similar duplicate repeated
random uuid
color colour
wiki page article
paper publication article
header heading title
footnote endnote
paragraph section
bold italic style
memory knowledge
relation relationship edge
entity node
customer client contact
invoice bill
payment pay paid
quote estimate offer
profit income earning
expense cost spending
money financial finance
report statement
organization organisation org company
trip travel
hotel accommodation lodging listing
route path
workout activity exercise
ride run activity
";

/// Verbs of two words, and the one word that tools have for them.
const PHRASES: &[(&str, &str)] = &[
    ("break down", "split"),
    ("bring back", "restore"),
    ("bring up", "start"),
    ("call off", "cancel"),
    ("clean up", "delete"),
    ("find out", "get"),
    ("get back", "restore"),
    ("get rid of", "delete"),
    ("go to", "navigate"),
    ("hand over", "transfer"),
    ("keep track of", "track"),
    ("kick off", "start"),
    ("leave out", "exclude"),
    ("log in", "login"),
    ("look at", "view"),
    ("look for", "search"),
    ("look up", "search"),
    ("make sure", "check"),
    ("move on", "continue"),
    ("pick up", "get"),
    ("put away", "archive"),
    ("put off", "postpone"),
    ("set up", "create"),
    ("shut down", "stop"),
    ("sign in", "login"),
    ("sign off", "approve"),
    ("sign up", "register"),
    ("sum up", "summarize"),
    ("take back", "revert"),
    ("take down", "delete"),
    ("take off", "remove"),
    ("throw away", "delete"),
    ("tick off", "complete"),
    ("turn down", "decline"),
    ("turn into", "convert"),
    ("turn off", "disable"),
    ("turn on", "enable"),
    ("work out", "calculate"),
    ("write down", "note"),
    ("write up", "create"),
];

/// What is done to the thing that is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// It is looked at, or looked for.
    Read,
    /// It comes to be.
    Create,
    /// It becomes another.
    Change,
    /// It is no more.
    Delete,
}

const ACTIONS: &[(Action, &str)] = &[
    (
        Action::Read,
        "get list read show view search find describe fetch check query look lookup retrieve see count download inspect browse \
         enumerate display watch export analyze compare tell examine explain what who which when where whose why how is are any \
         did does was would",
    ),
    (
        Action::Create,
        "create add new make generate insert append book post declare report write put record plan schedule compose draft \
         build invite attach upload",
    ),
    (
        Action::Change,
        "update edit change modify set rename move replace rewrite mark close reopen adjust convert turn format apply tick \
         complete finish resolve assign archive restore merge highlight share",
    ),
    (
        Action::Delete,
        "delete remove clear drop erase revoke cancel discard purge uninstall kill terminate",
    ),
];

static GROUPED: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut grouped: HashMap<String, Vec<String>> = HashMap::new();
    for line in GROUPS.lines() {
        let group: Vec<String> = line.split_whitespace().map(stem).collect();
        for word in &group {
            let others = grouped.entry(word.clone()).or_default();
            for other in &group {
                if other != word && !others.contains(other) {
                    others.push(other.clone());
                }
            }
        }
    }
    grouped
});

static ACTION_OF: LazyLock<HashMap<String, Action>> = LazyLock::new(|| {
    ACTIONS
        .iter()
        .flat_map(|(action, words)| words.split_whitespace().map(|word| (stem(word), *action)))
        .collect()
});

/// The stems that may stand for this one.
pub(super) fn others(stem: &str) -> &'static [String] {
    GROUPED.get(stem).map_or(&[], Vec::as_slice)
}

/// What a verb, or a word that asks, wants done; nothing for other words.
pub(super) fn action(stem: &str) -> Option<Action> {
    ACTION_OF.get(stem).copied()
}

/// The one word for the verb that these words begin with, and how many of them it takes the place of.
pub(super) fn phrase(words: &[String]) -> Option<(&'static str, usize)> {
    PHRASES.iter().find_map(|(phrase, word)| {
        let length = phrase.split(' ').count();
        let said = words.get(..length)?;
        phrase
            .split(' ')
            .eq(said.iter().map(String::as_str))
            .then_some((*word, length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_group_stand_for_each_other_in_any_form() {
        let stands = |one: &str, other: &str| others(&stem(one)).contains(&stem(other));
        assert!(stands("folders", "directories") && stands("directory", "folder"));
        assert!(stands("deleting", "removed"));
        assert!(
            !stands("folder", "folders"),
            "a word is not its own synonym"
        );
        assert!(others("weatherless").is_empty());
    }

    #[test]
    fn phrases_are_taken_whole() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(phrase(&words("get rid of it")), Some(("delete", 3)));
        assert_eq!(phrase(&words("get rid")), None);
        assert_eq!(phrase(&[]), None);
    }
}
