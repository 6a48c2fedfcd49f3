//! Commands: in which image, which command. Where an operator has them run elsewhere than in a container, a word takes the
//! place of the image: `direct` for a process of this machine, `ssh:HOST` for one of another. Such a word has to be granted
//! by name: no image stands for it, and neither does leaving the image open. `ssh:*` is any other machine.
//!
//! Text form: `image:IMAGE`, `command:COMMAND`, both joined by `;`, or `*` for any command in any image. Both are compared
//! exactly. In either, `%` and `;` are written `%25` and `%3B`.

use std::fmt;
use std::str::FromStr;

use super::kind::Kind;
use super::meet::Meet;
use super::parse_error::{Form, ParseError};
use super::text;

/// In place of an image: a process of this machine.
pub const DIRECT: &str = "direct";
/// In place of an image, with the name of the machine behind it: a process of another machine.
pub const SSH: &str = "ssh:";

const FORM: &Form = Kind::Subprocess.form();

/// True where this stands for a place outside of containers, and is not the full name of an image.
#[must_use]
pub fn is_outside(image: &str) -> bool {
    image == DIRECT || image.starts_with(SSH)
}

/// An image and a command, either of which may be left open.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubprocessScope {
    image: Option<String>,
    command: Option<String>,
}

impl SubprocessScope {
    /// A scope for this image and this command; nothing means any.
    ///
    /// # Errors
    /// Where one of them is empty, too long or has control characters.
    pub fn new(image: Option<&str>, command: Option<&str>) -> Result<Self, ParseError> {
        for part in [image, command].into_iter().flatten() {
            FORM.check_text(part)?;
        }
        Ok(Self {
            image: image.map(str::to_owned),
            command: command.map(str::to_owned),
        })
    }

    /// Any command in any image, on this machine, and on any other: no single scope is all of them.
    #[must_use]
    pub fn everything() -> [Self; 3] {
        let of = |image: Option<String>| Self {
            image,
            command: None,
        };
        [of(None), of(Some(DIRECT.to_owned())), of(Some(any_ssh()))]
    }

    /// The image, or the word for a place outside of containers; nothing means any image.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The command; nothing means any.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// True where this command may be run in this image.
    #[must_use]
    pub fn allows(&self, image: &str, command: &str) -> bool {
        let is_image = match self.image.as_deref() {
            Some(ours) => ours == image || (image.starts_with(SSH) && ours == any_ssh()),
            None => !is_outside(image),
        };
        is_image && self.command.as_deref().is_none_or(|ours| ours == command)
    }
}

/// Any other machine.
fn any_ssh() -> String {
    format!("{SSH}*")
}

impl Meet for SubprocessScope {
    fn meet(&self, other: &Self) -> Option<Self> {
        let narrower = |left: &Option<String>, right: &Option<String>| match (left, right) {
            (None, value) | (value, None) => Some(value.clone()),
            (Some(left), Some(right)) => (left == right).then(|| Some(left.clone())),
        };
        let any_ssh = any_ssh();
        let image = match (&self.image, &other.image) {
            (None, Some(word)) | (Some(word), None) if is_outside(word) => None,
            (Some(any), Some(one)) | (Some(one), Some(any))
                if *any == any_ssh && one.starts_with(SSH) =>
            {
                Some(Some(one.clone()))
            }
            (ours, theirs) => narrower(ours, theirs),
        };
        Some(Self {
            image: image?,
            command: narrower(&self.command, &other.command)?,
        })
    }
}

impl FromStr for SubprocessScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        FORM.check_text(text)?;
        let (mut image, mut command) = (None, None);
        if text != "*" {
            for part in text.split(';') {
                let slot = match part.split_once(':') {
                    Some(("image", value)) if image.is_none() => (&mut image, value),
                    Some(("command", value)) if command.is_none() => (&mut command, value),
                    _ => {
                        let problem = "it has a part that is neither `image:` nor `command:`, or one of them twice";
                        return Err(FORM.error(text, problem));
                    }
                };
                let value = text::unescape_option(slot.1).ok_or_else(|| {
                    FORM.error(text, "`%` and `;` in a value are written `%25` and `%3B`")
                })?;
                *slot.0 = Some(value);
            }
        }
        Self::new(image.as_deref(), command.as_deref())
    }
}

impl fmt::Display for SubprocessScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.image, &self.command) {
            (None, None) => f.write_str("*"),
            (Some(image), None) => write!(f, "image:{}", text::escape_option(image)),
            (None, Some(command)) => write!(f, "command:{}", text::escape_option(command)),
            (Some(image), Some(command)) => write!(
                f,
                "image:{};command:{}",
                text::escape_option(image),
                text::escape_option(command)
            ),
        }
    }
}
