//! Outgoing TLS: the system's roots and the operator's, or those of one payment service; no way to switch verification off.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::OutboundError;

/// Origins whose sessions are remembered, so that a new connection to a known one costs no certificate check.
const SESSIONS_MAX: usize = 256;

/// The same for one client certificate, which is good at the few hosts of one payment service.
const IDENTITY_SESSIONS_MAX: usize = 8;

pub(super) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// What connections are secured with.
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    /// `None` when neither the system nor the operator gives a root: nobody can be trusted then, so no TLS session is made.
    verifier: Option<Arc<Verifier>>,
    /// Without a client certificate.
    pub(super) anonymous: Option<TlsConnector>,
}

// === impl Tls ===

impl Tls {
    pub(super) fn new(extra_roots: Option<&[u8]>) -> Result<Self, OutboundError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = extra_roots.map(parse).transpose()?.unwrap_or_default();
        let bundle_given = !roots.is_empty();
        let verifier = match Verifier::new_with_extra_roots(roots, Arc::clone(&provider)) {
            Ok(verifier) => Some(Arc::new(verifier)),
            Err(error) if bundle_given => return Err(OutboundError::ExtraRoots(error.to_string())),
            Err(error) => {
                tracing::warn!(%error, "This machine has no certificates to trust; no payment service can be called over TLS.");
                None
            }
        };
        let mut tls = Self { provider, verifier, anonymous: None };
        tls.anonymous = match &tls.verifier {
            Some(verifier) => Some(tls.connector(Arc::<Verifier>::clone(verifier), None, SESSIONS_MAX).map_err(OutboundError::Tls)?),
            None => None,
        };
        Ok(tls)
    }

    /// Connections that show a certificate, or trust other roots, or both. They have sessions of their own: one that was made with a certificate is not resumed with another.
    pub(super) fn with_identity(&self, pair: Option<CertifiedKey>, roots: Option<RootCertStore>) -> Result<Option<TlsConnector>, String> {
        let verifier: Arc<dyn ServerCertVerifier> = match (roots, &self.verifier) {
            (Some(roots), _) => WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|error| error.to_string())?,
            (None, Some(verifier)) => Arc::<Verifier>::clone(verifier),
            (None, None) => return Ok(None),
        };
        self.connector(verifier, pair, IDENTITY_SESSIONS_MAX).map(Some)
    }

    fn connector(
        &self,
        verifier: Arc<dyn ServerCertVerifier>,
        pair: Option<CertifiedKey>,
        sessions: usize,
    ) -> Result<TlsConnector, String> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            // A verifier that is given is "custom" to rustls; these verify everything.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match pair {
            Some(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
        config.resumption = Resumption::in_memory_sessions(sessions);
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn parse(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, OutboundError> {
    let roots: Vec<_> =
        CertificateDer::pem_slice_iter(bundle).collect::<Result<_, _>>().map_err(|error| OutboundError::ExtraRoots(error.to_string()))?;
    if roots.is_empty() {
        return Err(OutboundError::ExtraRoots("it holds no certificate".to_owned()));
    }
    Ok(roots)
}
