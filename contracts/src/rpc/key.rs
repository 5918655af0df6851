//! The key that signs an account's transactions, from a file or a variable, and shown to nobody.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use k256::ecdsa::SigningKey;
use narrows_bisection::{Account, signature};

/// More than any key file holds.
const MAX_FILE_BYTES: u64 = 1024;

/// Why a key cannot be used. The key itself is never in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the key file {path} cannot be read: {reason}; check its path and its permissions")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// The variable is not set.
    #[error("the environment variable {0} does not hold a key; set it to 64 hexadecimal digits")]
    Variable(String),
    /// What is there is no key.
    #[error("what {0} holds is no key; a key is 64 hexadecimal digits, not zero and below the curve's order")]
    Malformed(String),
}

/// A secp256k1 key. It is never printed, logged or written; `Debug` shows its account.
#[derive(Clone)]
pub struct Key {
    signing: SigningKey,
    account: Account,
}

impl Key {
    /// Reads 64 hexadecimal digits, with or without 0x, and space around them.
    ///
    /// # Errors
    /// When they are something else. `source` names where they come from.
    pub fn from_hex(digits: &str, source: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed(source.to_owned());
        let digits = digits.trim();
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let mut bytes = [0; 32];
        alloy_primitives::hex::decode_to_slice(digits, &mut bytes).map_err(|_| malformed())?;
        let signing = SigningKey::from_slice(&bytes).map_err(|_| malformed())?;
        let account = signature::account(signing.verifying_key());
        Ok(Self { signing, account })
    }

    /// Reads a key from a file, and warns when others may read it too.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let unreadable =
            |error: std::io::Error| KeyError::File { path: path.to_owned(), reason: error.to_string() };
        let file = File::open(path).map_err(unreadable)?;
        if is_open_to_others(&file) {
            tracing::warn!(path = %path.display(), "others may read this key file: make it readable for its owner alone");
        }
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(unreadable)?;
        Self::from_hex(&text, &path.display().to_string())
    }

    /// Reads a key from an environment variable.
    ///
    /// # Errors
    /// When it is not set or holds something else.
    pub fn from_env(variable: &str) -> Result<Self, KeyError> {
        let text = std::env::var(variable).map_err(|_| KeyError::Variable(variable.to_owned()))?;
        Self::from_hex(&text, variable)
    }

    /// Whose key it is.
    #[must_use]
    pub const fn account(&self) -> Account {
        self.account
    }

    /// The key itself, for signing statements (PROTOCOL 4.7).
    #[must_use]
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key of {}", self.account)
    }
}

/// Whether somebody other than the owner may read the file.
#[cfg(unix)]
fn is_open_to_others(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A development key that everybody knows, and its account.
    const DIGITS: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const ACCOUNT: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

    #[test]
    fn a_key_is_read_and_its_account_known() {
        for text in [DIGITS.to_owned(), format!("0x{DIGITS}\n"), format!(" {} ", DIGITS.to_uppercase())] {
            assert_eq!(Key::from_hex(&text, "here").expect("a key").account().to_string(), ACCOUNT);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_repeated() {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let zero = "0".repeat(64);
        let long = format!("{DIGITS}00");
        for text in ["", "0x", &DIGITS[..63], &long, &zero, order, "zz", &DIGITS.replace('a', "ä")] {
            let error = Key::from_hex(text, "the file").expect_err("no key");
            assert_eq!(error, KeyError::Malformed("the file".into()));
            assert!(text.len() < 3 || !error.to_string().contains(text));
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = Key::from_hex(DIGITS, "here").expect("a key");
        let shown = format!("{key:?} {:?}", vec![key.clone()]);
        assert!(shown.contains(ACCOUNT) && !shown.contains(&DIGITS[..8]), "{shown}");
    }

    #[cfg(unix)]
    #[test]
    fn files_are_read_and_open_ones_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let missing = Key::from_file(&path).expect_err("no file");
        assert!(matches!(missing, KeyError::File { .. }), "{missing}");
        std::fs::write(&path, DIGITS).expect("written");
        for (mode, open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("set");
            assert_eq!(is_open_to_others(&File::open(&path).expect("a file")), open, "{mode:o}");
            assert_eq!(Key::from_file(&path).expect("a key").account().to_string(), ACCOUNT);
        }
        std::fs::write(&path, vec![b'a'; 1 << 20]).expect("written");
        assert!(matches!(Key::from_file(&path), Err(KeyError::Malformed(_))), "a large file is no key");
        assert!(matches!(Key::from_file(folder.path()), Err(KeyError::File { .. })), "a folder is no file");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = Key::from_env("NARROWS_TEST_NO_SUCH_VARIABLE").expect_err("not set");
        assert_eq!(error, KeyError::Variable("NARROWS_TEST_NO_SUCH_VARIABLE".into()));
    }
}
