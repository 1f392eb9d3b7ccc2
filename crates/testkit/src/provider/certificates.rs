//! Certificates made at run time: none lies in the repository, none is ever trusted outside of a test.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::Tls;

/// Signs certificates. Whoever trusts its PEM trusts them.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pem: String,
    key_pem: String,
}

/// When a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// For long.
    Current,
    /// It ended years ago.
    Expired,
}

// === impl Authority ===

impl Authority {
    /// A new one, trusted by nobody.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "Tollhouse test authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// What a client must trust.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names or addresses.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names, validity).signed_by(&key, &self.0).expect("a certificate");
        Identity::new(&certificate, &key)
    }

    /// A certificate that a client shows, with a common name.
    pub fn issue_client(&self, name: &str, validity: Validity) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(&[], validity);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity::new(&certificate, &key)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Identity ===

impl Identity {
    /// A certificate that vouches for itself.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names, Validity::Current).self_signed(&key).expect("a certificate");
        Self::new(&certificate, &key)
    }

    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        let der = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Self { chain: vec![certificate.der().clone()], key: der, pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    /// The certificate, as a merchant enters it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key, in PKCS#8.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The certificate, as a journal has it.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.chain.first().expect("a chain has a first certificate")
    }
}

impl Tls {
    pub(super) fn acceptor(self) -> TlsAcceptor {
        let Self { identity, http2, clients } = self;
        let provider = Arc::new(default_provider());
        let versions = match &clients {
            Some(clients) if clients.tls12_only => &[&version::TLS12][..],
            Some(_) | None => rustls::DEFAULT_VERSIONS,
        };
        let verifier: Arc<dyn ClientCertVerifier> = clients.map_or_else(WebPkiClientVerifier::no_client_auth, |clients| {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_slice(clients.authority.as_bytes()).expect("a certificate");
            roots.add(authority).expect("an authority");
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().expect("an authority")
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("the versions of the library")
            .with_client_cert_verifier(verifier)
            .with_single_cert(identity.chain, identity.key)
            .expect("a certificate that fits its key");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        TlsAcceptor::from(Arc::new(config))
    }
}

fn params(names: &[&str], validity: Validity) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names of hosts");
    match validity {
        Validity::Current => {}
        Validity::Expired => params.not_after = date_time_ymd(2020, 1, 1),
    }
    params
}
