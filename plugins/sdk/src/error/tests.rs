use super::*;

fn io(kind: io::ErrorKind) -> io::Error {
    io::Error::from(kind)
}

#[test]
fn errors_of_files_keep_their_meaning() {
    for (kind, expected) in [
        (
            io::ErrorKind::PermissionDenied,
            ToolError::not_permitted("reading a: not permitted"),
        ),
        (
            io::ErrorKind::ReadOnlyFilesystem,
            ToolError::not_permitted("reading a: not permitted to write"),
        ),
        (
            io::ErrorKind::NotFound,
            ToolError::not_found("reading a: it does not exist"),
        ),
    ] {
        let result: Result<(), _> = Err(io(kind));
        assert_eq!(result.context("reading a"), Err(expected), "{kind:?}");
    }
    let error = ToolError::from(io(io::ErrorKind::IsADirectory));
    assert!(
        matches!(&error, ToolError::Failed(message) if !message.is_empty()),
        "{error:?}"
    );
    assert!(is_denial(&io(io::ErrorKind::PermissionDenied)));
    assert!(!is_denial(&io(io::ErrorKind::NotFound)));
}

#[test]
fn what_somebody_says_of_an_error_is_said_on() {
    let error = io::Error::new(io::ErrorKind::NotFound, "there is no page 7");
    assert_eq!(
        ToolError::from(error),
        ToolError::not_found("there is no page 7")
    );
    let error = io::Error::other("the disk is full");
    assert_eq!(
        ToolError::from(error),
        ToolError::failed("the disk is full")
    );
}

/// An error of a library, with its cause.
#[derive(Debug)]
struct Wrapped<E>(&'static str, E);

impl<E> Display for Wrapped<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl<E: Error + 'static> Error for Wrapped<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.1)
    }
}

#[test]
fn a_denial_is_recognised_wherever_it_stands() {
    let error = Wrapped(
        "cannot load the table",
        Wrapped("cannot open it", io(io::ErrorKind::PermissionDenied)),
    );
    assert_eq!(
        ToolError::from(error),
        ToolError::not_permitted("cannot load the table: cannot open it: not permitted")
    );
    // Bodies of answers are read as files are.
    let denied = http::Error::NotPermitted("not permitted to request GET https://a/".to_owned());
    assert_eq!(
        ToolError::from(Wrapped("cannot fetch", io::Error::other(denied))),
        ToolError::not_permitted("cannot fetch: not permitted to request GET https://a/")
    );
}

#[test]
fn errors_of_the_host_keep_their_meaning() {
    let after = Duration::from_millis(1500);
    for (error, expected) in [
        (
            ToolError::from(http::Error::TimedOut),
            ToolError::retryable("the time of the request was over", None),
        ),
        (
            ToolError::from(http::Error::TooLarge(9)),
            ToolError::failed("the body has more than 9 bytes"),
        ),
        (
            ToolError::from(exec::Error::NotPermitted("no".to_owned())),
            ToolError::not_permitted("no"),
        ),
        (
            ToolError::from(exec::Error::NotFound("no".to_owned())),
            ToolError::not_found("no"),
        ),
        (
            ToolError::from(exec::Error::Signalled(9)),
            ToolError::failed("signal 9 ended the command"),
        ),
        (
            ToolError::from(state::Error::Full("no".to_owned())),
            ToolError::failed("no"),
        ),
        (
            ToolError::from(state::Error::Unavailable("locked".to_owned())),
            ToolError::retryable("locked", None),
        ),
        (
            ToolError::from(invoke::Error::Retryable("later".to_owned(), Some(after))),
            ToolError::retryable("later", after),
        ),
        // They are not the arguments that this tool was given.
        (
            ToolError::from(invoke::Error::InvalidArguments("no".to_owned())),
            ToolError::failed("no"),
        ),
        (
            ToolError::from(types::ToolError::NotFound("no".to_owned())),
            ToolError::not_found("no"),
        ),
    ] {
        assert_eq!(error, expected);
    }
}

#[test]
fn a_text_that_ends_in_its_cause_is_not_said_twice() {
    let number = "x".parse::<u8>().unwrap_err();
    assert_eq!(
        ToolError::from(number).to_string(),
        "invalid digit found in string"
    );
    let cause = io::Error::other("the disk is full");
    let error = Wrapped("cannot write: the disk is full", cause);
    assert_eq!(
        ToolError::from(error).to_string(),
        "cannot write: the disk is full"
    );
}

#[test]
fn the_host_is_told_the_same() {
    for (error, expected) in [
        (
            ToolError::invalid_arguments("a"),
            types::ToolError::InvalidArguments("a".into()),
        ),
        (
            ToolError::not_permitted("a"),
            types::ToolError::NotPermitted("a".into()),
        ),
        (
            ToolError::not_found("a"),
            types::ToolError::NotFound("a".into()),
        ),
        (ToolError::failed("a"), types::ToolError::Failed("a".into())),
        (
            ToolError::retryable("a", Duration::from_secs(2)),
            types::ToolError::Retryable(RetryAdvice {
                message: "a".into(),
                after_ms: Some(2000),
            }),
        ),
    ] {
        assert_eq!(error.into_host().unwrap_err(), expected);
    }
    let questions = Questions::default().state("x");
    let asked = ToolError::from(questions)
        .context("asking")
        .into_host()
        .unwrap();
    assert_eq!(asked.state.as_deref(), Some(&b"x"[..]));
}
