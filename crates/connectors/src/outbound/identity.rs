//! Who we are towards a payment service that knows its callers by a certificate.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::tls::Tls;
use crate::pem::{self, PemError};

/// Identities that are remembered, at a few kilobytes each. Past them the one that was used longest ago is read anew when it is needed.
const IDENTITIES_MAX: usize = 4_096;

/// One that was not used for this long is forgotten, with its TLS sessions: a certificate that was replaced is never used again.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// What an identity is made of, as stored: PEM.
#[derive(Clone, Copy)]
pub struct IdentityPem<'a> {
    /// The chain, own certificate first. Goes with `key`.
    pub certificate: Option<&'a str>,
    /// The private key, not encrypted.
    pub key: Option<&'a str>,
    /// The only roots that are trusted; `None`: those of the system and of the operator.
    pub roots: Option<&'a str>,
}

/// A client certificate with its key and the roots that are trusted with it, ready for use. Made by [`super::Outbound::identity`].
pub struct Identity {
    pub(super) fingerprint: Fingerprint,
    /// `None` where nobody can be trusted.
    pub(super) tls: Option<TlsConnector>,
}

/// SHA-256 of certificate, key and roots: connections and TLS sessions are shared within one and never beyond.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// Why there is no identity. Nothing was sent. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The certificate can not be used.
    #[error("the client certificate {0}")]
    Certificate(PemError),
    /// The key can not be used.
    #[error("the key of the client certificate {0}")]
    Key(PemError),
    /// The roots can not be used.
    #[error("the private root certificate {0}")]
    Roots(PemError),
    /// A certificate without a key, or the other way round.
    #[error("a client certificate and its key go together, and one of them is not there")]
    Half,
    /// The TLS library refuses them.
    #[error("TLS can not be set up with the client certificate: {0}")]
    Tls(String),
}

/// The identities in use.
#[derive(Default)]
pub(super) struct Identities(Mutex<HashMap<Fingerprint, Held>>);

struct Held {
    identity: Arc<Identity>,
    used: Instant,
}

// === impl Identity ===

impl fmt::Debug for Identity {
    /// Neither certificate nor key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    fn of(pem: &IdentityPem<'_>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [pem.certificate, pem.key, pem.roots] {
            // Lengths between the parts, so that no two lists of parts hash alike; one more than the length, so that none is not empty.
            let length = part.map_or(0, |part| u64::try_from(part.len()).unwrap_or(u64::MAX).saturating_add(1));
            context.update(&length.to_be_bytes());
            context.update(part.unwrap_or_default().as_bytes());
        }
        let mut hash = [0; 32];
        hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }
}

impl fmt::Debug for Fingerprint {
    /// Not whole: it is made of a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

// === impl Identities ===

impl Identities {
    /// The identity of these texts; reads them where they are new.
    pub(super) fn get(&self, pem: &IdentityPem<'_>, tls: &Tls) -> Result<Arc<Identity>, IdentityError> {
        let fingerprint = Fingerprint::of(pem);
        let now = Instant::now();
        if let Some(held) = self.lock().get_mut(&fingerprint) {
            held.used = now;
            return Ok(Arc::clone(&held.identity));
        }
        // Outside of the lock, since reading a key takes its time. Two calls may do it at once; both mean the same.
        let identity = Arc::new(read(pem, fingerprint, tls)?);
        let mut held = self.lock();
        if held.len() >= IDENTITIES_MAX
            && let Some(oldest) = held.iter().min_by_key(|(_, held)| held.used).map(|(fingerprint, _)| *fingerprint)
        {
            held.remove(&oldest);
        }
        let entry = held.entry(fingerprint).or_insert(Held { identity, used: now });
        Ok(Arc::clone(&entry.identity))
    }

    /// Forgets what nobody uses.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.lock().retain(|_, held| now - held.used <= IDLE_MAX);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Fingerprint, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(pem: &IdentityPem<'_>, fingerprint: Fingerprint, tls: &Tls) -> Result<Identity, IdentityError> {
    let pair = match (pem.certificate, pem.key) {
        (Some(certificate), Some(key)) => {
            let chain = pem::certificates(certificate).map_err(IdentityError::Certificate)?;
            let key = pem::private_key(key).map_err(IdentityError::Key)?;
            Some(pem::pair(chain, key).map_err(IdentityError::Key)?)
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(IdentityError::Half),
    };
    let roots = pem.roots.map(pem::roots).transpose().map_err(IdentityError::Roots)?;
    let tls = tls.with_identity(pair, roots).map_err(IdentityError::Tls)?;
    Ok(Identity { fingerprint, tls })
}

#[cfg(test)]
mod tests;
