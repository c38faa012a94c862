"""A stock aiosmtpd that throws mail away: what a listener in Python costs that keeps nothing."""

import logging
import sys
import threading

from aiosmtpd.controller import Controller


class Sink:
    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        return "250 OK"


if __name__ == "__main__":
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    Controller(Sink(), hostname="127.0.0.1", port=int(sys.argv[1])).start()
    threading.Event().wait()
