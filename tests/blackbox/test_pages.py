"""The pages in a browser: each is opened by each role, at both widths, in both themes and languages; what can be decided is decided by clicking;
hostile words are words; without scripts the same facts are there.

Pictures of all of it lie in the build's meson-logs/pages afterwards.
"""
import json
import os
import re
import unittest
import urllib.parse

from browser import Browser
from dash_rig import PASSWORDS, TOKEN, users
from harness import BUILD, Case, Redis, Role, wait_for
from story import HOSTILE, LONG_BRANCH, Story, hook, sha
from test_api import ask

PICTURES = os.path.join(BUILD, "meson-logs", "pages")
LISTS = ("/", "/builds", "/builds?repo=acme%2Fweb&branch=main&environment=", "/deployments", "/alerts", "/inbox", "/inbox?as=plain", "/inbox?as=feishu", "/inbox?as=slack", "/rules", "/events", "/search?q=" + sha(14)[:9],
         "/dead", "/silences", "/approvals", "/decisions", "/status")
SIGNED = {"Authorization": "Bearer " + TOKEN}


class World:
    """The story, played once, and a browser; lin is an operator, mei a viewer."""

    story = browser = None

    @classmethod
    def up(cls):
        if cls.story:
            return
        owner = type("Owner", (Case,), {"runTest": lambda self: None})()
        owner.setUp()
        unittest.addModuleCleanup(owner.doCleanups)
        cls.browser = Browser()
        owner.addCleanup(cls.browser.close)
        cls.story = Story(owner, dashboard="dashboard: {%s}\ngateway: {approvals: true}" % users())
        cls.story.play()
        os.makedirs(PICTURES, exist_ok=True)
        wait_for(lambda: cls.api("/actions?state=asking")["items"] and cls.api("/decisions?what=silence")["items"] and
                 [w for w in cls.api("/watches?verdict=fail")["items"] if w["explained"]], "the history has all of it")
        cls.visitors = {}

    @classmethod
    def api(cls, path):
        a = ask(cls.story.url + "/api/v1" + path, **SIGNED)
        assert a.status == 200, (path, a)
        return a.json

    @classmethod
    def visitor(cls, name, **look):
        """The page of somebody signed in: one, for a browser has few connections to a host and each open page keeps one."""
        if name not in cls.visitors:
            page = cls.browser.page()
            assert page.goto(cls.story.url + "/sign-in") == 200
            page.type("[name=name]", name)
            page.type("[name=password]", PASSWORDS[name])
            page.follow("main button")
            cls.visitors[name] = page
        page = cls.visitors[name]
        page.look(**look)
        page.errors = []
        return page

    @classmethod
    def ones(cls):
        """One of each thing, by its page."""
        failed = cls.api("/deployments?service=web&verdict=fail")["items"][0]
        letters = cls.api("/dead")["items"]
        return ["/deployments/" + failed["deployment"], "/deployments/" + cls.api("/deployments?service=pay&verdict=fail")["items"][0]["deployment"],
                "/alerts/" + cls.api("/alerts?service=web")["items"][0]["alert"], "/builds/%d" % cls.api("/builds?repo=acme/web")["items"][0]["id"],
                "/builds/%d" % cls.api("/builds?branch=feature*")["items"][0]["id"], "/events/%d" % cls.api("/events?kind=push")["items"][0]["id"],
                *["/dead/" + x["id"] for x in letters[:1]]]


