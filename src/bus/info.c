/* The bus on Redis: what Redis is and is set to, and whether we work with such a one at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bus/impl.h"
#include "shipwatch/clock.h"

static bool info_word(const char *info, const char *name, char *out, size_t size)
{
	size_t n = strlen(name), len;
	const char *p = info;

	while ((p = strstr(p, name))) {
		if ((p == info || p[-1] == '\n') && p[n] == ':')
			break;
		p += n;
	}
	if (!p)
		return false;
	len = strcspn(p + n + 1, "\r\n");
	(void)snprintf(out, size, "%.*s", (int)SW_MIN(len, size - 1), p + n + 1);
	return true;
}

static void info_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct remote *b = arg;
	const char *s = r == 0 ? sw_rep_str(rep, NULL) : NULL;
	char word[64];

	if (!s)
		return;
	(void)info_word(s, "run_id", b->info.run_id, sizeof b->info.run_id);
	(void)info_word(s, "redis_version", b->info.version, sizeof b->info.version);
	b->info.cluster = info_word(s, "cluster_enabled", word, sizeof word) && word[0] == '1';
	b->info.replica = info_word(s, "role", word, sizeof word) && sw_streq(word, "slave");
	b->info.aof_ok = info_word(s, "aof_last_write_status", word, sizeof word) && sw_streq(word, "ok");
	b->info.maxmemory = info_word(s, "maxmemory", word, sizeof word) ? strtoll(word, NULL, 10) : 0;
	b->info.used_memory = info_word(s, "used_memory", word, sizeof word) ? strtoll(word, NULL, 10) : 0;
	b->info.noeviction = info_word(s, "maxmemory_policy", word, sizeof word) && sw_streq(word, "noeviction");
	b->info.appendonly = info_word(s, "aof_enabled", word, sizeof word) && word[0] == '1';
	if (info_word(s, "loading", word, sizeof word) && word[0] == '1')
		sw_link_drop(b->work, "Redis is still loading its data");
	else if (b->info.cluster)
		sw_link_drop(b->work, "Redis runs as a cluster, which is not supported: use a single Redis, or one behind Sentinel");
	else if (strtol(b->info.version, NULL, 10) < 7)
		sw_link_drop(b->work, "Redis is older than 7.0");
	else if (b->info.replica)
		sw_link_drop(b->work, "Redis is a replica: the address must be that of the master");
}

static void config_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct remote *b = arg;

	if (r == -EIO || r == -ECANCELED)
		return; /* the connection is gone: it says nothing, and the next one is asked before it is used */
	b->info.always = false; /* where CONFIG is not allowed nothing can be promised */
	for (size_t i = 0; r == 0 && i + 1 < sw_rep_count(rep); i += 2)
		if (sw_streq(sw_rep_str(sw_rep_at(rep, i), NULL), "appendfsync"))
			b->info.always = sw_streq(sw_rep_str(sw_rep_at(rep, i + 1), NULL), "always");
}

static void ctl_reply(void *arg, int r, const struct sw_rep *rep)
{
	struct remote *b = arg;

	if (r < 0 || sw_rep_count(rep) < 6) {
		if (r < 0 && r != -EIO && r != -ECANCELED && !sw_link_up(b->work))
			sw_link_drop(b->work, sw_client_error(b->client));
		return;
	}
	remote_now_set(b, sw_rep_int(sw_rep_at(rep, 3)));
	b->info.rtt_ms = sw_clock_mono() - b->asked_at;
	b->have_info = true;
	sw_link_ready(b->work); /* nothing if something above wants it dropped, or it is up */
}

void info_ask(void *arg)
{
	struct remote *b = arg;
	static const char *const keys[] = { "{sw}:work", "{sw}:in" };
	struct sw_cmd cmd;

	b->asked_at = sw_clock_mono();
	sw_cmd_plain(&cmd, "INFO");
	sw_link_send(b->work, &cmd, 0, info_reply, b);
	sw_cmd_plain(&cmd, "CONFIG");
	sw_cmd_str(&cmd, "GET");
	sw_cmd_str(&cmd, "appendfsync");
	sw_link_send(b->work, &cmd, 0, config_reply, b);
	for (size_t i = 0; i < SW_COUNT(keys) && !sw_link_up(b->work); i++) {
		sw_cmd_plain(&cmd, "XGROUP");
		sw_cmd_str(&cmd, "CREATE");
		sw_cmd_str(&cmd, keys[i]);
		sw_cmd_str(&cmd, "w");
		sw_cmd_str(&cmd, "0");
		sw_cmd_str(&cmd, "MKSTREAM");
		sw_link_send(b->work, &cmd, 0, NULL, NULL);
	}
	sw_cmd_script(&cmd, SW_SCRIPT_LOAD);
	sw_cmd_str(&cmd, "ctl-time");
	sw_cmd_int(&cmd, 0);
	sw_cmd_int(&cmd, 0);
	sw_link_send(b->work, &cmd, 0, ctl_reply, b);
	sw_timer_set(&b->minute, SW_MINUTE);
}
