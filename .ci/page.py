"""Starts the four services and a benchmark, and looks at the page of one with a browser, for what people would see: figures of all
services that are more than nothing, lines that go up and down, nothing that the browser complains of, a page that fits a telephone,
and that tells of a service that dies and of its return; and with peers that answer anything, see `page_peers.py`. Called by
`.ci/page`."""

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import page_peers
from browser import Browser

PROGRAM = "target/debug/marketplace"
PICTURES = Path("target/page")
# Those that documents show.
KEPT_PICTURES = Path("services/pictures")
SERVICES = ["db_customer", "db_product", "server_buyer", "server_seller"]
FIGURES_SECONDS_MAX = 30
# Width, height and colours of each picture.
LOOKS = {"light": (1280, 900, "light"), "dark": (1280, 900, "dark"), "telephone": (320, 640, "light")}
# The same, of those that documents show, in which services are at their usual addresses.
KEPT_LOOKS = {"light": (1280, 900, "light"), "dark": (1280, 900, "dark"), "narrow": (320, 900, "light")}
USUAL_ADMIN = {name: f"127.0.0.1:{9101 + place}" for place, name in enumerate(SERVICES)}

# What is planted in a document on its way to the browser, and what must be said of it.
FAULTS = [
    ("/page.js", "body", '["requests", "requests"]', '["requests", "nothing"]', "nothing is drawn"),
    ("/figures.js", "body", '=== "ok"', '=== "fine"', "errors are counted"),
    ("/page.js", "body", "now.read.service,", '"?",', "not all services are there"),
    ("/page.js", "body", "new Page();", 'console.warn("odd"); new Page();', "the browser complains"),
    ("/", "body", "<h1>", "<h1 onclick='alert()'>", "the browser complains"),
    ("/", "body", "</body>", "<script>1</script></body>", "the browser complains"),
    ("/", "header", "connect-src 'self' ", "frame-src 'self' ", "not all services are there"),
    ("/page.css", "body", "(max-width: 44rem)", "(max-width: 4rem)", "wider than a telephone"),
    ("/page.css", "body", "color-scheme: dark)", "color-scheme: darker)", "is no dark page"),
]


