//! What `toolhatch plugin check` looks for: the one table of its rules, each with the reason it is there.

macro_rules! rules {
    ($($rule:ident $id:literal; $reason:literal;)*) => {
        /// A rule, by what it is called.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(super) enum Rule {
            $(#[doc = $reason] $rule,)*
        }

        impl Rule {
            /// Every rule.
            pub(super) const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// The word in text and JSON, such as `tool-name`.
            pub(super) const fn id(self) -> &'static str {
                match self { $(Self::$rule => $id,)* }
            }

            /// Why it is looked for: a sentence.
            pub(super) const fn reason(self) -> &'static str {
                match self { $(Self::$rule => $reason,)* }
            }
        }
    };
}

rules! {
    Package "package";
        "What cannot be read cannot be called.";
    Component "component";
        "A component runs only where everything it imports and exports is known and valid.";
    World "world";
        "The manifest says which functions the component has; where it has others, no call arrives.";
    WorldVersion "world-version";
        "A component that was built for another version of the world than its manifest names was built from other sources.";
    Description "description";
        "People decide by it whether to install the plugin.";
    Described "described";
        "What a plugin says of itself is asked once, with nothing granted, and kept: it has to answer.";
    Unstable "unstable-description";
        "What a plugin says of itself is pinned; where it says something else each time, whoever pinned it is asked again.";
    Offers "offers";
        "Prompts and resources are listed to agents as they are.";
    NoManifest "no-manifest";
        "Only what has a manifest has a name and a version, and can ask for less than everything.";
    Manifest "manifest";
        "A key that is not understood may be the one that was to narrow something.";
    Outdated "outdated";
        "The manifest that was packed in is the one that counts, for grants too; what was changed since waits for a build.";
    License "license";
        "Without a licence nobody may pass it on.";
    NoTools "no-tools";
        "There is nothing to call.";
    ToolsDiffer "tools-differ";
        "People read the manifest, and calls reach the component: both have to mean the same tools.";
    ToolName "tool-name";
        "Models take only some names, and one that breaks their rule can end a whole session.";
    NameCollision "name-collision";
        "Some clients fold case and take `-` and `_` for the same, and would call the other one.";
    ToolDescription "tool-description";
        "An agent chooses tools by their descriptions, and by nothing else.";
    InputSchema "input-schema";
        "Arguments are checked against it before the tool sees them.";
    OutputSchema "output-schema";
        "A result is checked against it, and programs rely on it.";
    ParameterDescription "parameter-description";
        "An agent fills in what it understands; what it does not, it guesses.";
    ParameterBounds "parameter-bounds";
        "A bound that is written down is enforced before the tool runs; one that is not is found out by the tool.";
    Example "example";
        "An example shows an agent the form of a value better than a sentence does.";
    Permissions "permissions";
        "What cannot be read as a scope cannot be granted.";
    UnusablePermission "unusable-permission";
        "Whoever is asked for more than is used says no, or learns to say yes to everything.";
    BroadPermission "broad-permission";
        "A grant holds for whatever the plugin does with it, also where somebody tricks it.";
    SensitivePermission "sensitive-permission";
        "People will say no to this.";
    UnaskedPermission "unasked-permission";
        "What is not asked for is denied, whatever the component tries.";
    Impure "impure";
        "Results of a pure tool are kept and told again; one that depends on something else would be told wrongly.";
    Size "size";
        "Everybody who installs it fetches and compiles all of it.";
    DebugInfo "debug-info";
        "Only debuggers read it, and it can hold paths of the machine that it was built on.";
    StartTime "start-time";
        "Each call gets an instance of its own, and waits for it.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_an_id_of_its_own_and_a_reason() {
        let mut ids: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
        for rule in Rule::ALL {
            assert!(
                rule.id()
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                rule.id()
            );
            assert!(rule.reason().ends_with('.'), "{}", rule.id());
        }
    }
}
