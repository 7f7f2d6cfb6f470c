"""A small mail server (RFC 5321) on a real socket: takes mail, keeps it, and asks for a password when it has one."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

TAKEN = "250 taken"


@dataclass
class SmtpServer:
    """What has come in.

    Attributes:
        refusals: answers to the next mails; those that are not TAKEN refuse them.
    """

    port: int = 0
    user: str = ""
    password: str = ""
    received: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        authenticated, sender, recipients = not self.user, "", list[str]()

        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        say("220 test.example ESMTP")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb = line.upper()
            if verb.startswith("EHLO"):
                say("250-test.example")
                say("250 AUTH PLAIN")
            elif verb.startswith("AUTH PLAIN "):
                _, user, password = base64.b64decode(line.split(" ", 2)[2]).decode().split("\0")
                authenticated = (user, password) == (self.user, self.password)
                say("235 welcome" if authenticated else "535 who are you")
            elif verb.startswith("MAIL FROM:"):
                sender, recipients = line[10:].split(">")[0].strip(" <"), []
                say("250 OK" if authenticated else "530 who are you")
            elif verb.startswith("RCPT TO:"):
                recipients.append(line[8:].strip(" <>"))
                say("250 OK")
            elif verb == "DATA":
                say("354 go on")
                data = (await reader.readuntil(b"\r\n.\r\n"))[:-5].replace(b"\r\n..", b"\r\n.")
                answer = self.refusals.pop(0) if self.refusals else TAKEN
                say(answer)
                if answer == TAKEN:
                    self.received.append((sender, recipients, message_from_bytes(data, policy=policy.default)))
                    self.arrived.set()
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("250 OK")
        writer.close()


@asynccontextmanager
async def smtp_server(user: str = "", password: str = "") -> AsyncIterator[SmtpServer]:
    """Run one on a free port of 127.0.0.1."""
    server = SmtpServer(user=user, password=password)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()
