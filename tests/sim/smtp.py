#!/usr/bin/python3
"""A mail server that takes nothing a strict one would not: order of commands, CRLF, lengths of lines, dots, seven bits, sizes, logins, TLS.

  smtp.py --port 2525 [--user U --password P] [--cert C --key K [--require-tls]] [--size BYTES] [--refuse ADDRESS]...

Prints each mail that it takes. In tests it runs in a thread: Server(...).mails, .refused, and .script({"at": "RCPT", "say": "550 …"}) for its next answers.
What can be scripted, "times" over (1), at CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, END (after the final dot) and QUIT:
  {"say": "451 4.3.0 later"}   this instead of its own answer     {"do": "close"}   the connection is closed at once
  {"do": "silent"}             no answer, until the client goes   {"do": "take", …} at END: the mail is taken all the same
"""
import argparse
import base64
import email
import email.policy
import re
import socket
import ssl
import sys
import threading

COMMAND_MAX, TEXT_MAX, ADVISED = 512, 1000, 78
PATH = re.compile(r"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]+)>")


class Gone(Exception):
    """The client hung up, or we did."""


class Refused(Exception):
    pass


def check_mail(raw):
    """What is wrong with a mail as RFC 5322 and 2045 have it, or None. raw: with CRLF, dots undone."""
    head = raw.split(b"\r\n\r\n", 1)[0]
    names = [line.split(b":", 1)[0].lower() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    for name in (b"date", b"from", b"to", b"subject", b"message-id", b"mime-version", b"content-type"):
        if names.count(name) != 1:
            return f"{names.count(name)} headers {name.decode()}"
    for line in head.split(b"\r\n"):
        if not re.fullmatch(rb"(?:[!-9;-~]+:[ ]?|[ \t])[ -~\t]*", line):
            return f"a line of the head that is none: {line!r}"
        if len(line) > ADVISED and b"=?" in line:
            return f"an encoded word beyond the end of its line: {line!r}"
    if b"\0" in raw or any(b > 127 for b in raw):
        return "not seven bits"
    m = email.message_from_bytes(raw, policy=email.policy.default)
    defects = [d for part in m.walk() for d in part.defects] + [d for h in m.values() for d in getattr(h, "defects", ())]
    if defects:
        return f"defects: {defects}"
    if m["Date"].datetime is None or not re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", m["Message-ID"]):
        return "Date or Message-ID"
    return None


class Session:
    def __init__(self, server, sock):
        self.server, self.sock, self.buffer, self.tls = server, sock, b"", False
        self.reset()
        self.greeted = self.authed = False

    def reset(self):
        self.sender, self.rcpt, self.eight = None, [], False

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def line(self, most):
        """Up to CRLF and without it; a bare CR or LF, or a line too long, is an end."""
        while b"\r\n" not in self.buffer:
            if b"\n" in self.buffer or len(self.buffer) > most:
                raise Refused("500 5.5.2 lines end in CRLF and are not that long")
            got = self.sock.recv(65536)
            if not got:
                raise Gone
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        if b"\n" in line or b"\r" in line or len(line) + 2 > most:
            raise Refused("500 5.5.2 lines end in CRLF and are not that long")
        return line

    def scripted(self, at):
        """True when the script answered in our place."""
        step = self.server.step(at)
        if step is None:
            return False
        if step.get("do") == "close":
            raise Gone
        if step.get("do") == "silent":
            while self.sock.recv(65536):
                pass
            raise Gone
        if "say" in step:
            self.say(step["say"])
            return True
        return False

    def run(self):
        if not self.scripted("CONNECT"):
            self.say("220 mail.test ESMTP")
        while True:
            raw = self.line(COMMAND_MAX)
            if any(b < 32 or b > 126 for b in raw):
                raise Refused("500 5.5.2 not ASCII")
            verb, _, rest = raw.decode().partition(" ")
            self.server.said.append(raw.decode())
            method = getattr(self, "do_" + verb.upper(), None)
            if not method:
                self.say("500 5.5.1 unknown command")
            elif not self.scripted(verb.upper()):
                method(rest)

    def do_HELO(self, rest):
        self.say("502 5.5.1 EHLO")

    def do_EHLO(self, rest):
        if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f.:]+\]", rest):
            self.say("501 5.5.4 a name")
            return
        self.greeted = True
        self.reset()
        offers = ["mail.test", f"SIZE {self.server.size}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self.server.context and not self.tls:
            offers.append("STARTTLS")
        if self.server.login and (self.tls or not self.server.context):
            offers.append("AUTH PLAIN LOGIN")
        self.say("\r\n".join(f"250{' ' if o is offers[-1] else '-'}{o}" for o in offers))

    def do_STARTTLS(self, rest):
        if not self.server.context or self.tls or rest:
            self.say("503 5.5.1 not now")
            return
        self.say("220 2.0.0 go ahead")
        if self.buffer:
            raise Gone  # what came before the handshake is not protected by it
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.tls, self.greeted = True, False

    def do_AUTH(self, rest):
        kind, _, first = rest.partition(" ")
        if not self.greeted or not self.server.login or self.authed or self.sender is not None:
            self.say("503 5.5.1 not now")
        elif kind.upper() == "PLAIN":
            given = self.decode(first or self.ask("334 ")).split("\0")
            self.answer_login(tuple(given[1:]))
        elif kind.upper() == "LOGIN":
            user = self.decode(first or self.ask("334 VXNlcm5hbWU6"))
            self.answer_login((user, self.decode(self.ask("334 UGFzc3dvcmQ6"))))
        else:
            self.say("504 5.5.4 PLAIN or LOGIN")

    def ask(self, text):
        self.say(text)
        return self.line(COMMAND_MAX).decode()

    def decode(self, text):
        try:
            return base64.b64decode(text, validate=True).decode()
        except ValueError:
            raise Refused("501 5.5.2 not base64") from None

    def answer_login(self, given):
        self.authed = given == self.server.login
        self.say("235 2.7.0 welcome" if self.authed else "535 5.7.8 authentication failed")

    def do_MAIL(self, rest):
        m = re.fullmatch("FROM:" + PATH.pattern + r"((?: [A-Z0-9]+(?:=[!-~]+)?)*)", rest)
        options = dict(o.partition("=")[::2] for o in (m.group(2).split() if m else []))
        if not self.greeted or self.sender is not None:
            self.say("503 5.5.1 EHLO first, one mail after the other")
        elif self.server.require_tls and not self.tls:
            self.say("530 5.7.0 must issue a STARTTLS command first")
        elif self.server.login and not self.authed:
            self.say("530 5.7.0 authentication required")
        elif not m or not set(options) <= {"SIZE", "BODY", "AUTH"}:
            self.say("501 5.5.4 syntax: MAIL FROM:<address>")
        elif int(options.get("SIZE", 0)) > self.server.size:
            self.say("552 5.3.4 message size exceeds fixed maximum")
        else:
            self.sender, self.eight = m.group(1), options.get("BODY") == "8BITMIME"
            self.say("250 2.1.0 ok")

    def do_RCPT(self, rest):
        m = re.fullmatch("TO:" + PATH.pattern, rest)
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif not m:
            self.say("501 5.5.4 syntax: RCPT TO:<address>")
        elif m.group(1) in self.server.refuse:
            self.say(f"550 5.1.1 <{m.group(1)}>: user unknown")
        else:
            self.rcpt.append(m.group(1))
            self.say("250 2.1.5 ok")

    def do_DATA(self, rest):
        if not self.rcpt:
            self.say("503 5.5.1 RCPT first")
            return
        self.say("354 end with a dot")
        lines, wrong = [], None
        while True:
            line = self.line(TEXT_MAX)
            if line == b".":
                break
            if line.startswith(b"."):
                if not line.startswith(b".."):
                    wrong = wrong or "a dot that was not doubled"
                line = line[1:]
            lines.append(line)
        raw = b"\r\n".join(lines) + b"\r\n"
        wrong = wrong or (None if self.eight or all(b < 128 for b in raw) else "eight bits without BODY=8BITMIME") or check_mail(raw)
        step = self.server.step("END")
        if not step or step.get("do") == "take" or step.get("say", "").startswith("250"):
            if wrong:
                self.server.refused.append({"why": wrong, "raw": raw})
                self.say(f"554 5.6.0 {wrong[:400]}")
                self.reset()
                return
            if len(raw) > self.server.size:
                self.say("552 5.3.4 too big")
                self.reset()
                return
            self.server.taken({"from": self.sender, "to": self.rcpt, "raw": raw, "tls": self.tls, "user": self.server.login and self.server.login[0],
                               "mail": email.message_from_bytes(raw, policy=email.policy.default)})
        self.reset()
        if step and step.get("then") == "close" or step and step.get("do") == "close":
            raise Gone
        if step and "silent" in (step.get("do"), step.get("then")):
            while self.sock.recv(65536):
                pass
            raise Gone
        self.say(step["say"] if step and "say" in step else "250 2.0.0 queued")

    def do_RSET(self, rest):
        self.reset()
        self.say("250 2.0.0 ok")

    def do_NOOP(self, rest):
        self.say("250 2.0.0 ok")

    def do_QUIT(self, rest):
        self.say("221 2.0.0 bye")
        raise Gone


class Server:
    """One thread a connection; ends with close()."""

    def __init__(self, port=0, login=None, cert=None, require_tls=False, implicit=False, size=100000, refuse=(), tell=None):
        self.login, self.require_tls, self.size, self.refuse, self.tell = login, require_tls, size, set(refuse), tell
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
        self.implicit = implicit
        self.mails, self.refused, self.steps, self.said, self.open = [], [], [], [], set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def script(self, *steps):
        with self.lock:
            self.steps.extend(dict(s) for s in steps)

    def step(self, at):
        with self.lock:
            for i, s in enumerate(self.steps):
                if s["at"] == at:
                    s["times"] = s.get("times", 1) - 1
                    if not s["times"]:
                        del self.steps[i]
                    return s
        return None

    def taken(self, mail):
        with self.lock:
            self.mails.append(mail)
        if self.tell:
            self.tell(mail)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        session = Session(self, sock)
        with self.lock:
            self.open.add(sock)
        try:
            if self.implicit:
                session.sock = self.context.wrap_socket(sock, server_side=True)
                session.tls = True
            session.run()
        except Refused as refused:
            self.refused.append({"why": str(refused), "raw": session.buffer})
            session.say(str(refused))
        except (Gone, OSError):
            pass
        finally:
            with self.lock:
                self.open.discard(sock)
            session.sock.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            left = list(self.open)
        for sock in left:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join()


def show(mail):
    m = mail["mail"]
    print("From %s to %s%s" % (mail["from"], ", ".join(mail["to"]), ", by TLS" if mail["tls"] else ""))
    for name in ("Subject", "Message-ID", "In-Reply-To"):
        print("%s: %s" % (name, m[name]))
    print("\n%s" % m.get_body(("plain", "html")).get_content(), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0, help="0: one that is free")
    p.add_argument("--user", help="a login is wanted")
    p.add_argument("--password", default="")
    p.add_argument("--cert", help="offers STARTTLS, PEM")
    p.add_argument("--key")
    p.add_argument("--require-tls", action="store_true")
    p.add_argument("--size", type=int, default=100000, help="the longest mail it takes")
    p.add_argument("--refuse", action="append", default=[], help="an address that is unknown here")
    o = p.parse_args()
    server = Server(o.port, (o.user, o.password) if o.user else None, (o.cert, o.key) if o.cert else None, o.require_tls, size=o.size, refuse=o.refuse, tell=show)
    print("smtp://127.0.0.1:%d" % server.port, flush=True)
    try:
        server.thread.join()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