class Market:
    """The four services, and a benchmark of them."""

    def __init__(self, work, admin=None):
        self.work, self.processes = work, {}
        self.listen = dict(zip(SERVICES, free_addresses(len(SERVICES))))
        self.admin = admin or dict(zip(SERVICES, free_addresses(len(SERVICES))))
        for name in SERVICES:
            self.start(name)
        self.bench()

    def start(self, name):
        arguments = [name, "--listen", self.listen[name], "--admin", self.admin[name]]
        arguments += ["--admin-peers", ",".join(self.admin.values())]
        if name.startswith("db_"):
            arguments += ["--data", str(self.work / "data")]
        else:
            arguments += ["--customer", self.listen["db_customer"], "--product", self.listen["db_product"]]
        self.run(name, arguments)
        self.wait(name)

    def watch(self, peers):
        """Starts a database beside them, which has these peers and itself, and returns its address."""
        [admin] = free_addresses(1)
        arguments = ["db_product", "--listen", "127.0.0.1:0", "--admin", admin, "--data", str(self.work / "watch")]
        self.run("watch", [*arguments, "--admin-peers", ",".join([admin, *peers])])
        self.wait("watch")
        return admin

    def wait(self, name):
        log = self.work / f"{name}.log"
        until = time.monotonic() + 30
        while "listening on" not in log.read_text():
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)

    def bench(self, rate=200):
        """Uses every API, at a rate that leaves the browser a machine to run on."""
        arguments = ["bench", "--buyer", self.listen["server_buyer"], "--seller", self.listen["server_seller"]]
        arguments += ["--mix", "shopping", "--clients", "4+4", "--rate", str(rate), "--calls", "1000000", "--runs", "1", "--retry"]
        self.run("bench", arguments)

    def run(self, name, arguments):
        with open(self.work / f"{name}.log", "w", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen([PROGRAM, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def end(self):
        for name in self.processes:
            self.kill(name)


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [page_peers.address(each) for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def figure(name, title):
    """An expression: the numbers that a service's row of the table of all services shows under a title."""
    return (
        "Array.from(document.querySelectorAll('#overview tbody tr'))"
        f".filter((row) => row.querySelector('th').firstChild.textContent === '{name}')"
        f".map((row) => parseFloat(row.querySelector('[data-title=\"{title}\"]').textContent.replaceAll(',', '')))[0]"
    )


def look(browser, market, rewrites=None):
    """What is wrong with the page while all is well."""
    browser.appear(*LOOKS["light"])
    browser.open(f"http://{market.admin['server_buyer']}/", rewrites)
    try:
        for name in SERVICES:
            seconds = FIGURES_SECONDS_MAX if rewrites is None else 15
            browser.wait(f"{figure(name, 'Requests/s')} > 0", seconds, "not all services are there")
    except AssertionError as error:
        yield f"{error}, but {browser.run('document.body.innerText.slice(0, 2000)')} {browser.complaints}"
        return
    for name in SERVICES:
        if not browser.run(f"{figure(name, 'Errors/s')} < {figure(name, 'Requests/s')}"):
            yield f"errors are counted of {name} that are none"
    time.sleep(3)
    yield from drawn(browser)
    if browser.complaints:
        yield f"the browser complains: {browser.complaints}"
    for name, (width, height, scheme) in LOOKS.items():
        browser.appear(width, height, scheme)
        time.sleep(0.5)
        if browser.run("document.documentElement.scrollWidth") > width:
            yield f"{name}: the page is wider than a telephone"
        ground = [int(part) for part in re.findall(r"\d+", browser.run("getComputedStyle(document.body).backgroundColor"))]
        if (sum(ground[:3]) < 300) != (scheme == "dark"):
            yield f"{name}: {ground} is no {scheme} page"
        if rewrites is None:
            browser.picture(PICTURES / f"{name}.png")


def drawn(browser):
    """Each chart that a service must have is there, tells what it shows, and has a line that does not lie on the ground."""
    charts = browser.run(
        "Array.from(document.querySelectorAll('section')).map((section) => ({"
        " title: section.querySelector('h2').textContent,"
        " charts: Array.from(section.querySelectorAll('figure:not([hidden]) svg')).map((svg) => ({"
        "  label: svg.getAttribute('aria-label'), line: svg.querySelector('.first').getAttribute('d') })),"
        " apis: Array.from(section.querySelectorAll('tbody th')).map((title) => title.textContent) }))"
    )
    for section in charts:
        service = section["title"].split(" ")[0]
        wanted = ["Requests and errors/s", "Response time", "Connections and calls"]
        wanted += ["Commits/s", "Time of a flush"] if service.startswith("db_") else []
        titles = [chart["label"].split(":")[0] for chart in section["charts"]]
        if titles != wanted:
            yield f"nothing is drawn of {set(wanted) ^ set(titles)} of {service}"
        for chart in section["charts"]:
            heights = {float(height) for height in re.findall(r"[ML][\d.]+ ([\d.]+)", chart["line"])}
            if len(re.findall("L", chart["line"])) < 2 or min(heights) > 95:
                yield f"nothing is drawn of {service}: {chart}"
        if not section["apis"]:
            yield f"nothing is drawn of the APIs of {service}"


def use(browser):
    """What is wrong with the keys."""
    browser.run("document.getElementById('moment').focus()")
    browser.press("ArrowLeft")
    if browser.run("document.getElementById('moment').value") != "-1" or browser.run("document.getElementById('when').textContent") == "now":
        yield "an arrow does not lead to an earlier moment"
    browser.run("document.getElementById('moment').value = 0, document.getElementById('pause').focus()")
    browser.press(" ")
    paused = browser.run("document.getElementById('pause').getAttribute('aria-pressed')")
    count = "document.getElementById('moment').min"
    before = browser.run(count)
    time.sleep(2.5)
    # One answer may have been on its way.
    if paused != "true" or int(before) - int(browser.run(count)) > 1:
        yield "a pause goes on"
    browser.press(" ")
    browser.wait(f"{count} < {before} - 1", 10, "after a pause it does not go on")


def lose(browser, market):
    """What is wrong when a service dies and comes back, of which the page must tell, and another goes on."""
    browser.complaints = []
    market.kill("db_product")
    state = "document.getElementById('state').textContent"
    browser.wait(f"{state} === 'Away: db_product.'", 10, "it is not told that a service is away")
    away = "document.querySelectorAll('section')[1].querySelector('.away')"
    if not browser.run(f"{away}.checkVisibility() && {away}.textContent.startsWith('Away since ')"):
        yield "it is not told since when"
    browser.appear(*LOOKS["light"])
    browser.picture(PICTURES / "away.png")
    market.start("db_product")
    browser.wait(f"{state} === 'All 4 services answer.'", 10, "it is not told that it is back")
    # What was in the middle when it died has failed the benchmark.
    market.kill("bench")
    market.bench()
    browser.wait(f"{figure('db_product', 'Requests/s')} > 0", FIGURES_SECONDS_MAX, "it goes on with nothing")
    others = [each for each in browser.complaints if "net::ERR_CONNECTION_REFUSED" not in each and "ERR_CONNECTION_RESET" not in each]
    if others:
        yield f"the browser complains: {others}"


# Of a page that was changed on its way, the browser does not know how near it is from, and lets it ask nobody who is nearer.
ANYBODY_IS_NEAR = "--disable-features=LocalNetworkAccessChecks"


def self_test(faults, look_with):
    """The faults that are not found by whoever looks at a page with them."""
    for path, place, before, after, expected in faults:
        found = list(look_with({path: [(place, before, after)]}))
        if not any(expected in each for each in found):
            yield f"the fault {after!r} in {path} was not found, but {found}"


def check(browsers, market, peers, watch):
    """What is wrong, in the order in which one would want to know."""
    browser = browsers()
    faults = [*look(browser, market), *use(browser), *lose(browser, market)]
    faults += page_peers.look(browser, watch, peers)
    browser.picture(PICTURES / "peers.png")
    faults += page_peers.outsiders(browser, watch, peers)
    if not faults and "--self-test" in sys.argv:
        browser = browsers(ANYBODY_IS_NEAR)
        faults += self_test(FAULTS, lambda rewrites: look(browser, market, rewrites))
        faults += self_test(page_peers.FAULTS, lambda rewrites: page_peers.look(browser, watch, peers, rewrites))
        print(f"page: {len(FAULTS + page_peers.FAULTS)} faults were planted")
    return faults


def keep_pictures(browser, market):
    """Takes the pictures that documents show: a minute of shopping, in which more and more is done for a while."""
    browser.appear(*LOOKS["light"])
    browser.open(f"http://{market.admin['server_buyer']}/")
    for rate in [200, 500, 300]:
        market.kill("bench")
        market.bench(rate)
        time.sleep(20)
    for name, look in KEPT_LOOKS.items():
        browser.appear(*look)
        # It draws each second.
        time.sleep(1.5)
        browser.picture(KEPT_PICTURES / f"page-{name}.png", whole=False)


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    is_kept = "--pictures" in sys.argv
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, contextlib.ExitStack() as stack:
        work = Path(folder)

        def browsers(*options):
            browser = Browser(work / f"browser{len(options)}", *options)
            stack.callback(browser.end)
            return browser

        market = Market(work, USUAL_ADMIN if is_kept else None)
        stack.callback(market.end)
        if is_kept:
            keep_pictures(browsers(), market)
            return
        peers = page_peers.Peers()
        stack.callback(peers.end)
        faults = check(browsers, market, peers, market.watch(peers.addresses.values()))
    if faults:
        sys.exit("\n".join(f"page: {fault}" for fault in faults))
    print(f"page: a browser shows what all four services do, whatever their peers are; {PICTURES} has pictures")


if __name__ == "__main__":
    main()
