//! The keys that sign checkpoints: ECDSA over P-256 with SHA-256.
//!
//! The private key is a file of 32 bytes only its owner may read; the public key beside it is all that verifying needs.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::str::FromStr;

use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::Generate as _;
use rustix::fs::OFlags;
use ulid::Ulid;

use super::head::{hex, sha256, unhex};
use crate::error::{Code, Error, Result};
use crate::fsx;

/// The name of the private key in the folder of keys.
const PRIVATE: &str = "audit.key";
/// The name of the public key in the folder of keys.
const PUBLIC: &str = "audit.pub";

/// The public key of a log.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    sec1: Box<[u8]>,
}

/// The text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPublicKey;

impl fmt::Display for InvalidPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a public key: write the uncompressed point of P-256 as 130 lower-case hexadecimal digits",
        )
    }
}

impl std::error::Error for InvalidPublicKey {}

impl PublicKey {
    fn new(key: VerifyingKey) -> Self {
        let sec1 = key.to_sec1_point(false).as_bytes().into();
        Self { key, sec1 }
    }

    /// Reads the public key of the log from the folder of keys.
    ///
    /// # Errors
    /// E3101 where there is none; E3109 where the file does not hold one.
    pub fn read(keys: &Path) -> Result<Self> {
        let path = keys.join(PUBLIC);
        fsx::read_text(&path, 1024)?
            .trim_end()
            .parse()
            .map_err(|error: InvalidPublicKey| {
                Error::new(
                    Code::E3109,
                    format!("reading the public key {}", path.display()),
                )
                .hint("Put the public key of this log back from a copy.")
                .caused_by(error)
            })
    }

    /// The id of the key: the first 8 bytes of the SHA-256 of its uncompressed SEC1 form, in hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&sha256(&self.sec1)).chars().take(16).collect()
    }

    /// True where `signature` (128 hexadecimal digits, `r` and `s`) is this key's over `text`.
    pub(super) fn has_signed(&self, text: &str, signature: &str) -> bool {
        unhex(signature)
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| self.key.verify(text.as_bytes(), &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        let bytes = unhex(text)
            .filter(|bytes| bytes.len() == 65)
            .ok_or(InvalidPublicKey)?;
        VerifyingKey::from_sec1_bytes(&bytes)
            .map(Self::new)
            .map_err(|_| InvalidPublicKey)
    }
}

/// The 130 hexadecimal digits of the uncompressed point.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.sec1))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// The key that signs the checkpoints of a log.
pub(super) struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads the key; where there is none yet and `may_make` says so, makes one.
    ///
    /// Errors: E3109 where others have access to the file, it is not a key, does not belong to the public key beside it,
    /// or is missing though there is a log it signed.
    pub(super) fn open(keys: &Path, may_make: bool) -> Result<Self> {
        fsx::create_private_dir(keys)?;
        let path = keys.join(PRIVATE);
        let public_path = keys.join(PUBLIC);
        if !exists(&path)? {
            if !may_make || exists(&public_path)? {
                return Err(Error::new(
                    Code::E3109,
                    format!("signing the audit log: its key {} is missing", path.display()),
                )
                .hint("Put the key back from a copy. Without it the log can be verified but not continued: to begin a new one, move the audit folder and audit.pub away."));
            }
            make(&path)?;
        }
        let key = read_private(&path)?;
        let public = PublicKey::new(*key.verifying_key());
        if !exists(&public_path)? {
            fsx::write_atomic(&public_path, format!("{public}\n").as_bytes(), 0o644)?;
        }
        if PublicKey::read(keys)? != public {
            return Err(Error::new(
                Code::E3109,
                format!(
                    "signing the audit log: {} is not the public key of {}",
                    public_path.display(),
                    path.display()
                ),
            )
            .hint("Put both keys back from one copy."));
        }
        Ok(Self { key, public })
    }

    /// The public half.
    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs the text: `r` and `s` as 128 hexadecimal digits.
    pub(super) fn sign(&self, text: &str) -> String {
        let signature: Signature = self.key.sign(text.as_bytes());
        hex(&signature.to_bytes())
    }
}

