"""Mail by SMTP (RFC 5321), sent from a queue: who asks for one waits for nothing, and learns nothing from how long it takes."""

import asyncio
import logging
import smtplib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from prometheus_client import Counter

from stores.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 20.0
TRIES: Final = 3
RETRY_S: Final = 5.0
MOST_QUEUED: Final = 1_000

FAILED: Final = Counter("logcast_mail_failed_total", "Mails that the mail server did not take")

Job = Callable[[], Awaitable[EmailMessage | None]]
"""Makes a mail, or finds that there is none to send."""


class MailError(Exception):
    """The mail server must not be used so."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over: `smtp://USER:PASSWORD@HOST:587` or `smtps://…:465`."""

    host: str
    port: int
    tls_at_once: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of_url(cls, url: str) -> Self:
        """The server of a setting that has been checked."""
        parts = urlsplit(url)
        at_once = parts.scheme == "smtps"
        port = parts.port or (465 if at_once else 587)
        return cls(parts.hostname or "", port, at_once, unquote(parts.username or ""), unquote(parts.password or ""))

    def send(self, message: EmailMessage) -> None:
        """Hand a mail over; blocks.

        Raises:
            OSError, smtplib.SMTPException: it was not taken.
            MailError: a password would go over the net unencrypted.
        """
        context = ssl.create_default_context()
        with self._connected(context) as server:
            server.ehlo()
            if not self.tls_at_once and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            elif self.user and not self.tls_at_once and not _is_loopback(self.host):
                raise MailError(f"the mail server {self.host} offers no STARTTLS; use smtps:// or one that does")
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)

    def _connected(self, context: ssl.SSLContext) -> smtplib.SMTP:
        if self.tls_at_once:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)


class Mail:
    """The queue of mails of one gateway; open it to have them sent."""

    def __init__(self, settings: Settings, retry_s: float = RETRY_S) -> None:
        url = settings.smtp_url.get_secret_value()
        self._server = MailServer.of_url(url) if url else None
        self._sender = settings.mail_from or f"logcast@{settings.public_host}"
        self._retry_s = retry_s
        self._jobs: asyncio.Queue[Job] = asyncio.Queue(MOST_QUEUED)

    @property
    def is_set(self) -> bool:
        """Whether there is a mail server."""
        return self._server is not None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Send what is put in, one mail after the other, until closed."""
        sending = asyncio.create_task(self._send_for_ever(), name="mail") if self.is_set else None
        try:
            yield self
        finally:
            if sending is not None:
                sending.cancel()
                await asyncio.wait({sending})

    def put(self, job: Job) -> bool:
        """Have a mail made and sent later; False when too many wait."""
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            return False
        return True

    def message(self, to: str, subject: str, text: str) -> EmailMessage:
        """A mail of plain text from the setting's sender; header fields refuse line breaks themselves."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message

    async def _send_for_ever(self) -> None:
        while True:
            job = await self._jobs.get()
            try:
                message = await job()
                if message is not None:
                    await self._send(message)
            except Exception:
                FAILED.inc()
                log.exception("a mail was not sent")

    async def _send(self, message: EmailMessage) -> None:
        assert self._server is not None
        for left in reversed(range(TRIES)):
            try:
                await asyncio.to_thread(self._server.send, message)
            except (OSError, smtplib.SMTPException) as error:
                if left == 0 or (isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500):
                    raise
                await asyncio.sleep(self._retry_s)
            else:
                return


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
