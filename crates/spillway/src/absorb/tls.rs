//! TLS 1.3 between machines that know each other's keys: raw public keys (RFC 7250), each side proves that it has one of those
//! that the other names. No certificates, no authorities, no session is resumed.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error,
    ServerConfig, ServerConnection, SignatureScheme,
};

use super::keys::{Fingerprint, Key};

/// Who is let in.
#[derive(Debug)]
struct Known {
    keys: Vec<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl Known {
    fn new(keys: Vec<Fingerprint>) -> Self {
        Self { keys, provider: Arc::new(ring::default_provider()) }
    }

    fn check(&self, key: &CertificateDer<'_>) -> Result<(), Error> {
        let fingerprint = Fingerprint::of(key.as_ref());
        if self.keys.contains(&fingerprint) {
            return Ok(());
        }
        Err(Error::General(format!("the other end has the key {fingerprint}, which is not known here")))
    }

    fn prove(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(
            message,
            &key,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn old() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.3 alone is spoken here".to_owned()))
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Known {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// What the brain brings to a conversation.
pub(crate) fn client(key: &Key, theirs: Fingerprint) -> Result<Arc<ClientConfig>, Error> {
    let known = Known::new(vec![theirs]);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&known.provider));
    let mut config = builder
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(known))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(
            &key.certified,
        ))));
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// What the absorber brings to each.
pub(crate) fn server(key: &Key, brains: Vec<Fingerprint>) -> Result<Arc<ServerConfig>, Error> {
    let known = Known::new(brains);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&known.provider));
    let mut config = builder
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(known))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&key.certified))));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The brain's end of a connection.
pub(super) fn dial(config: &Arc<ClientConfig>, address: IpAddr) -> Result<Connection, Error> {
    Ok(ClientConnection::new(Arc::clone(config), ServerName::IpAddress(address.into()))?.into())
}

/// The absorber's end.
pub(super) fn answer(config: &Arc<ServerConfig>) -> Result<Connection, Error> {
    Ok(ServerConnection::new(Arc::clone(config))?.into())
}
