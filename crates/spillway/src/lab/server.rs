//! The protected server: nginx, on IPv4 and IPv6.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::namespace::Namespace;
use super::process::Running;
use crate::folder::Folder;

/// Where it listens.
pub(super) const PORT: u16 = 80;
/// Pictures, of which each visitor sees one.
pub(super) const PICTURES: u32 = 8;
/// Connections that wait until they are accepted; also half-open ones, where there are no cookies.
const BACKLOG: u32 = 511;
/// Until it has to serve.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts it and waits until it answers at this address. A page is three small files; `/big` has 100 KiB.
pub(super) fn start(at: &Namespace, address: IpAddr, folder: &Folder) -> anyhow::Result<Running> {
    let root = folder.path().display();
    let web = folder.path().join("web");
    fs::create_dir(&web)?;
    fs::write(web.join("index.html"), "p".repeat(1 << 10))?;
    fs::write(web.join("style.css"), "s".repeat(600))?;
    fs::write(web.join("big"), "b".repeat(100 << 10))?;
    for n in 0..PICTURES {
        fs::write(web.join(format!("picture{n}")), "i".repeat(700 + 100 * usize::try_from(n).unwrap_or(0)))?;
    }
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {root}/nginx.pid; error_log stderr;\n\
         events {{ worker_connections 8192; }}\n\
         http {{ access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
         fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;\n\
         server {{ listen {PORT} backlog={BACKLOG}; listen [::]:{PORT} backlog={BACKLOG}; root {root}/web; }} }}\n"
    );
    let config = folder.path().join("nginx.conf");
    fs::write(&config, text).context("cannot write nginx's configuration")?;
    let mut command = at.command("nginx");
    command.arg("-c").arg(&config);
    let mut running = Running::spawn(command, folder.path(), "nginx")?;
    let deadline = Instant::now() + PATIENCE;
    let address = SocketAddr::new(address, PORT);
    while !at.inside(move || TcpStream::connect(address).is_ok())?.join()? {
        running.check(folder)?;
        if Instant::now() > deadline {
            bail!("nginx does not serve after {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(running)
}