class Looks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        World.up()

    def well(self, page, path):
        """What a script can say of a page."""
        page.clean()
        self.assertIsNone(page.evaluate("window.owned === undefined ? null : window.owned"), path)
        found = page.evaluate("""(() => {
            const bad = [], all = s => [...document.querySelectorAll(s)];
            const heads = all("h1,h2,h3,h4,h5,h6").map(h => Number(h.tagName[1]));
            if (heads.filter(n => n === 1).length !== 1) bad.push("not one h1: " + heads);
            heads.forEach((n, i) => { if (i && n > heads[i - 1] + 1) bad.push("heading " + n + " after " + heads[i - 1]); });
            const ids = all("[id]").map(e => e.id);
            ids.filter((x, i) => ids.indexOf(x) !== i).forEach(x => bad.push("id twice: " + x));
            all("input:not([type=hidden]), select, textarea").forEach(e => { if (!e.labels.length && !e.getAttribute("aria-label")) bad.push("no label: " + e.name); });
            all("button, a[href], summary").forEach(e => { if (!e.textContent.trim() && !e.getAttribute("aria-label")) bad.push("no words: " + e.outerHTML.slice(0, 100)); });
            all("svg").forEach(e => { if (e.getAttribute("aria-hidden") !== "true" && !e.getAttribute("aria-label")) bad.push("a picture without words"); });
            all("table").forEach(e => { if (!e.caption && !e.closest("details")) bad.push("a table without a caption"); });
            all("th").forEach(e => { if (!e.scope) bad.push("th without scope"); });
            all("[aria-labelledby]").forEach(e => { if (!document.getElementById(e.getAttribute("aria-labelledby"))) bad.push("labelled by nothing"); });
            all("[style]:not(canvas), [onclick], script:not([src]), style").forEach(e => bad.push("inline: " + e.outerHTML.slice(0, 100)));
            all("[data-live]:not([id])").forEach(e => bad.push("live without id"));
            all("a[href]").forEach(e => { if (!/^(https?:|mailto:)/.test(e.href)) bad.push("link to " + e.href.slice(0, 60)); });
            if (!document.documentElement.lang) bad.push("no language");
            return bad; })()""")
        self.assertEqual(found, [], path)

    def everywhere(self, name, look, check):
        page = World.visitor(name, **look)
        for path in [*LISTS, *World.ones()]:
            with self.subTest(path=path, who=name):
                self.assertEqual(page.goto(World.story.url + path), 200, path)
                self.well(page, path)
                check(page, path)

    def picture(self, page, path, *tags):
        name = re.sub(r"[^a-z0-9]+", "-", path.split("&")[0].lower()).strip("-") or "overview"
        page.wait("[...document.querySelectorAll('[data-chart]')].every(e => e.dataset.drawn)", "the charts are drawn")
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        page.screenshot(os.path.join(PICTURES, "-".join((re.sub(r"-[0-9a-f-]{9,}$", "", name), *tags)) + ".png"))

    def test_wide_and_light_for_an_operator(self):
        def check(page, path):
            self.assertEqual(page.overflow(), [], path)
            self.assertEqual(page.contrast(), [], path)
            self.picture(page, path, "1280", "light")
        self.everywhere("lin", {"width": 1280, "theme": "light"}, check)

    def test_narrow_and_dark_for_an_operator(self):
        def check(page, path):
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 375, (path, page.overflow()))
            self.assertEqual(page.contrast(), [], path)
            self.picture(page, path, "375", "dark")
        self.everywhere("lin", {"width": 375, "theme": "dark", "phone": True}, check)

    def test_wide_and_dark_in_chinese(self):
        def check(page, path):
            self.assertEqual(page.evaluate("document.documentElement.lang"), "zh-CN")
            self.assertEqual(page.contrast(), [], path)
            self.picture(page, path, "1280", "dark", "zh")
        page = World.visitor("mei")
        page.goto(World.story.url + "/?lang=zh")
        try:
            self.everywhere("mei", {"width": 1280, "theme": "dark"}, check)
        finally:
            page.goto(World.story.url + "/?lang=en")

    def test_a_viewer_decides_nothing(self):
        def check(page, path):
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 375, (path, page.overflow()))
            self.assertEqual(page.count("main form[method=post]"), 0, path)
        self.everywhere("mei", {"width": 375, "theme": "light", "phone": True}, check)

    def test_hostile_words_are_words(self):
        page = World.visitor("lin")
        failed = World.ones()[0]
        for path in ("/", "/deployments", failed, "/events", "/inbox", "/search?q=" + sha(14)):
            page.goto(World.story.url + path)
            self.assertIn("<script>window.owned = 1</script>", page.evaluate("document.querySelector('main').textContent").replace("\uff1c", "<"), path)
            self.assertEqual(page.count("main img, main script, main b"), 0, path)
            self.assertNotIn("\u202e", page.evaluate("document.documentElement.outerHTML"), path)
            page.clean()
        page.goto(World.story.url + failed)
        self.assertIn(HOSTILE[-60:].strip(), page.evaluate("document.querySelector('details.said').textContent"))
        page.goto(World.story.url + "/builds")
        self.assertIn(LONG_BRANCH[:60], page.evaluate("document.querySelector('main').textContent"))
        page.goto(World.story.url + "/builds/%d" % World.api("/builds?branch=feature*")["items"][0]["id"])
        self.assertIn("<b>Bobby</b> Tables", page.text())
        for q in ("<script>window.owned=9</script>", '"><img src=x onerror=alert(1)>', "%00", "\u202e", "x" * 2000):
            page.goto(World.story.url + "/search?q=" + urllib.parse.quote(q))
            page.clean()
            self.assertIsNone(page.evaluate("window.owned === undefined ? null : 1"))

    def test_without_scripts(self):
        page = World.visitor("lin", scripts=False)
        for path, words in (
                ("/", ("Needs you", "pay/prod", "roll back?", "Going on now", "shop/prod", "staging")),
                (World.ones()[0], ("prod-errors", "error_rate", "limit: 5%", "deployed", "verdict", "Numbers", "row by row", "fail", "the condition held", "undo", "compare")),
                ("/builds", ("acme/web", "main", "81.9%", "1 m 14 s")), ("/builds?repo=acme%2Fweb&branch=main&environment=", ("duration", "coverage", "values:")),
                ("/rules", ("prod-errors", "roll back", "fired last")), ("/approvals", ("undo-pay", "Approve the rollback", "nothing is done"))):
            page.goto(World.story.url + path)
            text = page.evaluate("document.querySelector('main').textContent")
            for w in words:
                if w != "compare":
                    self.assertIn(w, text, path)
        page.goto(World.story.url + World.ones()[0])
        self.assertGreater(page.count("svg.c-svg path.c-line"), 0)
        self.assertEqual(page.count("canvas"), 0)
        self.assertGreater(page.count("svg.c-svg path.c-limit"), 0)
        page = World.visitor("lin")
        page.goto(World.story.url + World.ones()[0])
        page.wait("document.querySelectorAll('.curve canvas').length > 0", "Chart.js draws")
        page.clean()

    def test_what_is_not_there(self):
        page = World.visitor("mei")
        for path in ("/deployments/000000000000", "/builds/999999", "/builds/x", "/alerts/nothing", "/events/0", "/watches/abc", "/dead/1-1", "/nothing"):
            self.assertEqual(page.goto(World.story.url + path), 404, path)
            self.well(page, path)
        for path in ("/deployments?verdict=nope", "/events?since=yesterday", "/builds?cursor=x", "/alerts?state=x"):
            self.assertEqual(page.goto(World.story.url + path), 400, path)
            self.well(page, path)

    def test_a_link_of_a_message(self):
        w = World.api("/watches?verdict=fail&service=web")["items"][0]
        alert = World.api("/alerts?watch=" + w["watch"])["items"][0]["alert"]
        for n in World.api("/news?alert=" + alert)["items"]:
            self.assertEqual(n["body"]["links"]["dashboard"], "http://127.0.0.1:1/watches/" + w["watch"])
        self.assertTrue(World.story.robots.told("http://127.0.0.1:1/watches/" + w["watch"]), "the chat has the link")
        page = World.visitor("mei")
        page.goto(World.story.url + "/watches/" + w["watch"])
        self.assertTrue(page.url().endswith(f"/deployments/{w['deployment']}#watch-{w['watch']}"), page.url())
        self.assertEqual(page.count("#watch-" + w["watch"]), 1)

    def test_the_inbox_shows_what_the_robots_got(self):
        page = World.visitor("mei")
        page.goto(World.story.url + "/inbox?as=dingtalk")
        text = page.evaluate("document.querySelector('#inbox').textContent")
        got = [m["text"] for m in World.story.robots.seen()["messages"] if m["robot"] == "dingtalk" and "prod-errors" in m["text"]]
        self.assertTrue(got)
        for line in ("rule: prod-errors", "web/prod-hz", "acme/web"):
            self.assertTrue([g for g in got if line in g])
            self.assertIn(line, text)
        self.assertGreater(page.count(".bubble.dingtalk"), 2)
        self.assertEqual(page.count(".bubble.wecom"), 0)


    def test_the_inbox_draws_other_chats(self):
        """No robot of theirs is configured: it is what they would show."""
        page = World.visitor("mei")
        for chat, parts in (("feishu", (".chat-title.bad",)), ("slack", (".chat-attached", "svg.chat-bar rect[fill='#d0021b']"))):
            page.goto(World.story.url + "/inbox?as=" + chat)
            self.assertEqual(page.count(".bubble:not(.%s)" % chat), 0)
            self.assertGreater(page.count(".bubble." + chat), 2)
            self.assertEqual(page.count(".chat-raw"), 0, "all of it is drawn")
            for part in parts:
                self.assertGreater(page.count(".bubble " + part), 0, (chat, part))
            text = page.evaluate("document.querySelector('#inbox').textContent")
            for words in ("rule: prod-errors", "web/prod-hz", "commits (3)", "search: index new items at once", "files changed"):
                self.assertIn(words, text, chat)
            self.assertEqual(page.count(".bubble img, .bubble script, .bubble b"), 0)
            self.assertEqual(page.evaluate("[...document.querySelectorAll('.bubble .chat-button')].map(a => a.href)").count("http://127.0.0.1:1/approvals"),
                             page.count(".bubble .chat-button.primary"))
            self.assertGreater(page.count(".bubble a.chat-button.primary"), 0, "the question has its button, and it is not the chat's right to decide")
            self.assertEqual(page.evaluate("[...document.querySelectorAll('.bubble a')].filter(a => !/^https?:/.test(a.href)).length"), 0)
        page.goto(World.story.url + "/inbox")
        self.assertGreater(page.count(".bubble.dingtalk"), 2)
        self.assertGreater(page.count(".bubble.wecom"), 2)
        self.assertEqual(page.count(".bubble.feishu, .bubble.slack"), 0)

    def test_commits(self):
        """Of two pushes for the bad release; taken back by the one after it; the same in the alert, the inbox, the chat and the API."""
        listed = World.api("/deployments?service=web&environment=prod-hz")["items"]
        self.assertTrue(all("commits" not in d for d in listed))
        first, bad, back = ([World.api("/deployments/" + d["deployment"]) for d in listed][i] for i in (2, 1, 0))
        titles = [HOSTILE.split()[0], "checkout:", "search:"]
        for d, taken in ((bad, False), (back, True)):
            self.assertEqual([c["title"].split()[0] for c in d["commits"]], titles, d)
            self.assertEqual((d["commits_total"], d["commits_complete"], d["commits_back"]), (3, True, taken))
            self.assertEqual((d["commits"][0]["sha"], d["commits"][0]["author"], d["commits"][2]["sha"]), (sha(14), "Wang Fang", sha(20)))
        self.assertEqual((len(first["commits"]), first["commits_complete"]), (2, False), "what ran before is not known")
        page = World.visitor("mei")
        for path, words in (("/deployments/" + bad["deployment"], ("3 commits since", "which ran before")), ("/deployments/" + back["deployment"], ("Commits that were taken back", "It went back from")),
                            ("/deployments/" + first["deployment"], ("these are the commits of its push",)), ("/alerts/" + World.api("/alerts?service=web")["items"][0]["alert"], ("3 commits since",))):
            page.goto(World.story.url + path)
            text = page.text("#commits")
            for w in (*words, *([] if path.endswith(first["deployment"]) else ["search: index new items at once", "<script>window.owned = 1</script>"])):
                self.assertIn(w, text, path)
            self.assertEqual(page.count("#commits b, #commits script, #commits img"), 0)
            page.clean()
        page.goto(World.story.url + "/inbox?as=dingtalk")
        self.assertIn("search: index new items at once", page.text("#inbox"))
        self.assertTrue([m for m in World.story.robots.seen()["messages"] if "search: index new items at once" in m.get("text", "")], "the chat was told so")


