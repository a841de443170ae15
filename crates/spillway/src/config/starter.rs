//! The file that `spillway init` writes: every key with its default and a sentence.

use base::Prefix;
use engine::Mode;

/// What is known of the place where it is to run.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The operator's own networks.
    pub networks: Vec<Prefix>,
    /// What nothing may cut: the administrator's address, gateways.
    pub never: Vec<Prefix>,
    /// Whose packets are looked at; none: flow export is.
    pub interfaces: Vec<String>,
    /// How far to go.
    pub mode: Mode,
    /// As whom the daemon runs once it has started.
    pub user: Option<String>,
    /// Who hears of attacks.
    pub webhook: Option<String>,
}

/// A commented configuration for these networks. What is commented out shows the default.
pub fn starter(networks: &[Prefix]) -> String {
    starter_of(&Start { networks: networks.to_vec(), ..Start::default() })
}

/// A commented configuration for this place.
pub fn starter_of(start: &Start) -> String {
    let list = |all: &mut dyn Iterator<Item = String>| {
        all.map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ")
    };
    let mut text = TEXT.replace("@NETWORKS@", &list(&mut start.networks.iter().map(ToString::to_string)));
    let mut put = |default: &str, line: String| text = text.replacen(default, &line, 1);
    if !start.never.is_empty() {
        let never = list(&mut start.never.iter().map(ToString::to_string));
        put("\n#never = []\n", format!("\nnever = [{never}]\n"));
    }
    if !start.interfaces.is_empty() {
        put(
            "\n#interfaces = []\n",
            format!("\ninterfaces = [{}]\n", list(&mut start.interfaces.iter().cloned())),
        );
        for key in ["sflow", "netflow", "ipfix"] {
            put(&format!("\n{key} = "), format!("\n#   {key} = "));
        }
    }
    if let Some(user) = &start.user {
        put("\n#   user = \"spillway\"\n", format!("\nuser = \"{user}\"\n"));
    }
    match start.mode {
        Mode::Observe => {}
        Mode::Suggest => put("\n#mode = \"observe\"\n", "\nmode = \"suggest\"\n".to_owned()),
        Mode::Enforce => put("\n#mode = \"observe\"\n", "\nmode = \"enforce\"\n".to_owned()),
    }
    if let Some(url) = &start.webhook {
        let section = format!(
            "\n[notify.ops]\nkind = \"webhook\"\nurl = \"{url}\"\nevents = [\"attack_started\", \"attack_ended\", \"trouble_started\", \"trouble_ended\"]\n"
        );
        put("\n[detection]\n", format!("{section}\n[detection]\n"));
    }
    text
}

/// Lines that begin with `#key` (no space) are defaults: a test takes the `#` away and compares.
const TEXT: &str = r##"# Spillway. Check it with `spillway check -c FILE`, start with `spillway run -c FILE`.

# The networks that you protect. Nothing else is ever called a victim.
networks = [@NETWORKS@]

# Attacks, rules, templates and what was learned; must survive a restart.
#state_dir = "/var/lib/spillway"

# observe: watch and tell.  suggest: also derive filters, for a person to apply.
# enforce: also hand them to the enforcers that are configured.
#mode = "observe"

# As whom to run once sockets are open and a helper that writes filters into the kernel has been started, so that nothing
# that reads packets has privileges. That user must be able to read this file.
#   user = "spillway"

# Where routers send flow export. Each address takes sFlow v5, NetFlow v5, v9 and IPFIX.
[listen]
sflow = "0.0.0.0:6343"
netflow = "0.0.0.0:2055"
ipfix = "0.0.0.0:4739"
# Exporters that are believed; none listed: all. UDP senders can be forged, so list them.
#allow = []
# Octets that the kernel keeps for us per socket while we are busy.
#receive_buffer = "16 MiB"

# Attacks, rules, mitigations, events, metrics; changes take credentials (`spillway token add`). Elsewhere than on loopback it
# speaks TLS, with a certificate of its own or the one of [api.tls].
[api]
#listen = "127.0.0.1:8646"
# Who asks on plain loopback without credentials: "viewer" or "none". Elsewhere: none.
#anonymous = "viewer"
# Of one token, session or address.
#requests_per_second = 1000
# What stands over every page of the dashboard.
#   banner = "staging"
# Socket of a made-up world that does what the dashboard asks for: `spillway demo` sets it, and nobody else needs it.
#   stage = "/run/demo/stage.sock"
#   [api.tls]
#   certificate = "/etc/spillway/api.crt"
#   key = "/etc/spillway/api.key"

