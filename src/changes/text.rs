//! The difference of two small texts, as people read it.

use std::time::Duration;

use similar::TextDiff;

use super::Name;

/// A file that is larger is not shown.
pub(super) const MOST_CONTENT: u64 = 128 << 10;
/// A difference that is longer is not shown.
const MOST_DIFF: usize = 64 << 10;
/// After this time the difference is shown as it is, longer than it could be.
const WITHIN: Duration = Duration::from_millis(200);

/// A unified diff of two contents; nothing where one of them is no text, or it would be too long.
pub(super) fn diff(path: &Name, before: Option<&[u8]>, after: Option<&[u8]>) -> Option<String> {
    let text = |bytes: Option<&[u8]>| -> Option<String> {
        let text = std::str::from_utf8(bytes.unwrap_or_default()).ok()?;
        (!text.contains('\0')).then(|| text.to_owned())
    };
    let (old, new) = (text(before)?, text(after)?);
    if old == new {
        return None;
    }
    let name = |bytes: Option<&[u8]>, side: &str| match bytes {
        Some(_) => format!("{side}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let diff = TextDiff::configure().timeout(WITHIN).diff_lines(&old, &new);
    let shown = diff
        .unified_diff()
        .context_radius(3)
        .header(&name(before, "a"), &name(after, "b"))
        .to_string();
    (shown.len() <= MOST_DIFF).then_some(shown)
}
