"""Peers that nobody should have, and a page that has to live with them: it shows the others as before, says what is wrong with
each, makes no markup of what they answer, and asks nobody whom it was not told of. Called by `page.py`."""

import itertools
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

SLOW_SECONDS = 1.3
MARKUP = "<img src=x onerror=alert(1)>"

# What is planted in a document on its way to the browser, and what must be said of it.
FAULTS = [
    ("/page.js", "body", "Promise.race([answers, sleep(WAIT_MS_MAX)])", "answers", "waits for its peers"),
    ("/page.js", "body", "if (bytes > ANSWER_BYTES_MAX)", "if (false)", "of endless"),
    ("/page.js", "body", "if (!response.ok)", "if (false)", "of lost"),
    ("/page.js", "body", "made.append(...inside);", "made.innerHTML = inside.join();", "of odd"),
    ("/figures.js", "body", "if (name && Number.isFinite(Number(value)))", "if (name)", "of odd"),
    ("/", "header", "connect-src 'self'", "connect-src http:", "asks a stranger"),
]

# What the page says of each of them.
REASONS = {
    "nobody": "no answer, or none that a page of",
    "silent": "no answer in 3 s",
    "garbage": "no service of the marketplace",
    "endless": "its answer has more than 1048576 bytes",
    "lost": "it answers with the HTTP status 404",
    "elsewhere": "no answer, or none that a page of",
}


class Peers:
    """One of each kind, and a stranger, who is none of them and notes whether anybody comes."""

    def __init__(self):
        self.counts = {name: itertools.count(1) for name in ["slow", "odd"]}
        self.visits = []
        answers = [self.slow, self.garbage, self.endless, self.lost, self.elsewhere, self.odd]
        self.servers = {answer.__name__: serve(answer) for answer in answers}
        self.stranger = serve(self.strange)
        # Whoever is not accepted hears nothing, and where nobody listens any more nobody is.
        self.silent = socket.create_server(("127.0.0.1", 0))
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            self.addresses = {"nobody": address(nobody), "silent": address(self.silent)}
        self.addresses |= {name: address(server.socket) for name, server in self.servers.items()}

    def slow(self, request):
        time.sleep(SLOW_SECONDS)
        count = 100 * next(self.counts["slow"])
        return 200, metrics("slow", [("GetItem", "ok", count)])

    def garbage(self, request):
        return 200, b"\xff\xfe\0<script>alert(1)</script>\n{} {} {}"

    def endless(self, request):
        request.send_response(200)
        request.allow()
        request.end_headers()
        while True:
            request.wfile.write(b"up 1\n" * 10_000)

    def lost(self, request):
        return 404, metrics("lost", [("GetItem", "ok", 1)])

    def elsewhere(self, request):
        request.send_response(302)
        request.allow()
        request.send_header("Location", f"http://{address(self.stranger.socket)}/metrics")
        request.end_headers()

    def odd(self, request):
        count = next(self.counts["odd"])
        values = [1e308 * 10, -count, "NaN", count]
        return 200, metrics(MARKUP, [(f"{MARKUP}{place}", "ok", value) for place, value in enumerate(values)])

    def strange(self, request):
        self.visits.append(request.path)
        return 200, b"a page of somebody else"

    def end(self):
        for server in [*self.servers.values(), self.stranger]:
            server.shutdown()
            server.server_close()
        self.silent.close()


def serve(answer):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                if answered := answer(self):
                    status, body = answered
                    self.send_response(status)
                    self.allow()
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
            except OSError:
                # The browser has read enough.
                self.close_connection = True

        def allow(self):
            self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "null"))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def address(listener):
    return "%s:%s" % listener.getsockname()


