//! `spillway-verify PROOF FILE --policy POLICY`: whether a file stands in the ledger, or is what an entry of it commits to.
//!
//! For whoever does not want to trust the product in order to check it: besides this file it is the crate `ledger`, which
//! opens no file and no socket, `base`, and the hash and signature functions that they call.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::Read as _;
use std::process::ExitCode;

use ledger::{Policy, Proof, policy, proof};

const USAGE: &str = "use: spillway-verify PROOF FILE --policy POLICY";
/// Octets of a file that is checked.
const FILE_MAX: u64 = 1 << 30;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let place = arguments.iter().position(|argument| argument == "--policy");
    let (proof, file, policy) = match (arguments.as_slice(), place) {
        ([proof, file, _, policy], Some(2)) | ([_, policy, proof, file], Some(0)) => (proof, file, policy),
        _ => {
            eprintln!("spillway-verify: {USAGE}");
            return ExitCode::from(2);
        }
    };
    match check(proof, file, policy) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("spillway-verify: {why}");
            ExitCode::FAILURE
        }
    }
}

fn check(proof: &OsString, file: &OsString, policy: &OsString) -> Result<String, String> {
    let said = |path: &OsString, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let text = |path: &OsString, most: usize| {
        let octets = read(path, u64::try_from(most).unwrap_or(u64::MAX))?;
        String::from_utf8(octets).map_err(|_| said(path, &"is not text"))
    };
    let parsed = Policy::parse(&text(policy, policy::FILE_MAX)?).map_err(|why| said(policy, &why))?;
    let proven = Proof::parse(&text(proof, proof::FILE_MAX)?).map_err(|why| said(proof, &why))?;
    let verified = parsed.verify(&proven, &read(file, FILE_MAX)?).map_err(|why| said(proof, &why))?;
    let (receipt, name) = (&verified.receipt, file.display());
    let is = if verified.is_entry { "is" } else { "is what was committed to by" };
    let when = verified.time.map(|time| format!(", written {time}")).unwrap_or_default();
    Ok(format!(
        "ok: {name} {is} entry {} of {} ({} entries){when}",
        receipt.index(),
        receipt.origin(),
        receipt.size()
    ))
}

fn read(path: &OsString, most: u64) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let file = std::fs::File::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let read =
        file.take(most + 1).read_to_end(&mut octets).map_err(|why| format!("{}: {why}", path.display()))?;
    if read as u64 > most { Err(format!("{}: more than {most} octets", path.display())) } else { Ok(octets) }
}
