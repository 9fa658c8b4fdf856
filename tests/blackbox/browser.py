"""A headless Chromium driven by the DevTools protocol over a pipe (no websocket, no port, no package but chromium itself).

    with Browser() as browser:
        page = browser.page(width=375, theme="dark")
        page.goto(url)
        page.type("#name", "lin")
        page.follow("button.primary")          # click, and wait for the page that comes
        page.wait("document.querySelector('.badge')", "a badge")
        page.screenshot("overview.png")
        page.clean()                           # no error in the console, nothing refused by the content security policy

Each page has cookies of its own unless `like=` names a page whose cookies it shares. Clicks and keys are the browser's own, so what is
hidden, covered or disabled cannot be clicked. Waiting is for a condition, with a bound.
"""
import base64
import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from harness import BOUND, wait_for

KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "ArrowDown": (40, ""), "ArrowUp": (38, ""), " ": (32, " ")}


class BrowserError(AssertionError):
    """What the browser said that it could not do."""


class Browser:
    """One Chromium, in a folder of its own, ended with the test."""

    def __init__(self, args=()):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if not program:
            raise unittest.SkipTest("chromium is not installed")
        self.folder = tempfile.mkdtemp(prefix="sw-browser-")
        to_r, self.to = os.pipe()
        self.back, from_w = os.pipe()
        # Above what the child needs at 3 and 4, so that one cannot overwrite the other.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_r, from_w)]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        flags = ["--headless", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-dev-shm-usage", "--mute-audio",
                 "--no-proxy-server", "--force-color-profile=srgb", "--lang=en", f"--user-data-dir={self.folder}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.p = subprocess.Popen([program, *flags, *args, "about:blank"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, close_fds=False,
                                  preexec_fn=place, start_new_session=True)
        for fd in (to_r, from_w, *high):
            os.close(fd)
        self.lock = threading.Lock()
        self.answers, self.pages, self.number = {}, {}, 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.call("Browser.getVersion")

    def read(self):
        rest = b""
        while True:
            try:
                data = os.read(self.back, 1 << 20)
            except OSError:
                data = b""
            if not data:
                break
            rest += data
            *whole, rest = rest.split(b"\0")
            for one in whole:
                self.take(json.loads(one))
        for waiting in list(self.answers.values()):
            waiting.put({"error": {"message": "the browser is gone"}})

    def take(self, message):
        if "id" in message:
            waiting = self.answers.pop(message["id"], None)
            if waiting:
                waiting.put(message)
        elif message.get("sessionId") in self.pages:
            self.pages[message["sessionId"]].event(message["method"], message["params"])

    def call(self, method, session=None, **params):
        """One command of the protocol; its result."""
        waiting = queue.Queue()
        with self.lock:
            self.number += 1
            message = {"id": self.number, "method": method, "params": params}
            if session:
                message["sessionId"] = session
            self.answers[self.number] = waiting
            os.write(self.to, json.dumps(message).encode() + b"\0")
        try:
            answer = waiting.get(timeout=BOUND)
        except queue.Empty:
            raise BrowserError(f"{method}: no answer in {BOUND:g} s") from None
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def page(self, like=None, **kwargs):
        """A new page; width, height, theme, phone, scripts: see Page.look."""
        context = like.context if like else self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target, context)
        self.pages[session] = page
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.look(**kwargs)
        return page

    def close(self):
        try:
            self.call("Browser.close")
        except BrowserError:
            pass
        os.close(self.to)
        try:
            self.p.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self.p.pid, signal.SIGKILL)
            self.p.wait()
        self.reader.join(timeout=5)
        os.close(self.back)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Page:
    """One tab."""

    def __init__(self, browser, session, target, context):
        self.browser, self.session, self.target, self.context = browser, session, target, context
        self.errors, self.loads, self.statuses = [], 0, {}
        self.width, self.height = 1280, 800

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def event(self, method, params):
        if method == "Page.loadEventFired":
            self.loads += 1
        elif method == "Network.responseReceived":
            self.statuses[params["response"]["url"]] = params["response"]["status"]
        elif method == "Runtime.exceptionThrown":
            detail = params["exceptionDetails"]
            self.errors.append("exception: " + (detail.get("exception", {}).get("description") or detail["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append("console: " + " ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            # A status of 4xx is the test's own business; what the policy refuses is always an error.
            if params["entry"]["source"] != "network":
                self.errors.append(f"{params['entry']['source']}: {params['entry']['text']}")

    # ---- how it looks ----

    def look(self, width=1280, height=800, theme="light", phone=False, scripts=True, motion=False, language="en"):
        self.width, self.height = width, height
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme},
                                                          {"name": "prefers-reduced-motion", "value": "no-preference" if motion else "reduce"}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})

    def screenshot(self, path, whole=True):
        """A picture of the whole page (or of what is seen), as a PNG file."""
        height = self.height
        if whole:
            height = max(height, min(int(self.evaluate("document.documentElement.scrollHeight")), 6000))
        clip = {"x": 0, "y": 0, "width": self.width, "height": height, "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
        return path

    # ---- where it is ----

    def loaded(self, before, what):
        wait_for(lambda: self.loads > before, what)

    def goto(self, url):
        """Opens url and waits until it is loaded; its status (of the last answer, when it was sent elsewhere)."""
        before = self.loads
        error = self.call("Page.navigate", url=url).get("errorText")
        if error:
            raise BrowserError(f"{url}: {error}")
        self.loaded(before, f"loading {url}")
        return self.status()

    def reload(self):
        before = self.loads
        self.call("Page.reload")
        self.loaded(before, "loading again")

    def url(self):
        return self.evaluate("location.href")

    def status(self):
        return self.statuses.get(self.evaluate("location.href.split('#')[0]"))

    # ---- what is there ----

    def evaluate(self, expression):
        """A JavaScript expression's value, as JSON has it; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            detail = result["exceptionDetails"]
            raise BrowserError(f"{expression}: {detail.get('exception', {}).get('description') or detail['text']}")
        return result["result"].get("value")

    def wait(self, expression, what=None, bound=BOUND):
        """Until the expression is true; between pages it may fail."""

        def holds():
            try:
                return self.evaluate(f"({expression}) ? true : false")
            except BrowserError:
                return False

        wait_for(holds, what or expression, bound)

    def text(self, selector="main"):
        return self.evaluate(f"(document.querySelector({json.dumps(selector)}) || {{innerText: null}}).innerText")

    def count(self, selector):
        return self.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length")

    def overflow(self):
        """What sticks out at the right of the page, if it can be scrolled sideways."""
        return self.evaluate("""(() => { const w = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= w) return [];
            return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > w + 1 && !e.closest(".scroll"))
                .slice(0, 5).map(e => e.tagName + "." + e.className); })()""")

    def clean(self):
        """Nothing was wrong in the console so far."""
        if self.errors:
            raise BrowserError("the browser tells of errors:\n" + "\n".join(self.errors))

    # ---- hands ----

    def find(self, selector):
        """The middle of the first such element that can be seen, after it was scrolled to."""
        self.wait(f"[...document.querySelectorAll({json.dumps(selector)})].some(e => e.offsetParent !== null || getComputedStyle(e).position === 'fixed')", f"{selector} is seen")
        found = self.evaluate(f"""(() => {{ const e = [...document.querySelectorAll({json.dumps(selector)})].find(x => x.offsetParent !== null || getComputedStyle(x).position === "fixed");
            e.scrollIntoView({{block: "center", inline: "center", behavior: "instant"}});
            const r = e.getClientRects()[0], x = r.left + r.width / 2, y = r.top + r.height / 2, top = document.elementFromPoint(x, y);
            return {{x, y, free: !!top && (e.contains(top) || top.contains(e)), by: top ? top.outerHTML.slice(0, 120) : "", off: !!e.disabled}}; }})()""")
        if found["off"]:
            raise BrowserError(f"{selector} is disabled")
        if not found["free"]:
            raise BrowserError(f"{selector} is covered by {found['by']}")
        return found["x"], found["y"]

    def click(self, selector):
        x, y = self.find(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="none" if kind == "mouseMoved" else "left", clickCount=int(kind != "mouseMoved"))

    def follow(self, selector):
        """A click that leads to another page (or to the same one anew); waits for it. Its status."""
        before = self.loads
        self.click(selector)
        self.loaded(before, f"the page behind {selector}")
        return self.status()

    def type(self, selector, text, clear=True):
        self.click(selector)
        if clear:
            self.evaluate("document.activeElement.select && document.activeElement.select()")
        self.call("Input.insertText", text=text)

    def choose(self, selector, value):
        """An option of a <select>, as a person would leave it."""
        self.evaluate(f"""(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)};
            e.dispatchEvent(new Event("input", {{bubbles: true}})); e.dispatchEvent(new Event("change", {{bubbles: true}})); }})()""")

    def press(self, key, shift=False):
        code, text = KEYS.get(key, (ord(key[0].upper()), key))
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def submit(self, key="Enter"):
        before = self.loads
        self.press(key)
        self.loaded(before, f"the page behind {key}")
        return self.status()

    def focus(self):
        """What has the focus, as a person would name it: tag, its text or name."""
        return self.evaluate("(e => e ? (e.tagName.toLowerCase() + ' ' + (e.innerText || e.name || e.id || '')).trim() : '')(document.activeElement)")

    # ---- what a screen reader is told ----

    def tree(self):
        """(role, name) of everything that is exposed, in order."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(n.get("role", {}).get("value"), n.get("name", {}).get("value", "")) for n in nodes if not n.get("ignored")]

    def contrast(self, least=4.5):
        """Texts whose colour is too near to what lies behind them: (ratio, text)."""
        return self.evaluate("""(() => {
            const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return c.startsWith("color(srgb") ? [m[0] * 255, m[1] * 255, m[2] * 255, m[3] === undefined ? 1 : m[3]] : [m[0], m[1], m[2], m[3] === undefined ? 1 : m[3]]; };
            const lum = c => { const v = c.slice(0, 3).map(x => { x /= 255; return x <= .03928 ? x / 12.92 : Math.pow((x + .055) / 1.055, 2.4); }); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
            const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
            const behind = e => { const chain = []; for (let x = e; x; x = x.parentElement) chain.unshift(parse(getComputedStyle(x).backgroundColor)); return chain.reduce((low, c) => over(c, low), [255, 255, 255, 1]); };
            const hidden = e => { for (let x = e; x; x = x.parentElement) if (getComputedStyle(x).clipPath === "inset(50%%)") return true; return false; };
            const out = [];
            for (const e of document.querySelectorAll("body *")) {
                const own = [...e.childNodes].filter(n => n.nodeType === 3 && n.textContent.trim()).map(n => n.textContent.trim()).join(" ");
                if (!own || e.closest("svg, canvas, script, option, [aria-hidden=true]") || hidden(e) || !e.getClientRects().length || e.disabled) continue;
                let opacity = 1;
                for (let x = e; x; x = x.parentElement) opacity *= Number(getComputedStyle(x).opacity);
                const bg = behind(e), fg = parse(getComputedStyle(e).color);
                fg[3] *= opacity;
                const a = lum(over(fg, bg)), b = lum(bg), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
                if (ratio < %f) out.push([Math.round(ratio * 100) / 100, own.slice(0, 60)]);
            }
            return out; })()""" % least)
