/* config: the examples of the manual load, and each mistake is told by exactly its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/zone.h"
#include "config/config.h"
#include "config_rig.h"
#include "rules/value.h"
#include "shipwatch/buf.h"

static const char smallest[] =
    "sources:  {gitlab: {tokens: [\"${GITLAB_WEBHOOK_TOKEN}\"]}}\n"
    "channels: {oncall: {kind: dingtalk, url: \"${DINGTALK_URL}\", secret: \"${DINGTALK_SECRET}\"}}\n"
    "services: {web: {repo: acme/web, environments: {prod: \"https://web.example.com/health\"}}}\n";

static void test_smallest(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_config *c;
	const struct sw_place *p;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_diags_init(&d, &a);
	assert_int_equal(sw_config_load_text("s.yaml", smallest, sizeof smallest - 1, &plugins, &test_env, &c, &d), 0);
	assert_int_equal(d.warnings, 0);
	assert_string_equal(((struct hook *)sw_config_source(c, "gitlab")->conf)->tokens[0], "GITLAB_WEBHOOK_TOKEN");
	assert_string_equal(c->alerts[0], "oncall");
	assert_null(c->alerts[1]);
	assert_null(c->rules);
	assert_null(c->redis_url);
	assert_null(sw_config_report_source(c));
	assert_string_equal(c->gateway.listen, "0.0.0.0:8080");
	assert_int_equal(c->gateway.body_max, 25 << 20);
	assert_string_equal(c->timezone, "UTC");
	assert_int_equal(c->stuck_after, 20 * SW_MINUTE);
	assert_int_equal(c->places.n, 1);
	p = &c->places.items[0];
	assert_string_equal(p->tier, "prod");
	assert_string_equal(p->repos[0], "acme/web");
	assert_int_equal(p->health.every, 10 * SW_SECOND);
	assert_int_equal(p->health.status_max, 299);
	assert_int_equal(p->rollbacks_30m, 1);
	assert_string_equal(p->where, "s.yaml:3:49");
	sw_config_summary(c, p, &b);
	assert_string_equal(b.p, "web/prod: GitLab acme/web environment \"prod\" or \"production\"; health every 10s; "
	                         "no rollback; alerts oncall");
	assert_null(sw_config_put(sw_config_get(c)));
	assert_string_equal(c->alerts[0], "oncall");
	sw_config_put(c);
	sw_config_put(NULL);
	sw_arena_fini(&a);
}

/* Everything of the manual; %s: what is not in this version. */
static const char whole[] =
    "public_url: https://shipwatch.example.com/\n"
    "locale: zh-CN\n"
    "timezone: Asia/Shanghai\n"
    "state_dir: /var/lib/shipwatch\n"
    "redis: {url: \"redis://10.0.0.5:6379\"}\n"
    "proxy: \"\"\n"
    "alerts: [oncall]\n"
    "log_url: \"https://kibana.example.com/app/discover#/?q=ci_run_id:{ci_run_id}\"\n"
    "gateway:   {listen: \"0.0.0.0:8080\", body_max: 25MiB, trusted_proxies: [10.0.0.0/8], approvals: true}\n"
    "dashboard: {listen: \"127.0.0.1:8081\", users: [{name: lin, password_hash: \"$y$j9T$SJROcExH0mDdJh/5Na/kA/$.PZ/IfLd1UF/HZ5CiN.y3jxj8wPLWsPIVjG0Tdy3YJB\", role: operator}]}\n"
    "sources:\n"
    "  github: {secrets: [\"${GITHUB_WEBHOOK_SECRET}\"]}\n"
    "  gitlab: {tokens: [\"${GITLAB_WEBHOOK_TOKEN}\"], signing_tokens: [\"${GITLAB_SIGNING}\"], silent_after: 24h}\n"
    "  ci:     {kind: report, secrets: [\"${CI_REPORT_SECRET}\"]}\n"
    "people:\n"
    "  lin: {gitlab: lin.wei, github: linwei, mobile: \"13800001111\", wecom: LinWei}\n"
    "defaults:\n"
    "  health: {every: 10s, timeout: 2s, grace: 60s, background: 60s}\n"
    "services:\n"
    "  \"*\": {repos: [\"acme/*\"], environments: {prod: \"https://{service}.example.com/health\"}}\n"
    "  web:\n"
    "    repos: [acme/web]\n"
    "    limits: {p95: 800ms}\n"
    "    environments:\n"
    "      prod-hz:\n"
    "        tier: prod\n"
    "        match: [{environment: \"production/hz\"}, {source: github, workflow: .github/workflows/deploy.yml, "
    "branch: main}, {tag: \"v*\"}]\n"
    "        health: {url: \"https://hz.web.example.com/health\", version: /commit}\n"
    "%s"
    "        rollback: undo-web\n"
    "        migrations: [\"migrations/**\"]\n"
    "        deploys: explicit\n"
    "        channels: [oncall]\n"
    "  shop:\n"
    "    environments: {prod: {match: [{repo: acme/mono, environment: \"shop/prod*\", job: \"deploy-shop*\"}], health: "
    "{url: \"https://shop.example.com/health\"}}}\n"
    "channels:\n"
    "  oncall:  {kind: dingtalk, url: \"${DINGTALK_URL}\", secret: \"${S}\", mention: {critical: [deployer, oncall], "
    "warning: []}, fallback: release}\n"
    "  release: {kind: wecom, url: \"${WECOM_URL}\", mention: {mobiles: [\"13800001111\"]}}\n"
    "oncall: {file: rota.yaml}\n"
    "actions:\n"
    "  undo-web: %s\n"
    "heartbeat: {url: \"https://dead-man.example.com/ping/1\", every: 1m}\n"
    "reference: \"https://www.example.com/\"\n"
    "pushgateway: {url: \"http://pushgateway:9091/\", user: u, password: \"${S}\", branches: [main, \"release/*\"]}\n"
    "%s";

