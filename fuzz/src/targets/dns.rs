//! What a DNS server answers.

use wire::dns::{Data, Message, Question, Read, Record, Tsig, class, kind, opcode, read};

use super::Target;
use crate::measure::{Outcome, within};

pub(super) const TARGET: Target = Target { name: "dns", seeds, run };

/// Memory that what is read may take: a name of 255 octets may stand in two, and at most 1,024 entries are read.
fn most(input: &[u8]) -> u64 {
    16 * 1024 + 160 * u64::try_from(input.len()).unwrap_or(u64::MAX)
}

fn run(input: &[u8]) -> Outcome {
    match within(most(input), || read(input)) {
        Ok(Read { message, tsig }) => {
            if let Some((tsig, at)) = tsig {
                assert!(at < input.len(), "a signature behind the message");
                let unsigned = tsig.unsigned(input, at);
                let again = read(&unsigned).map(|read| (read.message.question, read.tsig));
                assert_eq!(again, Ok((message.question.clone(), None)), "a signature that stays");
            }
            let written = message.write();
            assert_eq!(read(&written), Ok(Read { message, tsig: None }), "written otherwise");
            Outcome::of(1)
        }
        Err(fault) => Outcome::of(0).with(fault.name()),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let name = |text: &str| text.parse::<wire::dns::Name>().expect("a seed is a name");
    let record = |class, ttl, data| Record { name: name("www.example.net"), class, ttl, data };
    let question = Question { name: name("www.example.net"), kind: kind::A, class: class::IN };
    let answer = Message {
        id: 7,
        response: true,
        authoritative: true,
        question: vec![question.clone()],
        answer: vec![
            record(class::IN, 60, Data::Address([192, 0, 2, 7].into())),
            record(class::IN, 60, Data::Cname(name("web.example.net"))),
        ],
        ..Message::default()
    };
    let update = Message {
        opcode: opcode::UPDATE,
        question: vec![Question { kind: kind::SOA, ..question }],
        answer: vec![record(class::NONE, 0, Data::Nothing(kind::CNAME))],
        authority: vec![record(class::ANY, 0, Data::Nothing(kind::AAAA))],
        ..Message::default()
    };
    let mut signed = update.write();
    Tsig {
        key: name("spillway"),
        algorithm: name("hmac-sha256"),
        time: 1_700_000_000,
        fudge: 300,
        mac: vec![7; 32],
        id: 0,
        error: 0,
        other: Vec::new(),
    }
    .append(&mut signed);
    let mut compressed = vec![0x12, 0x34, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    compressed.extend(b"\x03www\x07example\x03net\x00\x00\x01\x00\x01");
    compressed.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x06\x03web\xc0\x10");
    vec![answer.write(), update.write(), signed, compressed]
}