# What an exporter does not say itself. Without a sampling rate its volume is never believed.
#   [exporters."192.0.2.1"]
#   sampling = 1000
#   [exporters."192.0.2.1".interfaces]
#   17 = { name = "transit-1", role = "external", speed = "100 Gbps", asn = 64500 }
# Where only that network and those behind it may come in, as the paths of routes tell (`mrt` in [intel], BGP, BMP), whoever else
# does is called forged (reason B3). For customers; at a provider everything comes in.
#   18 = { name = "cust-1", role = "customer", asn = 64510, cone = true }

# Roles by interface name, so that a packet seen at two points counts once. `*` is any text.
[interfaces]
#external = []
#internal = []
#customer = []

# Customers and their networks; each prefix has one owner.
#   [customers."example"]
#   networks = ["198.51.100.0/28"]
#   profile = "web"                # what it is like: default, web, dns, game-udp, vpn, mail, voice, transit, cgnat, ssh, cdn-origin,
#                                  # streaming or quic; `spillway target profiles` lists them, `spillway target show PREFIX` says what follows
#   mode = "suggest"               # how far to go for it

# Prefixes with wishes of their own; the narrowest says most, and what it does not say, a wider one, the customer, or the file says.
#   [target."198.51.100.7"]
#   profile = "ssh"
#   mode = "enforce"               # also beyond the `mode` above; `spillway target mode` says it for a while
#   floor = "500 pps"              # below it no class of packets is an attack; multiple = 1.5 times what is usual is one
#   collateral_max = 0.02          # blind = false, challenge = true as in [dataplane]
#   limit = "20 kpps"              # rules limit to it instead of dropping
#   ordinary = ["proto tcp dst-port 443"]      # in the rule language: rules without a price never act on these, even where `blind` lets others
#   never_drop = ["proto tcp dst-port 2222"]   # a derived rule that would drop any of these is suggested only

# Sources that are never filtered on their way to a prefix, up to a ceiling (default "1000 pps", "none" by choice; with nftables
# only "none"); what is above is treated like any traffic. `spillway allow` adds others while the daemon runs.
#   [[allow]]
#   source = "203.0.113.0/24"
#   destination = "198.51.100.0/28"
#   protocol = "tcp"               # port = 443; without them, all
#   ceiling = "5 kpps"
#   owner = "example"
#   reason = "its monitoring"
#   until = "2027-12-31T00:00:00Z"

# Limits that no host may exceed, on top of what is learned. The most specific network decides, `default` is everything
# else. packets and bits count all; tcp_, udp_, icmp_, syn_ and fragment_ before them count these alone.
#   [groups.default]
#   incoming = { packets = "200 kpps", bits = "2 Gbps" }
#   [groups."web"]
#   networks = ["198.51.100.0/28"]
#   incoming = { packets = "1 Mpps", syn_packets = "50 kpps", udp_bits = "100 Mbps" }
#   outgoing = { bits = "1 Gbps" }   # what each of its hosts sends to foreign ones

# A program that is called with TARGET in|out PPS attack|over, the attack as JSON on its standard input.
# compat = "fastnetmon" calls it with TARGET incoming|outgoing PPS ban|unban instead, in enforce mode only.
#   [notify.exec]
#   path = "/usr/local/bin/notify.sh"
#   timeout = "10s"
#   compat = "fastnetmon"
#   bans_max = 256
#   restart_time = "120s"

