"""The cases of the Autobahn WebSocket test suite against an echo server.

    python3 suite.py ws://127.0.0.1:PORT/PATH [CASE...]

The suite's own client runs on Python 2 alone, so the cases come from its package and the client is here. A case judges what came, how the
connection was closed and with which code. Says one line for each case that is not OK, then how many there were; fails if one has failed.
"""

import asyncio
import importlib.util
import os
import re
import struct
import sys
import types
from pathlib import Path
from urllib.parse import urlsplit

# The suite's text is of Python 2, where strings are bytes; here they are strings of as many characters below 256.
CHANGES = [
    (r"^(\s*)print\b.*$", r"\1pass"),
    (r"\(object, Case, \)", "(Case,)"),
    (r"binascii\.b2a_hex", "repr"),
    (r"\bxrange\b", "range"),
    (r" / self\.p\.autoFragmentSize", " // self.p.autoFragmentSize"),
]
CATEGORIES = ["1", "2", "3", "4", "5", "6", "7", "9", "10"]
AT_ONCE = 8
# So many times the suite's delays: what it expects to have happened after one has, on a machine that has much else to do, too.
PATIENCE = 4
# A case says itself how long it may take, but for those that wait for the other side.
LIMIT = 120
CONTINUATION, CLOSE, PING, PONG = 0, 8, 9, 10
GOOD = ("OK", "INFORMATIONAL")


class Constants:
    """What the cases take from the library of the suite."""

    STATE_CLOSED, STATE_OPEN = 0, 3
    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007


class Validator:
    """Tells the prefixes of a text that end with a character from the others."""

    def reset(self):
        pass

    def validate(self, text):
        try:
            text.encode("latin-1").decode()
        except UnicodeDecodeError:
            return (False, False)
        return (True, True)


def load():
    """The classes of all cases by their numbers."""
    for name, content in [("protocol", {"WebSocketProtocol": Constants}), ("utf8validator", {"Utf8Validator": Validator})]:
        module = types.ModuleType(name)
        vars(module).update(content)
        sys.modules[f"autobahn.websocket.{name}"] = module
    sys.modules["autobahn"] = sys.modules["autobahn.websocket"] = types.ModuleType("autobahn")
    # Not imported: the package itself is of Python 2.
    [package] = [Path(path) / "autobahntestsuite/case" for path in sys.path if (Path(path) / "autobahntestsuite/case").is_dir()]
    lists = re.sub(r"(?m)^#.*$", "", (package / "__init__.py").read_text().partition("\nCases = []")[2])
    listed = {name.lower() for name in re.findall(r"\bCase\d+_\w+", lists)}
    cases = {}

    def module(name):
        if name in sys.modules:
            return sys.modules[name]
        text = (package / f"{name}.py").read_text(encoding="utf-8" if name == "case6_x_x" else "latin-1")
        for pattern, replacement in CHANGES:
            text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        for needed in re.findall(r"^from (case\w*) import", text, re.MULTILINE):
            module(needed)
        made = sys.modules[name] = types.ModuleType(name)
        exec(compile(text, name, "exec"), vars(made))
        return made

    for path in package.glob("case*_*.py"):
        if re.match(r"case(\d+)", path.stem)[1] not in CATEGORIES or path.stem.lower() not in listed:
            continue
        for name, value in list(vars(module(path.stem)).items()):
            # Some are made by a loop, and listed as a whole.
            for case in value if isinstance(value, list) else [value]:
                if isinstance(case, type) and name.lower() in listed:
                    cases[tuple(int(part) for part in case.__name__.removeprefix("Case").split("_"))] = case
    return dict(sorted(cases.items()))


def head(first, length):
    """A frame's header up to the mask."""
    if length < 126:
        return struct.pack("!BB", first, 0x80 | length)
    if length < 1 << 16:
        return struct.pack("!BBH", first, 0x80 | 126, length)
    return struct.pack("!BBQ", first, 0x80 | 127, length)


