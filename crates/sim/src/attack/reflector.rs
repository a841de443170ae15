//! Services that answer more than they were asked: the table of amplifications.

/// One service.
#[derive(Clone, Copy, Debug)]
pub struct Reflector {
    /// As in the vector's name.
    pub name: &'static str,
    /// The port it answers from.
    pub port: u16,
    /// Front of an answer.
    pub answer: &'static [u8],
    /// Least and most payload of an abused answer; above 1472 it is fragmented.
    pub size: (u32, u32),
    /// Front and length of an honest question.
    pub request: (&'static [u8], u32),
    /// Payload of an honest answer.
    pub honest: u32,
    /// How many reflectors an attack uses.
    pub sources: u32,
}

/// By name they are the same; the octets follow.
impl PartialEq for Reflector {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Finds one by name.
pub fn named(name: &str) -> Option<&'static Reflector> {
    REFLECTORS.iter().find(|reflector| reflector.name == name)
}

macro_rules! reflectors {
    ($($name:literal $port:literal $size:expr, $sources:literal, $answer:expr, $request:expr, $asked:literal, $honest:literal;)*) => {
        /// All of them, in the interface's order; "other" is Sentinel RMS.
        pub const REFLECTORS: &[Reflector] = &[$(
            Reflector { name: $name, port: $port, answer: $answer, size: $size, request: ($request, $asked),
                honest: $honest, sources: $sources },
        )*];
    };
}

reflectors! {
    "dns" 53 (2_900, 4_050), 2_500, b"\x5a\x13\x81\x80\0\x01\0\x1d\0\0\0\x01\x07example\x03org\0\0\xff\0\x01", b"\x5a\x13\x01\0\0\x01\0\0\0\0\0\x01\x03www\x07example\x03org\0\0\x01\0\x01", 44, 120;
    "ntp" 123 (440, 440), 1_800, b"\xd7\0\x03\x2a\0\x06\0\x48", b"\x23\0\x06\xec", 48, 48;
    "memcached" 11211 (1_400, 1_400), 400, b"\0\0\0\0\0\x01\0\0VALUE a 0 1048576\r\n", b"\0\0\0\0\0\x01\0\0get k\r\n", 15, 60;
    "cldap" 389 (1_200, 3_000), 1_500, b"\x30\x84\0\0\x0b\xb4\x02\x01\x07\x64\x84\0\0\x0b\xab\x04\0", b"\x30\x25\x02\x01\x07\x63\x20\x04\0", 52, 180;
    "ssdp" 1900 (250, 420), 9_000, b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\n", b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n", 132, 300;
    "snmp" 161 (200, 1_472), 3_000, b"\x30\x82\x04\xe2\x02\x01\x01\x04\x06public\xa2\x82\x04\xd3", b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19", 43, 90;
    "chargen" 19 (74, 1_472), 600, b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`a", b"\n", 1, 74;
    "qotd" 17 (90, 500), 500, b"\"My spelling is Wobbly.  It's good spelling but it Wobbles", b"\n", 1, 120;
    "rip" 520 (504, 504), 900, b"\x02\x02\0\0\0\x02\0\0", b"\x01\x02\0\0\0\0\0\0", 24, 44;
    "tftp" 69 (516, 516), 1_200, b"\0\x03\0\x01", b"\0\x01config\0octet\0", 20, 516;
    "netbios" 137 (157, 330), 4_000, b"\x80\xf0\x84\0\0\0\0\x01\0\0\0\0\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\x01", b"\x80\xf0\0\x10\0\x01\0\0\0\0\0\0\x20CKAAAA", 50, 157;
    "portmap" 111 (486, 600), 2_500, b"\x65\x72\x0a\x37\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01\x86\xa0", b"\x65\x72\x0a\x37\0\0\0\0\0\0\0\x02\0\x01\x86\xa0", 40, 28;
    "mssql" 1434 (230, 620), 1_500, b"\x05\xe2\0ServerName;SQL1;InstanceName;MSSQLSERVER;IsClustered;No;Vers", b"\x02", 1, 160;
    "mdns" 5353 (300, 800), 2_200, b"\0\0\x84\0\0\0\0\x06\0\0\0\0\x09_services\x07_dns-sd\x04_udp\x05local\0", b"\0\0\0\0\0\x01\0\0\0\0\0\0\x09_services", 46, 200;
    "wsd" 3702 (700, 1_450), 2_400, b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope xmlns:S", b"<?xml version=\"1.0\"?><Probe", 180, 900;
    "coap" 5683 (700, 1_300), 1_700, b"\x60\x45\xff\xff\xc1\x28\xb1\x52\xff</a>;rt=\"x\"", b"\x40\x01\xff\xff\xbb.well-known\x04core", 21, 110;
    "ard" 3283 (1_006, 1_006), 1_600, b"\0\x01\x03\xee\0\0\0\0", b"\0\x14\0\0", 5, 60;
    "sip" 5060 (450, 900), 2_000, b"SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9h", b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP", 420, 480;
    "stun" 3478 (88, 120), 3_000, b"\x01\x01\0\x44\x21\x12\xa4\x42\0\x20\0\x08\0\x01", b"\0\x01\0\0\x21\x12\xa4\x42", 20, 88;
    "ike" 500 (204, 204), 2_700, b"\x3a\x11\x92\x55\x4e\x01\x77\xa0\x8d\xd0\x2c\x11\x64\xf0\x9a\x03\x01\x10\x02\0\0\0\0\0\0\0\0\xcc", b"\x3a\x11\x92\x55\x4e\x01\x77\xa0\0\0\0\0\0\0\0\0\x01\x10\x02\0", 188, 204;
    "openvpn" 1194 (54, 54), 3_000, b"\x40\x86\x11\x27\x5a\x30\x10\xf7\x8e\x01\0\0\0\0", b"\x38\x61\x29\x72\x0d\x33\x9b\xa7\x4e\0\0\0\0\0", 42, 54;
    "l2tp" 1701 (109, 180), 1_500, b"\xc8\x02\0\x6d\0\x01\0\0\0\0\0\x01\x80\x08\0\0\0\0\0\x02", b"\xc8\x02\0\x4c\0\0\0\0\0\0\0\0\x80\x08\0\0\0\0\0\x01", 76, 109;
    "bacnet" 47808 (180, 420), 700, b"\x81\x0a\0\xc8\x01\0\x30\x01\x0e\x0c\x02", b"\x81\x0a\0\x11\x01\x04\0\x05", 17, 60;
    "dvr" 37810 (600, 800), 1_900, b"\xb3\0\x01\x66\0\0\0\0\x01\0\0\0{\"mac\":\"", b"\xff", 4, 600;
    "ubnt" 10001 (140, 210), 2_500, b"\x01\0\0\x94\x02\0\x0a\x04\x18\xd6", b"\x01\0\0\0", 4, 150;
    "plex" 32414 (220, 300), 800, b"HTTP/1.0 200 OK\r\nContent-Type: plex/media-server\r\nName: ", b"M-SEARCH * HTTP/1.1\r\n\r\n", 21, 240;
    "slp" 427 (350, 1_400), 600, b"\x02\x07\0\x01\x5e\0\0\0\0\0\0\x01\0\x02en\0\0\0\x14service:", b"\x02\x09\0\0\x1d\0\0\0\0\0\x73\x5f\0\x02en", 29, 100;
    "rdp" 3389 (1_232, 1_232), 2_000, b"\0\0\0\0\0\x50\0\x0d\0\0\0\0\x04\xd0\x04\xd0", b"\xff\xff\xff\xff\0\x50\0\x01\0\0\0\0\x04\xd0\x04\xd0", 1232, 1232;
    "dtls" 4433 (900, 1_300), 1_400, b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x5a\x02\0\0\x4e\0\0\0\0\0\0\0\x4e\xfe\xfd", b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\xd6\x01\0\0\xca", 240, 900;
    "ipmi" 623 (44, 44), 2_800, b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0\x10\x81\x1c\x63\x20\0\x38\0\x01\x97", b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0\x09\x20\x18\xc8\x81\0\x38\x8e\x04\xb5", 23, 44;
    "game" 27015 (250, 900), 1_500, b"\xff\xff\xff\xffI\x11My server\0de_dust2\0cstrike\0Counter-Strike", b"\xff\xff\xff\xffTSource Engine Query\0", 25, 160;
    "other" 5093 (1_100, 1_400), 500, b"\x0c\x01\0\0Sentinel RMS License Manager", b"z\0\0\0\0\0", 6, 150;
}
