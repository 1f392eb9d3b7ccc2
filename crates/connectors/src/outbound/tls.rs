//! Outgoing TLS: the system's roots and the operator's, no way to switch verification off.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::OutboundError;

/// Origins whose sessions are remembered, so that a new connection to a known one costs no certificate check.
const SESSIONS_MAX: usize = 256;

pub(super) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// `None` when neither the system nor the operator gives a root: nobody can be trusted then, so no TLS session is made.
pub(super) fn connector(extra_roots: Option<&[u8]>) -> Result<Option<TlsConnector>, OutboundError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = extra_roots.map(parse).transpose()?.unwrap_or_default();
    let bundle_given = !roots.is_empty();
    let verifier = match Verifier::new_with_extra_roots(roots, Arc::clone(&provider)) {
        Ok(verifier) => verifier,
        Err(error) if bundle_given => return Err(OutboundError::ExtraRoots(error.to_string())),
        Err(error) => {
            tracing::warn!(%error, "This machine has no certificates to trust; no payment service can be called over TLS.");
            return Ok(None);
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::Tls(error.to_string()))?
        // The platform's verifier is "custom" to rustls; it verifies everything.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

fn parse(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, OutboundError> {
    let roots: Vec<_> =
        CertificateDer::pem_slice_iter(bundle).collect::<Result<_, _>>().map_err(|error| OutboundError::ExtraRoots(error.to_string()))?;
    if roots.is_empty() {
        return Err(OutboundError::ExtraRoots("it holds no certificate".to_owned()));
    }
    Ok(roots)
}
