#!/usr/bin/python3
"""An SMTP server that keeps what it takes: smtp_sink.py FOLDER PORT OPTIONS(JSON). Each mail becomes a file in FOLDER.

Options: certificate, key, implicit (TLS from the first byte), username, password. FOLDER/behaviour.json is read at each
command: {"rcpt": {ADDRESS: ANSWER}, "data": ANSWER, "hang": true, "die": true}, the last two once the mail is kept and
not answered yet."""

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


class Keeper:
    def __init__(self, folder):
        self.folder = folder
        self.count = len(list(folder.glob("*.mail")))

    def behaviour(self):
        try:
            return json.loads((self.folder / "behaviour.json").read_text())
        except FileNotFoundError:
            return {}

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        refusal = self.behaviour().get("rcpt", {}).get(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 taken"

    async def handle_DATA(self, server, session, envelope):
        behaviour = self.behaviour()
        if "data" in behaviour:
            return behaviour["data"]
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos,
                "tls": server.transport.get_extra_info("sslcontext") is not None,
                "authenticated": session.authenticated is True,
                "content": envelope.original_content.decode("ascii")}
        part = self.folder / "part"
        part.write_text(json.dumps(mail))
        part.rename(self.folder / f"{self.count:04}.mail")
        self.count += 1
        if behaviour.get("die"):
            os._exit(9)
        if behaviour.get("hang"):
            await asyncio.sleep(600)
        return "250 2.0.0 kept"


async def serve(folder, port, options):
    context = None
    if "certificate" in options:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["certificate"], options["key"])
    implicit = options.get("implicit", False)

    def authenticate(server, session, envelope, mechanism, data):
        good = (data.login.decode(), data.password.decode()) == (options["username"], options["password"])
        return AuthResult(success=good, handled=False)

    def connection():
        starttls = context if not implicit else None
        more = {}
        if "username" in options:
            more = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": starttls is not None}
        return SMTP(keeper, hostname="sink.example", tls_context=starttls, require_starttls=starttls is not None,
                    **more)

    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", port, ssl=context if implicit else None)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))
