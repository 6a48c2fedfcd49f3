//! Lists that only narrow: one for each file that has one.

/// What may be used, as lists: whatever is used has to fit something on each of them. Where there is no list, everything
/// fits; on an empty one, nothing does.
///
/// The lists stay apart because two patterns often have no pattern in common that says just what both allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowed<T>(Vec<Vec<T>>);

impl<T> Narrowed<T> {
    /// No list: everything fits.
    #[must_use]
    pub const fn everything() -> Self {
        Self(Vec::new())
    }

    /// The lists, in the order of the layers that have one.
    #[must_use]
    pub fn lists(&self) -> &[Vec<T>] {
        &self.0
    }

    /// True where each list has something that `fits`.
    #[must_use]
    pub fn admits(&self, fits: impl Fn(&T) -> bool) -> bool {
        self.0.iter().all(|list| list.iter().any(&fits))
    }
}

impl<T: PartialEq> Narrowed<T> {
    /// Adds a list. The answer is whether that changes anything.
    pub(in crate::config) fn narrow(&mut self, list: Vec<T>) -> bool {
        let is_new = !self.0.contains(&list);
        if is_new {
            self.0.push(list);
        }
        is_new
    }
}

impl<T> Narrowed<T> {
    /// The lists for people: `everything`, `nothing`, `a, b`, or `(a, b) and (c)`.
    pub(super) fn text(&self, item: impl Fn(&T) -> String) -> String {
        let lists: Vec<String> = self
            .0
            .iter()
            .map(|list| match list.as_slice() {
                [] => "nothing".to_owned(),
                list => list.iter().map(&item).collect::<Vec<_>>().join(", "),
            })
            .collect();
        match lists.as_slice() {
            [] => "everything".to_owned(),
            [only] => only.clone(),
            lists => format!("({})", lists.join(") and (")),
        }
    }
}
