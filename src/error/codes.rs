//! The ONE table of error codes E3000 to E3999.
//!
//! Each row gives a code its symbol, retryability, HTTP status, exit class, severity, whether it is a security event, its
//! meaning and a hint. The enum, `toolhatch explain`, `docs/reference/errors.md` and the tests all come from it. Numbers
//! are public and never change their meaning. Ranges: 30xx general, 31xx registry, 32xx permission, 33xx validation,
//! 34xx execution, 35xx upstream, 36xx secrets, 37xx jobs, 38xx audit and documents, 39xx state.

use std::fmt;
use std::str::FromStr;

use crate::exit_code::Exit;

/// Whether the same request may succeed when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may succeed at once.
    Yes,
    /// It may succeed after the delay the error names.
    After,
    /// It may be sent again only if the tool is declared idempotent.
    IfIdempotent,
    /// It will fail again.
    No,
    /// Not an error at all: reserved for a metric.
    NotAnError,
}

impl Retry {
    /// True where a blind retry can make sense at all.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Yes | Self::After)
    }

    /// The word used in the reference page and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::After => "after a delay",
            Self::IfIdempotent => "if idempotent",
            Self::No => "no",
            Self::NotAnError => "not an error",
        }
    }
}

/// How bad it is, for logs and alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a line.
    Info,
    /// Somebody should look when there is time.
    Warning,
    /// Something did not work that should have.
    Error,
    /// The gate itself cannot do its work.
    Critical,
}

impl Severity {
    /// The word used in the reference page and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

macro_rules! codes {
    ($($code:ident $symbol:literal, $retry:ident, $http:literal, $exit:ident, $severity:ident, $security:literal;
        $meaning:literal; $hint:literal,)*) => {
        /// The number of an error; everything else about it follows from the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// `E3402`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// A kebab-case word for the number, such as `tool-timeout`.
            #[must_use]
            pub const fn symbol(self) -> &'static str {
                match self { $(Self::$code => $symbol,)* }
            }

            /// What it means, as a fragment.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$code => $meaning,)* }
            }

            /// What to do about it where nothing more specific is known.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$code => $hint,)* }
            }

            /// Whether the same request may succeed when sent again.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$code => Retry::$retry,)* }
            }

            /// The HTTP status a server answers with.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$code => $http,)* }
            }

            /// The exit class of a process that ends with it.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$code => Exit::$exit,)* }
            }

            /// How bad it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity,)* }
            }

            /// True where it is also a security event.
            #[must_use]
            pub const fn is_security_event(self) -> bool {
                match self { $(Self::$code => $security,)* }
            }
        }
    };
}