fn exists(path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(fsx::io_error("examining", path, error)),
    }
}

/// Makes a key file. It gets its name only when it is whole, and never replaces another.
fn make(path: &Path) -> Result<()> {
    let failed = |error| fsx::io_error("creating", path, error);
    let temporary = path.with_extension(format!("{}.tmp", Ulid::generate()));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(&SigningKey::generate().to_bytes())?;
            file.sync_all()
        })
        .and_then(|()| match std::fs::hard_link(&temporary, path) {
            // Another process was faster: its key counts.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = std::fs::remove_file(&temporary);
    written.and(removed).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn read_private(path: &Path) -> Result<SigningKey> {
    let refused = |why: &str, hint: String| {
        Err(Error::new(
            Code::E3109,
            format!("refusing the key {}: {why}", path.display()),
        )
        .hint(hint))
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| fsx::io_error("opening the key", path, error))?;
    let metadata = file
        .metadata()
        .map_err(|error| fsx::io_error("examining the key", path, error))?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return refused(
            "it is not a file of the user who runs this",
            "Put the key back from a copy, as a file of yours.".to_owned(),
        );
    }
    if metadata.mode() & 0o077 != 0 {
        return refused(
            "others have access to it",
            format!(
                "If nobody has read it, run `chmod go= {}`. Else treat the log as unsigned from then on.",
                path.display()
            ),
        );
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 64), &mut bytes)
        .map_err(|error| fsx::io_error("reading the key", path, error))?;
    match SigningKey::from_slice(&bytes) {
        Ok(key) if bytes.len() == 32 => Ok(key),
        _ => refused(
            "it is not a private key of 32 bytes",
            "Put the key back from a copy.".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().expect("folder");
        let keys = folder.path().join("keys");
        let first = PrivateKey::open(&keys, true).expect("made");
        let again = PrivateKey::open(&keys, false).expect("read");
        assert_eq!(first.public(), again.public());
        assert_eq!(PublicKey::read(&keys).expect("read"), *first.public());
        let names = std::fs::read_dir(&keys).expect("listed").count();
        assert_eq!(names, 2, "nothing is left behind");

        let path = keys.join(PRIVATE);
        let metadata = std::fs::metadata(&path).expect("there");
        assert_eq!((metadata.len(), metadata.mode() & 0o777), (32, 0o600));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("set");
        let error = PrivateKey::open(&keys, true).err().expect("refused");
        assert_eq!(error.code(), Code::E3109);
    }

    #[test]
    fn a_lost_or_exchanged_key_is_not_made_up_for() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(
            PrivateKey::open(folder.path(), false).is_err(),
            "there is a log without a key"
        );
        PrivateKey::open(folder.path(), true).expect("made");
        std::fs::remove_file(folder.path().join(PRIVATE)).expect("removed");
        assert!(
            PrivateKey::open(folder.path(), true).is_err(),
            "the public key is still there"
        );
        make(&folder.path().join(PRIVATE)).expect("another key");
        let error = PrivateKey::open(folder.path(), true)
            .err()
            .expect("refused");
        assert!(
            error.to_string().contains("is not the public key of"),
            "{error}"
        );
    }

    #[test]
    fn only_the_signed_text_has_the_signature() {
        let folder = tempfile::tempdir().expect("folder");
        let key = PrivateKey::open(folder.path(), true).expect("made");
        let signature = key.sign("text");
        assert_eq!(signature.len(), 128);
        assert!(key.public().has_signed("text", &signature));
        assert!(!key.public().has_signed("Text", &signature));
        assert!(!key.public().has_signed("text", &"0".repeat(128)));
        assert!(!key.public().has_signed("text", ""));
    }
}