def mask(payload):
    """The mask and the payload under it."""
    key = os.urandom(4)
    stream = (key * (len(payload) // 4 + 1))[: len(payload)]
    return key + (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")


class Client(Constants):
    """What the cases call the protocol: one connection, for one of them."""

    def __init__(self, case, url):
        self.url = url
        self.state = self.STATE_CLOSED
        self.connectionWasOpen = self.closedByMe = self.failedByMe = self.droppedByMe = self.wasClean = False
        self.remoteCloseCode = self.localCloseReason = None
        self.autoFragmentSize = 0
        self.createWirelog = False
        self.txFrameStats = {}
        self.factory = types.SimpleNamespace(isServer=False)
        self.timers = []
        # What is sent: bytes, each in a segment of its own.
        self.out = asyncio.Queue()
        self.message = b""
        self.case = case(self)

    # What a case does.

    def enableWirelog(self, _):
        pass

    def sendFrame(self, opcode, payload="", fin=True, rsv=0, mask=None, payload_len=None, chopsize=None, sync=False):
        payload = payload.encode("latin-1")
        if payload_len is not None:
            payload = (payload * (payload_len // max(len(payload), 1) + 1))[:payload_len]
        self.write(opcode, payload, fin, rsv, chopsize)

    def write(self, opcode, payload, fin=True, rsv=0, chopsize=None):
        self.txFrameStats[opcode] = self.txFrameStats.get(opcode, 0) + 1
        frame = head(fin << 7 | rsv << 4 | opcode, len(payload)) + mask(payload)
        size = chopsize or len(frame)
        for start in range(0, len(frame), size):
            self.out.put_nowait(frame[start : start + size])

    def sendMessage(self, payload, isBinary=False, fragmentSize=None, **_):
        payload = payload.encode("latin-1")
        # As the suite's library does it: an empty frame ends a message that has no rest.
        size = fragmentSize or self.autoFragmentSize or len(payload) + 1
        opcode = 2 if isBinary else 1
        for start in range(0, len(payload) + 1, size):
            self.write(opcode, payload[start : start + size], fin=start + size > len(payload))
            opcode = CONTINUATION

    def beginMessage(self, isBinary=False):
        self.opcode = 2 if isBinary else 1

    def beginMessageFrame(self, length):
        """The header alone; what follows of the payload is under a mask of zeros."""
        self.out.put_nowait(head(self.opcode, length) + bytes(4))
        self.opcode = CONTINUATION

    def sendMessageFrameData(self, payload, **_):
        self.out.put_nowait(payload.encode("latin-1"))

    def endMessage(self):
        self.write(CONTINUATION, b"")

    def sendClose(self, code=None, reason=None):
        """Begins the closing handshake, once."""
        if self.state == self.STATE_OPEN and not self.closedByMe:
            self.sendCloseFrame(code, (reason or "").encode().decode("latin-1"))

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        self.closedByMe = True
        payload = struct.pack("!H", code) if code is not None else b""
        self.write(CLOSE, payload + (reasonUtf8 or "").encode("latin-1"))

    def later(self, delay, act):
        def if_open():
            if self.state != self.STATE_CLOSED:
                act()

        self.timers.append(asyncio.get_running_loop().call_later(delay * PATIENCE, if_open))

    def continueLater(self, delay, act, tag=None):
        self.later(delay, act)

    def closeAfter(self, delay):
        self.later(delay, self.sendClose)

    def killAfter(self, delay):
        self.later(delay, self.fail)

    def fail(self):
        self.failedByMe = self.closedByMe = self.droppedByMe = True
        self.state = self.STATE_CLOSED
        self.out.put_nowait(None)

    # What happens.

    async def run(self):
        """Runs the case to its end; returns what it says."""
        url = urlsplit(self.url)
        self.reader, self.writer = await asyncio.open_connection(url.hostname, url.port, limit=1 << 20)
        sender = None
        try:
            await asyncio.wait_for(self.handshake(url), LIMIT)
            self.state, self.connectionWasOpen = self.STATE_OPEN, True
            sender = asyncio.create_task(self.send())
            self.case.onOpen()
            await asyncio.wait_for(self.receive(), LIMIT)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.TimeoutError:
            self.droppedByMe = True
        finally:
            self.state = self.STATE_CLOSED
            for timer in self.timers:
                timer.cancel()
            if sender:
                sender.cancel()
            self.writer.close()
        self.case.onConnectionLost(self.failedByMe)
        return self.case

    async def handshake(self, url):
        lines = [
            f"GET {url.path} HTTP/1.1", f"Host: {url.netloc}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "\r\n",
        ]  # fmt: skip
        self.writer.write("\r\n".join(lines).encode())
        answer = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.splitlines()[0] or b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" not in answer:
            sys.exit(f"no WebSocket: {answer.decode()}")

    async def send(self):
        try:
            while (segment := await self.out.get()) is not None:
                self.writer.write(segment)
                await self.writer.drain()
                # Then the system has sent it, mostly.
                await asyncio.sleep(0)
            self.writer.transport.abort()
        except ConnectionError:
            pass

    async def receive(self):
        while True:
            first, second = await self.reader.readexactly(2)
            opcode, length = first & 15, second & 127
            if first & 0x70 or second & 0x80 or opcode not in (0, 1, 2, 8, 9, 10):
                raise ValueError(f"a frame that begins with {first:x} {second:x}")
            if length > 125:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
            payload = await self.reader.readexactly(length)
            if opcode == CLOSE:
                return await self.on_close(payload)
            if self.state == self.STATE_OPEN:
                self.on_frame(opcode, first & 0x80, payload)

    def on_frame(self, opcode, fin, payload):
        if opcode == PING:
            self.write(PONG, payload)
            self.case.onPing(payload.decode("latin-1"))
        elif opcode == PONG:
            self.case.onPong(payload.decode("latin-1"))
        else:
            self.kind = opcode or self.kind
            self.message += payload
            if fin:
                message, self.message = self.message, b""
                self.case.onMessage(message.decode("latin-1"), self.kind == 2)

    async def on_close(self, payload):
        code = int.from_bytes(payload[:2], "big") if payload else None
        self.remoteCloseCode = code
        self.wasClean = True
        if not self.closedByMe:
            self.write(CLOSE, payload[:2])
        # It is the server's to end the connection.
        try:
            rest = await asyncio.wait_for(self.reader.read(1), 10)
        except asyncio.TimeoutError:
            self.droppedByMe = True
        else:
            self.wasClean = not rest
        self.case.onClose(self.wasClean, code, payload[2:].decode())


async def main(url, wanted):
    cases = load()
    if wanted:
        cases = {number: case for number, case in cases.items() if ".".join(map(str, number)) in wanted}
    places, failed, ok = asyncio.Semaphore(AT_ONCE), 0, 0

    async def run(number, case):
        nonlocal failed, ok
        async with places:
            try:
                case = await Client(case, url).run()
                behavior, close, why = case.behavior, case.behaviorClose, f"{case.result} {case.resultClose}"
            except (ValueError, struct.error) as error:
                behavior, close, why = "FAILED", "FAILED", error
        good = behavior in GOOD and close in GOOD
        ok += good
        failed += not good
        if not good:
            print(".".join(map(str, number)), behavior, close, why)

    await asyncio.gather(*(run(number, case) for number, case in cases.items()))
    print(f"{len(cases)} cases, {ok} good, {failed} not")
    return failed


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1], sys.argv[2:])) else 0)