codes! {
    E3000 "internal", Yes, 500, Internal, Error, false;
        "Toolhatch itself failed";
        "Run it again with `TOOLHATCH_LOG=debug` and report what it prints.",
    E3001 "unavailable", After, 503, Unavailable, Error, false;
        "a service is not available for the moment";
        "Wait a little and try again.",
    E3002 "request-timeout", Yes, 504, Timeout, Warning, false;
        "the request was not answered in time";
        "Try again, or allow more time with `--timeout`.",
    E3003 "rate-limited", After, 429, Limit, Warning, false;
        "the caller's own rate limit was reached";
        "Slow down, or raise the limit in the configuration.",
    E3004 "bad-request", No, 400, Usage, Warning, false;
        "the command line or the request is not valid";
        "See `toolhatch --help`.",
    E3005 "idempotency-conflict", No, 409, Usage, Warning, false;
        "the same idempotency key came with other arguments";
        "Use a new key for a new request.",
    E3101 "tool-not-found", No, 404, Unavailable, Warning, false;
        "no such tool, plugin or file";
        "`toolhatch tools list` shows what there is.",
    E3102 "version-not-found", No, 404, Unavailable, Warning, false;
        "that version is not installed";
        "`toolhatch plugin list` shows the installed versions.",
    E3103 "version-conflict", No, 409, Unavailable, Warning, false;
        "no version satisfies every range asked for";
        "Loosen a range in `[dependencies]`, or install another version.",
    E3104 "tool-deprecated", No, 410, Unavailable, Warning, false;
        "the tool is deprecated";
        "Move to the replacement its manifest names.",
    E3105 "manifest-invalid", No, 422, Usage, Error, false;
        "a manifest or component is not valid";
        "`toolhatch plugin check FILE` lists everything that is wrong with it.",
    E3106 "search-failed", Yes, 500, Internal, Warning, false;
        "the search over tools failed";
        "Try simpler words.",
    E3107 "tool-removed", No, 410, Unavailable, Warning, false;
        "the tool was removed";
        "Move to the replacement its manifest names.",
    E3108 "duplicate", No, 409, Usage, Warning, false;
        "the same name and version is already there with other content";
        "Raise the version: a published version never changes.",
    E3109 "digest-mismatch", No, 422, Integrity, Error, true;
        "the bytes do not have the digest they should have";
        "Do not run it. Fetch the artifact again from a source you trust.",
    E3110 "signature-untrusted", No, 403, Integrity, Error, true;
        "the signature is missing or its signer is not trusted";
        "Do not run it unless you can vouch for where it came from.",
    E3111 "incompatible-abi", No, 422, Usage, Error, false;
        "the component needs a world or interface this host does not have";
        "`toolhatch plugin inspect FILE` shows what it imports.",
    E3112 "toolchain-missing", No, 500, Unavailable, Error, false;
        "a program that builds plugins is missing, too old or does not work";
        "`toolhatch plugin build --help` says what each language takes.",
    E3113 "build-failed", No, 422, Tool, Error, false;
        "the plugin could not be built from its sources";
        "Read what the compiler said, and mend the sources.",
    E3201 "token-expired", No, 401, Refused, Warning, true;
        "the capability token has expired";
        "Ask for a new token.",
    E3202 "token-bad-signature", No, 401, Refused, Error, true;
        "the signature of the capability token is not valid";
        "Ask for a new token from an issuer that is trusted here.",
    E3203 "token-malformed", No, 401, Refused, Warning, true;
        "the capability token cannot be read";
        "Ask for a new token.",
    E3204 "tool-not-granted", No, 403, Refused, Warning, true;
        "the tool is not in the capability token";
        "Ask for a token that names this tool.",
    E3205 "policy-unavailable", Yes, 503, Refused, Critical, false;
        "the policy could not be evaluated, so the answer is no";
        "Repair the policy; nothing runs without one that can be read.",
    E3206 "denied", No, 403, Refused, Warning, true;
        "permission denied";
        "Grant what is missing, if you trust the tool with it.",
    E3207 "principal-unknown", No, 404, Refused, Warning, true;
        "the caller is not known";
        "Check who makes the call.",
    E3208 "token-revoked", No, 401, Refused, Warning, true;
        "the capability token was revoked";
        "Ask for a new token.",
    E3209 "claims-missing", No, 401, Refused, Warning, true;
        "the capability token lacks required claims";
        "Ask for a token with all required claims.",
    E3210 "file-denied", No, 403, Refused, Warning, true;
        "access to a file or folder was denied";
        "Allow it with `--allow file_read=FOLDER` or `--allow file_write=FOLDER`, if you trust the tool with it.",
    E3211 "network-denied", No, 403, Refused, Warning, true;
        "access to the network was denied";
        "Allow it with `--allow network_http=HOST`, if you trust the tool with it.",
    E3212 "secret-denied", No, 403, Refused, Warning, true;
        "access to a secret was denied";
        "Allow it with `--allow secrets=NAME`, if you trust the tool with it.",
    E3213 "approval-missing", No, 403, Refused, Warning, false;
        "a person has to approve this and nobody could be asked";
        "Run it on a terminal, or grant it beforehand.",
    E3214 "approval-rejected", No, 403, Refused, Warning, true;
        "a person said no";
        "Nothing ran. Ask the person why.",
    E3215 "approval-timeout", No, 408, Refused, Warning, false;
        "nobody answered in time, which counts as no";
        "Ask again when somebody is there.",
    E3216 "answer-invalid", No, 400, Usage, Warning, false;
        "an answer does not fit what the tool asked";
        "Answer again, as the question asks.",
    E3301 "arguments-invalid", No, 400, Usage, Warning, false;
        "the arguments do not fit the tool's input schema";
        "`toolhatch tools show TOOL` prints the schema.",
    E3302 "coercion-failed", No, 400, Usage, Warning, false;
        "a value could not be read as the type the schema asks for";
        "Use `--arg name:=JSON` to give the exact JSON value.",
    E3303 "result-invalid", IfIdempotent, 500, Tool, Error, false;
        "the tool's result does not fit its output schema";
        "Report it to the author of the tool.",
    E3304 "redaction-failed", No, 500, Internal, Critical, true;
        "a secret could not be removed from the output, so nothing is shown";
        "Report it; the output was withheld.",
    E3305 "injection-detected", No, 400, Refused, Error, true;
        "the input was recognised as an attack";
        "Look at where the input came from.",
    E3306 "output-too-large", No, 502, Limit, Error, false;
        "the tool returned more than its output limit";
        "Ask the tool for less, or raise `output` in `[limits]`.",
    E3307 "result-schema-missing", No, 422, Usage, Warning, false;
        "the tool has no output schema and strict mode asks for one";
        "Add an `output_schema` to the tool.",
    E3308 "output-malformed", No, 502, Tool, Error, false;
        "the tool's output is not UTF-8, not JSON, or nested too deeply";
        "Report it to the author of the tool.",
    E3401 "tool-failed", IfIdempotent, 500, Tool, Error, false;
        "the tool ran and said that it failed";
        "Read the tool's own message.",
    E3402 "tool-timeout", IfIdempotent, 504, Timeout, Warning, false;
        "the tool did not finish before its deadline";
        "Allow more time with `--timeout`, or give the tool less to do.",
    E3403 "tool-oom", No, 500, Limit, Error, false;
        "the tool needed more memory than its limit";
        "Raise `memory` in `[limits]`, or give the tool less to do.",
    E3404 "tool-crashed", IfIdempotent, 500, Tool, Error, false;
        "the tool crashed";
        "Report the backtrace to the author of the tool.",
    E3405 "sandbox-create-failed", Yes, 500, Unavailable, Error, false;
        "the sandbox for the tool could not be made";
        "`toolhatch doctor` shows what is missing.",
    E3406 "network-violation", No, 403, Refused, Error, true;
        "the tool broke a network rule while it ran";
        "Look at what the tool tried to reach before you allow more.",
    E3407 "resource-limit", After, 429, Limit, Warning, false;
        "a resource limit was reached";
        "Raise the limit in the manifest's `[limits]` or in the configuration.",
    E3408 "concurrency-limit", After, 429, Limit, Warning, false;
        "too many calls at once";
        "Wait for running calls to end, or raise the limit in the configuration.",
    E3409 "file-violation", No, 403, Refused, Error, true;
        "the tool broke a filesystem rule while it ran";
        "Look at what the tool tried to open before you allow more.",
    E3410 "exit-nonzero", IfIdempotent, 500, Tool, Error, false;
        "the command ended with an exit code other than zero";
        "Read the command's own output.",
    E3411 "budget-exhausted", No, 429, Limit, Error, false;
        "the budget of fuel, of host calls or of questions is used up";
        "Give the tool less to do, or raise the budget in the configuration.",
    E3501 "circuit-open", After, 503, Unavailable, Warning, false;
        "the circuit breaker is open after repeated failures";
        "Wait until it closes; the service behind it is failing.",
    E3502 "upstream-unavailable", Yes, 503, Unavailable, Error, false;
        "an external service is not available";
        "Check that the service runs and can be reached.",
    E3503 "upstream-timeout", Yes, 504, Timeout, Warning, false;
        "an external service did not answer in time";
        "Try again later.",
    E3504 "upstream-rate-limited", After, 429, Unavailable, Warning, false;
        "an external service limits the rate";
        "Wait as long as the service asks.",
    E3505 "retries-exhausted", Yes, 503, Unavailable, Error, false;
        "every retry failed";
        "Read the last cause.",
    E3506 "connect-failed", Yes, 503, Unavailable, Error, false;
        "a name could not be resolved or a connection not made";
        "Check the name, the address and the network.",
    E3507 "upstream-auth-failed", No, 502, Unavailable, Error, false;
        "an external service rejected our credential";
        "Renew the credential.",
    E3508 "upstream-malformed", IfIdempotent, 502, Unavailable, Error, false;
        "an external service answered with something that cannot be read";
        "Report it to whoever runs the service.",
    E3601 "secrets-unavailable", Yes, 503, Unavailable, Critical, false;
        "the secret store is not available";
        "Check the store's address and login.",
    E3602 "secret-not-found", No, 404, Unavailable, Error, false;
        "no such secret";
        "Store the secret first.",
    E3603 "secret-expired", No, 401, Unavailable, Warning, false;
        "the secret has expired";
        "Renew the secret.",
    E3604 "secret-undecryptable", No, 500, Integrity, Critical, false;
        "the secret could not be decrypted";
        "Restore the key it was encrypted with, or store the secret again.",
    E3701 "queue-full", After, 503, Limit, Warning, false;
        "the queue is full";
        "Wait until jobs have finished.",
    E3702 "job-not-found", No, 404, Unavailable, Warning, false;
        "no such job";
        "Check the id.",
    E3703 "cancelled", No, 499, Cancelled, Info, false;
        "the call was cancelled";
        "Nothing to do: it was stopped on request.",
    E3704 "webhook-failed", Yes, 500, Unavailable, Warning, false;
        "a webhook could not be delivered";
        "Check the address of the webhook.",
    E3705 "job-completed", No, 409, Usage, Warning, false;
        "the job has already ended";
        "Read its result instead.",
    E3706 "cancel-failed", Yes, 500, Internal, Error, false;
        "the call could not be cancelled";
        "Try again; if it stays, stop the process.",
    E3801 "audit-unavailable", Yes, 503, Unavailable, Critical, false;
        "the audit record could not be written";
        "Make room or repair the audit folder; in strict mode nothing runs without a record.",
    E3802 "event-unserialisable", No, 500, Internal, Error, false;
        "an audit event could not be written down";
        "Report it.",
    E3803 "audit-backpressure", After, 503, Unavailable, Error, false;
        "audit records come faster than they can be written";
        "Slow down, or use a faster disk.",
    E3851 "documents-unavailable", Yes, 503, Unavailable, Error, false;
        "the document service is not available";
        "Check that the service runs.",
    E3852 "document-not-found", No, 404, Unavailable, Warning, false;
        "no such document";
        "Check the id of the document.",
    E3853 "document-timeout", Yes, 504, Timeout, Warning, false;
        "the document service did not answer in time";
        "Try again later.",
    E3854 "document-cache-miss", NotAnError, 200, Ok, Info, false;
        "a document was not in the cache (a metric, never an error that is returned)";
        "Nothing to do.",
    E3855 "document-denied", No, 403, Refused, Warning, true;
        "access to a document was denied";
        "Ask for access to the document.",
    E3856 "document-protocol", Yes, 500, Unavailable, Error, false;
        "the document service broke the protocol";
        "Report it to whoever runs the service.",
    E3857 "document-conflict", No, 409, Unavailable, Warning, false;
        "the pinned version of a document is gone";
        "Pin the current version.",
    E3858 "document-pin-failed", Yes, 500, Unavailable, Error, false;
        "a document could not be pinned";
        "Try again.",
    E3901 "state-unavailable", Yes, 503, Unavailable, Error, false;
        "the state service is not available";
        "Check that the service runs.",
    E3902 "checkpoint-failed", Yes, 500, Internal, Error, false;
        "a checkpoint could not be made";
        "Check that there is room for it.",
    E3903 "checkpoint-not-found", No, 404, Unavailable, Warning, false;
        "no such checkpoint";
        "Check the id of the checkpoint.",
    E3904 "checkpoint-corrupt", No, 500, Integrity, Error, true;
        "the checkpoint is corrupt";
        "Go back to an earlier checkpoint.",
    E3905 "resume-failed", No, 500, Internal, Error, false;
        "the call could not be resumed";
        "Start it again from the beginning.",
    E3906 "state-unserialisable", No, 500, Internal, Error, false;
        "the state could not be written down";
        "Keep less state.",
    E3907 "state-protocol", Yes, 500, Unavailable, Error, false;
        "the state service broke the protocol";
        "Report it to whoever runs the service.",
    E3908 "state-conflict", No, 409, Unavailable, Warning, false;
        "two writers changed the same state";
        "Read the state again and repeat the change.",
    E3909 "checkpoint-expired", No, 410, Unavailable, Warning, false;
        "the checkpoint has expired";
        "Start from a newer checkpoint.",
    E3910 "checkpoint-incompatible", No, 409, Usage, Warning, false;
        "the checkpoint was made by another version of the tool";
        "Use the version that made it, or start again.",
}

