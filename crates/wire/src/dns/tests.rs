use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn an_answer_with_compressed_names_is_read() {
    // www.example.net A? → CNAME web.example.net, A 192.0.2.7; by hand after RFC 1035 §4.1.4.
    let mut octets = vec![0x12, 0x34, 0x84, 0, 0, 1, 0, 2, 0, 0, 0, 0];
    octets.extend(b"\x03WWW\x07example\x03net\x00\x00\x01\x00\x01");
    octets.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x06\x03web\xc0\x10");
    octets.extend(b"\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07");
    let Read { message, tsig } = read(&octets).unwrap();
    assert_eq!(tsig, None);
    assert_eq!((message.id, message.response, message.authoritative, message.rcode), (0x1234, true, true, 0));
    assert_eq!(message.question.first().unwrap().name, name("www.example.net."));
    let [alias, address] = message.answer.as_slice() else { panic!("{message:?}") };
    assert_eq!((alias.ttl, &alias.data), (3600, &Data::Cname(name("web.example.net"))));
    assert_eq!(address.name, name("web.example.net"));
    assert_eq!(address.data, Data::Address([192, 0, 2, 7].into()));
    for end in 0..octets.len() {
        assert!(read(octets.get(..end).unwrap()).is_err(), "nothing is whole before its last octet: {end}");
    }
}

#[test]
fn a_pointer_that_does_not_point_back_is_a_fault() {
    let question = |name: &[u8]| [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], name, &[0, 1, 0, 1]].concat();
    for (octets, what) in [
        (&b"\xc0\x0c"[..], "to itself"),
        (b"\xc0\x20", "forward"),
        (b"\x01a\xc0\x0c", "to its own beginning"),
        (b"\xff\xff", "out of the message"),
        (b"\x41", "a length of no kind"),
    ] {
        assert!(matches!(read(&question(octets)), Err(Fault::Value { .. })), "{what}");
    }
    let long: Vec<u8> = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4);
    assert!(matches!(read(&question(&[&long[..], b"\0"].concat())), Err(Fault::Length { .. })));
}

#[test]
fn names_are_those_of_hosts_and_zones() {
    for (text, shown) in [("WWW.Example.net", "www.example.net."), ("_x.a-b.example.", "_x.a-b.example.")] {
        assert_eq!(name(text).to_string(), shown);
    }
    let long = ["a".repeat(64), ["a".repeat(63).as_str(); 4].join(".")];
    for wrong in ["", ".", "a..b", "a b", "*.example.net", "ä.example", &long[0], &long[1]] {
        assert!(wrong.parse::<Name>().is_err(), "{wrong}");
    }
    let zone = name("example.net");
    assert!(name("www.example.net").lies_in(&zone) && zone.lies_in(&zone));
    assert!(!name("www.xexample.net").lies_in(&zone) && !name("net").lies_in(&zone));
    assert_eq!(Name::root().to_string(), ".");
    assert!(zone.lies_in(&Name::root()));
}

#[test]
fn a_signature_is_taken_off_as_it_was_put_on() {
    let message = Message { id: 7, question: vec![query("www.example.net")], ..Message::default() }.write();
    let tsig = Tsig {
        key: name("spillway"),
        algorithm: name("hmac-sha256"),
        time: 0x1234_5678_9abc,
        fudge: 300,
        mac: vec![1; 32],
        id: 7,
        error: error_with_time().0,
        other: error_with_time().1,
    };
    let mut signed = message.clone();
    tsig.append(&mut signed);
    let (again, at) = read(&signed).unwrap().tsig.unwrap();
    assert_eq!((&again, at), (&tsig, message.len()));
    // A server that forwards may have changed the ID.
    signed.splice(..2, [9, 9]);
    assert_eq!(again.unsigned(&signed, at), message);
    assert_eq!(again.server_time(), Some(0x0000_0102_0304));
    let digest = tsig.digest(None, &message);
    assert!(digest.starts_with(&message) && digest.ends_with(&[0, 18, 0, 6, 0, 0, 1, 2, 3, 4]));
    assert_eq!(tsig.digest(Some(&[8, 9]), &message).get(..4), Some(&[0, 2, 8, 9][..]));
}

fn error_with_time() -> (u16, Vec<u8>) {
    (tsig::error::BADTIME, vec![0, 0, 1, 2, 3, 4])
}

fn query(text: &str) -> Question {
    Question { name: name(text), kind: kind::A, class: class::IN }
}

fn a_name() -> impl Strategy<Value = Name> {
    prop::collection::vec("[a-z0-9_-]{1,20}", 1..5).prop_map(|labels| labels.join(".").parse().unwrap())
}

fn a_record() -> impl Strategy<Value = Record> {
    let data = prop_oneof![
        any::<IpAddr>().prop_map(Data::Address),
        a_name().prop_map(Data::Cname),
        prop_oneof![Just(kind::A), Just(kind::AAAA), Just(255)].prop_map(Data::Nothing),
        prop::collection::vec(any::<u8>(), 1..40).prop_map(|octets| Data::Other(16, octets)),
        (a_name(), a_name(), any::<[u32; 5]>()).prop_map(|(mname, rname, numbers)| {
            let [serial, refresh, retry, expire, minimum] = numbers;
            Data::Soa(Soa { mname, rname, serial, refresh, retry, expire, minimum })
        }),
    ];
    let class = prop_oneof![Just(class::IN), Just(class::NONE), Just(class::ANY)];
    (a_name(), class, any::<u32>(), data).prop_map(|(name, class, ttl, data)| Record {
        name,
        class,
        ttl,
        data,
    })
}

fn a_message() -> impl Strategy<Value = Message> {
    let question =
        (a_name(), any::<u16>()).prop_map(|(name, kind)| Question { name, kind, class: class::IN });
    let section = || prop::collection::vec(a_record(), 0..4);
    let head = (any::<u16>(), any::<[bool; 3]>(), 0..16u8, 0..16u8);
    let body = (prop::collection::vec(question, 0..3), section(), section(), section());
    (head, body).prop_map(|((id, [response, authoritative, truncated], opcode, rcode), body)| {
        let (question, answer, authority, additional) = body;
        Message {
            id,
            response,
            opcode,
            authoritative,
            truncated,
            rcode,
            question,
            answer,
            authority,
            additional,
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(message in a_message()) {
        prop_assert_eq!(read(&message.write()).unwrap(), Read { message, tsig: None });
    }

    #[test]
    fn noise_is_no_panic(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Read { message, .. }) = read(&noise) {
            prop_assert_eq!(read(&message.write()).unwrap().message, message);
        }
    }
}