static void test_whole_check(const struct sw_config *c)
{
	const struct sw_place *p = &c->places.items[1];
	const struct sw_conf_channel *ch = sw_config_channel(c, "oncall");
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	assert_string_equal(c->public_url, "https://shipwatch.example.com");
	assert_string_equal(c->hooks_url, c->public_url);
	assert_int_equal(c->locale, SW_LOCALE_ZH);
	assert_string_equal(c->redis_url, "redis://10.0.0.5:6379");
	assert_null(c->proxy);
	assert_true(c->gateway.approvals);
	assert_int_equal(c->dashboard.n_users, 1);
	assert_int_equal(c->dashboard.users[0].role, 1);
	assert_int_equal(sw_config_source(c, "gitlab")->silent_after, SW_DAY);
	assert_string_equal(sw_config_report_source(c)->name, "ci");
	assert_string_equal(sw_config_person_of(c, "gitlab", "Lin.Wei", NULL)->name, "lin");
	assert_null(sw_config_person_of(c, "gitlab", "linwei", NULL));
	assert_null(sw_config_person_of(c, NULL, NULL, "x@example.com"));
	assert_string_equal(sw_config_person_of(c, "report", "lin", NULL)->mobile, "13800001111");
	assert_int_equal(c->places.n, 3);
	assert_int_equal(p->n_matches, 3);
	assert_string_equal(p->limits[0].name, "p95");
	assert_int_equal(p->limits[0].type, SW_V_DURATION);
	assert_true(p->limits[0].value > 0.799 && p->limits[0].value < 0.801);
	assert_string_equal(p->health.version, "/commit");
	assert_string_equal(p->rollback, "undo-web");
	assert_string_equal(p->migrations[0], "migrations/**");
	assert_string_equal(ch->mention[SW_SEV_CRITICAL][1], "oncall");
	assert_null(ch->mention[SW_SEV_WARNING][0]);
	assert_null(ch->mention[SW_SEV_INFO]);
	assert_string_equal(ch->fallback, "release");
	assert_int_equal(strlen(ch->credential), 16);
	assert_string_not_equal(ch->credential, sw_config_channel(c, "release")->credential);
	assert_string_equal(sw_config_channel(c, "release")->mobiles[0], "13800001111");
	assert_true(sw_ends(c->oncall.file, "/rota.yaml"));
	assert_int_equal(c->heartbeat.every, SW_MINUTE);
	assert_string_equal(c->pushgateway.url, "http://pushgateway:9091");
	assert_string_equal(c->pushgateway.job, "shipwatch");
	assert_string_equal(c->pushgateway.branches[1], "release/*");
	assert_int_equal(c->pushgateway.forget, 14 * SW_DAY);
	assert_string_equal(c->limit_names[0], "p95");
	assert_string_equal(c->target_names[0], "prod");
	assert_string_equal(c->target_names[1], "prod-hz");
	assert_null(c->target_names[2]);
	assert_int_equal(sw_config_action(c, "undo-web")->timeout, 90 * SW_SECOND);
	sw_config_summary(c, p, &b);
	assert_string_equal(
	    b.p, "web/prod-hz: GitHub/GitLab acme/web environment \"production/hz\", or GitHub acme/web workflow "
	         "\".github/workflows/deploy.yml\" branch \"main\", or GitHub/GitLab acme/web environment \"prod-hz\" "
	         "tag \"v*\""
	         "; tier prod; health every 10s, version at /commit; rollback undo-web: exec runs /opt/undo; alerts oncall");
}