# Channels that are told of attacks, as many as you like, tried with `spillway notify test NAME`. What is to be told is written
# down first, sent in order, tried again for `give_up`, and goes by `fallback` when it has failed for `fallback_after`.
# Secrets are "${file:/path}" (not readable by everybody) or "${env:NAME}". Nothing here ever tells of a disclosure.
#   [notify.noc]
#   kind = "webhook"               # POST of one JSON document; `spillway notify schema` prints its schema
#   url = "https://hooks.example.net/spillway"
#   secret = "${file:/etc/spillway/noc.secret}"   # signs: HMAC-SHA-256 over Spillway-Timestamp, a full stop and the body
#   events = ["attack_started", "attack_ended"]   # also attack_changed; severity = "attack", or "suspicious" for all
#   # also trouble_started and trouble_ended (an exporter, a BGP session, an absorber, the disk, the ledger), configuration_taken, configuration_refused
#   customers = []                 # and prefixes = []: only attacks on these; both empty: on all
#   group_wait = "2s"              # more than group_max = 3 events within it are one message
#   repeat = "1h"                  # a reminder of what goes on; without it: none
#   fallback = "pager"             # fallback_after = "60s"
#   per_minute = 30                # queue_max = 1000, timeout = "10s", retry = "1s", retry_max = "300s", give_up = "86400s"
#   # token = "…" is sent as `Authorization: Bearer`; ca = "/path.pem" in place of the system's authorities
#   [notify.pager]
#   kind = "telegram"              # token = "${file:/etc/spillway/telegram.token}", chat = "-1001234567890"
#   # kind = "slack": url; "syslog": target = "udp://192.0.2.1:514", tcp:// or unix:///dev/log, facility = "local0", format = "text"
#   # kind = "email": server, port = 587, tls = "starttls" ("tls", "none"), user, password, from, to = ["noc@example.net"]
#   # kind = "exec": path = "/usr/local/bin/tell", arguments = []; the document is on its standard input

[detection]
# "low" finds smaller attacks: for single servers and small links.
#floor = "default"
# False alarms that the whole deployment may raise: per day, week, month (30 days) or year.
#budget = "1 per week"
# An attack is over when nothing of it came for so long; what pulses faster is one attack.
#quiet = "60s"

[rules]
#lease = "15m"
#install_delay = "50ms"
# Prefixes that nothing may ever cut: resolvers, monitors, your own way in.
#never = []
# So much of an allowed source passes whatever else holds, unless its entry says how much; "none": all of it.
#allow_ceiling = "1000 pps"

# Filters in the kernel, on interfaces of this machine where packets arrive: attached when the daemon starts, in mode
# enforce with the rules of the attacks that go on, in mode suggest only counting what they would drop.
[dataplane]
#interfaces = []
# "nftables" where XDP is not wanted.
#engine = "xdp"
# Packets that arrive are looked at as if a router told of them.
#telemetry = true
# Rules of your own, one a line, as `spillway rules` takes them: in force in every mode while the daemon owns the interface,
# and not subject to the switch below.
#   rules = "/etc/spillway/rules.txt"
#rules_max = 1000
# A rule that would hit a larger share of honest packets or peers (0.0 to 1.0) is only suggested…
#collateral_max = 0.05
# …and so is one whose price is not known.
#blind = false
# While a host is under a SYN flood, and gets more SYNs than it usually does, its SYNs are answered by cookies: real clients
# connect, forged ones never. "host": those to this machine's own addresses, which needs `sysctl -w net.ipv4.tcp_syncookies=2`;
# "auto", or true: also what it forwards, by the kernel's SYN proxy, which must see both directions of each connection.
# "gateway", "reset" and "first" as `spillway dataplane attach --challenge` has them; "off", or false: rules only.
#challenge = "host"
# What is in force stays when the daemon ends, and the next one takes it over. Without a sign of life for so long: "dry-run" drops nothing more, "keep" goes on until the leases end.
#dead_man = "dry-run"
#dead_man_after = "60s"

