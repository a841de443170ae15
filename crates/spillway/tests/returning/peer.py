"""What stands at the far ends of tunnels in tests, and shares nothing with us: a tunnel's end on a TUN device, a server, a client.

The kernel itself reads and writes the outer headers (raw sockets), puts fragments together, and routes what is inside.
"""
import fcntl
import http.client
import http.server
import os
import select
import socket
import struct
import sys
import threading


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def end(kind, local, remote, name):
    """Takes packets out of a tunnel into a device, and the other way round."""
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))
    by = {}
    for protocol in [47] if kind == "gre" else [4, 41]:
        by[protocol] = socket.socket(family(local), socket.SOCK_RAW, protocol)
        # SO_RCVBUFFORCE
        by[protocol].setsockopt(socket.SOL_SOCKET, 33, 1 << 23)
        by[protocol].bind((local, 0))
    print("ready", flush=True)
    while True:
        for one in select.select([tun, *by.values()], [], [])[0]:
            if one == tun:
                inner = os.read(tun, 65536)
                six = inner[0] >> 4 == 6
                if kind == "gre":
                    sock, inner = by[47], struct.pack("!HH", 0, 0x86DD if six else 0x0800) + inner
                else:
                    sock = by[41 if six else 4]
                try:
                    sock.sendto(inner, (remote, 0))
                except OSError as error:
                    print(error, file=sys.stderr)
                continue
            packet, source = one.recvfrom(65536)
            if source[0] != remote:
                continue
            if one.family == socket.AF_INET:
                packet = packet[(packet[0] & 15) * 4 :]
            if kind == "gre":
                if packet[:2] != b"\0\0" or packet[2:4] not in (b"\x08\0", b"\x86\xdd"):
                    print("odd GRE", packet[:4].hex(), file=sys.stderr)
                    continue
                packet = packet[4:]
            try:
                os.write(tun, packet)
            except OSError as error:
                print(error, file=sys.stderr)


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /N gives N octets, PUT says how many it got."""

    protocol_version = "HTTP/1.1"

    def give(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.give(b"x" * int(self.path[1:]))

    def do_PUT(self):
        left = total = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        self.give(str(total).encode())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


def serve():
    """HTTP at port 80, and datagrams come back from port 54; at other ports they are swallowed."""
    echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    echo.bind(("::", 54))

    def answer():
        while True:
            datagram, source = echo.recvfrom(65536)
            echo.sendto(datagram[:64], source)

    threading.Thread(target=answer, daemon=True).start()
    server = Server(("::", 80), Handler)
    print("ready", flush=True)
    server.serve_forever()


def web(address, octets):
    """Octets that a page brought, and that the server got."""
    link = http.client.HTTPConnection(address, 80, timeout=20)
    link.request("GET", f"/{octets}")
    got = len(link.getresponse().read())
    link.request("PUT", "/", b"y" * int(octets))
    print(got, link.getresponse().read().decode())


def path(address):
    """What the kernel knows of the way to an address after one datagram as long as its link takes."""
    s = socket.socket(family(address), socket.SOCK_DGRAM)
    level, discover, mtu, front = (41, 23, 24, 48) if ":" in address else (0, 10, 14, 28)
    s.setsockopt(level, discover, 2)
    s.connect((address, 9))
    s.send(bytes(1500 - front))
    s.settimeout(5)
    try:
        s.recv(1)
    except OSError as error:
        print(s.getsockopt(level, mtu), error.errno)


def datagrams(address, port, count, size, cut):
    """How many of so many datagrams came back; those with `cut` may be cut on their way."""
    s = socket.socket(family(address), socket.SOCK_DGRAM)
    if ":" not in address:
        # What it has learned about the way does not count (IP_PMTUDISC_INTERFACE), or it may not be cut.
        s.setsockopt(0, 10, 4 if cut == "cut" else 2)
    s.settimeout(1)
    back = 0
    for _ in range(int(count)):
        s.sendto(bytes(int(size)), (address, int(port)))
        if port == "54":
            try:
                back += len(s.recv(65536)) > 0
            except TimeoutError:
                pass
    print(back)


def plain(*names):
    """Sums are computed where packets are sent: nothing completes what a driver gets from a program."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for name in names:
        import array

        value = array.array("B", struct.pack("II", 0x17, 0))
        fcntl.ioctl(s, 0x8946, struct.pack("16sP", name.encode(), value.buffer_info()[0]))


{"end": end, "serve": serve, "web": web, "path": path, "datagrams": datagrams, "plain": plain}[sys.argv[1]](*sys.argv[2:])
