//! Templates, options and data of NetFlow v9 and IPFIX come back as they were written.

use proptest::prelude::*;
use wire::Reader;
use wire::emit::{Field, ipfix as to_ipfix, netflow9 as to_v9, record_len};
use wire::netflow9::{Sets, Template};
use wire::{ipfix, netflow9};

prop_compose! {
    fn field(enterprises: bool)(
        id in 1u16..0x7fff, len in 1u16..40, number in proptest::option::of(1u32..100_000),
    ) -> Field {
        Field { id, len, enterprise: number.filter(|_| enterprises) }
    }
}

fn back(template: &Template<'_>) -> Vec<Field> {
    let known = |f: netflow9::Field| Field {
        id: f.element,
        len: f.length,
        enterprise: (f.enterprise != 0).then_some(f.enterprise),
    };
    template.fields.map(known).collect()
}

proptest! {
    #[test]
    fn netflow_9_comes_back(
        fields in proptest::collection::vec(field(false), 1..20),
        (scopes, options) in (proptest::collection::vec(field(false), 1..3), proptest::collection::vec(field(false), 1..6)),
        (uptime, secs, sequence, source_id) in any::<(u32, u32, u32, u32)>(), octet in any::<u8>(),
    ) {
        let mut datagram = to_v9::Datagram::new(&to_v9::Header { uptime, secs, sequence, source_id });
        datagram.template(256, &fields);
        datagram.options_template(257, &scopes, &options);
        let len = record_len(&fields);
        datagram.data(256, 1, |w| {
            w.bytes(&vec![octet; len]);
        });
        let bytes = datagram.finish();
        let mut r = Reader::new(&bytes);
        let h = netflow9::Header::parse(&mut r).unwrap();
        prop_assert_eq!((h.count, h.uptime, h.unix_secs, h.sequence, h.source_id), (3, uptime, secs, sequence, source_id));
        let mut sets = Sets::new(r);
        let mut set = sets.next_set().unwrap().unwrap();
        let template = netflow9::template(&mut set.body).unwrap().unwrap();
        prop_assert_eq!((set.id, template.id, template.scopes), (0, 256, None));
        prop_assert_eq!(back(&template), fields);
        let mut set = sets.next_set().unwrap().unwrap();
        let template = netflow9::options_template(&mut set.body).unwrap().unwrap();
        prop_assert_eq!((set.id, template.id), (1, 257));
        prop_assert_eq!(template.scopes.map(usize::from), Some(scopes.len()));
        prop_assert_eq!(back(&template), [scopes, options].concat());
        let set = sets.next_set().unwrap().unwrap();
        prop_assert_eq!((set.id, set.body.len()), (256, len.next_multiple_of(4)));
        prop_assert!(set.body.rest()[..len].iter().all(|b| *b == octet));
        prop_assert!(sets.next_set().is_none());
    }

    #[test]
    fn ipfix_comes_back(
        fields in proptest::collection::vec(field(true), 1..20),
        (scopes, options) in (proptest::collection::vec(field(true), 1..3), proptest::collection::vec(field(true), 1..6)),
        (export_time, sequence, domain) in any::<(u32, u32, u32)>(), text in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut message = to_ipfix::Message::new(&to_ipfix::Header { export_time, sequence, domain });
        message.template(256, &fields);
        message.options_template(257, &scopes, &options);
        message.data(256, |w| to_ipfix::variable(w, &text));
        let bytes = message.finish();
        let mut r = Reader::new(&bytes);
        let h = ipfix::Header::parse(&mut r).unwrap();
        prop_assert_eq!((usize::from(h.length), h.export_time, h.sequence, h.domain), (bytes.len(), export_time, sequence, domain));
        let mut sets = Sets::new(r);
        let mut set = sets.next_set().unwrap().unwrap();
        let template = ipfix::template(&mut set.body).unwrap().unwrap();
        prop_assert_eq!((set.id, template.id), (2, 256));
        prop_assert_eq!(back(&template), fields);
        let mut set = sets.next_set().unwrap().unwrap();
        let template = ipfix::options_template(&mut set.body).unwrap().unwrap();
        prop_assert_eq!((set.id, template.scopes.map(usize::from)), (3, Some(scopes.len())));
        prop_assert_eq!(back(&template), [scopes, options].concat());
        let mut set = sets.next_set().unwrap().unwrap();
        prop_assert_eq!(ipfix::variable(&mut set.body).unwrap(), text.as_slice());
        prop_assert!(sets.next_set().is_none());
    }
}
