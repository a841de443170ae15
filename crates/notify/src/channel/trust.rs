//! Whose certificates are believed.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Certificates of authorities: those of a file, or the system's.
pub(super) fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = match file {
        Some(path) => {
            let unusable = |cause: &dyn std::fmt::Display| {
                format!(
                    "{} cannot be used as `ca`: {cause}; it has to hold certificates in PEM",
                    path.display()
                )
            };
            let text = std::fs::read(path).map_err(|cause| unusable(&cause))?;
            CertificateDer::pem_slice_iter(&text)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|cause| unusable(&cause))?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    if found.is_empty() {
        return Err("no certificates of authorities are found; install the package ca-certificates, or name a file of them as `ca`".to_owned());
    }
    Ok(found)
}
