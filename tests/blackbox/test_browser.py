"""The frame of the dashboard in a real browser: signing in by keyboard, pages that renew themselves, themes, without scripts, links from elsewhere."""
import http.server
import socket
import threading
import unittest

from browser import Browser
from dash_rig import PASSWORDS, TOKEN, Dashboard, users
from harness import Case, Redis, wait_for

CONFIG = """
state_dir: %(state)s
sources: {gitlab: {tokens: [0123456789abcdef]}}
channels: {box: {kind: console}}
services: {web: {repo: acme/web, environments: {prod: "http://127.0.0.1:1/health"}}}
dashboard: {%(users)s}
"""
HOSTILE = "<img src=x onerror=alert(1)>\"'&lt;"


class InBrowser(Case):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def setUp(self):
        super().setUp()
        self.redis = self.start(Redis(self.folder))
        self.config = self.folder.write("shipwatch.yaml", CONFIG % {"state": self.folder("state"), "users": users()})
        with socket.socket() as s:  # a port to come back to
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.dash_up()
        self.robot = self.dash.visitor(token=TOKEN)

    def dash_up(self):
        self.dash = self.start(Dashboard(self.config, "--redis", self.redis.url, listen=f"127.0.0.1:{self.port}"))
        self.dash.wait_log("Redis is reached")
        self.url = f"http://127.0.0.1:{self.port}"

    def signed_in(self, name="lin", **look):
        page = self.browser.page(**look)
        page.goto(self.url + "/sign-in")
        page.type("input[name=name]", name)
        page.type("input[name=password]", PASSWORDS[name])
        page.follow("main button.primary")
        return page

    def test_by_keyboard(self):
        page = self.browser.page()
        page.goto(self.url + "/silences?x=1")
        self.assertEqual(page.url(), self.url + "/sign-in?next=%2Fsilences%3Fx%3D1")
        page.press("Tab")
        self.assertEqual(page.focus(), "a Skip to the content")
        for _ in range(8):
            if page.focus() == "input name":
                break
            page.press("Tab")
        self.assertEqual(page.focus(), "input name")
        page.call("Input.insertText", text="lin")
        page.press("Tab")
        page.call("Input.insertText", text=PASSWORDS["lin"])
        page.submit("Enter")
        self.assertEqual(page.url(), self.url + "/silences?x=1")
        roles = page.tree()
        for role in ("banner", "navigation", "main", "contentinfo", "search", "searchbox"):
            self.assertIn(role, [r for r, _ in roles])
        self.assertEqual(page.evaluate("document.querySelector('nav.wide a[aria-current]').textContent.trim()"), "Silences")
        page.press("/")
        self.assertEqual(page.focus(), "input q")
        page.clean()

    def test_wrong_password(self):
        page = self.browser.page()
        page.goto(self.url + "/sign-in")
        page.type("input[name=name]", HOSTILE)
        page.type("input[name=password]", "wrong")
        self.assertEqual(page.follow("main button.primary"), 401)
        self.assertIn("The name or the password is wrong.", page.text())
        self.assertEqual(page.evaluate("document.querySelector('input[name=name]').value"), HOSTILE)
        self.assertEqual(page.count("main img"), 0)

    def test_renews_itself(self):
        page = self.signed_in()
        page.wait("document.querySelector('#live.on')", "the page is live")
        self.assertEqual(page.text("#live"), "live")
        page.evaluate("window.kept = 1")
        page.type(".search input", "half a wor")
        self.robot.post("/hold", {"why": HOSTILE})
        page.wait("document.querySelector('#banners .warn')", "the banner is there")
        self.assertIn(HOSTILE, page.text("#banners"))
        self.assertEqual(page.count("img"), 0)
        self.assertEqual((page.evaluate("window.kept"), page.focus(), page.evaluate("document.activeElement.value")), (1, "input q", "half a wor"))
        self.robot.post("/hold/release")
        page.wait("!document.querySelector('#banners .warn')", "the banner is gone")
        # the dashboard goes, and comes again: the page says so, and sees what it missed
        self.assertEqual(self.dash.stop(), 0)
        page.wait("document.querySelector('#live.off')", "the page says that it is not live")
        self.assertIn("not live", page.text("#live"))
        self.dash_up()
        self.robot.post("/hold", {"why": "meanwhile"})
        page.wait("document.querySelector('#live.on') && document.querySelector('#banners .warn')", "it is live again, and up to date", 60)
        self.assertEqual(page.evaluate("window.kept"), 1)
        self.assertEqual([e for e in page.errors if "refused" in e.lower() or "policy" in e.lower()], [])

    def test_hidden_tab_lets_go(self):
        page = self.signed_in()
        page.wait("document.querySelector('#live.on')")
        other = self.browser.page(like=page)
        other.goto(self.url + "/assets/none")
        viewers = lambda: int(float(self.robot.get("/metrics").body.decode().split("\nshipwatch_live_viewers ")[1].split("\n")[0]))
        wait_for(lambda: viewers() == 0, "the tab that nobody looks at is no viewer any more")
        self.robot.post("/hold", {"why": "while nobody looked"})
        page.call("Page.bringToFront")
        page.wait("document.querySelector('#banners .warn') && document.querySelector('#live.on')", "it sees what it missed")

    def test_session_over(self):
        page = self.signed_in()
        page.wait("document.querySelector('#live.on')")
        other = self.browser.page(like=page)
        other.goto(self.url + "/")
        other.follow(".who button")
        self.assertTrue(other.url().endswith("/sign-in"))
        self.robot.post("/hold", {"why": "x"})
        page.call("Page.bringToFront")  # what nobody looks at does not ask
        page.wait("location.pathname === '/sign-in'", "a page of an ended session goes to the sign-in")

    def test_themes_and_widths(self):
        page = self.signed_in()
        paths = page.evaluate("[...document.querySelectorAll('nav.wide a')].map(a => a.getAttribute('href'))")
        self.assertGreaterEqual(len(paths), 8)
        self.assertIn("/status", paths, "there is a way to it also on a calm day")
        for width in (1251, 1280, 1381):      # just wider than where the menu begins, and where it gets room: nothing lies over anything
            look = self.browser.page(like=page, width=width, height=300)
            look.goto(self.url + "/")
            edges = look.evaluate("['nav.wide li:last-child a', '.search', '.who'].map(s => document.querySelector(s).getBoundingClientRect()).flatMap(r => [r.left, r.right])")
            self.assertEqual(edges, sorted(edges), width)
            self.assertLessEqual(edges[-1], width)
        self.robot.post("/hold", {"why": "so that there is a banner"})
        for theme, width, lang in (("light", 1280, "en"), ("dark", 1280, "zh"), ("light", 375, "zh"), ("dark", 375, "en")):
            look = self.browser.page(like=page, theme=theme, width=width, height=700, phone=width < 500)
            look.goto(f"{self.url}/?lang={lang}")
            for path in [*paths, "/search?q=x", "/nothing"]:
                look.goto(self.url + path)
                self.assertEqual(look.overflow(), [], (path, width))
                self.assertEqual(look.contrast(), [], (path, theme))
            look.clean()
        # chosen by hand it stays, also where the system says otherwise
        page.goto(self.url + "/?lang=en")
        page.follow(".foot a[href$='theme=dark']")
        self.assertEqual(page.evaluate("document.documentElement.dataset.theme + getComputedStyle(document.documentElement).colorScheme"), "darkdark")
        page.goto(self.url + "/silences")
        self.assertEqual(page.evaluate("getComputedStyle(document.documentElement).colorScheme"), "dark")
        page.clean()

    def test_phone_menu(self):
        page = self.signed_in(width=375, height=700, phone=True)
        self.assertFalse(page.evaluate("document.querySelector('.menu a').offsetParent"))
        page.click(".menu summary")
        page.follow(".menu a[href='/silences']")
        self.assertTrue(page.url().endswith("/silences"))
        page.clean()

    def test_without_scripts(self):
        page = self.signed_in(scripts=False)
        page.goto(self.url + "/silences")
        page.type("main input[name=service]", "web")
        page.type("main input[name=why]", HOSTILE)
        page.follow("main form[action='/silences/add'] button.primary")
        self.assertTrue(page.url().endswith("/silences"))
        self.assertIn("Stored; no worker has read it yet.", page.text("#banners"))
        page.goto(self.url + "/silences")
        self.assertNotIn("Stored", page.text("#banners"))
        page.follow(".who button")
        self.assertTrue(page.url().endswith("/sign-in"))
        page.clean()

    def test_pressed_twice(self):
        page = self.signed_in()
        page.goto(self.url + "/silences")
        page.type("main input[name=service]", "web")
        x, y = page.find("main form[action='/silences/add'] button.primary")
        before = page.loads
        for n in (1, 2):
            page.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=n)
            page.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=n)
        page.loaded(before, "the answer")
        self.assertEqual(self.redis("XLEN", "{sw}:work"), 1)

    def test_a_link_in_a_chat(self):
        page = self.signed_in()
        target = f"{self.url}/silences?a=1"

        class Chat(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = f'<a href="{target}">look</a><form method="post" action="{target.split("/silences")[0]}/hold"><button>win</button></form>'.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        chat = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat)
        threading.Thread(target=chat.serve_forever, daemon=True).start()
        self.addCleanup(chat.shutdown)
        page.goto(f"http://localhost:{chat.server_address[1]}/")
        page.click("a")
        page.wait(f"location.href === '{target}' && document.querySelector('.who')", "the session holds for a link of another site")
        self.assertIn("lin", page.text(".who"))
        # a form of another site decides nothing
        page.goto(f"http://localhost:{chat.server_address[1]}/")
        self.assertIn(page.follow("button"), (401, 403, 415))
        self.assertIsNone(self.redis("HGET", "{sw}:ctl", "hold"))

    def test_viewer_sees_no_buttons(self):
        page = self.signed_in("mei")
        for path in page.evaluate("[...document.querySelectorAll('nav.wide a')].map(a => a.getAttribute('href'))"):
            page.goto(self.url + path)
            self.assertEqual(page.count("main form[method=post]"), 0, path)


if __name__ == "__main__":
    unittest.main()
