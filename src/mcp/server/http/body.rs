//! The body of a request, read whole before anything is done with it: it is a message, of bounded length and in bounded time.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Body;

use crate::manifest::ByteSize;

/// How long all of it may take: whoever never ends would hold a connection for ever.
pub(super) const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Reads a body of at most so many bytes.
///
/// # Errors
/// What is answered where it is longer, does not come, or breaks off.
pub(super) async fn whole<B>(
    body: B,
    most: u64,
    patience: Duration,
) -> Result<Bytes, (StatusCode, String)>
where
    B: Body<Data = Bytes, Error: fmt::Display> + Unpin,
{
    let too_long = || {
        let text = format!(
            "the message is longer than {} (serve.http.max_body)",
            ByteSize(most)
        );
        (StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    // Whoever says that too much will come need not send it.
    if body.size_hint().lower() > most {
        return Err(too_long());
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let late = |_| {
        let text = "the message did not come in time".to_owned();
        (StatusCode::REQUEST_TIMEOUT, text)
    };
    tokio::time::timeout(patience, collect(body, most, too_long))
        .await
        .map_err(late)?
}

async fn collect<B>(
    mut body: B,
    most: usize,
    too_long: impl Fn() -> (StatusCode, String),
) -> Result<Bytes, (StatusCode, String)>
where
    B: Body<Data = Bytes, Error: fmt::Display> + Unpin,
{
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let text = format!("the message broke off: {error}");
            (StatusCode::BAD_REQUEST, text)
        })?;
        // Trailers say nothing here.
        let data = frame.into_data().unwrap_or_default();
        if data.len() > most - whole.len() {
            return Err(too_long());
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body_util::Full;
    use hyper::body::Frame;

    use super::*;

    /// Pieces of which nobody knows how many will come; where there are no more, none ever comes.
    struct Pieces(Vec<Result<Bytes, &'static str>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            match self.0.pop() {
                Some(piece) => Poll::Ready(Some(piece.map(Frame::data))),
                None => Poll::Pending,
            }
        }
    }

    async fn status(pieces: Vec<Result<Bytes, &'static str>>) -> StatusCode {
        let read = whole(Pieces(pieces), 10, Duration::from_millis(20)).await;
        read.expect_err("refused").0
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_not_at_all() {
        let full = |text: &'static str| Full::<Bytes>::from(text);
        let read = whole(full("0123456789"), 10, PATIENCE).await;
        assert_eq!(read, Ok(Bytes::from("0123456789")));
        let refused = whole(full("0123456789a"), 10, PATIENCE)
            .await
            .expect_err("too long");
        assert_eq!(refused.0, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(refused.1.contains("10"), "{}", refused.1);
        let piece = || Ok(Bytes::from("012345"));
        assert_eq!(
            status(vec![piece(), piece()]).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        assert_eq!(status(vec![piece()]).await, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(
            status(vec![Err("gone"), piece()]).await,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(whole(full(""), 0, PATIENCE).await, Ok(Bytes::new()));
    }
}