# Routers that are told what to filter, divert or discard (BGP), by `spillway route`. Only what lies within `networks` is ever
# announced, each mitigation ends by itself, and all of them are in a journal in `state_dir`.
#   [routing]
#   asn = 64512
#   router_id = "192.0.2.1"
#   never = []                     # never announced, cut by no rule; peers, next hops, listeners and this host are so anyway
#   absorber_key = "/etc/spillway/absorbers.key"   # our key for absorbers; by default in state_dir, made when it is needed
#   diversion = []                 # prefixes whose return path stands, exactly as they are announced
#   lease = "15m"                  # how long a mitigation holds unless somebody says; lease_max = "86400s"
#   routes_max = 100               # at once; rules_max = 500, per_minute = 60, blackholed_share = 0.01 of your addresses
#   blackhole_ipv4 = 32            # the shortest that is announced (25 to 32); blackhole_ipv6 = 128 (64 to 128)
#   confirm = "10m"                # the engine's first of each kind, and what is wide, reverts unless `spillway route confirm`; "0s": not
#   dead_man_after = "60s"         # without the decision core, what it wanted by itself is withdrawn
#   [routing.approvals]
#   blackhole = 1                  # persons who have to agree: 1, 2 or "automatic"; flowspec and diversion likewise
#   [routing.rpki]
#   caches = ["127.0.0.1:3323"]    # RPKI caches (RFC 8210), the most trusted first; what is another AS's is refused
#   strict = false                 # refuse also what no ROA covers, and all while no cache tells; blackholes_unvalidated = false
#   [routing.drill]
#   spare = []                     # addresses that nobody needs, like "198.51.100.99/32": `spillway drill` blackholes and filters them
#   diversion = []                 # and prefixes of `routing.diversion` that it diverts
#   # probe = ["/usr/bin/ping", "-c1", "-W1", "{address}"]   # ends with 0 where it was reached, 3 at the absorber
#   [routing.ladder]               # attacks are met by routers without anybody's hand, within `mode` and the approvals above
#   steps = ["kernel", "flowspec", "diversion", "blackhole"]   # [routing.ladder.customers.NAME] (or a group's): steps and mode of its own, value = 1.0
#   plan = "protect-most-valuable" # whom absorbers, links and routers have room for when not all; or "share-the-pain"
#   hold = "5m"                    # quiet before it ends, doubled each time that the attack comes back; hold_max = "4h"
#   settle = "10s"                 # until an announcement acts and is seen to; behind = [] and before = []: exporters there
#   # [routing.health."198.51.100.7"]   # asked before and while something is in force for it; what makes it fail is withdrawn
#   # url = "http://198.51.100.7/"   # and or instead: command = ["/path/of/program", "argument"], which ends with 0
#   # every = "5s"                   # timeout = "2s"
#   [routing.links."transit"]
#   capacity = "10 Gbps"           # usual = "2 Gbps" in peace; peers = [], exporters = [] and interfaces = [] at it: empty is all
# An absorber of `diversion`. With `control` and `fingerprint` it has to confirm before a route moves (`spillway absorb --help`):
#   # [routing.absorbers."scrub-1"]
#   # prefix = "198.51.100.0/24"   # capacity = "10 Gbps" that it is trusted with at most; usual = "1 Gbps" of the prefix in peace; cost = 1.0 of a Gbps
#   # next_hop = "192.0.2.9"       # where routers lead it, if not to their `diversion_next_hop`
#   # control = "192.0.2.9:8647"   # fingerprint = "sha256:…" of `spillway absorb keys`; silence = "5s" and it is lost, linger = "30s" after a route
#   [routing.peers."upstream"]     # for rules prefer a session within its AS: others fail validation at many routers (RFC 9117)
#   address = "192.0.2.2"          # with its port, if it is not 179; asn of the router beside it
#   asn = 64500
#   carries = ["blackhole", "flowspec", "diversion"]
#   profile = "bird"               # frr, gobgp, exabgp, junos, generic; rate_packets = true and redirect = "address" or "next-hop" where it acts on them
#   local = "192.0.2.1"            # our end; families = ["ipv4", "ipv6", "ipv4-flowspec", "ipv6-flowspec"] by default as far as next hops are known
#   blackhole_next_hop = "192.0.2.66"   # also blackhole_next_hop6, diversion_next_hop, diversion_next_hop6; next_hop for all
#   blackhole_communities = ["blackhole", "no-export"]   # also diversion_communities = []
#   limit = 0                      # routes that it takes before it ends the session; ours stay below. 0: not known
#   pace = 50                      # routes a second; burst = 100; search = true may lose a session an hour for a culprit
#   hold_time = "90s"              # "240s" with BIRD; patience = "15m": a router that a full uplink silences is not given up before
#   md5_file = "/etc/spillway/upstream.key"   # or md5_env = "NAME"; ttl_security_hops = 1
#   learn = false                  # keep what it announces: `spillway route origin` says whose an address is
#   on_stop = "withdraw"           # or "keep": for restart_time, where the router does graceful restart
#   on_crash = "keep"              # or "withdraw"; restart_time = "120s"