#define SRC      "sources: {gitlab: {tokens: [t]}}\n"
#define CHN      "channels: {ops: {kind: console}}\n"
#define SVC      "services: {web: {repo: acme/web, environments: {prod: \"https://a/\"}}}\n"
#define WEB(env) SRC CHN "services: {web: {repo: acme/web, environments: {prod: {" env "}}}}\n"

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *want[4];
	} cases[] = {
		{ "", { "f: is empty; the smallest one has sources, channels and services" } },
		{ "- a\n", { "f:1:1: want a map of settings, got a list" } },
		{ SRC CHN SVC "chanels: {}\n", { "f:4:1: unknown key \"chanels\", did you mean \"channels\"?" } },
		{ "sources: {githb: {secrets: [s]}}\n" CHN SVC,
		  { "f:1:11: \"githb\" is no kind of source; say its kind: gitlab, github, report, redis-stream" } },
		{ "sources: {x: {kind: githb, secrets: [s]}}\n" CHN SVC,
		  { "f:1:21: unknown kind of source \"githb\", did you mean \"github\"?" } },
		{ "sources: {q: {kind: redis-stream, url: \"redis://h\"}}\n" CHN SVC, { "f:1:14: \"stream\" is missing" } },
		{ "sources: {q: {kind: redis-stream, url: \"http://h\", stream: s}}\n" CHN SVC,
		  { "f:1:40: url: want redis://[:password@]host:port[/db], rediss:// for TLS, redis+sentinel://a:26379,b:26379/name, or unix:///path" } },
		{ "sources: {q: {kind: redis-stream, url: \"redis://h\", stream: \"\"}}\n" CHN SVC,
		  { "f:1:61: stream: want a key of 1 to 255 bytes" } },
		{ "sources: {q: {kind: redis-stream, url: \"redis://h\", stream: s, as: reprot}}\n" CHN SVC,
		  { "f:1:68: as: want a kind of source or the name of another source, got \"reprot\", did you mean \"report\"?" } },
		{ "sources: {q: {kind: redis-stream, url: \"redis://h\", stream: s, as: q}}\n" CHN SVC,
		  { "f:1:68: as: want a kind of source or the name of another source, got \"q\"" } },
		{ "sources: {q: {kind: redis-stream, url: \"redis://h\", stream: s, from: old}}\n" CHN SVC,
		  { "f:1:70: from: want all or new, got \"old\"" } },
		{ "sources: {q: {kind: redis-stream, url: \"redis://h\", stream: s, api: \"https://x\", hooks: a}}\n" CHN SVC,
		  { "f:1:64: a source of kind redis-stream has no API to be asked", "f:1:82: a source of kind redis-stream cannot be swept" } },
		{ "sources: {github: {}}\n" CHN SVC, { "f:1:19: \"secrets\" is missing" } },
		{ "sources: {github: {secrets: []}}\n" CHN SVC, { "f:1:29: secrets: want at least one" } },
		{ "sources: {github: {secret: [s]}}\n" CHN SVC,
		  { "f:1:19: \"secrets\" is missing", "f:1:20: unknown key \"secret\", did you mean \"secrets\"?" } },
		{ "sources: {a b: {kind: github, secrets: [s]}}\n" CHN SVC,
		  { "f:1:11: \"a b\": want a name of a source of letters, digits, \".\", \"_\" and \"-\", at most "
		    "64" } },
		{ "sources: {gitlab: {tokens: [t], api_token: t}}\n" CHN SVC,
		  { "f:1:33: api_token wants api too, the address of the host" } },
		{ "sources: {gitlab: {tokens: [t], api: gitlab.example.com}}\n" CHN SVC,
		  { "f:1:38: api: want an address that begins with http:// or https://, got \"gitlab.example.com\"" } },
		{ "sources: {ci: {kind: report, secrets: [s], api_token: t}}\n" CHN SVC,
		  { "f:1:44: a source of kind report has no API to be asked" } },
		{ "sources: {gitlab: {tokens: [t], silent_after: 24}}\n" CHN SVC,
		  { "f:1:47: silent_after: want a length of time with its unit, such as 30s, got \"24\"" } },
		{ "sources: {a: {kind: report, secrets: [s]}, b: {kind: report, secrets: [s]}}\n" CHN SVC,
		  { "f:1:44: a second source of kind report: /ci-report is \"a\" already; give one source both "
		    "secrets" } },
		{ "sources: {gitlab: {tokens: [\"${NOT_SET}\"]}}\n" CHN SVC,
		  { "f:1:29: ${NOT_SET}: this variable is not set" } },
		{ SRC "channels: {ops: {url: u}}\n" SVC, { "f:2:12: \"kind\" is missing in this channel" } },
		{ SRC "channels: {ops: {kind: telegram, url: u}}\n" SVC,
		  { "f:2:24: channel of kind telegram: not in this version" } },
		{ SRC "channels: {ops: {kind: dingding, url: u}}\n" SVC,
		  { "f:2:24: unknown kind of channel \"dingding\"; there are dingtalk, wecom, console" } },
		{ SRC "channels: {ops: {kind: console, fallback: opz}}\n" SVC,
		  { "f:2:43: unknown channel \"opz\", did you mean \"ops\"?" } },
		{ SRC "channels: {ops: {kind: console, fallback: ops}}\n" SVC,
		  { "f:2:43: fallback: \"ops\" comes back to itself" } },
		{ SRC
		  "alerts: ops\nchannels: {ops: {kind: console, fallback: b}, b: {kind: console, fallback: ops}}\n" SVC,
		  { "f:3:43: fallback: \"ops\" comes back to itself" } },
		{ SRC "channels: {ops: {kind: console, mention: {critical: [deployr]}}}\n" SVC,
		  { "f:2:54: unknown person or role \"deployr\", did you mean \"deployer\"?" } },
		{ SRC "channels: {ops: {kind: console, mention: {critcal: []}}}\n" SVC,
		  { "f:2:43: unknown key \"critcal\", did you mean \"critical\"?" } },
		{ SRC "channels: {ops: {kind: console, mention: {mobiles: [a1]}}}\n" SVC,
		  { "f:2:52: mobiles: want digits only, got \"a1\"" } },
		{ SRC CHN SVC "alerts: [ops, opps]\n", { "f:4:15: unknown channel \"opps\", did you mean \"ops\"?" } },
		{ SRC CHN SVC "alerts: {a: b}\n", { "f:4:9: alerts: want a text or a list of texts, got a map" } },
		{ SRC CHN SVC "pushgateway: {}\n", { "f:4:14: \"url\" is missing" } },
		{ SRC CHN SVC "pushgateway: {url: \"http://p/metrics\", password: x, every: 1ms, forget: 1s}\n",
		  { "f:4:20: url: want the address alone, such as http://pushgateway:9091", "f:4:50: password: it takes a user, too",
		    "f:4:60: every: want 0s, or at least 100ms", "f:4:73: forget: want 0s, or at least 1m" } },
		{ SRC CHN SVC "pushgateway: {url: \"http://p\", job: \"\"}\n", { "f:4:37: job: want a name of at most 100 bytes" } },
		{ SRC CHN SVC "people: {oncall: {}}\n",
		  { "f:4:10: \"oncall\" is a role, it cannot be the name of a person" } },
		{ SRC CHN SVC "people: {lin: {mobil: \"1\"}}\n",
		  { "f:4:16: unknown key \"mobil\", did you mean \"mobile\"?" } },
		{ SRC CHN SVC "oncall: {people: [lin]}\n", { "f:4:19: unknown person \"lin\"" } },
		{ SRC CHN SVC "oncall: {url: \"https://rota.example.com/\"}\n",
		  { "f:4:15: oncall: url: not in this version, name people, a rota or a file" } },
		{ SRC CHN SVC "people: {lin: {}}\noncall: {rota: {people: [[lin, mei]], start: 2026-11-23}}\n", { "f:5:32: unknown person \"mei\"" } },
		{ SRC CHN SVC "oncall: {rota: [lin]}\n", { "f:4:16: rota: want a map: {people: [lin, mei], start: 2026-11-23}" } },
		{ SRC CHN SVC "oncall: {}\n", { "f:4:9: oncall: want one of people, rota, file and url" } },
		{ SRC CHN SVC "timezone: Mars/Olympus\n",
		  { "f:4:11: timezone: unknown \"Mars/Olympus\" (there is no /usr/share/zoneinfo/Mars/Olympus)" } },
		{ SRC CHN SVC "timezone: ../passwd\n",
		  { "f:4:11: timezone: want a name such as Asia/Shanghai or an offset such as +08:00, got \"../passwd\"" } },
		{ SRC CHN SVC "locale: de\n", { "f:4:9: locale: want en, zh-CN or zh, got \"de\"" } },
		{ SRC CHN SVC "redis: {url: \"http://x\"}\n",
		  { "f:4:14: url: want redis://[:password@]host:port[/db], rediss:// for TLS, redis+sentinel://a:26379,b:26379/name, or unix:///path" } },
		{ SRC CHN SVC "redis: \"redis://h?ca_file=/x\"\n",
		  { "f:4:8: url: want redis://[:password@]host:port[/db], rediss:// for TLS, redis+sentinel://a:26379,b:26379/name, or unix:///path" } },
		{ SRC CHN SVC "redis: \"redis+sentinel://a,b\"\n",
		  { "f:4:8: url: want redis+sentinel://[user:password@]host:26379,host:26379/name[/db], name being that of the master" } },
		{ SRC CHN SVC "redis: \"rediss+sentinel://a:0,b/x\"\n",
		  { "f:4:8: url: want rediss+sentinel://[user:password@]host:26379,host:26379/name[/db], name being that of the master" } },
		{ SRC CHN SVC "redis: {url: \"redis+sentinel://a,,b/x\"}\n",
		  { "f:4:14: url: want redis+sentinel://[user:password@]host:26379,host:26379/name[/db], name being that of the master" } },
		{ SRC CHN SVC "redis: {url: \"redis://h\", ca_file: /nonexistent/ca, sentinel_password: x}\n",
		  { "f:4:36: ca_file: goes with an address that begins with rediss:// or rediss+sentinel://", "f:4:36: ca_file: /nonexistent/ca: No such file or directory",
		    "f:4:72: sentinel_password: goes with an address that begins with redis+sentinel://" } },
		{ SRC CHN SVC "redis: {url: \"rediss+sentinel://a,b:1/x/2\", key_file: /dev/null, sentinel_user: u}\n",
		  { "f:4:55: key_file: goes with cert_file", "f:4:81: sentinel_user: goes with sentinel_password" } },
		{ SRC CHN SVC "proxy: squid:3128\n", { "f:4:8: proxy: want http://host:port or socks5h://host:port" } },
		{ SRC CHN SVC "ca_file: /nonexistent/ca\n",
		  { "f:4:10: ca_file: /nonexistent/ca: No such file or directory" } },
		{ SRC CHN SVC "gateway: {listen: 8080}\n",
		  { "f:4:19: listen: want address:port or unix:/path, got \"8080\"" } },
		{ SRC CHN SVC "gateway: {listen: \"a:70000\", trusted_proxies: [10.0.0.0/33]}\n",
		  { "f:4:19: listen: want address:port or unix:/path, got \"a:70000\"",
		    "f:4:47: trusted_proxies: want addresses such as 10.0.0.0/8, got \"10.0.0.0/33\"" } },
		{ SRC CHN SVC "gateway: {approvals: true}\n",
		  { "f:4:22: approvals: messages need a link to the page: say public_url or hooks_url" } },
		{ SRC CHN SVC "gateway: {body_max: 25}\n",
		  { "f:4:21: body_max: want a size with its unit, such as 25MiB, got \"25\"" } },
		{ SRC CHN SVC "dashboard: {users: [{name: a, role: admin}]}\n",
		  { "f:4:21: \"password_hash\" is missing", "f:4:37: role: want viewer or operator, got \"admin\"" } },
		{ SRC CHN SVC "dashboard: {listen: \"0.0.0.0:8081\"}\n",
		  { "f:4:21: listen: \"0.0.0.0:8081\" would let everybody decide: say users, or user_header with trusted_proxies, or listen on 127.0.0.1" } },
		{ SRC CHN SVC "dashboard: {listen: \"[::]:8081\", tokens: [{name: ci, token: short}]}\n",
		  { "f:4:21: listen: \"[::]:8081\" would let everybody decide: say users, or user_header with trusted_proxies, or listen on 127.0.0.1",
		    "f:4:61: token: want 16 bytes and more without blanks, such as `openssl rand -hex 24` prints" } },
		{ SRC CHN SVC "dashboard: {user_header: X-Forwarded-User}\n",
		  { "f:4:26: user_header: anybody could send it: say trusted_proxies, whose it counts from" } },
		{ SRC CHN SVC "dashboard: {user_header: Cookie, trusted_proxies: [10.0.0.0/8, nix]}\n",
		  { "f:4:26: user_header: want the name of a header such as X-Forwarded-User, got \"Cookie\"",
		    "f:4:51: trusted_proxies: want addresses such as 10.0.0.0/8, got \"nix\"" } },
		{ SRC CHN SVC "dashboard: {role_header: X-Role, operators: [lin]}\n",
		  { "f:4:26: role_header: goes with user_header", "f:4:45: operators: goes with user_header; users have a role of their own",
		    "f:4:45: operators: say them, or role_header, not both" } },
		{ SRC CHN SVC "dashboard: {users: [{name: a, password_hash: secret}]}\n",
		  { "f:4:46: password_hash: want what `shipwatch hash-password` prints ($y$…), not the password itself" } },
		{ SRC CHN SVC "dashboard: {users: [{name: a, password_hash: $6$rounds=9000000$x$abcdefghijklmnopqrstuvw}]}\n",
		  { "f:4:46: password_hash: more than 5000000 rounds: signing in would take seconds" } },
		{ SRC CHN SVC "dashboard: {users: [{name: a, password_hash: $y$j9T$abc}]}\n", { "f:4:46: password_hash: cut: the end of the hash is missing" } },
		{ SRC CHN SVC "dashboard: {session: 1s}\n", { "f:4:22: session: want 1m to 90d, got \"1s\"" } },
		{ SRC CHN SVC "heartbeat: {every: 1m}\n", { "f:4:12: \"url\" is missing" } },
		{ SRC CHN SVC "reference: www.example.com\n",
		  { "f:4:12: reference: want an address that begins with http:// or https://, got "
		    "\"www.example.com\"" } },
		{ SRC CHN SVC "rules: /nonexistent/rules\n",
		  { "f:4:8: rules: /nonexistent/rules: No such file or directory" } },
		{ SRC CHN SVC "rules: []\n",
		  { "f:4:8: rules: want at least one; without `rules:` the shipped safe rules apply" } },
		{ SRC CHN SVC "programs: [undo]\n", { "f:4:11: programs: want absolute paths, got \"undo\"" } },
		{ SRC CHN SVC "actions: {undo: {kind: jenkins}}\n",
		  { "f:4:24: unknown kind of action \"jenkins\"; there are http, exec" } },
		{ SRC CHN SVC "actions: {undo: {kind: exec, command: /bin/false}}\n", { "f:4:39: command: does nothing" } },
		{ SRC CHN SVC "actions: {undo: {kind: exec}}\n", { "f:4:17: \"command\" is missing" } },
		{ SRC CHN SVC "actions: {undo: {kind: http, url: \"http://a\", timeout: 5}}\n",
		  { "f:4:56: timeout: want a length of time with its unit, such as 30s, got \"5\"" } },
		{ SRC CHN "services: {web: {repo: acme/web}}\n", { "f:3:12: service \"web\" has no environments" } },
		{ SRC CHN "services: {web: acme/web}\n", { "f:3:17: want a map with repos and environments" } },
		{ SRC CHN "services: {\"*\": {environments: {prod: \"http://a\"}}}\n",
		  { "f:3:12: \"*\" needs repos: which repositories are services" } },
		{ SRC CHN "services: {web: {repo: acme/web, repos: [a], environments: {prod: \"http://a\"}}}\n",
		  { "f:3:18: want repo or repos, not both" } },
		{ SRC CHN "services: {web: {repo: \"https://git/acme/web\", environments: {prod: \"http://a\"}}}\n",
		  { "f:3:24: want a path such as acme/web, got \"https://git/acme/web\"" } },
		{ SRC CHN "services: {web: {repo: acme/web, environments: {prod: web.example.com}}}\n",
		  { "f:3:55: url: want an address that begins with http:// or https://, got \"web.example.com\"" } },
		{ SRC CHN "services: {web: {repo: acme/web, enviroments: {prod: \"http://a\"}}}\n",
		  { "f:3:12: service \"web\" has no environments",
		    "f:3:34: unknown key \"enviroments\", did you mean \"environments\"?" } },
		{ WEB("rolback: undo"), { "f:3:56: unknown key \"rolback\", did you mean \"rollback\"?" } },
		{ WEB("rollback: undo"), { "f:3:66: unknown action \"undo\"" } },
		{ WEB("channels: [opz]"), { "f:3:67: unknown channel \"opz\", did you mean \"ops\"?" } },
		{ WEB("prometheus: {url: \"http://p\", preset: sprint-boot}"),
		  { "f:3:94: unknown preset \"sprint-boot\", did you mean \"spring-boot\"?" } },
		{ WEB("prometheus: {url: \"http://p\", token: t, user: u, password: p}"),
		  { "f:3:86: want token, or user and password, not both" } },
		{ WEB("prometheus: {url: \"http://p\", user: u}"), { "f:3:56: want user and password together" } },
		{ WEB("prometheus: {url: \"http://p\", labels: 'job=\"a\" or up'}"),
		  { "f:3:95: labels: want matchers such as job=\"web\",pod=~\"web-.*\"" } },
		{ WEB("prometheus: {url: \"http://p\", labels: {a-b: x}}"), { "f:3:95: labels: want a name of letters, digits and _, got \"a-b\"" } },
		{ WEB("prometheus: {url: \"http://p\", labels: [a]}"), { "f:3:94: labels: want a map, or matchers such as job=\"web\"" } },
		{ WEB("prometheus: p:9090"), { "f:3:68: url: want an address that begins with http:// or https://, got \"p:9090\"" } },
		{ WEB("metrics: {url: \"http://p\", window: 1m}"), { "f:3:83: unknown key \"window\"; there are url, preset, timeout, background, token, user, password" } },
		{ WEB("metrics: {preset: envoy}"), { "f:3:56: metrics: no url, here or further out" } },
		{ WEB("prometheus: {labels: {job: web}}"), { "f:3:56: prometheus: no url, here or further out" } },
		{ WEB("deploys: pipelines"), { "f:3:65: deploys: unknown \"pipelines\", did you mean \"pipeline\"?" } },
		{ WEB("limits: {p95: fast}"),
		  { "f:3:70: limits.p95: want a number with its unit, such as 800ms, 5%, 12MiB, 20/s or 3" } },
		{ WEB("limits: {P95: 1s}"), { "f:3:65: limits: want a name of a-z, 0-9 and _, got \"P95\"" } },
		{ WEB("health: {every: 10}"),
		  { "f:3:72: every: want a length of time with its unit, such as 30s, got \"10\"" } },
		{ WEB("health: {status: 2xx}"), { "f:3:73: status: want 200 or 200-299, got \"2xx\"" } },
		{ WEB("health: {version: commit}"),
		  { "f:3:74: version: want a JSON Pointer such as /commit, got \"commit\"" } },
		{ WEB("rollback_limit: {30m: 1000}"), { "f:3:78: 30m: want 0 to 100, got \"1000\"" } },
		{ WEB("match: [{}]"), { "f:3:64: match: an empty one would fit everything" } },
		{ WEB("match: [{enviroment: x}]"),
		  { "f:3:65: unknown key \"enviroment\", did you mean \"environment\"?" } },
		{ WEB("match: [{source: gitlob}]"), { "f:3:73: unknown source \"gitlob\", did you mean \"gitlab\"?" } },
		{ WEB("match: [{branch: a, tag: b}]"),
		  { "f:3:64: match: an event has a branch or a tag, never both; make two of it" } },
		{ SRC CHN
		  "services: {web: {repo: acme/web, environments: {prod: \"http://a\", production: \"http://b\"}}}\n",
		  { "f:3:79: web/production and web/prod can both match one event; the other is at line 3" } },
		{ SRC CHN
		  "services:\n  a: {repos: [\"acme/*\"], environments: {prod: \"http://a\"}}\n"
		  "  b: {repo: acme/b, environments: {eu: {match: [{environment: eu}, {environment: \"p*\"}]}}}\n",
		  { "f:5:68: b/eu and a/prod can both match one event; the other is at line 4" } },
		/* Several at once, in order. */
		{ "locale: de\nsources: {github: {}}\nchannels: {ops: {kind: telegram}}\nservices: {web: {repo: "
		  "acme/web, environments: {prod: {rollback: x}}}}\n",
		  { "f:1:9: locale: want en, zh-CN or zh, got \"de\"", "f:2:19: \"secrets\" is missing",
		    "f:3:24: channel of kind telegram: not in this version", "f:4:66: unknown action \"x\"" } },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_arena a = { 0 };
		struct sw_diags d;
		struct sw_config *c = NULL;
		const struct sw_diag *g;
		size_t k = 0;

		sw_diags_init(&d, &a);
		if (sw_config_load_text("f", cases[i].text, strlen(cases[i].text), &plugins, &test_env, &c, &d) !=
		    -EINVAL)
			fail_msg("loaded: %s", cases[i].text);
		for (g = d.first; g && k < SW_COUNT(cases[i].want) && cases[i].want[k]; g = g->next, k++)
			assert_string_equal(g->text, cases[i].want[k]);
		if (g || (k < SW_COUNT(cases[i].want) && cases[i].want[k]))
			fail_msg("%s: %s", cases[i].text, g ? g->text : cases[i].want[k]);
		sw_arena_fini(&a);
	}
}

