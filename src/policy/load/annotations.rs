//! The annotations of a policy that oblige the caller to something.

use cedar_policy::{Effect, Policy};

use super::super::decide::{MAX_SECONDS, Obligation, REDACT, REQUIRE_APPROVAL};

/// How much alike two names must be for one to be taken as a slip of the other.
const ALIKE: f64 = 0.87;

/// Reads the obligations of a policy.
///
/// # Errors
/// Everything that is wrong with them: a value that cannot be read, an obligation on a forbid, or a name so close to one
/// of an obligation that it must be a slip, which would silently oblige to nothing.
pub(super) fn read(policy: &Policy) -> Result<Obligation, Vec<String>> {
    let mut obligations = Obligation::default();
    let mut faults = Vec::new();
    for (name, value) in policy.annotations() {
        match name {
            REQUIRE_APPROVAL => {
                let why = match value.trim() {
                    "" => "a policy asks for it",
                    why => why,
                };
                obligations.approval.insert(why.to_owned());
            }
            MAX_SECONDS => match value.trim().parse() {
                Ok(seconds) if seconds > 0 => obligations.max_seconds = Some(seconds),
                _ => faults.push(format!(
                    "`@{MAX_SECONDS}({value:?})` is not a whole number of seconds above zero"
                )),
            },
            REDACT => {
                let fields = value.split(',').map(str::trim);
                obligations.redact = fields
                    .filter(|field| !field.is_empty())
                    .map(str::to_owned)
                    .collect();
                if obligations.redact.is_empty() {
                    faults.push(format!("`@{REDACT}` names no field"));
                }
            }
            "id" => {}
            other => faults.extend(slip(other)),
        }
    }
    if policy.effect() == Effect::Forbid && obligations != Obligation::default() {
        faults.push(
            "a forbid obliges to nothing: put the obligation on a permit of the same scope"
                .to_owned(),
        );
    }
    if faults.is_empty() {
        Ok(obligations)
    } else {
        Err(faults)
    }
}

fn slip(name: &str) -> Option<String> {
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    [REQUIRE_APPROVAL, MAX_SECONDS, REDACT]
        .into_iter()
        .find(|known| strsim::jaro_winkler(&plain(known), &plain(name)) >= ALIKE)
        .map(|known| format!("`@{name}` obliges to nothing; did you mean `@{known}`?"))
}