# Names whose addresses may be exchanged for an absorber's (RFC 2136, signed by TSIG), by `spillway dns divert`: for those without
# address space of their own. It is useless while the origin's own address is known to the attacker: it has to be secret, or to take
# packets from the absorber alone.
#   [dns."main"]
#   server = "192.0.2.53"          # the zone's primary; with its port, if it is not 53
#   zone = "example.net"
#   names = ["www.example.net"]    # nothing else is ever touched, and never the zone's own SOA and NS
#   to = ["203.0.113.80", "2001:db8::80"]   # the absorber's; a family that it has not is taken off the name meanwhile
#   ttl = "30s"                    # of diverted records: how long clients still come to the absorber afterwards
#   lease_max = "86400s"           # a diversion ends by itself, at the latest after this
#   key_name = "spillway"          # algorithm = "hmac-sha256" (or "hmac-sha512")
#   key_file = "/etc/spillway/dns.key"   # the secret in base64; or key_env = "NAME"

# Every decision (rules in force, routes announced, approvals) and every disclosure stands in a log that can only grow, in the state
# folder; `spillway ledger` reads it, proves single entries, and checks such proofs without a network.
[ledger]
#enabled = true
# What the log is called, for good; nobody else may use the name. Without it: by the machine's name.
#   origin = "example.net/spillway"
# A file on another disk that remembers the head: an older copy of the whole state folder is found out by it.
#   remember = "/mnt/other/spillway.head"
# Abuse reports to the hoster or provider of a source may leave without a person having looked.
#automatic_abuse_reports = false

# Who speaks in reports to others, and who stamps evidence.
[evidence]
#organisation = ""
#contact = ""
#domain = ""
# A time stamping authority (RFC 3161) is asked when evidence is sealed; its answer is signed, so http does.
#   tsa = "http://tsa.example.net/tsr"
# How far documents for others may go (Traffic Light Protocol 2.0): clear, green, amber, amber+strict, red.
#tlp = "amber+strict"
# The daemon keeps the headers of packets of an attack while it runs, in a bag that is sealed after it (STATE_DIR/evidence).
#record = false
# What is sealed stays; beyond this no more is recorded.
#space = "10 GiB"

# Flow samples that can be asked about later: `spillway flows query`. Beyond its quota, or the age in [privacy], the oldest hour goes; the disk never fills.
[history]
#enabled = true
#quota = "2 GiB"
# The disk keeps so much free: below it the oldest samples go, then none are written.
#min_free = "1 GiB"
# What is more is thinned, and sums stay right. Hosts under attack have a budget of their own.
#samples_per_second = 20000
#attack_samples_per_second = 80000
# So long samples are in memory alone: what a power cut may cost.
#spill = "60s"
# Of the addresses of others: "pseudonym", "network" (/24, /48) or "full".
#addresses = "pseudonym"

# Who attacks: files that tell where sources are: any MaxMind DB files (country, city, network; the map takes a city file), and table dumps of routes (MRT,
# TABLE_DUMP_V2, unpacked), which routes told by BGP and BMP come on top of. What nobody knows is shown as unknown.
[intel]
# Attacks whose sources are followed at once.
#attacks = 8
#   mmdb = ["/var/lib/spillway/country.mmdb"]
#   mrt = ["/var/lib/spillway/rib.mrt"]
# A table of your own, asked before those: a line `prefix,asn,country,city,latitude,longitude` per network (degrees; what is not known is left
# empty). Own networks that stand there are on the dashboard's map.
#   places = ["/etc/spillway/places.csv"]
# Lists of others, asked of each source: an address or a prefix a line, or a table whose first line has a column `ip`. Nothing is fetched: a job of yours
# puts the files there, then `spillway control reload` reads them. Kinds: "bot" and "reflector" (reason X1, which names the list in reports),
# and "shared" (C1: resolvers, CGNAT, VPN, Tor exits; reports say that many people have the address, and are less severe).
#   [[intel.lists]]
#   name = "sinkhole"
#   file = "/var/lib/spillway/sinkhole.txt"
#   kind = "bot"

# How long what is kept of others. Attacks and samples have pseudonyms instead of foreign addresses, under a key a day; once that
# is destroyed nobody can say whose they were. Evidence, disclosures and journals are in the clear; what `spillway evidence hold` holds
# stays. `spillway privacy show` tells what there is and when it goes.
[privacy]
#attacks = "90d"
#samples = "7d"
#evidence = "30d"
#journal = "365d"
#keys = "30d"
# Packets in evidence end with their transport header. Where both of these are named, at most 64 octets more of those that match
# a rule of the attack are kept.
#   purpose = "proof of the attack's origin"
#   legal_basis = "GDPR 6(1)(f)"

[log]
# "json" for machines. Levels: error, warn, info, debug.
#format = "text"
#level = "info"
"##;
