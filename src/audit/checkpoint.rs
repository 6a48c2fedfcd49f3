//! The signature over everything that stands before it.

use serde_json::{Value, json};

use super::event::{Event, EventType, Prepared};
use super::key::{PrivateKey, PublicKey};
use super::record::Envelope;

/// Every record whose number is a multiple of this is a checkpoint, so that nobody can take a signature away unseen.
pub const CHECKPOINT_AT_LEAST_EVERY: u64 = 256;

/// What is signed: the place of the checkpoint in its log, and through `prev` all records before it.
fn signed_text(log: &str, seq: u64, prev: &str, time: &str) -> String {
    format!("toolhatch-audit-v1\n{log}\n{seq}\n{prev}\n{time}\n")
}

/// A checkpoint for this place.
pub(super) fn checkpoint(key: &PrivateKey, log: &str, seq: u64, prev: &str) -> Prepared {
    let blank = Event::new(EventType::Checkpoint).write_down();
    let text = signed_text(log, seq, prev, &blank.time);
    let signed = Event::new(EventType::Checkpoint)
        .with("seq", seq)
        .with("prev", prev)
        .with("key", key.public().id())
        .with("public_key", key.public().to_string())
        .with("signature", key.sign(&text))
        .write_down();
    Prepared {
        time: blank.time,
        ..signed
    }
}

/// The signature of a checkpoint, ready to be checked anywhere.
pub(super) struct Signed {
    text: String,
    /// The key the checkpoint says it was signed with.
    pub(super) key: PublicKey,
    signature: String,
}

impl Signed {
    /// Takes the signature out of a checkpoint; the error says what is wrong with its data.
    pub(super) fn read(envelope: &Envelope<'_>) -> Result<Self, &'static str> {
        let data = envelope.data();
        let text = |key: &str| data.get(key).and_then(Value::as_str);
        if data.get("seq").and_then(Value::as_u64) != Some(envelope.seq)
            || text("prev") != Some(envelope.prev)
        {
            return Err("the checkpoint speaks of another place in the log");
        }
        let key: PublicKey = text("public_key")
            .and_then(|key| key.parse().ok())
            .ok_or("the checkpoint has no public key")?;
        if text("key") != Some(&key.id()) {
            return Err("the checkpoint names a key that is not its own");
        }
        let signature = text("signature").ok_or("the checkpoint has no signature")?;
        // Words beside these would look signed and not be it.
        let expected = json!({
            "seq": envelope.seq,
            "prev": envelope.prev,
            "key": key.id(),
            "public_key": key.to_string(),
            "signature": signature,
        });
        if !envelope.holds_only(&expected.to_string()) {
            return Err("the checkpoint says more than is signed");
        }
        Ok(Self {
            text: signed_text(envelope.log, envelope.seq, envelope.prev, envelope.time),
            key,
            signature: signature.to_owned(),
        })
    }

    /// True where the signature is that of its key.
    pub(super) fn is_genuine(&self) -> bool {
        self.key.has_signed(&self.text, &self.signature)
    }
}
