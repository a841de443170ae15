//! The files of `[intel]`, opened as the daemon would, to say what is wrong before it goes on without them.

use super::lists;
use super::places::{Home, Refused, Shelf};
use crate::config::{Config, Problem};

/// What is wrong with each file that cannot be used, where the configuration names it; and what it tells nobody, though it may be
/// right.
pub fn files(config: &Config) -> (Vec<Problem>, Vec<String>) {
    let home = Home::of(config);
    let (shelf, refused) = Shelf::open(&config.intel, &home, &Shelf::default());
    let places = refused.into_iter().map(|Refused { named, cause, .. }| (named, cause));
    let list = |file| lists::read(file).err().map(|cause| (file.name.span().start, cause));
    let mut wrong: Vec<_> = places.chain(config.intel.lists.iter().filter_map(list)).collect();
    wrong.sort_by_key(|(at, _)| *at);
    let problem = |(at, cause): (usize, anyhow::Error)| {
        let message = format!("{cause:#}; without it the daemon goes on, and knows less");
        Problem::at(&config.path, &config.written.0, at, message)
    };
    let files = shelf.files(&home);
    // What routers and neighbours will tell, nobody knows yet.
    let told = config.listen.bmp.is_some()
        || config.routing.as_ref().is_some_and(|routing| routing.routers.iter().any(|router| router.learn));
    let mut silent: Vec<u32> =
        home.neighbours.into_iter().filter(|asn| !told && !files.names(*asn)).collect();
    silent.sort_unstable();
    silent.dedup();
    let note = |asn: u32| {
        format!(
            "no path of a table dump (`mrt` in [intel]) names AS{asn}, and nobody tells routes (`bmp` in [listen], `learn` of a router): \
             who is behind it is not known, and at its interfaces with `cone` nobody gets B3"
        )
    };
    (wrong.into_iter().map(problem).collect(), silent.into_iter().map(note).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sim::dump::{record, sequence};

    use super::*;

    #[test]
    fn each_file_that_cannot_be_used_is_told_where_it_is_named_and_who_tells_nothing_is_noted() {
        let folder = std::env::temp_dir().join(format!("spillway-checked-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, octets: &[u8]| {
            std::fs::write(folder.join(name), octets).unwrap();
            folder.join(name).display().to_string()
        };
        let routes = record("20.0.0.0/8".parse().unwrap(), &[vec![sequence(&[64_500, 64_501])]]);
        let (whole, cut) = (write("rib.mrt", &routes), write("cut.mrt", &routes[..20]));
        let (mmdb, table) = (write("x.mmdb", b"none"), write("places.csv", b"20.0.0.0/8\n"));
        let (list, bad) = (write("good.txt", b"9.9.9.9\n"), write("bad.txt", b"# others\nnobody\n"));
        let text = format!(
            "networks = [\"198.51.100.0/24\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n[exporters.\"192.0.2.1\".interfaces]\n\
             1 = {{ asn = 64500, cone = true }}\n2 = {{ asn = 64499, cone = true }}\n3 = {{ asn = 64498 }}\n[intel]\n\
             mmdb = [\"{mmdb}\"]\nmrt = [\"{whole}\", \"{cut}\", \"/nowhere.mrt\"]\nplaces = [\"{table}\"]\n\
             [[intel.lists]]\nname = \"good\"\nfile = \"{list}\"\nkind = \"bot\"\n\
             [[intel.lists]]\nname = \"bad\"\nfile = \"{bad}\"\nkind = \"bot\"\n"
        );
        let config = Config::parse(Path::new("x.toml"), &text).unwrap();
        let (wrong, notes) = files(&config);
        let column = 8 + whole.len() + 4;
        let places = [(9, 9), (10, column), (10, column + cut.len() + 4), (11, 11), (17, 8)];
        let said =
            ["x.mmdb", "cut.mrt", "/nowhere.mrt: cannot be read", "places.csv: line 1", "bad.txt: line 2"];
        assert_eq!(wrong.len(), places.len(), "{wrong:?}");
        for ((one, (line, column)), says) in wrong.iter().zip(places).zip(said) {
            assert_eq!((one.line, one.column), (Some(line), Some(column)), "{one}");
            assert!(one.message.contains(says), "{one}");
        }
        assert!(notes.len() == 1 && notes[0].contains("AS64499"), "{notes:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