static void test_warnings(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ SRC "channels: {a: {kind: console}, b: {kind: console}}\n" SVC,
		  "f:2:11: several channels and no `alerts:`: what no rule, environment or service says a channel for "
		  "is told to nobody" },
		{ SRC "channels: {ops: {kind: console, mention: {mobiles: [\"13800001111\"]}}}\n" SVC,
		  "f:2:52: mobiles: a channel of kind \"console\" cannot mention numbers, nobody is mentioned by them" },
		{ SRC "channels: {ops: {kind: wecom, url: u, mention: {critical: [lin, mei], warning: mei}}}\n" SVC "people: {lin: {mobile: \"1\"}, mei: {slack: U1}}\n",
		  "f:2:48: mention: mei has no wecom or mobile in people:, a channel of kind \"wecom\" cannot mention them" },
		{ SRC "channels: {ops: {kind: wecom, url: u, mention: {critical: oncall}}}\n" SVC
		      "people: {lin: {wecom: l}, mei: {}}\noncall: {rota: {people: [lin, [mei, lin], mei], start: 2026-11-23}}\n",
		  "f:2:48: mention: mei, who is on call, has no wecom or mobile in people:, a channel of kind \"wecom\" cannot mention them" },
		{ SRC CHN SVC "log_url: \"https://logs.example/\"\n",
		  "f:4:10: log_url: has no {ci_run_id} in it: it is the same for every message" },
		{ SRC CHN SVC "hooks_url: \"http://sw.example\"\ngateway: {approvals: true}\n",
		  "f:5:22: approvals: the link lets whoever has it decide, and \"http://sw.example\" is not https" },
		{ WEB("deploys: pipeline, match: [{environment: x}]"),
		  "f:3:55: deploys: pipeline has no effect: no match says a branch, a tag or a workflow without an "
		  "environment or job" },
	};

	for (size_t i = 0; i < SW_COUNT(cases); i++) {
		struct sw_arena a = { 0 };
		struct sw_diags d;
		struct sw_config *c = NULL;

		sw_diags_init(&d, &a);
		if (sw_config_load_text("f", cases[i].text, strlen(cases[i].text), &plugins, &test_env, &c, &d) < 0)
			fail_msg("%s", d.first->text);
		assert_int_equal(d.warnings, 1);
		assert_string_equal(d.first->text, cases[i].want);
		sw_config_put(c);
		sw_arena_fini(&a);
	}
}

