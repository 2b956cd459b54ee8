"""A Chromium without a screen, and one page in it, driven over a pipe by Chromium's own protocol of JSON messages. It knows
no page; whatever the page complains of is kept in `complaints`."""

import base64
import json
import os
import select
import subprocess
import time

ANSWER_SECONDS_MAX = 30


class Browser:
    def __init__(self, profile, *more):
        to_browser, self.out = os.pipe()
        self.input, from_browser = os.pipe()
        options = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run"]
        # The sandbox refuses root, and the page is our own. Containers have little shared memory.
        options += ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]
        options += ["--disable-background-networking", "--disable-component-update", "--no-default-browser-check"]

        def as_descriptors_3_and_4():
            # Copies first, in case one of them is 3 or 4 itself.
            ends = [os.dup(to_browser), os.dup(from_browser)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            ["chromium", *options, *more, "about:blank"],
            preexec_fn=as_descriptors_3_and_4,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.received, self.number, self.session = b"", 0, None
        self.answers, self.complaints = {}, []
        # What to do with a request that is held, by where it goes; nothing is held while there is nothing.
        self.rewrites = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Asks for something, and returns the answer."""
        number = self.send(method, params)
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while number not in self.answers:
            message = self.receive(until)
            if message is None:
                raise TimeoutError(f"Chromium does not answer {method}")
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                # It may ask for something meanwhile.
                self.notice(message)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def send(self, method, params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        return self.number

    def receive(self, until):
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.input], [], [], max(until - time.monotonic(), 0))
            if not ready:
                return None
            chunk = os.read(self.input, 1 << 20)
            if not chunk:
                raise EOFError("Chromium has ended")
            self.received += chunk
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)

    def notice(self, message):
        """Keeps what the page complains of, and lets a request go on, changed if that was asked for."""
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled":
                words = [str(each.get("value", each.get("description"))) for each in params["args"]]
                self.complaints.append(" ".join(words))
            case "Log.entryAdded":
                self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Fetch.requestPaused":
                self.rewrite(params)

    def rewrite(self, paused):
        request = paused["requestId"]
        path = "/" + paused["request"]["url"].split("/", 3)[3]
        body = self.call("Fetch.getResponseBody", requestId=request)
        text = base64.b64decode(body["body"]).decode() if body["base64Encoded"] else body["body"]
        headers = paused["responseHeaders"]
        for place, before, after in self.rewrites.get(path, []):
            if place == "body":
                assert before in text, f"{before!r} is not in {path}"
                text = text.replace(before, after)
            else:
                assert any(before in header["value"] for header in headers), f"{before!r} is in no header of {path}"
                headers = [{**header, "value": header["value"].replace(before, after)} for header in headers]
        headers = [header for header in headers if header["name"].lower() != "content-length"]
        encoded = base64.b64encode(text.encode()).decode()
        self.call("Fetch.fulfillRequest", requestId=request, responseCode=200, responseHeaders=headers, body=encoded)

    def open(self, url, rewrites=None):
        """Opens a page anew, whose documents are changed like this on their way."""
        self.complaints, self.rewrites = [], rewrites or {}
        self.call("Fetch.disable")
        if self.rewrites:
            origin = url.rstrip("/")
            patterns = [{"urlPattern": origin + path, "requestStage": "Response"} for path in self.rewrites]
            self.call("Fetch.enable", patterns=patterns)
        self.call("Page.navigate", url=url)

    def run(self, expression):
        """The value of a JavaScript expression, or of what it promises, in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", expression))
        return result["result"].get("value")

    def wait(self, expression, seconds, why):
        """Waits until an expression holds."""
        until = time.monotonic() + seconds
        while not self.run(expression):
            if time.monotonic() > until:
                raise AssertionError(f"in {seconds} s: {why}")
            time.sleep(0.2)

    def press(self, key):
        for kind in ["keyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def appear(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path, whole=True):
        """Keeps a picture of the whole page, or of what has room on the screen."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


KEYS = {"Tab": 9, "ArrowLeft": 37, " ": 32}