impl Code {
    /// The number without the letter, 3000 to 3999.
    #[must_use]
    pub fn number(self) -> u16 {
        self.name()
            .get(1..)
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_default()
    }

    /// The name of the hundred, or half hundred, the number lies in.
    #[must_use]
    pub fn range(self) -> &'static str {
        match self.number() {
            ..=3099 => "general",
            3100..=3199 => "registry",
            3200..=3299 => "permission",
            3300..=3399 => "validation",
            3400..=3499 => "execution",
            3500..=3599 => "upstream",
            3600..=3699 => "secrets",
            3700..=3799 => "jobs",
            3800..=3849 => "audit",
            3850..=3899 => "documents",
            _ => "state",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is neither a code, a number nor a symbol of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCode(pub String);

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no error code {:?}", self.0)
    }
}

impl std::error::Error for UnknownCode {}

impl FromStr for Code {
    type Err = UnknownCode;

    /// Accepts `E3402`, `e3402`, `3402` and `tool-timeout`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim();
        Self::ALL
            .iter()
            .copied()
            .find(|code| {
                code.name().eq_ignore_ascii_case(wanted)
                    || code.name().get(1..) == Some(wanted)
                    || code.symbol().eq_ignore_ascii_case(wanted)
            })
            .ok_or_else(|| UnknownCode(wanted.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_ascend_and_symbols_are_unique() {
        let numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert!(numbers.iter().all(|number| (3000..4000).contains(number)));
        let symbols: HashSet<_> = Code::ALL.iter().map(|code| code.symbol()).collect();
        assert_eq!(symbols.len(), Code::ALL.len());
    }

    #[test]
    fn exit_classes_agree_with_http_statuses() {
        for &code in Code::ALL {
            match code.exit() {
                Exit::Ok => assert_eq!(code, Code::E3854, "only the cache miss is not an error"),
                Exit::Refused => {
                    assert!(
                        [400, 401, 403, 404, 408, 503].contains(&code.http_status()),
                        "{code}"
                    );
                }
                Exit::Timeout => assert_eq!(code.http_status(), 504, "{code}"),
                _ => assert!(code.http_status() >= 400, "{code}"),
            }
        }
    }

    #[test]
    fn a_code_is_found_by_name_number_and_symbol() {
        for text in ["E3402", "e3402", "3402", "tool-timeout"] {
            assert_eq!(text.parse(), Ok(Code::E3402));
        }
        assert!("E9".parse::<Code>().is_err());
    }
}