static void test_inheritance(void **state)
{
	static const char text[] =
	    SRC CHN "actions: {undo-web: {kind: http, url: \"http://u\"}, undo: {kind: exec, command: /bin/u}}\n"
	            "defaults: {health: {every: 5s, status: \"200-204\"}, limits: {p95: 1s, errors: 5%}, rollback: "
	            "\"undo\", dry_run: true}\n"
	            "services:\n"
	            "  web:\n"
	            "    repo: acme/web\n"
	            "    health: {timeout: 1s}\n"
	            "    limits: {p95: 800us, size: 12MiB, rps: 20/s, n: 3}\n"
	            "    rollback: \"undo-{service}\"\n"
	            "    labels: {team: \"{service}-team\"}\n"
	            "    environments:\n"
	            "      prod: {health: \"http://{service}/h\", dry_run: false, limits: {errors: 1%}, "
	            "rollback_limit: {24h: 9}, channels: []}\n"
	            "      production-canary: {tier: production}\n"
	            "      stage:\n";
	static const struct {
		const char *name;
		int type;
		double value;
	} limits[] = {
		{ "p95", SW_V_DURATION, 0.0008 }, { "errors", SW_V_RATIO, 0.01 }, { "size", SW_V_BYTES, 12 << 20 },
		{ "rps", SW_V_RATE, 20 },         { "n", SW_V_NUMBER, 3 },
	};
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_config *c = NULL;
	const struct sw_place *p;

	sw_diags_init(&d, &a);
	if (sw_config_load_text("f", text, sizeof text - 1, &plugins, &test_env, &c, &d) < 0)
		fail_msg("%s", d.first->text);
	p = &c->places.items[0];
	assert_string_equal(p->health.url, "http://web/h");
	assert_int_equal(p->health.every, 5000);
	assert_int_equal(p->health.timeout, 1000);
	assert_int_equal(p->health.status_max, 204);
	assert_false(p->dry_run);
	assert_string_equal(p->rollback, "undo-web");
	assert_int_equal(p->rollbacks_30m, 1);
	assert_int_equal(p->rollbacks_24h, 9);
	assert_string_equal(p->labels[0].value, "web-team");
	assert_null(sw_config_place_channels(c, p)[0]);
	assert_int_equal(p->n_limits, SW_COUNT(limits));
	for (size_t i = 0; i < SW_COUNT(limits); i++) {
		assert_string_equal(p->limits[i].name, limits[i].name);
		assert_int_equal(p->limits[i].type, limits[i].type);
		assert_true(p->limits[i].value > limits[i].value * 0.999 &&
		            p->limits[i].value < limits[i].value * 1.001);
	}
	p = &c->places.items[1];
	assert_string_equal(p->tier, "prod");
	assert_true(p->dry_run);
	assert_null(p->health.url);
	assert_string_equal(sw_config_place_channels(c, p)[0], "ops");
	p = &c->places.items[2];
	assert_string_equal(p->tier, "staging");
	assert_int_equal(p->limits[1].value * 100, 5);
	assert_int_equal(sw_config_action(c, "undo")->timeout, 5 * SW_MINUTE);
	assert_int_equal(sw_config_action(c, "undo-web")->timeout, 30 * SW_SECOND);
	sw_config_put(c);
	sw_arena_fini(&a);
}