def metrics(service, requests):
    lines = [f'marketplace_build_info{{marketplace_service="{service}"}} 1', "process_start_time_seconds 1"]
    for api, outcome, count in requests:
        lines.append(f'marketplace_requests_total{{api="{api}",outcome="{outcome}"}} {count}')
        lines += [f'marketplace_request_duration_seconds_bucket{{api="{api}",le="{le}"}} {count}' for le in ["0.1", "+Inf"]]
    return "\n".join([*lines, ""]).encode()


def look(browser, admin, peers, rewrites=None):
    """What is wrong with the page at `admin`, whose service has these peers and itself."""
    browser.appear(1280, 900, "light")
    browser.open(f"http://{admin}/", rewrites)
    said = "Array.from(document.querySelectorAll('section')).map((section) => section.innerText)"
    until = time.monotonic() + 12
    faults = ["nothing"]
    while faults and time.monotonic() < until:
        time.sleep(0.5)
        faults = list(unsaid(browser.run(said), peers))
    yield from faults
    yield from lingering(browser)
    yield from strangers(browser, peers)
    names = [*peers.addresses.values(), address(peers.stranger.socket)]
    others = [each for each in browser.complaints if not any(name in each for name in names)]
    if others:
        yield f"the browser complains beside peers: {others}"


def unsaid(sections, peers):
    """What is not said of a peer, or wrong."""
    for name, reason in REASONS.items():
        own = next((each for each in sections if peers.addresses[name] in each.split("\n")[0]), "")
        if "Away since" not in own or reason not in own:
            yield f"it is not told of {name} that {reason!r}, but {own!r}"
    for name, service in [("slow", "slow"), ("odd", MARKUP)]:
        own = next((each for each in sections if each.startswith(f"{service} at {peers.addresses[name]}")), None)
        if own is None or "Away since" in own or "requests" not in own:
            yield f"nothing is told of {name}, but {own!r} of {[each[:60] for each in sections]}"


def lingering(browser):
    """Whether others are waited for, and what their answers have left in the page."""
    count = "Number(document.getElementById('moment').min)"
    before = browser.run(count)
    time.sleep(6)
    if before - browser.run(count) < 4:
        yield "the page waits for its peers"
    if browser.run("document.querySelector('main img, main b b, main script') !== null"):
        yield "what a peer answers becomes markup"
    paths = "Array.from(document.querySelectorAll('path')).map((path) => path.getAttribute('d')).join(' ')"
    for where in [paths, "document.body.innerText"]:
        for word in ["NaN", "Infinity", "undefined", "∞"]:
            if word in browser.run(where):
                yield f"the page has {word} in it"


def strangers(browser, peers):
    """Whether anybody can be asked who was not named, or can ask."""
    stranger = f"http://{address(peers.stranger.socket)}/"
    ask = "fetch('{}', {{ mode: '{}' }}).then(() => 'answered', () => 'refused')"
    for mode in ["cors", "no-cors"]:
        if browser.run(ask.format(stranger, mode)) != "refused":
            yield "the page asks a stranger"
    browser.run(f"new Image().src = '{stranger}'; navigator.sendBeacon('{stranger}'); 0")
    time.sleep(0.5)
    if peers.visits:
        yield f"the page asks a stranger: {peers.visits}"
    peers.visits.clear()


def outsiders(browser, admin, peers):
    """Whether a page of somebody else can read what a service has counted, or show the page as a part of itself."""
    browser.open(f"http://{address(peers.stranger.socket)}/")
    browser.wait("document.body.innerText.includes('somebody else')", 10, "the stranger has no page")
    if browser.run(f"fetch('http://{admin}/metrics').then(() => 'read', () => 'refused')") != "refused":
        yield "a page of somebody else reads the metrics"
    frame = f"document.body.append(Object.assign(document.createElement('iframe'), {{ src: 'http://{admin}/' }}))"
    browser.run(f"{frame}, 0")
    time.sleep(1)
    [framed] = browser.call("Page.getFrameTree")["frameTree"]["childFrames"]
    if "unreachableUrl" not in framed["frame"]:
        yield f"a page of somebody else shows ours in a frame: {framed}"
