//! The option `encryption` of sessions and caches.

use cinnabar_core::key_ring::KeyRing;
use cinnabar_port::error::{Error, Result};
use zeroize::{Zeroize, Zeroizing};

use super::{
    node_api::{Js, Value},
    option_reader::{OptionReader, Takes},
};

impl OptionReader<'_> {
    /// Returns the keys for encryption, which JavaScript has copied as bytes.
    pub fn encryption(self) -> Result<Option<KeyRing>> {
        let Some(encryption) = self.group(c"encryption")? else { return Ok(None) };
        let keys = encryption
            .read(c"keys", Takes::a("an array of keys"), |js, value, label| {
                js.each_part(value, label, |key| js.encryption_key(key))
            })?
            .unwrap_or_default();
        KeyRing::new(keys, encryption.flag(c"acceptPlain", false)?).map(Some)
    }
}

impl Js {
    /// Returns a key for encryption: its id and its bytes.
    fn encryption_key(self, key: Value) -> Result<(String, Zeroizing<Vec<u8>>)> {
        let part = |name| Ok(self.option(key, name)?.unwrap_or_else(|| self.undefined()));
        let (id, key) = (self.text(part(c"id")?, "id")?, part(c"key")?);
        let bytes =
            self.bytes(key).ok_or_else(|| Error::argument("key must be 32 bytes, as a Uint8Array or in base64"))?;
        let wiped = Zeroizing::new(bytes.to_vec());
        if let Ok(mut copy) = bytes.try_into_mut() {
            copy.zeroize();
        }
        Ok((id, wiped))
    }
}
