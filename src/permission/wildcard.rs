//! Matching a sequence against a pattern with wildcards that stand for any run of items.

/// True where the pattern covers the whole text. `is_run` tells the pattern items that stand for any run of text items,
/// `fits` whether any other pattern item stands for one text item. The time is at most the product of the two lengths.
///
/// Each stretch between two wildcards is placed as early as possible; a later place can never help, so nothing before the
/// last wildcard is ever tried again.
pub(crate) fn covers<P, T>(
    pattern: &[P],
    text: &[T],
    is_run: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut done) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(done)) {
            (Some(run), _) if is_run(run) => {
                at += 1;
                retry = Some((at, done));
            }
            (Some(item), Some(found)) if fits(item, found) => {
                at += 1;
                done += 1;
            }
            (None, None) => return true,
            (_, None) => return false,
            (_, Some(_)) => match &mut retry {
                None => return false,
                Some((after_run, from)) => {
                    *from += 1;
                    (at, done) = (*after_run, *from);
                }
            },
        }
    }
}