class PeopleDecide(unittest.TestCase):
    """In order: each changes the story."""

    @classmethod
    def setUpClass(cls):
        World.up()

    def page(self, path, **look):
        page = World.visitor("lin", **look)
        self.assertEqual(page.goto(World.story.url + path), 200)
        return page

    def test_1_live(self):
        """What happens is seen without a reload, what is read stays where it is."""
        page = self.page("/")
        page.wait("document.getElementById('live').className === 'live on'", "the stream is open")
        page.evaluate("window.mine = 1")
        World.story.gitlab(hook("deployment", 7001, env="staging", commit=sha(777), title="a line that was not there"))
        page.wait("document.querySelector('#recent').textContent.includes('a line that was not there')", "the new deployment is shown")
        self.assertEqual(page.evaluate("window.mine"), 1)
        page.clean()

    def test_2_ack(self):
        alert = World.api("/alerts?service=web&state=firing")["items"][0]["alert"]
        page = self.page("/alerts/" + alert, scripts=False)
        page.follow("main form[action='/alerts/ack'] button")
        wait_for(lambda: World.api("/alerts/" + alert)["acked_by"] == "lin", "it is in the hands of lin")
        page = self.page("/alerts/" + alert)
        page.wait("document.querySelector('main').textContent.includes('lin')", "the page says so")
        self.assertEqual(page.count("form[action='/alerts/ack']"), 0)

    def test_3_label(self):
        page = self.page(World.ones()[0])
        page.follow("form[action='/deployments/label'] [value=bad] ~ button")
        wait_for(lambda: World.api(World.ones()[0])["said"], "a person said so")
        page = self.page(World.ones()[0])
        self.assertIn("a person said so", page.text())

    def test_4_silence(self):
        page = self.page("/silences", width=375, phone=True)
        page.type("[name=service]", "web*")
        page.type("[name=why]", "<i>quiet please</i>")
        page.choose("[name=for]", "4h")
        page.follow("form[action='/silences/add'] button")
        page.wait("document.querySelector('#list').textContent.includes('<i>quiet please</i>')", "the silence is listed")
        self.assertEqual(page.overflow(), [])
        self.assertEqual(page.count("#list i"), 0)
        page.follow("#list tr:last-child form[action='/silences/end'] button")
        wait_for(lambda: not [s for s in World.api("/silences")["items"] if s.get("service") == "web*" and s["until"] > World.api("/overview")["now"]], "it is over")
        page.clean()

    def test_5_dead_letter(self):
        letter = World.api("/dead")["items"][0]["id"]
        page = self.page("/dead/" + letter)
        self.assertIn("want a JSON object", page.text())
        self.assertIn("<script>window.owned = 4</script>", page.text())
        page.follow("form[action='/dead/retry'] button")
        # it is no better the second time
        wait_for(lambda: [x["id"] for x in World.api("/dead")["items"]] not in ([letter], []), "it came back as another letter")
        page = self.page("/dead")
        page.follow("form[action='/dead/drop'] button")
        wait_for(lambda: not World.api("/dead")["items"], "it is dropped")
        page.reload()
        self.assertIn("None.", page.text("#list"))

    def test_6_hold(self):
        page = self.page("/status")
        page.follow("form[action='/hold/release'] button")
        wait_for(lambda: World.api("/status")["holds"] == {}, "it is released")
        page.goto(World.story.url + "/status")
        page.type("form[action='/hold'] [name=scope]", "web/staging")
        page.type("form[action='/hold'] [name=why]", "a test")
        page.follow("form[action='/hold'] button")
        wait_for(lambda: "web/staging" in World.api("/status")["holds"], "it is on hold")
        page.goto(World.story.url + "/")
        page.wait("document.querySelector('#needs').textContent.includes('web/staging')", "the overview says so")

    def test_7_approve(self):
        before = len(World.story.robots.hooks())
        page = self.page("/approvals")
        self.assertEqual(page.count("#waiting article"), 1)
        page.follow("form[action='/approvals/decide'] [value=approve] ~ button")
        wait_for(lambda: len(World.story.robots.hooks()) > before, "the rollback begins", 60)
        act = World.api("/actions?service=pay")["items"][0]
        wait_for(lambda: World.api("/actions/" + act["action_id"])["decided_by"] == "lin", "the history says who")
        page = self.page("/decisions")
        page.wait("document.querySelector('main').textContent.includes('approve')", "it is one of the decisions")
        for word in ("lin", "ack", "silence", "hold"):
            self.assertIn(word, page.text())

    def test_8_cancel(self):
        w = World.api("/watches?service=shop&open=true")["items"][0]
        page = self.page("/watches/" + w["watch"])
        page.follow(f"#watch-{w['watch']} form[action='/watches/cancel'] button")
        wait_for(lambda: World.api("/watches/" + w["watch"])["verdict"] == "cancelled", "the watch is cancelled")

    def test_9_redis_goes(self):
        """The history stays, what is live says that it is not known, nothing crashes."""
        World.story.redis.kill()
        page = World.visitor("mei")
        wait_for(lambda: page.goto(World.story.url + "/") == 200 and "Redis does not answer" in page.text(), "the banner")
        for path in LISTS:
            self.assertEqual(page.goto(World.story.url + path), 200, path)
            page.clean()
        self.assertIn("not answer", page.text())
        page.goto(World.story.url + "/deployments")
        self.assertIn("web/prod-hz", page.text())


class Empty(Case):
    """A dashboard on its first day: every page says what would fill it."""

    def test_it(self):
        World.up()
        redis = self.start(Redis(self.folder))
        config = self.folder.write("shipwatch.yaml", "sources: {ci: {kind: report, secrets: [ci-secret-of-this-test]}}\nservices: {web: {repo: acme/web, environments: {prod: {}}}}\n")
        dash = self.start(Role("dashboard", config, "--redis", redis.url, "--state-dir", self.folder("d"), "--listen", "127.0.0.1:0"))
        url = "http://" + dash.wait_log(r"^listening on ")["msg"].split()[2]
        page = World.browser.page(width=375, phone=True)
        wait_for(lambda: page.goto(url + "/deployments") == 200, "there is a history")
        for path in LISTS:
            self.assertEqual(page.goto(url + path), 200, path)
            page.clean()
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 375, path)
            if path not in ("/", "/status", "/rules"):
                self.assertGreater(page.count(".empty"), 0, path)
        self.assertEqual(json.loads(ask(url + "/api/v1/events").body), {"items": [], "next": None})


if __name__ == "__main__":
    unittest.main()
