"""Far ends for notifications: HTTP and mail on ports of the system's choice, printed as a line of JSON.

What comes is appended to the file named first, a JSON object a line. The second argument is the webhook's secret, the third, where there
is one, the file of the JSON Schema; the fourth and fifth a certificate and its key, for mail with STARTTLS and a login. By path: /ok answers 200, /slow answers after a minute, /fails answers 503, /gone 404,
/botT/sendMessage like Telegram. The signature is checked by Python's hmac.
"""

import hashlib
import hmac
import http.server
import json
import sys
import threading
import time
from email import message_from_bytes, policy

out, secret = sys.argv[1], sys.argv[2].encode()
lock = threading.Lock()

schema = None
if len(sys.argv) > 3:
    import jsonschema

    with open(sys.argv[3]) as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)


def valid(body):
    """None where there is nothing to judge by, else what is wrong, or an empty text."""
    if schema is None:
        return None
    errors = jsonschema.Draft202012Validator(schema).iter_errors(json.loads(body))
    return "; ".join(error.message for error in errors)


def keep(kind, **fields):
    with lock, open(out, "a") as file:
        file.write(json.dumps({"kind": kind, **fields}) + "\n")


class Http(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        at = self.headers.get("Spillway-Timestamp")
        signed = None
        if at:
            mac = hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
            signed = hmac.compare_digest("v1=" + mac, self.headers["Spillway-Signature"])
            signed = signed and abs(time.time() - int(at)) < 300
        document = json.loads(body)
        keep(
            "http",
            path=self.path,
            id=self.headers.get("Spillway-Id"),
            bearer=self.headers.get("Authorization"),
            signed=signed,
            wrong=valid(body) if "schema" in document else None,
            body=document,
        )
        status, answer = 200, "ok"
        if self.path == "/slow":
            time.sleep(60)
        elif self.path == "/fails":
            status, answer = 503, "not now"
        elif self.path == "/gone":
            status, answer = 404, "no_service"
        elif self.path.startswith("/bot"):
            answer = '{"ok":true,"result":{}}'
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


class Mail:
    async def handle_DATA(self, server, session, envelope):
        letter = message_from_bytes(envelope.content, policy=policy.default)
        document = next(part.get_content() for part in letter.walk() if part.get_content_type() == "application/json")
        if isinstance(document, bytes):
            document = document.decode()
        keep(
            "mail",
            rcpt=envelope.rcpt_tos,
            tls=session.ssl is not None,
            user=session.auth_data.login.decode() if session.auth_data else None,
            subject=letter["Subject"],
            id=letter["Message-ID"],
            text=letter.get_body(("plain",)).get_content(),
            wrong=valid(document),
            body=json.loads(document),
        )
        return "250 taken"


web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Http)
web.daemon_threads = True
threading.Thread(target=web.serve_forever, daemon=True).start()
ports = {"http": web.server_address[1]}
try:
    import asyncio

    from aiosmtpd.smtp import SMTP

    loop = asyncio.new_event_loop()
    factory = lambda: SMTP(Mail(), enable_SMTPUTF8=True)  # noqa: E731
    server = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", 0))
    ports["smtp"] = server.sockets[0].getsockname()[1]
    if len(sys.argv) > 5:
        import ssl

        from aiosmtpd.smtp import AuthResult

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[4], sys.argv[5])

        def may(server, session, envelope, mechanism, given):
            return AuthResult(success=given.password == secret, auth_data=given)

        covered = lambda: SMTP(  # noqa: E731
            Mail(), tls_context=context, require_starttls=True, authenticator=may, auth_required=True
        )
        server = loop.run_until_complete(loop.create_server(covered, "127.0.0.1", 0))
        ports["starttls"] = server.sockets[0].getsockname()[1]
    threading.Thread(target=loop.run_forever, daemon=True).start()
except ImportError:
    pass
print(json.dumps(ports), flush=True)
sys.stdin.read()
