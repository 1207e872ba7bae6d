//! Signatures fit one component and one key, and say so when they do not.

use super::guest;
use quarry::error::{Code, Error};
use quarry::plugin::{Inspection, PublicKey, Signature, SigningKey, Trust, inspect};

fn hostile() -> Inspection {
    inspect(&guest("hostile")).unwrap()
}

fn trusting(key: &SigningKey) -> Trust {
    Trust { keys: vec![key.public().unwrap()], required: true }
}

fn refused(trust: &Trust, signature: Option<&Signature>) -> Error {
    let json = signature.map(|signature| signature.to_json().unwrap());
    let error = trust.admit(&hostile(), json.as_deref()).unwrap_err();
    assert_eq!(error.code(), Code::Forbidden, "{error}");
    assert!(error.hint_text().is_some(), "{error} has no hint");
    error
}

#[test]
fn a_signature_by_a_trusted_key_is_admitted_and_named() {
    let key = SigningKey::generate().unwrap();
    let signature = key.sign(&hostile()).unwrap();
    let json = signature.to_json().unwrap();
    let admitted = trusting(&key).admit(&hostile(), Some(&json)).unwrap();
    assert_eq!(admitted, Some(key.public().unwrap().id()));
    assert_eq!(Signature::parse(&json).unwrap(), signature);
    assert_eq!((signature.name.as_str(), signature.version.as_str()), ("hostile", "0.1.0"));
}

#[test]
fn nothing_is_asked_of_components_by_default() {
    assert_eq!(Trust::default().admit(&hostile(), None).unwrap(), None);
    let stranger = SigningKey::generate().unwrap().sign(&hostile()).unwrap();
    let json = stranger.to_json().unwrap();
    assert_eq!(Trust::default().admit(&hostile(), Some(&json)).unwrap(), None);
    let known = Trust { required: false, ..trusting(&SigningKey::generate().unwrap()) };
    assert_eq!(known.admit(&hostile(), Some(&json)).unwrap(), None);
}

#[test]
fn a_missing_or_foreign_signature_is_refused_where_one_is_required() {
    let trust = trusting(&SigningKey::generate().unwrap());
    let error = refused(&trust, None);
    let told = "hostile@0.1.0 is not signed, and signatures are required";
    assert_eq!(error.to_string(), told);
    let stranger = SigningKey::generate().unwrap();
    let error = refused(&trust, Some(&stranger.sign(&hostile()).unwrap()));
    let id = stranger.public().unwrap().id();
    let told = format!("hostile@0.1.0 is signed by key {id}, which is not trusted");
    assert_eq!(error.to_string(), told);
}

#[test]
fn a_signature_that_was_changed_is_refused_even_where_none_is_required() {
    let key = SigningKey::generate().unwrap();
    let good = key.sign(&hostile()).unwrap();
    let id = good.key_id.clone();
    let wrong = format!("the signature of hostile@0.1.0 by key {id} is wrong");
    let other = "for another component";
    let stranger = SigningKey::generate().unwrap().sign(&hostile()).unwrap().signature;
    let cases = [
        (Signature { signature: stranger, ..good.clone() }, wrong.as_str()),
        (Signature { signature: String::new(), ..good.clone() }, &wrong),
        (Signature { algorithm: "none".to_string(), ..good.clone() }, &wrong),
        (Signature { digest: format!("sha256:{}", "0".repeat(64)), ..good.clone() }, other),
        (Signature { name: "harmless".to_string(), ..good.clone() }, other),
        (Signature { version: "0.1.1".to_string(), ..good.clone() }, other),
    ];
    for required in [true, false] {
        let trust = Trust { required, ..trusting(&key) };
        for (signature, told) in &cases {
            let error = refused(&trust, Some(signature));
            assert!(error.to_string().ends_with(told), "{error}");
        }
        let broken = trust.admit(&hostile(), Some(b"{")).unwrap_err();
        assert_eq!(broken.code(), Code::Extractor);
        let large = trust.admit(&hostile(), Some(&vec![b' '; 17 << 10])).unwrap_err();
        assert_eq!(large.to_string(), "the signature has more than 16384 bytes");
    }
}

#[test]
fn every_flipped_bit_of_a_signature_is_noticed() {
    let key = SigningKey::generate().unwrap();
    let json = key.sign(&hostile()).unwrap().to_json().unwrap();
    let trust = trusting(&key);
    for at in 0..json.len() {
        let mut flipped = json.clone();
        flipped[at] ^= 1;
        let admitted = trust.admit(&hostile(), Some(&flipped));
        // White space may become other white space; everything else is refused.
        let same = Signature::parse(&flipped).is_ok_and(|s| s.to_json().unwrap() == json);
        assert!(admitted.is_err() || same, "byte {at}");
    }
}

#[test]
fn a_key_is_read_as_it_was_written() {
    let key = SigningKey::generate().unwrap();
    let public = key.public().unwrap();
    let again = SigningKey::parse(&key.to_pem().unwrap()).unwrap();
    assert_eq!(again.public().unwrap(), public);
    assert_eq!(PublicKey::parse(&format!(" {public}\n")).unwrap(), public);
    // As `openssl genpkey -algorithm ed25519` wrote it, and `openssl pkey -pubout` its public part.
    let openssl = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
    let public = SigningKey::parse(openssl).unwrap().public().unwrap();
    assert_eq!(public.to_string(), "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    for text in ["", "ed25519:", "ed25519:AAAA", "Gb9E", "rsa:Gb9E"] {
        assert_eq!(PublicKey::parse(text).unwrap_err().code(), Code::Invalid, "{text}");
    }
    assert!(SigningKey::parse("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----").is_err());
}

#[test]
fn a_trust_in_nobody_that_requires_signatures_is_a_mistake() {
    let error = Trust::parse(&[], true).unwrap_err();
    assert_eq!(error.field_name(), Some("/trusted_keys"));
    let keys = ["ed25519:short".to_string()];
    let error = Trust::parse(&keys, false).unwrap_err();
    assert_eq!(error.field_name(), Some("/trusted_keys/0"));
    assert!(Trust::parse(&[], false).is_ok());
}