static void test_write(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* Relative paths, the folder of rules, and who may read the file. */
/* prometheus: and metrics: level by level; short forms; null turns off; what {service} becomes. */
static void test_measures(void **state)
{
	static const char text[] =
	    SRC CHN "defaults: {prometheus: {url: \"http://p:9090/{service}\", labels: {job: \"{service}\", q: 'a\"b\\'}, user: u, password: w}}\n"
	            "services:\n"
	            "  web:\n"
	            "    repo: acme/web\n"
	            "    prometheus: {preset: spring-boot, window: 30s, token: t}\n"
	            "    metrics: \"http://{service}:9100/metrics\"\n"
	            "    environments:\n"
	            "      prod: {prometheus: {labels: ' job = \"x\", pod=~\"web-.*\" , '}, metrics: {timeout: 1s, preset: envoy}}\n"
	            "      stage: {prometheus: \"https://u:secret@q/x?key=secret\", metrics: null}\n"
	            "      dev: {prometheus: ~, metrics: ~}\n"
	            "  \"*\": {repos: [\"all/*\"], environments: {prod: {health: \"http://h/\"}}}\n";
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_config *c = NULL;
	const struct sw_place *p;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_diags_init(&d, &a);
	if (sw_config_load_text("f", text, sizeof text - 1, &plugins, &test_env, &c, &d) < 0)
		fail_msg("%s", d.first->text);
	p = &c->places.items[0];
	assert_string_equal(p->prometheus.url, "http://p:9090/web");
	assert_string_equal(p->prometheus.labels, " job = \"x\", pod=~\"web-.*\" , ");
	assert_string_equal(p->prometheus.preset, "spring-boot");
	assert_int_equal(p->prometheus.window, 30000);
	assert_int_equal(p->prometheus.timeout, 10000);
	assert_string_equal(p->prometheus.token, "t");
	assert_null(p->prometheus.user);
	assert_string_equal(p->scrape.url, "http://web:9100/metrics");
	assert_int_equal(p->scrape.timeout, 1000);
	assert_int_equal(p->scrape.background, SW_MINUTE);
	p = &c->places.items[1];
	assert_string_equal(p->prometheus.labels, "job=\"web\",q=\"a\\\"b\\\\\"");
	assert_null(p->scrape.url);
	sw_config_summary(c, p, &b);
	assert_non_null(strstr(b.p, "; prometheus https://q/x (spring-boot); no rollback"));
	p = &c->places.items[2];
	assert_null(p->prometheus.url);
	p = sw_places_find(&c->places, "a\"},b", "prod", &a);
	assert_string_equal(p->prometheus.url, "http://p:9090/a\"},b");
	assert_string_equal(p->prometheus.labels, "job=\"a_},b\",q=\"a\\\"b\\\\\"");
	assert_string_equal(p->prometheus.password, "w");
	sw_config_put(c);
	sw_arena_fini(&a);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/sw-config-XXXXXX";
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_config *c = NULL;
	const char *conf, *rules;

	assert_non_null(mkdtemp(dir));
	conf = sw_arena_printf(&a, "%s/s.yaml", dir);
	rules = sw_arena_printf(&a, "%s/rules", dir);
	assert_int_equal(mkdir(rules, 0700), 0);
	test_write(conf, SRC CHN SVC "rules: rules/\nstate_dir: state\n", 0600);
	sw_diags_init(&d, &a);
	assert_int_equal(sw_config_load(conf, &plugins, &test_env, &c, &d), -EINVAL);
	assert_string_equal(d.first->text,
	                    sw_arena_printf(&a, "%s:4:8: rules: there is no *.yaml in %s/", conf, rules));
	test_write(sw_arena_printf(&a, "%s/b.yaml", rules), "", 0600);
	test_write(sw_arena_printf(&a, "%s/a.yml", rules), "", 0600);
	test_write(sw_arena_printf(&a, "%s/.c.yaml", rules), "", 0600);
	test_write(sw_arena_printf(&a, "%s/README", rules), "", 0600);
	assert_int_equal(sw_config_load(conf, &plugins, &test_env, &c, &d), 0);
	assert_string_equal(c->rules[0], sw_arena_printf(&a, "%s/a.yml", rules));
	assert_string_equal(c->rules[1], sw_arena_printf(&a, "%s/b.yaml", rules));
	assert_null(c->rules[2]);
	assert_string_equal(c->state_dir, sw_arena_printf(&a, "%s/state", dir));
	sw_config_put(c);
	assert_int_equal(chmod(conf, 0644), 0);
	sw_diags_init(&d, &a);
	assert_int_equal(sw_config_load(conf, &plugins, &test_env, &c, &d), -EINVAL);
	assert_int_equal(d.errors, 1);
	assert_string_equal(
	    d.first->text,
	    sw_arena_printf(&a,
	                    "%s:1:29: tokens: a secret in plain text in a file that everybody can read; use ${NAME} or "
	                    "${file:PATH}, or chmod o-r",
	                    conf));
	unlink(conf);
	sw_diags_init(&d, &a);
	assert_int_equal(sw_config_load(conf, &plugins, &test_env, &c, &d), -EINVAL);
	assert_string_equal(d.first->text, sw_arena_printf(&a, "%s: cannot be read: No such file or directory", conf));
	for (const char *const *name = (const char *const[]){ "b.yaml", "a.yml", ".c.yaml", "README", NULL }; *name;
	     name++)
		unlink(sw_arena_printf(&a, "%s/%s", rules, *name));
	rmdir(rules);
	rmdir(dir);
	sw_arena_fini(&a);
}

static void test_timezone(void **state)
{
	static const struct { const char *zone; sw_ms at; int want; } rows[] = {
		{ "UTC", 1795834429000, 0 }, { "Asia/Shanghai", 1795834429000, 8 * 3600 },
		{ "Europe/Berlin", 1782777600000, 2 * 3600 }, { "Europe/Berlin", 1795834429000, 3600 },
		{ "-03:30", 0, -12600 },
	};

	(void)state;
	for (size_t i = 0; i < SW_COUNT(rows); i++) {
		struct sw_config c = { 0 };

		assert_int_equal(sw_zone_load(&c.arena, rows[i].zone, &c.zone), 0);
		assert_int_equal(sw_config_tz_offset(&c, rows[i].at), rows[i].want);
		sw_arena_fini(&c.arena);
	}
}

static void test_whole(void **state)
{
	struct sw_arena a = { 0 };
	struct sw_diags d;
	struct sw_config *c = NULL;
	const char *text = sw_arena_printf(&a, whole, "", "{kind: exec, command: /opt/undo, timeout: 90s}", "");

	sw_diags_init(&d, &a);
	assert_int_equal(sw_config_load_text("s.yaml", text, strlen(text), &plugins, &test_env, &c, &d), 0);
	assert_int_equal(d.warnings, 1);
	assert_true(sw_ends(d.first->text, "/rota.yaml: No such file or directory"));
	test_whole_check(c);
	sw_config_put(c);
	sw_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smallest), cmocka_unit_test(test_whole),    
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_warnings), cmocka_unit_test(test_inheritance),
		cmocka_unit_test(test_measures), cmocka_unit_test(test_files), cmocka_unit_test(test_timezone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
